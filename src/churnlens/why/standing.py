"""Which drivers cost clients all along, with no date at which they began?

A client's usual level of a driver, read from its past with the last months left out (so that
nothing the firm did because the client was leaving can enter), is held against departures among
clients who are alike in every attribute. A score test of "more of it, more departures" is summed
over every segment, so that a trouble that only some mind is found where it is; the number of
segments and of drivers looked at is paid for. Where a segment leaves more all along and a driver
is higher, its own clients are looked at more closely (`within`), for the price of that look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.panel.exposures import Exposure
from churnlens.panel.threads import over_chunks, over_rows
from churnlens.which.baseline import Baseline
from churnlens.which.segments import Attribute, Group, dense_sums, groups, members
from churnlens.why.candidates import CLEARLY
from churnlens.why.lead_lag import lead_lag
from churnlens.why.model import Term
from churnlens.why.within import LEFT_OUT, Within, among_alike, look_within

Array = npt.NDArray[Any]

LEAST_SCORE = (
    5.0  # log-likelihood gain, segments and drivers paid for: false in about 1 of 100 books
)
LEAST_WITHIN = 4.0  # the same within segments that leave more: false in 1 of 100 of them at most
# Where a driver costs clients: standard errors by which departures follow it in a segment, and the
# part of its excess over nine in ten clients elsewhere that lies there.
SEEN, ELSEWHERE, MOST_OF_IT = 2.0, 0.9, 2 / 3
# A score that rests on few departures is not normal, the less so as levels are skewed: so many
# departures' worth of information is held back.
HELD_BACK = 8.0
LOWEST = 0.1  # quantile of the level that stands for "without the trouble"


@dataclass(frozen=True)
class Standing:
    """A driver whose level goes with departures all along, in a segment.

    `direction` is `more` where more of it costs clients; `usual` is its mean in the segment and
    `low` what stands for "without the trouble": its mildest decile there, or the mean elsewhere
    where that is milder (for `less`, the higher of the two), both in its own unit; `inside` are the
    segment's client-periods, bool[n, T].
    """

    exposure: Exposure
    segment: dict[str, tuple[str, ...]]
    direction: str
    low: float
    usual: float
    score: float
    term: Term
    inside: Array

    @property
    def driver(self) -> str:
        """Name of the driver."""
        return self.exposure.driver


@dataclass(frozen=True)
class AllAlong:
    """Drivers that cost clients all along, the strongest first, and those that may.

    The latter are higher where more leave, and whether it is for them cannot be told.
    """

    causes: tuple[Standing, ...]
    open: tuple[Within, ...]


def find_standing(
    baseline: Baseline,
    explained: Array,
    attributes: tuple[Attribute, ...],
    taken: set[str],
    moved: Mapping[str, Array] | None = None,
) -> AllAlong:
    """Return the drivers that cost clients all along.

    Parameters
    ----------
    explained
        Factor by which what is known already raises what is expected, float32[n, T].
    taken
        Drivers that explain a rise already and are not looked at again.
    moved
        By driver, the client-periods since a change of it, bool[n, T]: what comes after a change is
        judged as one, and is not read here. Drivers that did not change may be missing.
    """
    looked = [e for e in baseline.panel.exposures if e.driver not in taken]
    still = dict.fromkeys((e.driver for e in looked), np.ones((1, 1), bool))
    still |= {driver: ~since for driver, since in (moved or {}).items()}
    found: dict[str, Standing] = {}

    def test(exposure: Exposure) -> Standing | None:
        own = still[exposure.driver]
        return _test(baseline, explained, attributes, exposure, own, len(looked))

    for exposure, best in zip(looked, over_chunks(test, looked), strict=True):
        if best is not None and lead_lag(baseline, exposure, (), 1).is_symptom:
            continue  # what follows the decline of slow leavers leaks into their past
        if best is not None and best.score > getattr(found.get(exposure.driver), "score", 0.0):
            found[exposure.driver] = best
    looked_within = look_within(baseline, explained, attributes, tuple(looked), still)
    for within in looked_within:
        whole = found.get(within.exposure.driver)
        best = _of_segment(baseline, attributes, within, LEAST_WITHIN)
        if best is not None and best.score > getattr(whole, "score", 0.0):
            found[best.driver] = best
        elif whole is not None and not whole.segment and _lies_in(within, whole, attributes):
            there = _of_segment(baseline, attributes, within, -np.inf)
            if there is not None:
                dose = np.where(there.inside, whole.term.dose, np.float32(0))
                term = replace(whole.term, dose=dose)  # its slope is that of all clients
                found[whole.driver] = replace(there, score=whole.score, term=term)
    unsure = tuple(w for w in looked_within if w.is_open and w.exposure.driver not in found)
    return AllAlong(tuple(sorted(found.values(), key=lambda s: -s.score)), unsure)


def _lies_in(within: Within, whole: Standing, attributes: tuple[Attribute, ...]) -> bool:
    """Whether a driver that costs clients in the whole book troubles one segment only.

    Departures follow it there, and of what clients have beyond nine in ten of those elsewhere most
    is had there.
    """
    sign = 1 if whole.direction == "more" else -1
    if within.sign != sign or within.z < SEEN:
        return False
    inside = np.asarray(members(within.segment, attributes, within.level.shape).any(axis=1))
    count = within.known.sum(axis=1)
    own = sign * np.where(within.known, within.level, 0).sum(axis=1) / np.maximum(count, 1)
    inside, own = inside[count > 0], own[count > 0]
    if inside.all():
        return False  # nobody elsewhere to hold them against
    beyond = (own - np.quantile(own[~inside], ELSEWHERE)).clip(0)
    return bool(beyond.sum() > 0 and beyond[inside].sum() >= MOST_OF_IT * beyond.sum())


def _of_segment(
    baseline: Baseline, attributes: tuple[Attribute, ...], within: Within, least: float
) -> Standing | None:
    if within.score < least:
        return None
    inside = members(within.segment, attributes, within.level.shape)
    if lead_lag(baseline, within.exposure, (inside,), within.sign).is_symptom:
        return None
    read = (within.level, within.known)
    return _standing(within.exposure, within.segment, within.sign, within.score, read, attributes)


def usual_level(baseline: Baseline, exposure: Exposure) -> tuple[Array, Array]:
    """Return each client's usual level by period from its past, shrunk, and where it is known.

    The mean of all periods recorded up to three months before, shrunk to the mean of all clients by
    what its noise deserves; float32[n, T] and bool[n, T].
    """
    values = exposure.values
    there = np.isfinite(values) & (
        np.arange(values.shape[1]) >= baseline.panel.activity.first[:, None]
    )
    v = np.where(there, values, 0)
    overall = float(v.sum() / max(there.sum(), 1))
    n = there.sum(axis=1)
    own = np.where(n > 0, v.sum(axis=1) / np.maximum(n, 1), overall)
    within = float(
        np.where(there, v - own[:, None], 0).astype(np.float64).var()
        * there.size
        / max((n - 1).clip(0).sum(), 1)
    )
    between = max(
        float(((own - overall) ** 2 * n).sum() / max(n.sum(), 1))
        - within * (n > 0).sum() / max(n.sum(), 1),
        1e-12,
    )
    back = baseline.panel.calendar.span(LEFT_OUT)
    level, known = np.empty(v.shape, np.float32), np.empty(v.shape, bool)

    def fill(rows: slice) -> None:
        sums, counts = _up_to(v[rows], back), _up_to(there[rows].astype(np.float32), back)
        trust = counts / np.maximum(counts + within / between, 1e-12)
        known[rows] = counts > 0
        mean = np.where(known[rows], sums / np.maximum(counts, 1), 0)
        level[rows] = overall + trust * (mean - overall)

    over_rows(fill, len(v))
    return level, known


def _up_to(values: Array, back: int) -> Array:
    """Running sums as they stood so many periods before the start of each period, float64."""
    running = np.zeros(values.shape)
    running[:, back:] = cumulative(values)[:, : max(values.shape[1] - back, 0)]
    return running


def _test(
    baseline: Baseline,
    explained: Array,
    attributes: tuple[Attribute, ...],
    exposure: Exposure,
    still: Array,
    drivers: int,
) -> Standing | None:
    level, known = usual_level(baseline, exposure)
    known = known & still
    due = baseline.expected * explained
    weight = np.where(known, due, 0)
    z, deviation = among_alike(level, weight, _alike(level.shape, attributes))
    if deviation == 0:
        return None
    pull = np.where(known, z * (baseline.observed - due), 0).astype(np.float32)
    hold = np.where(known, z**2 * due, 0).astype(np.float32)
    looked = groups(tuple(a for a in attributes if a.codes.ndim == 1))
    prices = {k: np.log1p(sum(g.segments for g in looked if g.order == k)) for k in (1, 2)}
    prices[0] = 0.0
    pulls, holds = pull.sum(axis=1, keepdims=True), hold.sum(axis=1, keepdims=True)
    best: tuple[float, Group, int, float] | None = None
    for group in looked:
        u = group.add_up(dense_sums(group, pulls))[:, 0]
        i = group.add_up(dense_sums(group, holds))[:, 0]
        score = u**2 / (2 * (i + HELD_BACK)) - prices[group.order]
        score = np.where(i >= 4, score, -np.inf)
        s = int(score.argmax())
        # Of near-equal segments the simplest: a part is told only where it is clearly better.
        margin = CLEARLY if best is not None and group.order > best[1].order else 0.0
        if best is None or score[s] > best[0] + margin:
            best = (float(score[s]), group, s, float(u[s]))
    if best is None or best[0] - np.log(max(drivers, 1)) < LEAST_SCORE:
        return None
    gain, of, at, lean = best
    sign = 1 if lean > 0 else -1
    return _standing(exposure, of.segment(at), sign, gain, (level, known), attributes)


def _without(level: Array) -> float:
    """Return the level that stands for "without the trouble": one that some are above."""
    low = float(np.quantile(level, LOWEST))
    fewer = level[level < low]
    return low if low < float(level.max()) or not len(fewer) else float(fewer.mean())


def _alike(shape: tuple[int, ...], attributes: tuple[Attribute, ...]) -> list[Array]:
    """Codes of what clients must be alike in: the period, and every attribute."""
    period = np.broadcast_to(np.arange(shape[1]), shape)
    return [period, *(a.codes if a.codes.ndim == 2 else a.codes[:, None] for a in attributes)]


def _standing(
    exposure: Exposure,
    segment: dict[str, tuple[str, ...]],
    sign: int,
    score: float,
    read: tuple[Array, Array],
    attributes: tuple[Attribute, ...],
) -> Standing:
    """`read` are each client's level by period, and where it is known."""
    level, known = read
    inside = members(segment, attributes, level.shape)
    there = level[inside & known]
    low = _without(sign * there)
    elsewhere = level[known & ~inside]
    if len(elsewhere):  # where a whole segment has the trouble, others tell how it is without
        low = min(low, float((sign * elsewhere).mean()))
    low *= sign
    usual = float(there.mean())
    dose = np.where(inside & known, (sign * (level - low)).clip(0) / max(abs(usual - low), 1e-9), 0)
    term = Term(exposure.name, dose.clip(0, 4).astype(np.float32), inside)
    direction = "more" if sign > 0 else "less"
    return Standing(exposure, segment, direction, low, usual, score, term, inside)
