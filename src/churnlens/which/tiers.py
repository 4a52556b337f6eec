"""Say what the clients worth most bring, and how often they leave, against the others.

Clients are ranked once, by what each brought a month in the year before the last one began or, if
it came later, before it could first leave. So the fifths are fifths of these clients: the tiers of
a single period rank everybody who bought, most of whom may be no clients yet. Each client counts by
how likely it was still one; money is of the last year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.cumulative import cumulative
from churnlens.panel.worth import BOTTOM, MIDDLE, TIERS, TOP
from churnlens.results import Estimate, Skipped, Text, TierRow
from churnlens.when.rates import informed_part, left_within_a_year
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]

SMALLEST = 5  # clients under which a tier is joined with its neighbour
LIKELY = 0.5  # chance of having been there, below which a client had most likely left before


@dataclass(frozen=True)
class _Placed:
    """Tier of each spell (−1 none), which stands for its client, and how likely that was there.

    A client that came back has the tier of its first spell, the one that is `once`: what a client
    brings stands in the row of each of its spells.
    """

    tier: Array
    once: Array
    there: Array


def tier_rows(baseline: Baseline) -> tuple[TierRow, ...] | Skipped:
    """Return one row a value tier: what its clients bring, how wide they buy, how they leave.

    All of the last year, or of what there is of it. Tiers of fewer than five clients are joined
    with the next one down (the last with the one above). `Skipped` where no client has a year to
    be valued by.
    """
    panel = baseline.panel
    first = max(panel.active.shape[1] - panel.calendar.per_year, 0)
    placed = _placed(panel, first)
    groups = _groups(placed)
    if not groups:
        text = Text("No client has a past long enough to say what it is worth.")
        return Skipped("no_tiers", str(text), text)
    return tuple(_row(baseline, group, placed, first) for group in groups)


def _placed(panel: Panel, first: int) -> _Placed:
    """Place each client that was there to leave from a period on, by its past up to then."""
    known = (panel.active[:, first:] > 0) & (panel.tiers[:, first:] >= 0)
    spells = np.flatnonzero(known.any(axis=1))
    at = first + known[spells].argmax(axis=1)
    _, place, client = np.unique(panel.client[spells], return_index=True, return_inverse=True)
    likely = np.zeros(len(place))
    np.maximum.at(likely, client, panel.active[spells, first:].max(axis=1))
    own = _ranked(panel, spells[place], at[place], likely)
    tier, once = np.full(len(panel.client), -1), np.zeros(len(panel.client), bool)
    there = np.zeros(len(panel.client))
    tier[spells], once[spells[place]], there[spells[place]] = own[client], True, likely
    return _Placed(tier, once, there)


def _ranked(panel: Panel, spells: Array, at: Array, likely: Array) -> Array:
    """Tier of each spell by its past year up to a period: fifths of those likely to be there.

    Who is set apart from the fifths by what it costs or how it buys stays so.
    """
    worth = cumulative((panel.revenue if panel.margin is None else panel.margin)[spells])
    back = np.maximum(at - panel.calendar.per_year, 0)
    since = np.minimum(np.maximum(back, panel.activity.first[spells]), at - 1)
    rows = np.arange(len(spells))
    past = (worth[rows, at] - worth[rows, back]) / np.maximum(at - since, 1)
    if not likely.any():
        return np.full(len(spells), -1)
    low, high = np.quantile(past, [0.2, 0.8], weights=likely, method="inverted_cdf")
    fifth = np.where(past > high, TOP, np.where(past <= low, BOTTOM, MIDDLE))
    own = panel.tiers[spells, at]
    return np.where(np.isin(own, (TOP, MIDDLE, BOTTOM)), fifth, own)


def _groups(placed: _Placed) -> list[tuple[int, ...]]:
    """Tiers in order of value, those with too few clients joined with a neighbour."""
    once = placed.once
    sizes = np.bincount(placed.tier[once], placed.there[once], minlength=len(TIERS))
    groups: list[tuple[int, ...]] = []
    waiting: tuple[int, ...] = ()
    for code in np.flatnonzero(sizes):
        waiting += (int(code),)
        if sizes[list(waiting)].sum() >= SMALLEST:
            groups.append(waiting)
            waiting = ()
    if waiting and groups:
        groups[-1] += waiting
    return groups


def _row(baseline: Baseline, group: tuple[int, ...], placed: _Placed, first: int) -> TierRow:
    panel, members = baseline.panel, np.isin(placed.tier, group)
    clients = members & placed.once
    found = float(panel.found[members, first:].sum(dtype=np.float64))
    return TierRow(
        tier=" and ".join(TIERS[code] for code in group),
        clients=round(float(placed.there[clients].sum())),
        revenue_share=_share(panel.revenue[:, first:], clients, placed.once),
        margin_share=None
        if panel.margin is None
        else _share(panel.margin[:, first:], clients, placed.once),
        departures=round(found),
        rate_per_year=_rate(baseline, members, first),
        breadth=_breadth(panel, clients),
        trend=_trend(panel, clients & (placed.there >= LIKELY), first),
    )


def _breadth(panel: Panel, members: Array) -> float | None:
    """Categories bought in the last year, on average of those who bought any."""
    if panel.breadth is None:
        return None
    held = panel.breadth[members, -1]
    return float(held[held > 0].mean()) if (held > 0).any() else None


def _trend(panel: Panel, members: Array, first: int) -> float | None:
    """What the members brought in the last year, leavers too, over the same ones' year before."""
    year = panel.calendar.per_year
    old = members & (panel.entry <= first - year) & (panel.activity.first <= max(first - year, 0))
    if first < year or old.sum() < SMALLEST:
        return None
    worth = panel.revenue if panel.margin is None else panel.margin
    before = float(worth[old, first - year : first].sum(dtype=np.float64))
    return float(worth[old, first:].sum(dtype=np.float64)) / before if before > 0 else None


def _share(values: Array, members: Array, counted: Array) -> float:
    total = float(values[counted].sum(dtype=np.float64))
    return float(values[members].sum(dtype=np.float64)) / total if total else 0.0


def _rate(baseline: Baseline, members: Array, first: int) -> Estimate:
    panel = baseline.panel
    active = panel.active[members, first:]
    due = float((baseline.hazard[members, first:] * active).sum(dtype=np.float64))
    told = float(baseline.expected[members, first:].sum(dtype=np.float64))
    return left_within_a_year(
        float(panel.found[members, first:].sum(dtype=np.float64)),
        float(active.sum(dtype=np.float64)),
        informed_part(told, due),
        periods_a_year=panel.calendar.per_year,
    )
