"""What went wrong: one issue, the points its charts are drawn from, drivers ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from churnlens.results.checked import Day
from churnlens.results.estimates import DateEstimate, Estimate, Evidence
from churnlens.results.text import Segment, Text

Verdict = Literal["cause", "symptom", "bystander", "no_effect", "cannot_tell"]
Kind = Literal["shift", "standing", "unexplained", "mix"]


@dataclass(frozen=True)
class Effect:
    """How much more likely a departure is, per stated step of the driver."""

    measure: Literal["risk_ratio"]
    value: float
    low: float
    high: float
    per: str


@dataclass(frozen=True)
class Departures:
    """Departures in an issue's segment since its onset (for `standing`: over the whole span)."""

    observed: int
    expected: float
    attributable: Estimate


@dataclass(frozen=True)
class DefinitionsAgreeing:
    """In how many churn definitions a statement holds."""

    agree: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.agree <= self.of:
            raise ValueError(f"{self.agree} of {self.of} cannot be")


# p-value of a search above which a rise may well be chance: one found again on others, or not
LIKELY_CHANCE, SURE_RISE = 0.05, 0.01


@dataclass(frozen=True)
class PeriodPoint:
    """One calendar period: departures seen, departures expected, clients at risk.

    A departure whose date is not certain counts in parts in the periods it may lie in: `observed`
    is seldom whole, and its sums are those that sentences round.
    """

    period: Day  # of the period's first day
    observed: float
    expected: float
    at_risk: int
    low: float | None = None  # 95 % band of what chance alone would give around `expected`
    high: float | None = None


def totals(points: Sequence[PeriodPoint]) -> dict[str, int]:
    """Return departures `observed` and `expected` over all the points, whole as sentences say them.

    Whoever says how many left says these, so that the chart and its table add up to them.
    """
    return {
        "observed": round(sum(p.observed for p in points)),
        "expected": round(sum(p.expected for p in points)),
    }


@dataclass(frozen=True)
class DriverPoint:
    """A driver's mean in a period, inside the issue's segment and elsewhere."""

    period: Day
    inside: float | None
    outside: float | None
    inside_clients: int | None = None  # behind each mean; None: not known
    outside_clients: int | None = None


@dataclass(frozen=True)
class DosePoint:
    """How many leave within a year at one band of the driver, with its interval."""

    low: float  # the band's edges, in the driver's own unit
    high: float
    clients: int
    departures: int
    rate: Estimate  # of 100 clients, how many leave within a year


@dataclass(frozen=True)
class LagPoint:
    """A driver's mean excess among leavers over comparable clients, by periods from onset."""

    lag: int  # negative: before the onset; of weeks the first of four
    excess: Estimate  # in standard deviations of the driver
    clients: int


@dataclass(frozen=True)
class Bar:
    """One step of the waterfall of departures.

    `start` and `end` are totals; the other roles are what lies between, signed. `older` is the part
    of the last total put down to what had begun before both; None: nothing had.
    """

    label: str
    role: Literal["start", "mix", "season", "cause", "unexplained", "end"]
    value: float
    text: Text | None = None
    older: float | None = None


@dataclass(frozen=True)
class TestPlan:
    """The test of a remedy, written down before it can be read."""

    text: Text
    readable_from: Day
    risk_ratio_full_reach: float
    measure: str


@dataclass(frozen=True)
class Issue:
    """One thing to mend."""

    id: str
    rank: int
    kind: Kind
    title: str
    driver: str | None
    direction: Literal["more", "less"] | None
    verdict: Literal["cause", "cannot_tell"] | None
    segment: Segment
    onset: DateEstimate | None
    departures: Departures
    revenue_per_year: Estimate
    effect: Effect | None
    evidence: tuple[Evidence, ...]
    definitions_agreeing: DefinitionsAgreeing
    status: Literal["new", "worse", "same", "better"] | None
    recommendation: tuple[str, ...]
    # beyond the contract: what the report draws
    until: DateEstimate | None = None  # last period of a trouble that has passed; None: it has not
    title_text: Text | None = None
    exposure: str | None = None  # which side of the driver: mean, count, a visit level, …
    beyond: float | None = None  # of the share of orders beyond a limit: the limit
    driver_family: str | None = None  # key into the remedies catalogue, guessed from the name
    rivals: tuple[str, ...] = ()  # drivers that cannot be told apart from this one
    driver_onset: DateEstimate | None = None  # when the driver itself moved
    driver_until: DateEstimate | None = None  # last period of a driver's change that has passed
    driver_change: tuple[float, float] | None = None  # mean before, mean after, in the segment
    lag_periods: float | None = None  # from the driver's move to the departures
    clients: int = 0  # clients at risk in the segment
    accounts: int = 0  # clients behind the attributable departures
    margin_per_year: Estimate | None = None
    revenue_per_month_of_waiting: Estimate | None = None
    p_value: float | None = None
    gradual: bool | None = None  # a ramp rather than a step
    series: tuple[PeriodPoint, ...] = ()
    driver_series: tuple[DriverPoint, ...] = ()
    dose: tuple[DosePoint, ...] = ()
    lead_lag: tuple[LagPoint, ...] = ()
    waterfall: tuple[Bar, ...] = ()
    unknown: tuple[Text, ...] = ()  # what we do not know and what would decide it
    test_plan: TestPlan | None = None
    also_matches: tuple[Segment, ...] = ()  # near-equal segments that were set aside
    named_clients: tuple[str, ...] = ()  # only with --name-clients: behind the departures

    @property
    def found_again(self) -> bool:
        """Not denied by clients left out of the search, or by half of all."""
        return all(e.outcome != "fail" for e in self.evidence if e.check == "held_out")

    @property
    def hint(self) -> bool:
        """A rise whose cause is not shown, and that chance alone may have made.

        One that only the search found, and clients left out of it do not show, may be chance.
        """
        if self.verdict == "cause" or self.kind == "mix":
            return False
        if self.kind == "unexplained" and not self.found_again:
            return True
        return (self.p_value or 0.0) > (LIKELY_CHANCE if self.found_again else SURE_RISE)

    @property
    def outlasted(self) -> bool:
        """Whether departures went on, or still do, after the driver's change had passed."""
        if self.driver_until is None:
            return False
        return self.until is None or self.until.date > self.driver_until.date


@dataclass(frozen=True)
class RuledOut:
    """A driver that was looked at and is not an issue."""

    driver: str
    verdict: Literal["symptom", "bystander", "no_effect", "cannot_tell"]
    why: str
    text: Text | None = None


@dataclass(frozen=True)
class Gone:
    """An issue of the previous review that is no longer there."""

    id: str
    title: str
    reason: Literal["gone", "cannot_be_seen"] = "gone"
    title_text: Text | None = None
    clients: int = 0  # at risk in its segment when it was last seen; 0: not known
