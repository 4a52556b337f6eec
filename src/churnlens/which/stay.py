"""Say what marks the best clients who stay, against comparable ones who left: an association.

Half a year at a time, each client of the top tier is put into the half that had more of something
in the year before (a driver, orders, kinds of product, years as a client), or the half that had
less, among the top clients alike in the two attributes that it differs most by; or into those with
a value of an attribute and those without. Departures of the two are compared by a rate ratio pooled
over those strata (Mantel & Haenszel 1959; variance of Greenland & Robins 1985), over what tenure,
season and attributes lead to expect (for an attribute: over the time that they were there). Nothing
after a departure began is used, nor anything of the two months before it, since it may have begun a
little earlier than it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from churnlens.panel.attributes import POOLED, UNKNOWN
from churnlens.panel.cumulative import cumulative
from churnlens.panel.exposures import Exposure
from churnlens.panel.worth import MIDDLE, TOP
from churnlens.results import Z95, Association, Estimate, Evidence, Skipped, Text
from churnlens.when.rates import informed_part, within_a_year
from churnlens.when.survival import holm
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]

FEWEST = 20  # departures of top clients that the data tell
SMALLEST = 20  # client-half-years of a stratum
SMALL_GROUP = 5  # clients under which a value is not spoken of
MOST = 3
LEVEL = 0.05
BLOCK, GAP = 6, 2  # months that departures are counted over, and left out before them


@dataclass(frozen=True)
class _Blocks:
    """Clients of a tier by half-year, one row each: which spell, which half-year, what came of it.

    `found`, `due` and `active` are departures, those expected, and client-periods, each as far as
    the data tell them.
    """

    spell: Array
    start: Array
    found: Array
    due: Array
    active: Array


@dataclass(frozen=True)
class _Mark:
    """Something that may mark those who stay: its level by block, NaN where not known.

    `driver` is what it measures; `of` the segment where it is a value of an attribute.
    """

    name: str
    driver: str
    level: Callable[[_Blocks], Array]
    of: tuple[str, str] | None = None


def why_the_best_stay(baseline: Baseline) -> tuple[Association, ...] | Skipped:
    """Return at most three marks by which the top fifth's loyal differ from those who left.

    Each passes after Holm's correction for all that was tried, and points the same way in both
    halves of the clients; whether it does so among the middle clients, too, is said with it. Empty
    where nothing marks them; `Skipped` under 20 departures of top clients.
    """
    blocks = _blocks(baseline, TOP)
    told = float(blocks.found.sum())
    if told < FEWEST:
        text = Text(
            "Too few of the best clients left to say what marks those who stay: {seen}, {needed} "
            "are needed.",
            {"seen": int(told), "needed": FEWEST},
        )
        return Skipped("too_few_best_left", str(text), text)
    tried = [(m, _compare(baseline, blocks, m)) for m in _marks(baseline)]
    compared = [(m, c) for m, c in tried if c is not None]
    corrected = holm([c.p_value for _, c in compared]) if compared else np.zeros(0)
    passed = [
        (float(p), m, c)
        for p, (m, c) in zip(corrected, compared, strict=True)
        if p < LEVEL and c.holds_in_halves
    ]
    return _strongest_of_each(baseline, passed)


def _marks(baseline: Baseline) -> list[_Mark]:
    """What is looked at: drivers, how they buy, how long they have been here, attributes."""
    panel = baseline.panel
    looked = [e for e in panel.exposures if e.role == "candidate"]
    marks = [_Mark(e.name, e.driver, _of_driver(baseline, e)) for e in looked]
    marks.append(_Mark("orders", "orders", lambda b: _orders_before(baseline, b)))
    marks.append(_Mark("years_as_a_client", "years_as_a_client", lambda b: _tenure(baseline, b)))
    breadth = panel.breadth
    if breadth is not None:
        gap = panel.calendar.span(GAP)
        marks.append(
            _Mark("kinds_of_product", "kinds_of_product", lambda b: breadth[b.spell, b.start - gap])
        )
    for name in map(str, panel.attributes):
        column = panel.attributes[name].cat
        codes = column.codes.to_numpy()
        if not column.ordered:
            marks += [
                _Mark(name, name, _has(codes, code), (name, str(value)))
                for code, value in enumerate(column.categories)
                if value not in (POOLED, UNKNOWN)
            ]
    return marks


def _of_driver(baseline: Baseline, exposure: Exposure) -> Callable[[_Blocks], Array]:
    return lambda blocks: _level_before(baseline, blocks, exposure)


def _has(codes: Array, code: int) -> Callable[[_Blocks], Array]:
    return lambda blocks: np.asarray(codes[blocks.spell] == code, dtype=float)


def _orders_before(baseline: Baseline, blocks: _Blocks) -> Array:
    """Orders a month over the year up to two months before a half-year, season allowed for."""
    cal, activity = baseline.panel.calendar, baseline.panel.activity
    x, e = cumulative(activity.orders), cumulative(activity.exposure)
    end = blocks.start - cal.span(GAP)
    begin = np.maximum(end - cal.per_year, 0)
    orders = x[blocks.spell, end] - x[blocks.spell, begin]
    due = e[blocks.spell, end] - e[blocks.spell, begin]
    return np.asarray(orders / np.maximum(due, 1) * cal.per_year / 12)


def _tenure(baseline: Baseline, blocks: _Blocks) -> Array:
    """Years since the first order or signup; not known of who ordered from the start."""
    panel = baseline.panel
    years = (blocks.start - panel.entry[blocks.spell]) / panel.calendar.per_year
    return np.where(panel.known_from_start[blocks.spell], np.nan, years)


@dataclass(frozen=True)
class _Comparison:
    ratio: Estimate  # rate of those with more over the rate of those with less
    p_value: float
    holds_in_halves: bool
    rate_with_less: float  # per 100 clients a year
    stayers: float
    leavers: float


def _strongest_of_each(
    baseline: Baseline, passed: list[tuple[float, _Mark, _Comparison]]
) -> tuple[Association, ...]:
    kept: dict[str, tuple[_Mark, _Comparison]] = {}
    for _, mark, compared in sorted(passed, key=lambda row: (row[0], row[1].name)):
        kept.setdefault(mark.driver, (mark, compared))
    chosen = list(kept.values())[:MOST]
    others = _blocks(baseline, MIDDLE) if chosen else None
    return tuple(
        _association(m, c, _elsewhere(baseline, others, m, c)) for m, c in chosen if others
    )


def _elsewhere(baseline: Baseline, middle: _Blocks, mark: _Mark, compared: _Comparison) -> Evidence:
    """Say whether the middle clients show the same."""
    found = _compare(baseline, middle, mark) if middle.found.sum() >= FEWEST else None
    if found is None:
        text = Text("Too few of the other clients left to see whether it marks them as well.")
        return Evidence("elsewhere", "skip", str(text), text)
    same = (found.ratio.value > 1) == (compared.ratio.value > 1)
    if same and not found.ratio.low <= 1 <= found.ratio.high:
        text = Text("The middle clients show the same.")
        return Evidence("elsewhere", "pass", str(text), text)
    text = Text("The middle clients do not surely show the same.")
    return Evidence("elsewhere", "fail", str(text), text)


_MORE = (
    "Among the best clients, those with more {driver} than comparable clients left less often: "
    "{more} of 100 a year against {less}. It goes with staying and need not cause it."
)
_LESS = (
    "Among the best clients, those with less {driver} than comparable clients left less often: "
    "{less} of 100 a year against {more}. It goes with staying and need not cause it."
)
_WITH = (
    "Among the best clients, {segment} left less often than comparable clients: {more} of 100 a "
    "year against {less}. It goes with staying and need not cause it."
)
_WITHOUT = (
    "Among the best clients, {segment} left more often than comparable clients: {more} of 100 a "
    "year against {less}. It goes with leaving and need not cause it."
)


def _association(mark: _Mark, compared: _Comparison, elsewhere: Evidence) -> Association:
    less, fewer = compared.rate_with_less, compared.ratio.value < 1
    rates = {"more": less * compared.ratio.value, "less": less}
    values: dict[str, Any] = {
        name: {"type": "number", "value": round(float(within_a_year(rate)), 1)}
        for name, rate in rates.items()
    }
    halves = Text("Each half of the clients shows it by itself.")
    if mark.of is None:
        values["driver"] = {"type": "driver", "value": mark.name}
        text = Text(_MORE if fewer else _LESS, values)
    else:
        values["segment"] = {"type": "clients", "value": {mark.of[0]: (mark.of[1],)}}
        text = Text(_WITH if fewer else _WITHOUT, values)
    return Association(
        text=text,
        feature=mark.name if mark.of is None else ": ".join(mark.of),
        stayers=compared.stayers,
        leavers=compared.leavers,
        risk_ratio=compared.ratio,
        evidence=(Evidence("held_out", "pass", str(halves), halves), elsewhere),
    )


def _blocks(baseline: Baseline, tier: int) -> _Blocks:
    """Add up the departures of a tier's clients over half-years, counted back from the end."""
    panel = baseline.panel
    periods, length = panel.active.shape[1], panel.calendar.span(BLOCK)
    least = panel.calendar.span(GAP) + panel.calendar.span(
        BLOCK
    )  # half a year of past, and the gap
    rows = []
    for start in range(periods - length, least - 1, -length):
        part = slice(start, start + length)
        here = np.flatnonzero((panel.tiers[:, start] == tier) & (panel.active[:, start] > 0))
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


def _compare(baseline: Baseline, blocks: _Blocks, mark: _Mark) -> _Comparison | None:
    """Compare those with more and with less of something; None where it hardly varies."""
    level = np.asarray(mark.level(blocks), dtype=float)
    known = np.isfinite(level)
    if known.sum() < 2 * SMALLEST:
        return None
    stratum = _strata(baseline, blocks, level, known, mark.name if mark.of else None)
    median = pd.Series(level).groupby(stratum).transform("median").to_numpy()
    more = level > (median if mark.of is None else 0.5)
    if mark.of is not None:  # what is expected allows for attributes already
        if min(len(np.unique(blocks.spell[side])) for side in (more, ~more)) < SMALL_GROUP:
            return None
        blocks = replace(blocks, due=blocks.active)
    whole = _pooled(blocks, stratum, more, known)
    if whole is None:
        return None
    ratio, error = whole
    wide = float(np.exp(Z95 * error))
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


def _strata(
    baseline: Baseline, blocks: _Blocks, level: Array, known: Array, without: str | None
) -> Array:
    """Clients alike: the half-year, and the two attributes that the driver differs most by.

    Where a stratum is too small, its clients are compared within the half-year alone.
    """
    alone = np.unique(blocks.start, return_inverse=True)[1]
    fine = alone
    for codes in _most_telling(baseline, blocks, level, known, without):
        fine = fine * (int(codes.max()) + 1) + codes
    place = np.unique(fine, return_inverse=True)[1]
    small = np.bincount(place, known)[place] < SMALLEST
    return np.where(small, -1 - alone, fine)


def _most_telling(
    baseline: Baseline, blocks: _Blocks, level: Array, known: Array, without: str | None
) -> list[Array]:
    """Codes of the two attributes, one left out, whose values differ most in a level."""
    frame = baseline.panel.attributes
    scored = []
    for name in frame:
        if name == without:
            continue
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
