"""Did a remedy work, and what does the next quarter bring?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churnlens.results.checked import Day
from churnlens.results.estimates import Estimate
from churnlens.results.issues import Issue, LagPoint, TestPlan
from churnlens.results.text import Segment, Text


@dataclass(frozen=True)
class RemedyResult:
    """Whether a remedy worked."""

    action: str
    issue_id: str | None
    segment: Segment
    start_date: Day
    verdict: Literal["worked", "did_not", "too_early", "cannot_tell"]
    departures_avoided: Estimate | None
    risk_ratio: Estimate | None
    readable_from: Day | None
    detail: Text | None = None
    driver_moved: bool | None = None  # None: no driver is tied to it
    money_saved: Estimate | None = None
    # event study: departures per 100 clients a quarter beyond comparable clients, by periods from
    # the start (negative: before it)
    pre_trend: tuple[LagPoint, ...] = ()
    owner: str | None = None
    observed: int | None = None  # departures in the scope since the start, as far as countable
    driver_change: tuple[float, float] | None = None  # mean before, mean since the start
    plan: TestPlan | None = None  # the test as it was written down beforehand
    still_at_stake: Estimate | None = None  # departures a year above the level before the cause
    notes: tuple[Text, ...] = ()  # the comparison, spill-over, composition, the run-up left out

    def mended(self, issue: Issue) -> bool:
        """Whether it has worked, and reached all clients of an issue."""
        reached = all(
            name in issue.segment and set(issue.segment[name]) <= set(values)
            for name, values in self.segment.items()
        )
        return self.issue_id == issue.id and self.verdict == "worked" and reached

    def ended(self, issue: Issue) -> bool:
        """Whether it has mended an issue, and nothing that stands out from chance is left of it."""
        left = self.still_at_stake
        return self.mended(issue) and left is not None and left.low <= 0


@dataclass(frozen=True)
class Outlook:
    """Departures and money that the next quarter brings for a group if nothing is done."""

    group: str  # "all", a tier, or an issue id
    departures: Estimate
    revenue: Estimate


@dataclass(frozen=True)
class OutlookCheck:
    """What the outlook would have said of a past quarter, and what then came."""

    quarter: Day  # its first day
    group: str
    departures: Estimate
    observed: float


@dataclass(frozen=True)
class OutlookMethod:
    """The model behind the outlook and how it did on past quarters it had not seen."""

    model: Literal["boosted trees", "logistic hazard"]
    log_loss: float
    log_loss_other: float
    slope: float  # of log odds observed on predicted; 1 is calibrated
    coverage: float  # share of past groups and quarters inside their 95 % interval
    quarters: int
