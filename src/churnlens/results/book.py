"""The book of clients as a whole: tiers, those who stay, definitions, data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churnlens.results.checked import Day, of_one_length
from churnlens.results.estimates import DateEstimate, Estimate, Evidence
from churnlens.results.issues import Bar, PeriodPoint
from churnlens.results.remedies import Outlook, OutlookCheck, OutlookMethod
from churnlens.results.text import Text
from churnlens.results.when import (
    BookChange,
    CohortSplit,
    ExitCurve,
    LexisMap,
    Lifetime,
    SurvivalCurve,
    TenureRisk,
)


@dataclass(frozen=True)
class TierRow:
    """One value tier: who they are, what they bring, how they leave."""

    tier: str
    clients: int
    revenue_share: float
    margin_share: float | None
    departures: int
    rate_per_year: Estimate  # of 100 clients, how many leave within a year
    breadth: float | None = None  # categories that one of them bought in the year, on average
    trend: float | None = None  # what they brought in the year over the year before; None: unknown


@dataclass(frozen=True)
class Association:
    """What marks the clients who stay: an association, not a cause."""

    text: Text
    feature: str
    stayers: float
    leavers: float
    risk_ratio: Estimate
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class DataFinding:
    """Something about the data that a person can act on."""

    code: str
    severity: Literal["info", "warning"]
    text: Text
    count: int | None = None
    clients: int = 0  # of the group that the text names; 0: it names none


@dataclass(frozen=True)
class DefinitionSummary:
    """What one churn definition says of the whole book."""

    name: str
    detail: Text
    departures: int
    lapsed: int
    shrunk: int
    closed: int
    undecided: int


@dataclass(frozen=True)
class ReturnCurve:
    """Chance of a return by length of silence, in multiples of the client's own cadence."""

    silence: tuple[float, ...]
    chance: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    threshold: float
    level: float

    def __post_init__(self) -> None:
        of_one_length(self, "silence", "chance", "low", "high")


@dataclass(frozen=True)
class Book:
    """The book of clients as a whole: what the first page and the method page show."""

    clients: int
    orders: int
    first_date: Day
    last_date: Day
    set_apart: int  # buyers with fewer than three orders, or with all of them within two months
    series: tuple[PeriodPoint, ...] = ()
    change: DateEstimate | None = None  # the change date of the whole book, if any
    change_p: float | None = None
    mix: tuple[Bar, ...] = ()  # mix against rate, last year to this
    waterfall: tuple[Bar, ...] = ()  # last year to this: clients, season, each cause, unexplained
    changes: tuple[BookChange, ...] = ()  # rises and falls, one after another
    survival: tuple[SurvivalCurve, ...] = ()
    tenure_risk: tuple[TenureRisk, ...] = ()
    lifetimes: tuple[Lifetime, ...] = ()
    exits: tuple[ExitCurve, ...] = ()
    lexis: LexisMap | None = None
    cohorts: CohortSplit | None = None
    tiers: tuple[TierRow, ...] = ()
    stay: tuple[Association, ...] = ()
    returns: ReturnCurve | None = None
    definitions: tuple[DefinitionSummary, ...] = ()
    smallest_visible_rise: float | None = None  # risk ratio over the last year at 80 % power
    segments_looked_at: int = 0
    starts_looked_at: int = 0
    revenue_last_year: float = 0.0
    outlook: tuple[Outlook, ...] = ()
    outlook_checks: tuple[OutlookCheck, ...] = ()
    outlook_method: OutlookMethod | None = None
    revenue_by_period: tuple[tuple[Day, float], ...] = ()
