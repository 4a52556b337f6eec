"""Which periods a remedy is measured against, and in which it is measured."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnlens.remedies import rates
from churnlens.remedies.rates import Booleans, Counts, Floats
from churnlens.remedies.scope import Remedy, first_whole_period
from churnlens.results import Issue

if TYPE_CHECKING:
    from churnlens.panel import Panel

COUNTABLE = 0.75  # of the share of departures that can usually be told; with less, what is found
# in a period rests on how silence is modelled, which draws every group towards the average


@dataclass(frozen=True)
class Windows:
    """Periods of one remedy, each bool[T]: before the cause, the base, run-up, since the start.

    `since` are all periods with the remedy: `settling` the first quarter, in which those already
    upset still leave, `settled` the rest, in which its effect is measured, and `after` as much of
    that as departures can be counted in. `step` is where the base level begins, `start` the first
    period with the remedy, `end` one past its last in the data, `last` the last period whose
    departures can be counted, `quarter` the periods of a quarter. `close`: the cause began so
    shortly before the start that a bad spell would look the same.
    """

    calm: Booleans
    base: Booleans
    run_up: Booleans
    settling: Booleans
    settled: Booleans
    after: Booleans
    since: Booleans
    step: int
    start: int
    end: int
    last: int
    quarter: int
    close: bool

    @property
    def brief(self) -> bool:
        """The remedy ended before its effect could settle."""
        return self.end < len(self.since) and self.end - self.start <= self.quarter

    @property
    def stretches(self) -> dict[str, Booleans]:
        """Name the stretches of time that have a level of their own; empty ones are left out."""
        named = {
            "calm": self.calm,
            "base": self.base,
            "run-up": self.run_up,
            "settling": self.settling,
            "settled": self.settled,
            "ended": self.since.cumsum() * ~self.since > 0,
        }
        return {name: periods for name, periods in named.items() if periods.any()}


def lay_out(
    panel: Panel, remedy: Remedy, aim: Issue | None, counts: Counts, last: int
) -> Windows | None:
    """Lay out the windows of a remedy; `last` is the last period that can be judged.

    The base runs from the issue's first departures to a quarter before the start. That quarter,
    the run-up, is left out: its level may be why the remedy was begun. Where the onset leaves less
    than a quarter for the base, the run-up stays in it. Without an onset the base runs from the
    last step that stands out in the scope's past, and half a year is left out, since nothing says
    that a bad half-year was more than a spell.

    Returns
    -------
    Windows or None
        None when the data hold less than three quarters before the start.
    """
    quarter = panel.calendar.span(3)
    start = first_whole_period(panel.periods, remedy.start)
    if start < 3 * quarter:
        return None
    onset = _onset(panel, aim)
    known = onset is not None and onset < start - 1
    settled = start - quarter if known else start - 2 * quarter
    step = onset if onset is not None and known else rates.last_step(counts, settled, quarter)
    span = np.arange(len(panel.periods))
    whole = settled - step < quarter
    end = _end(panel, remedy)
    return Windows(
        calm=span < step,
        base=(span >= step) & (span < (start if whole else settled)),
        run_up=(span >= settled) & (span < start) & (not whole),
        settling=(span >= start) & (span < min(start + quarter, end)),
        settled=(span >= start + quarter) & (span < end),
        after=(span >= start + quarter) & (span < min(end, last + 1)),
        since=(span >= start) & (span < end),
        step=step,
        start=start,
        end=end,
        last=last,
        quarter=quarter,
        close=start - step < 3 * quarter,
    )


def last_countable(expected: Floats, due: Floats) -> int:
    """Return the last period in which departures can be judged; -1 when there is none.

    `expected` (T) are the effective departures expected of a group, `due` (T) all of them.
    """
    share = expected / np.maximum(due, 1e-12)
    usual = np.median(share[share > 0]) if (share > 0).any() else np.inf
    return int(np.flatnonzero(np.append(True, share >= COUNTABLE * usual))[-1]) - 1


def _onset(panel: Panel, aim: Issue | None) -> int | None:
    if aim is None or aim.onset is None:
        return None
    day = dt.date.fromisoformat(aim.onset.date)
    starts = [period.toordinal() for period in panel.periods]
    moved = max(int(np.searchsorted(starts, day.toordinal(), side="right")) - 1, 0)
    return moved + round(aim.lag_periods or 0)  # an issue is dated by its driver


def _end(panel: Panel, remedy: Remedy) -> int:
    """One past the last period with the remedy."""
    if remedy.end is None:
        return len(panel.periods)
    return first_whole_period(panel.periods, remedy.end)
