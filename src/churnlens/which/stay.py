"""Say what marks the best clients who stay, against comparable ones who left: an association.

Half a year at a time, each client of the top tier is put into the half that had more of a driver in
the year before, or the half that had less, among the top clients alike in the two attributes that
the driver differs most by. Departures of the two halves are compared by a rate ratio pooled over
those strata (Mantel & Haenszel 1959; variance of Greenland & Robins 1985), over what tenure, season
and attributes lead to expect. Nothing after a departure began is used, nor anything of the two
months before it, since it may have begun a little earlier than it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from churnlens.panel.cumulative import cumulative
from churnlens.panel.exposures import Exposure
from churnlens.results import Association, Estimate, Skipped, Text
from churnlens.when.rates import informed_part
from churnlens.when.survival import holm
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]

TOP = 0  # code of the top fifth in `panel.tiers`
FEWEST = 20  # departures of top clients that the data tell
SMALLEST = 20  # client-half-years of a stratum
MOST = 3
LEVEL = 0.05
BLOCK, GAP = 6, 2  # months that departures are counted over, and left out before them
Z = 1.959963984540054


@dataclass(frozen=True)
class _Blocks:
    """Top clients by half-year, one row each: which spell, which half-year, what came of it.

    `found`, `due` and `active` are departures, those expected, and client-periods, each as far as
    the data tell them.
    """

    spell: Array
    start: Array
    found: Array
    due: Array
    active: Array


def why_the_best_stay(baseline: Baseline) -> tuple[Association, ...] | Skipped:
    """Return at most three drivers by which the top fifth's loyal differ from those who left.

    Each passes after Holm's correction for all drivers tried, and points the same way in both
    halves of the clients. Empty where nothing marks them; `Skipped` under 20 departures of top
    clients.
    """
    blocks = _blocks(baseline)
    told = float(blocks.found.sum())
    if told < FEWEST:
        text = Text(
            "Too few of the best clients left to say what marks those who stay: {seen}, {needed} "
            "are needed.",
            {"seen": int(told), "needed": FEWEST},
        )
        return Skipped("too_few_best_left", str(text), text)
    looked = [e for e in baseline.panel.exposures if e.role == "candidate"]
    tried = [(e, _compare(baseline, blocks, e)) for e in looked]
    compared = [(e, c) for e, c in tried if c is not None]
    corrected = holm([c.p_value for _, c in compared]) if compared else np.zeros(0)
    passed = [
        (float(p), e, c)
        for p, (e, c) in zip(corrected, compared, strict=True)
        if p < LEVEL and c.holds_in_halves
    ]
    return _strongest_of_each_driver(passed)


@dataclass(frozen=True)
class _Comparison:
    ratio: Estimate  # rate of those with more over the rate of those with less
    p_value: float
    holds_in_halves: bool
    rate_with_less: float  # per 100 clients a year
    stayers: float
    leavers: float


def _strongest_of_each_driver(
    passed: list[tuple[float, Exposure, _Comparison]],
) -> tuple[Association, ...]:
    kept: dict[str, Association] = {}
    for _, exposure, compared in sorted(passed, key=lambda row: (row[0], row[1].name)):
        kept.setdefault(exposure.driver, _association(exposure, compared))
    return tuple(kept.values())[:MOST]


_MORE = (
    "Among the best clients, those with more {driver} than comparable clients left less often: "
    "{more} of 100 a year against {less}. It goes with staying and need not cause it."
)
_LESS = (
    "Among the best clients, those with less {driver} than comparable clients left less often: "
    "{less} of 100 a year against {more}. It goes with staying and need not cause it."
)


def _association(exposure: Exposure, compared: _Comparison) -> Association:
    less = compared.rate_with_less
    values = {
        "driver": {"type": "driver", "value": exposure.name},
        "more": {"type": "number", "value": round(less * compared.ratio.value, 1)},
        "less": {"type": "number", "value": round(less, 1)},
    }
    return Association(
        text=Text(_MORE if compared.ratio.value < 1 else _LESS, values),
        feature=exposure.name,
        stayers=compared.stayers,
        leavers=compared.leavers,
        risk_ratio=compared.ratio,
    )


def _blocks(baseline: Baseline) -> _Blocks:
    """Add up the departures of top clients over half-years, counted back from the end."""
    panel = baseline.panel
    periods, length = panel.active.shape[1], panel.calendar.span(BLOCK)
    least = panel.calendar.span(GAP) + panel.calendar.span(
        BLOCK
    )  # half a year of past, and the gap
    rows = []
    for start in range(periods - length, least - 1, -length):
        part = slice(start, start + length)
        here = np.flatnonzero((panel.tiers[:, start] == TOP) & (panel.active[:, start] > 0))
        active = panel.active[here, part]
        due = (baseline.hazard[here, part] * active).sum(axis=1)
        told = informed_part(float(baseline.expected[here, part].sum()), float(due.sum()))
        found = panel.found[here, part].sum(axis=1)
        rows.append(
            (here, np.full(len(here), start), found * told, due * told, active.sum(axis=1) * told)
        )
    if not rows:
        none = np.zeros(0)
        return _Blocks(none.astype(int), none.astype(int), none, none, none)
    return _Blocks(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _compare(baseline: Baseline, blocks: _Blocks, exposure: Exposure) -> _Comparison | None:
    """Compare the halves with more and with less of a driver; None where it hardly varies."""
    level = _level_before(baseline, blocks, exposure)
    known = np.isfinite(level)
    if known.sum() < 2 * SMALLEST:
        return None
    stratum = _strata(baseline, blocks, level, known)
    median = pd.Series(level).groupby(stratum).transform("median").to_numpy()
    more = level > median
    whole = _pooled(blocks, stratum, more, known)
    if whole is None:
        return None
    ratio, error = whole
    wide = float(np.exp(Z * error))
    side = baseline.panel.client[blocks.spell] % 2
    halves = [_pooled(blocks, stratum, more, known & (side == half)) for half in (0, 1)]
    same = all(h is not None and (h[0] > 1) == (ratio > 1) for h in halves)
    less = known & ~more
    year = baseline.panel.calendar.per_year
    found, active = blocks.found[known], blocks.active[known]
    share = blocks.found[less].sum() / max(blocks.due[less].sum(), 1e-9)
    typical = blocks.due[known].sum() / max(active.sum(), 1e-9)
    return _Comparison(
        ratio=Estimate(ratio, ratio / wide, ratio * wide),
        p_value=float(2 * special.ndtr(-abs(np.log(ratio)) / error)),
        holds_in_halves=same,
        rate_with_less=float(100 * year * share * typical),
        stayers=float(np.average(level[known], weights=active)),
        leavers=float(np.average(level[known], weights=found)),
    )


def _level_before(baseline: Baseline, blocks: _Blocks, exposure: Exposure) -> Array:
    """Mean of a driver over the year up to two months before a half-year; NaN: not recorded."""
    cal = baseline.panel.calendar
    rows, place = np.unique(blocks.spell, return_inverse=True)
    values = exposure.values[rows]
    recorded = np.isfinite(values)
    recorded &= np.arange(values.shape[1]) >= baseline.panel.activity.first[rows][:, None]
    total, count = cumulative(np.where(recorded, values, 0)), cumulative(recorded)
    end = blocks.start - cal.span(GAP)
    begin = np.maximum(end - cal.per_year, 0)
    seen = count[place, end] - count[place, begin]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (total[place, end] - total[place, begin]) / seen
    return np.where(seen > 0, mean, np.nan)


def _strata(baseline: Baseline, blocks: _Blocks, level: Array, known: Array) -> Array:
    """Clients alike: the half-year, and the two attributes that the driver differs most by.

    Where a stratum is too small, its clients are compared within the half-year alone.
    """
    alone = np.unique(blocks.start, return_inverse=True)[1]
    fine = alone
    for codes in _most_telling(baseline, blocks, level, known):
        fine = fine * (int(codes.max()) + 1) + codes
    place = np.unique(fine, return_inverse=True)[1]
    small = np.bincount(place, known)[place] < SMALLEST
    return np.where(small, -1 - alone, fine)


def _most_telling(baseline: Baseline, blocks: _Blocks, level: Array, known: Array) -> list[Array]:
    """Codes of the two attributes whose values differ most in a driver's level."""
    frame = baseline.panel.attributes
    scored = []
    for name in frame:
        codes = frame[name].cat.codes.to_numpy().astype(int)[blocks.spell]
        count = np.bincount(codes[known])
        mean = np.bincount(codes[known], level[known]) / np.maximum(count, 1)
        scored.append((float((count * (mean - level[known].mean()) ** 2).sum()), codes))
    return [codes for _, codes in sorted(scored, key=lambda row: -row[0])[:2]]


def _pooled(
    blocks: _Blocks, stratum: Array, more: Array, used: Array
) -> tuple[float, float] | None:
    """Rate ratio of those with more over those with less, and the error of its log."""
    place = np.unique(stratum[used], return_inverse=True)[1]
    side = more[used].astype(int)
    size = int(place.max(initial=-1)) + 1

    def add(values: Array) -> Array:
        cells = np.bincount(place * 2 + side, values[used], minlength=2 * size)
        return cells.reshape(size, 2)

    found, due = add(blocks.found), add(blocks.due)
    total = np.maximum(due.sum(axis=1), 1e-12)
    top = float((found[:, 1] * due[:, 0] / total).sum())
    bottom = float((found[:, 0] * due[:, 1] / total).sum())
    if top <= 0 or bottom <= 0:
        return None
    spread = float((found.sum(axis=1) * due[:, 0] * due[:, 1] / total**2).sum())
    return top / bottom, float(np.sqrt(spread / (top * bottom)))
