"""What the counts say of a remedy: ratio, departures avoided, and when that can be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from churnlens.remedies import rates
from churnlens.remedies.carried_out import SMALLEST_SHARE, Move
from churnlens.remedies.counterfactual import departures_without
from churnlens.remedies.power import LONGEST, ahead, periods_needed
from churnlens.remedies.rates import Change, Counts, Floats
from churnlens.remedies.windows import Windows
from churnlens.results import Estimate, Issue

TWO_SIDED = 1.960
EARLY = 3.0  # standard errors of a fall that is told before its date
HALF = 0.5  # of a departure, where there was none: a ratio needs something
USUAL_EFFECT = 0.5  # risk ratio hoped for where neither plan, issue nor earlier level says
SMALLEST_RATIO, LARGEST_RATIO = 0.2, 0.85  # of an effect hoped for


@dataclass(frozen=True)
class Reading:
    """The figures behind a verdict.

    `observed` and `without` are departures from the start to the end of the data, with the remedy
    and without; those too late to be told yet are put at the level measured. `hoped` is the risk
    ratio that the remedy was to reach. `readable` is the date from which it can be seen with 80 %
    power, None if never. `trend_before` is the slope of departures over the base, in standard
    errors, negative when they were falling already. `clear`: the fall is so large that it may be
    told before the date that was set (three standard errors: Haybittle 1971, Peto et al. 1976).
    """

    observed: float
    hazard_ratio: Estimate | None
    without: Estimate | None  # departures there would have been without the remedy
    still_at_stake: Estimate | None
    hoped: float
    readable: dt.date | None
    readable_now: bool
    a_year_on: bool
    trend_before: float
    clear: bool
    alone: bool  # no comparable clients: read against the scope's own past

    @property
    def ratio(self) -> Estimate | None:
        """Departures since the start over what they would have been."""
        if self.without is None or self.without.low <= 0:
            return None
        value, low, high = (
            max(self.observed, HALF) / n
            for n in (self.without.value, self.without.high, self.without.low)
        )
        return Estimate(value, low, high)

    @property
    def avoided(self) -> Estimate | None:
        """Departures avoided; negative when there were more."""
        if self.without is None:
            return None
        value, low, high = (
            n - self.observed for n in (self.without.value, self.without.low, self.without.high)
        )
        return Estimate(value, low, high)

    @property
    def fell(self) -> bool:
        """Departures fell by more than chance."""
        return self.hazard_ratio is not None and self.hazard_ratio.high < 1

    @property
    def missed(self) -> bool:
        """The effect hoped for can be excluded, or no effect at all fits better than it."""
        if self.hazard_ratio is None:
            return False
        nearer_to_none = self.hazard_ratio.value > np.sqrt(self.hoped)
        return bool(self.hazard_ratio.low > self.hoped or nearer_to_none)


def read_change(
    periods: Sequence[dt.date],
    counts: Counts,
    windows: Windows,
    aim: Issue | None,
    move: Move | None,
    due: Floats,
    active: Floats,
) -> Reading:
    """Read the change since a remedy's start.

    Parameters
    ----------
    periods : sequence of date
        First days of the T periods.
    counts : Counts
    windows : Windows
    aim : Issue or None
        Its test plan, where it has one, says what effect is hoped for.
    move : Move or None
        A remedy carried out in part is hoped to have that part of the effect.
    due, active : array (T,)
        Departures that the baseline expects of the scope, and clients there to leave.
    """
    inflation = _inflation(counts, windows)
    counted = int(windows.after.sum()) + windows.quarter
    hoped = _hoped(counts, windows, aim, move)
    readable, needed = _readable(periods, counts, windows, hoped, inflation)
    left = _left(counts, windows) * due[windows.since]
    observed = float(left.sum())
    hazard_ratio = without = None
    clear = False
    if counts.expected[windows.after].sum() > 0:
        measured = rates.change(counts, windows.base, windows.after)
        hazard_ratio = _interval(measured, inflation)
        clear = measured.z <= -EARLY * inflation
        without = _without(left, active[windows.since], hazard_ratio, windows.quarter)
    return Reading(
        observed=observed,
        hazard_ratio=hazard_ratio,
        without=without,
        still_at_stake=_at_stake(counts, windows, inflation, observed),
        hoped=hoped,
        readable=readable,
        readable_now=needed is not None and counted >= needed,
        a_year_on=counted >= 4 * windows.quarter,
        trend_before=rates.trend(counts, windows.base) / inflation,
        clear=clear,
        alone=counts.outside_seen is None,
    )


def _inflation(counts: Counts, windows: Windows) -> float:
    """Return the larger of what placebo dates and what single quarters say, at least 1."""
    lengths = int(windows.base.sum()), max(int(windows.after.sum()), 1)
    levels = (windows.calm, windows.base, windows.after)
    return max(
        rates.placebo_inflation(counts, windows.step or windows.start, lengths),
        rates.quarterly_inflation(counts, levels, windows.quarter),
    )


def _interval(measured: Change, inflation: float) -> Estimate:
    reach = TWO_SIDED * inflation * float(np.sqrt(measured.variance))
    value = measured.log_ratio
    return Estimate(*(float(np.exp(v)) for v in (value, value - reach, value + reach)))


def _left(counts: Counts, windows: Windows) -> Floats:
    """Return departures over expected in each period since the start: settling, then settled."""
    periods = np.flatnonzero(windows.since)
    first = windows.since & (np.arange(len(windows.since)) < windows.start + windows.quarter)
    settling = counts.level(first)
    settled = counts.level(windows.after) if windows.after.any() else settling
    return np.where(periods < windows.start + windows.quarter, settling, settled)


def _without(left: Floats, active: Floats, ratio: Estimate, settling: int) -> Estimate:
    """Return the departures without the remedy; half a one stands for none.

    The effect is taken to grow evenly over the first `settling` periods.
    """
    if left.sum() < HALF:
        left = HALF * active / max(active.sum(), 1e-9)
    reached = np.clip((np.arange(len(left)) + 0.5) / settling, 0.0, 1.0)
    value, low, high = (
        departures_without(left, active, 1 - (1 - r) * reached)
        for r in (ratio.value, ratio.high, ratio.low)
    )
    return Estimate(value, low, high)


def _hoped(counts: Counts, windows: Windows, aim: Issue | None, move: Move | None) -> float:
    full = _full_effect(counts, windows, aim)
    done = 1.0
    if move is not None and move.moved and move.undone is not None:
        done = float(np.clip(move.undone, SMALLEST_SHARE, 1.0))
    return float(np.clip(1 - (1 - full) * done, SMALLEST_RATIO, LARGEST_RATIO))


def _full_effect(counts: Counts, windows: Windows, aim: Issue | None) -> float:
    """Return the risk ratio of undoing the cause: as planned, as attributed, or as measured."""
    if aim is not None and aim.test_plan is not None:
        return aim.test_plan.risk_ratio_full_reach
    if aim is not None and aim.departures.attributable.value > 0:
        return 1 - aim.departures.attributable.value / max(aim.departures.observed, 1)
    if windows.calm.any():
        rise = rates.change(counts, windows.calm, windows.base).log_ratio
        if rise > 0:
            return float(np.exp(-rise))
    return USUAL_EFFECT


def _readable(
    periods: Sequence[dt.date], counts: Counts, windows: Windows, hoped: float, inflation: float
) -> tuple[dt.date | None, int | None]:
    """Return the date from which the hoped effect can be read, and the periods it takes.

    Departures of a period can be counted only some time after it: as long as the data's last
    countable period lies before their end.
    """
    last = windows.last
    outside = counts.outside_expected
    needed = periods_needed(
        counts,
        windows.base,
        ahead(counts.expected, windows.start, last, LONGEST),
        None if outside is None else ahead(outside, windows.start, last, LONGEST),
        hoped,
        settling=windows.quarter,
        inflation=inflation,
    )
    if needed is None:
        return None, None
    days = float(np.median(np.diff([p.toordinal() for p in periods])))
    wait = len(periods) - 1 - last
    end = windows.start + needed + wait
    return periods[0] + dt.timedelta(days=round(end * days)), needed


def _at_stake(
    counts: Counts, windows: Windows, inflation: float, observed: float
) -> Estimate | None:
    """Return the departures a year that are left above the level before the cause."""
    since = windows.since.sum()
    if (
        not windows.calm.any()
        or not windows.after.any()
        or counts.seen[windows.calm].sum() < rates.FEWEST
    ):
        return None
    left = _interval(rates.change(counts, windows.calm, windows.after), inflation)
    a_year = observed * 4 * windows.quarter / float(since)
    return Estimate(*(a_year * (1 - 1 / r) for r in (left.value, left.low, left.high)))
