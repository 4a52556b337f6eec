"""Say what the clients worth most bring, and how often they leave, against the others.

Each client is in the tier of the start of the period, read from the year before it alone. Money is
of the last year, by the tier that each client was in when the year began; a client that came later
counts in the first tier it had.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.worth import TIERS
from churnlens.results import Estimate, Skipped, Text, TierRow
from churnlens.when.rates import informed_part, left_within_a_year
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]

SMALLEST = 5  # clients under which a tier is joined with its neighbour


def tier_rows(baseline: Baseline) -> tuple[TierRow, ...] | Skipped:
    """Return one row a value tier: what its clients bring, how wide they buy, how they leave.

    All of the last year, or of what there is of it. Tiers of fewer than five clients are joined
    with the next one down (the last with the one above). `Skipped` where no client has a year to
    be valued by.
    """
    panel = baseline.panel
    first = max(panel.active.shape[1] - panel.calendar.per_year, 0)
    tier, once = _tier_of_year(panel, first)
    groups = _groups(tier[once])
    if not groups:
        text = Text("No client has a past long enough to say what it is worth.")
        return Skipped("no_tiers", str(text), text)
    return tuple(_row(baseline, group, tier, once, first) for group in groups)


def _tier_of_year(panel: Panel, first: int) -> tuple[Array, Array]:
    """First known tier of each client from a period on while it was there to leave, by spell.

    −1 for none. A client that came back has that of its first spell, which the second array
    marks: what a client brings stands in the row of each of its spells.
    """
    tiers = panel.tiers[:, first:]
    known = (panel.active[:, first:] > 0) & (tiers >= 0)
    there = np.flatnonzero(known.any(axis=1))
    own = tiers[there, known[there].argmax(axis=1)]
    _, place, client = np.unique(panel.client[there], return_index=True, return_inverse=True)
    tier, once = np.full(len(tiers), -1), np.zeros(len(tiers), bool)
    tier[there], once[there[place]] = own[place][client], True
    return tier, once


def _groups(tier: Array) -> list[tuple[int, ...]]:
    """Tiers in order of value, those with too few clients joined with a neighbour."""
    sizes = np.bincount(tier[tier >= 0], minlength=len(TIERS))
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


def _row(
    baseline: Baseline, group: tuple[int, ...], tier: Array, once: Array, first: int
) -> TierRow:
    panel, members = baseline.panel, np.isin(tier, group)
    clients = members & once
    found = float(panel.found[members, first:].sum(dtype=np.float64))
    return TierRow(
        tier=" and ".join(TIERS[code] for code in group),
        clients=int(clients.sum()),
        revenue_share=_share(panel.revenue[:, first:], clients, once),
        margin_share=None
        if panel.margin is None
        else _share(panel.margin[:, first:], clients, once),
        departures=round(found),
        rate_per_year=_rate(baseline, members, first),
        breadth=_breadth(panel, clients),
        trend=_trend(panel, clients, first),
    )


def _breadth(panel: Panel, members: Array) -> float | None:
    """Categories bought in the last year, on average of those who bought any."""
    if panel.breadth is None:
        return None
    held = panel.breadth[members, -1]
    return float(held[held > 0].mean()) if (held > 0).any() else None


def _trend(panel: Panel, members: Array, first: int) -> float | None:
    """What the members brought in the last year over what the same brought the year before."""
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
