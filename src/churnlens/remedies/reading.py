"""What the counts say of a remedy: ratio, departures avoided, and when that can be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from churnlens.panel.periods import Calendar
from churnlens.remedies import rates
from churnlens.remedies.carried_out import SMALLEST_SHARE, Move
from churnlens.remedies.fading import Fading
from churnlens.remedies.levels import Levels
from churnlens.remedies.measure import HALF, measure
from churnlens.remedies.power import FIRST, SURE, Seen, periods_needed
from churnlens.remedies.rates import Change, Counts, Floats
from churnlens.remedies.windows import Windows
from churnlens.results import Z95, Estimate, Issue

EARLY = 3.0  # standard errors of a fall that is told before its date
USUAL_EFFECT = 0.5  # risk ratio hoped for where neither plan, issue nor earlier level says
SMALLEST_RATIO, LARGEST_RATIO = 0.2, 0.85  # of an effect hoped for


@dataclass(frozen=True)
class Reading:
    """The figures behind a verdict.

    `observed` are departures from the start to the end of the data, `risk_ratio` what they are of
    those there would have been, `hazard_ratio` the same of the settled hazard, on which the verdict
    rests. `hoped` is the ratio that the remedy was to reach, `readable` the date from which that
    can be seen with 90 % power, None if never. `trend_before` is the slope of departures over the
    base, in standard errors, negative when they were falling already. `clear`: the fall is so large
    that it may be told before the date that was set (three standard errors: Haybittle 1971, Peto et
    al. 1976).
    """

    observed: float
    hazard_ratio: Estimate | None
    risk_ratio: Estimate | None
    still_at_stake: Estimate | None
    hoped: float
    readable: dt.date | None
    readable_now: bool
    a_year_on: bool
    trend_before: float
    clear: bool
    alone: bool  # no comparable clients: read against the scope's own past

    @property
    def avoided(self) -> Estimate | None:
        """Departures avoided; negative when there were more."""
        if self.risk_ratio is None:
            return None
        ratio, left = self.risk_ratio, max(self.observed, HALF)
        return Estimate(*(left * (1 / r - 1) for r in (ratio.value, ratio.high, ratio.low)))

    @property
    def fell(self) -> bool:
        """Departures fell by more than chance."""
        return self.hazard_ratio is not None and self.hazard_ratio.high < 1

    @property
    def rose(self) -> bool:
        """Departures rose by more than chance."""
        return self.risk_ratio is not None and self.risk_ratio.low > 1

    @property
    def missed(self) -> bool:
        """The effect hoped for can be excluded, or no effect at all fits better than it."""
        if self.hazard_ratio is None:
            return False
        nearer_to_none = self.hazard_ratio.value > np.sqrt(self.hoped)
        return bool(self.hazard_ratio.low > self.hoped or nearer_to_none)


def read_change(
    calendar: Calendar,
    counts: Counts,
    windows: Windows,
    seen: Sequence[Seen],
    left: Floats,
    aim: Issue | None,
    move: Move | None,
    fading: Fading | None = None,
) -> Reading:
    """Read the change since a remedy's start.

    Parameters
    ----------
    calendar : Calendar
    counts : Counts
        Effective departures by period, which say how much levels vary by themselves.
    windows : Windows
    seen : sequence of Seen
        The scope, and its comparison where there is one.
    left : float[T]
        Departures in the scope by period, as the charts count them. Ratios are measured on the
        levels; how many left and how many would have is said on this one basis.
    aim : Issue or None
        Its test plan, where it has one, says what effect is hoped for.
    move : Move or None
        A remedy carried out in part is hoped to have that part of the effect.
    fading : Fading, optional
        How the scope's rise would have ebbed by itself, where the comparison does not show it.
    """
    own, inflation = seen[0].levels, _inflation(counts, windows)
    others = seen[1].levels if len(seen) > 1 else None
    hoped = _hoped(counts, windows, aim, move)
    needed = _needed(seen, hoped, windows, inflation, fading)
    readable = _readable(calendar, windows, needed, aim)
    passed = len(windows.since) - windows.start
    measured = measure(own, others, windows, fading) if windows.settled.any() else None
    return Reading(
        observed=float(left[windows.since].sum()),
        hazard_ratio=None if measured is None else _interval(measured.hazard, inflation),
        risk_ratio=None if measured is None else _interval(measured.risk, inflation),
        still_at_stake=_at_stake(own, left, windows, inflation),
        hoped=hoped,
        readable=readable,
        readable_now=readable is not None and readable <= calendar.last_day(len(windows.since) - 1),
        a_year_on=passed >= 4 * windows.quarter,
        trend_before=rates.trend(counts, windows.base) / inflation,
        clear=measured is not None and measured.hazard.z <= -EARLY * inflation,
        alone=others is None,
    )


def _needed(
    seen: Sequence[Seen], hoped: float, windows: Windows, inflation: float, fading: Fading | None
) -> int | None:
    """Return after how many periods the effect hoped for is seen: surely, or at all."""
    tries = (
        periods_needed(
            seen, hoped, settling=windows.quarter, power=power, inflation=inflation, fading=fading
        )
        for power in (SURE, FIRST)
    )
    return next((needed for needed in tries if needed is not None), None)


def _readable(
    calendar: Calendar, windows: Windows, needed: int | None, aim: Issue | None
) -> dt.date | None:
    """Return the date from which to judge; that of the test plan where none can be reckoned now."""
    if needed is not None:
        return calendar.last_day(windows.start + needed - 1)
    if aim is not None and aim.test_plan is not None:
        return dt.date.fromisoformat(aim.test_plan.readable_from)
    return None


def _inflation(counts: Counts, windows: Windows) -> float:
    """Return the larger of what placebo dates and what single quarters say, at least 1."""
    lengths = int(windows.base.sum()), max(int(windows.after.sum()), 1)
    levels = (windows.calm, windows.base, windows.after)
    return max(
        rates.placebo_inflation(counts, windows.step or windows.start, lengths),
        rates.quarterly_inflation(counts, levels, windows.quarter),
    )


def _interval(measured: Change, inflation: float) -> Estimate:
    reach = Z95 * inflation * float(np.sqrt(measured.variance))
    value = measured.log_ratio
    return Estimate(*(float(np.exp(v)) for v in (value, value - reach, value + reach)))


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


def _at_stake(own: Levels, found: Floats, windows: Windows, inflation: float) -> Estimate | None:
    """Return the departures a year that are left above the level before the cause."""
    if "calm" not in own.names or not windows.settled.any():
        return None
    if own.found[windows.calm].sum() < rates.FEWEST:
        return None
    left = _interval(own.change("calm", "settled"), inflation)
    a_year = found[windows.settled].sum() * 4 * windows.quarter / windows.settled.sum()
    return Estimate(*(float(a_year * (1 - 1 / r)) for r in (left.value, left.low, left.high)))
