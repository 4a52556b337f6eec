"""Since when, and how long do clients stay?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from churnlens.results.checked import Day, of_one_length
from churnlens.results.estimates import DateEstimate, Estimate
from churnlens.results.text import Text

LONGEST_DATE = 366  # days that a change may lie in to have a date
SURE_CHANGE = 0.01  # p-value up to which a change of the whole book is put on the first page


@dataclass(frozen=True)
class SurvivalCurve:
    """Share of clients still with us by tenure, for a group (`attribute` "" is every client).

    It is that of clients still there at the first tenure, before which too few were seen.
    """

    attribute: str
    value: str
    tenure: tuple[float, ...]  # periods since the first order
    survival: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clients: int
    departures: int

    def __post_init__(self) -> None:
        of_one_length(self, "tenure", "survival", "low", "high")


@dataclass(frozen=True)
class TenureRisk:
    """How many leave in a band of tenure (periods since the first order; no `high`: no end)."""

    low: int
    high: int | None
    clients: int
    departures: int
    rate: Estimate  # of 100 clients, how many leave within a year


@dataclass(frozen=True)
class Lifetime:
    """How long a group's clients stay out of the first `horizon` periods, against all others.

    Both are of clients still there when enough of both were seen; `text` says where that is later.
    """

    attribute: str
    value: str
    clients: int
    horizon: int
    stay: Estimate  # periods
    others: Estimate
    lost: Estimate  # periods by which they stay shorter; negative: longer
    money: Estimate  # that each client brings less for it
    p_value: float  # log-rank of the attribute's groups, corrected for the attributes tested
    text: Text


@dataclass(frozen=True)
class ExitCurve:
    """Share of clients that has left in one way by each tenure (Aalen–Johansen).

    It is that of clients still there at the first tenure, before which too few were seen.
    """

    kind: Literal["lapsed", "shrunk", "closed"]
    tenure: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clients: int

    def __post_init__(self) -> None:
        of_one_length(self, "tenure", "share", "low", "high")


@dataclass(frozen=True)
class LexisCell:
    """Departures of clients of one band of tenure in one band of the calendar."""

    tenure: int  # periods since the first order at which the band begins
    period: Day  # of the band's first day
    clients: int  # most at risk in any one period
    departures: int
    rate: float  # of 100 clients, how many would leave within a year


@dataclass(frozen=True)
class LexisMap:
    """Departures over tenure and calendar together; cells of too few clients are missing."""

    width: int  # periods to a band
    open_from: int  # tenure from which on all clients are one band
    periods: tuple[Day, ...]  # first day of each calendar band
    cells: tuple[LexisCell, ...]

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError("width is below 1")
        lost = next((c.period for c in self.cells if c.period not in self.periods), None)
        if lost:
            raise ValueError(f"a cell's period {lost} is not among its periods")


@dataclass(frozen=True)
class CohortSplit:
    """What tenure, calendar and cohort are known to do: two sums of slopes, and the bends.

    The three are bound together (a date is the date of winning plus tenure), so no slope alone
    can be known. `drift` is that of calendar and cohort, `tenure_trend` that of tenure and
    calendar, as ratios of rates a band; a bend's p-value is that of a straight line.
    """

    drift: Estimate
    tenure_trend: Estimate
    tenure_p: float
    calendar_p: float
    cohort_p: float
    text: Text


@dataclass(frozen=True)
class BookChange:
    """A change in the departures of the whole book against those expected."""

    date: DateEstimate
    ratio: float  # level after over level before
    gradual: bool  # it came in over several periods
    p_value: float

    @property
    def dated(self) -> bool:
        """Known to within a year when it came."""
        days = dt.date.fromisoformat(self.date.high) - dt.date.fromisoformat(self.date.low)
        return days.days <= LONGEST_DATE

    @property
    def sure(self) -> bool:
        """Sure enough to be said on the first page and marked in its chart."""
        return self.p_value <= SURE_CHANGE
