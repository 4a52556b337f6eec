"""Say whether the book leaves more often only because its composition moved: whose share grew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.attributes import POOLED, UNKNOWN
from churnlens.results import DateEstimate, Departures, Estimate, Segment, Skipped, Text
from churnlens.when.change import date_series, ramps_of
from churnlens.which.baseline import Baseline
from churnlens.which.mix import RIDGE, MixChange, by_code, mix_change, over_tenure, tally
from churnlens.which.segments import Attribute, attributes_of

Array = npt.NDArray[Any]

RISE_LEVEL = 0.2  # one-sided p-value of the rise in the book; the mix's own part is far surer
LARGE_PART = 0.4  # of the rise, that the mix must make, and of the mix, that attributes must
MATERIAL = 0.05  # least part of the rate before by which the attributes must have raised it
ONSET_LEVEL = 0.05


@dataclass(frozen=True)
class MixIssue:
    """A rise made by composition alone: whose share grew, and what that added.

    `share_before` and `share_after` are the segment's parts of the book; `departures` those of the
    segment in the last year, the attributable ones being what the new mix added; `revenue` and
    `margin` what these bring a year; `onset` when its share began to grow, where that can be told.
    """

    change: MixChange
    segment: Segment
    share_before: float
    share_after: float
    departures: Departures
    revenue: Estimate
    margin: Estimate | None
    onset: DateEstimate | None


def mix_issue(baseline: Baseline) -> MixIssue | Skipped:
    """Say whether the book leaves more often only because its composition moved.

    It does where the whole book's rate rose; composition made a large part of the rise, and did so
    also among clients of the same tenure; and how often clients alike in both leave cannot be told
    from what it was. The rise itself is a difference of two uncertain rates, the part that shares
    of the book made is known far better, so the latter is held to the stricter test. That no
    segment got worse is for the caller to see to: no other issue may explain the rise.
    """
    change = mix_change(baseline)
    if isinstance(change, Skipped):
        return change
    if not change.attributes or not _by_composition_alone(change):
        return _not_the_mix()
    attributes = {a.name: a for a in attributes_of(baseline.panel, tiers=False)}
    segment = _grown(baseline, change, attributes[change.attributes[0]])
    if segment is None:
        return _not_the_mix()
    inside = np.isin(attributes[segment[0]].codes, segment[2])
    return _issue(baseline, change, {segment[0]: segment[1]}, inside)


def _by_composition_alone(change: MixChange) -> bool:
    rise = change.rate_after.value - change.rate_before.value
    return (
        change.p_value < RISE_LEVEL
        and change.by_mix.low > 0
        and change.by_attributes.low > 0
        and change.by_attributes.value >= MATERIAL * change.rate_before.value
        and change.by_mix.value >= LARGE_PART * rise
        and change.by_attributes.value >= LARGE_PART * change.by_mix.value
        and change.by_rate.low <= 0 <= change.by_rate.high
    )


def _not_the_mix() -> Skipped:
    text = Text("No rise was made by a change in who we serve alone.")
    return Skipped("no_mix_issue", str(text), text)


def _grown(
    baseline: Baseline, change: MixChange, attribute: Attribute
) -> tuple[str, tuple[str, ...], Array] | None:
    """Return the values that leave more often and whose share grew: name, values, codes."""
    clients = over_tenure(tally(baseline, (change.before, change.after)))
    cells = by_code(clients, attribute.codes, len(attribute.values))
    share = cells.active / cells.active.sum(axis=1, keepdims=True)
    book = cells.found.sum() / cells.active.sum()
    rate = (cells.found.sum(axis=0) + RIDGE) / (cells.active.sum(axis=0) + RIDGE / book)
    added = np.where(share[1] > share[0], (share[1] - share[0]) * (rate - book), 0)
    named = np.array([v not in (POOLED, UNKNOWN) for v in attribute.values])
    added = np.where(named, added, 0)
    if added.max() <= 0:
        return None
    grown = np.flatnonzero(added >= added.max() / 3)
    return attribute.name, tuple(attribute.values[g] for g in grown), grown


def _issue(baseline: Baseline, change: MixChange, segment: Segment, inside: Array) -> MixIssue:
    panel = baseline.panel
    clients = over_tenure(tally(baseline, (change.before, change.after)))
    cells = by_code(clients, inside.astype(np.int64), 2)
    share = cells.active[:, 1] / cells.active.sum(axis=1)
    # As the steps from one year to the next count it, at the mean number of clients of both.
    added = change.by_attributes.times(sum(change.clients) / 200)
    observed, margin = float(cells.found[1, 1]), panel.margin
    return MixIssue(
        change=change,
        segment=segment,
        share_before=float(share[0]),
        share_after=float(share[1]),
        departures=Departures(round(observed), max(observed - added.value, 0.0), added),
        revenue=added.times(_worth(baseline, inside, panel.revenue)),
        margin=None if margin is None else added.times(_worth(baseline, inside, margin)),
        onset=_onset(baseline, inside),
    )


def _worth(baseline: Baseline, inside: Array, values: Array) -> float:
    """Return what a departure of a member takes away in a year, on average."""
    panel = baseline.panel
    gone = inside & (panel.onset >= 0)
    if not gone.any():
        return 0.0
    lost = panel.yearly(values) * (1 - np.nan_to_num(panel.kept))
    return float(max(lost[gone].mean(), 0.0))


def _onset(baseline: Baseline, inside: Array) -> DateEstimate | None:
    """When the segment's share of the book began to grow."""
    active = baseline.panel.active
    everyone = active.sum(axis=0, dtype=np.float64)
    share = np.where(
        everyone > 0, active[inside].sum(axis=0, dtype=np.float64) / np.maximum(everyone, 1), np.nan
    )
    ramps = ramps_of(baseline.panel.calendar)
    found = date_series(share, everyone, rng=np.random.default_rng(0), ramps=ramps)
    if isinstance(found, Skipped) or found.p_value > ONSET_LEVEL or found.after <= found.before:
        return None
    if found.high - found.low > baseline.panel.calendar.per_year:
        return None  # a share that grew for years has no date
    days = [str(baseline.panel.periods[t]) for t in (found.start, found.low, found.high)]
    return DateEstimate(*days)
