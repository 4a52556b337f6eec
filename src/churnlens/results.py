"""What the analyses say: frozen results and their JSON, both ways; no frames, no figures.

`Review` is the whole of one run. The keys of `review.json` named in the outer contract are
fields here under the same names; further fields feed the report, which is rendered from the
review alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from churnlens.errors import ReviewError
from churnlens.naming import spoken

SCHEMA_VERSION = "1"

Verdict = Literal["cause", "symptom", "bystander", "no_effect", "cannot_tell"]
Outcome = Literal["pass", "fail", "skip"]
Kind = Literal["shift", "standing", "unexplained", "mix"]
Segment = Mapping[str, tuple[str, ...]]  # attribute -> values that belong; {} is every client


@dataclass(frozen=True)
class Text:
    """A sentence kept as an English template and its values, so that it can be translated.

    `template` is a gettext msgid with `{named}` fields. Values are numbers, strings, or
    `{"type": "date" | "percent" | "money" | "number" | "segment" | "clients" | "driver",
    "value": …}` where the locale decides how they are written; `clients` is a segment said as
    people ("clients with size key", "all clients").
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**{k: _plain(v) for k, v in self.values.items()})


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and "type" in value:
        kind, inner = value["type"], value["value"]
        if kind == "percent":
            return f"{100 * inner:.0f} %"
        if kind == "money":
            return f"{inner:,.0f}"
        if kind == "segment":
            return segment_label(inner)
        if kind == "clients":
            return f"clients with {segment_label(inner)}" if inner else segment_label(inner)
        if kind == "driver":
            return spoken(str(inner))
        return _plain(inner)
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def segment_label(segment: Segment) -> str:
    """Say a segment in words: `size key, region north or south`; `all clients` for `{}`."""
    if not segment:
        return "all clients"
    return ", ".join(
        f"{spoken(attribute)} {' or '.join(values)}"
        for attribute, values in sorted(segment.items())
    )


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DateEstimate:
    """A date (ISO 8601) with its 95 % interval."""

    date: str
    low: str
    high: str


@dataclass(frozen=True)
class Skipped:
    """An analysis that could not say anything, and why. An answer, not an error."""

    code: str
    reason: str
    text: Text | None = None


@dataclass(frozen=True)
class Evidence:
    """One check of one cause, in one plain sentence."""

    check: str
    outcome: Outcome
    detail: str
    text: Text | None = None


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


@dataclass(frozen=True)
class PeriodPoint:
    """One calendar period: departures seen, departures expected, clients at risk."""

    period: str  # ISO date of the period's first day
    observed: int
    expected: float
    at_risk: int
    low: float | None = None  # 95 % band of what chance alone would give around `expected`
    high: float | None = None


@dataclass(frozen=True)
class DriverPoint:
    """A driver's mean in a period, inside the issue's segment and elsewhere."""

    period: str
    inside: float | None
    outside: float | None


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

    lag: int  # negative: before the onset
    excess: Estimate  # in standard deviations of the driver
    clients: int


@dataclass(frozen=True)
class Bar:
    """One step of the waterfall of departures.

    `start` and `end` are totals; the other roles are what lies between, signed.
    """

    label: str
    role: Literal["start", "mix", "season", "cause", "unexplained", "end"]
    value: float
    text: Text | None = None


@dataclass(frozen=True)
class TestPlan:
    """The test of a remedy, written down before it can be read."""

    text: Text
    readable_from: str
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


@dataclass(frozen=True)
class RuledOut:
    """A driver that was looked at and is not an issue."""

    driver: str
    verdict: Literal["symptom", "bystander", "no_effect", "cannot_tell"]
    why: str
    text: Text | None = None
    evidence: tuple[Evidence, ...] = ()
    lead_lag: tuple[LagPoint, ...] = ()


@dataclass(frozen=True)
class Gone:
    """An issue of the previous review that is no longer there."""

    id: str
    title: str
    reason: Literal["gone", "cannot_be_seen"] = "gone"


@dataclass(frozen=True)
class RemedyResult:
    """Whether a remedy worked."""

    action: str
    issue_id: str | None
    segment: Segment
    start_date: str
    verdict: Literal["worked", "did_not", "too_early", "cannot_tell"]
    departures_avoided: Estimate | None
    risk_ratio: Estimate | None
    readable_from: str | None
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


@dataclass(frozen=True)
class SurvivalCurve:
    """Share of clients still with us by tenure, for a group (`attribute` "" is every client)."""

    attribute: str
    value: str
    tenure: tuple[float, ...]  # periods since the first order
    survival: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clients: int
    departures: int


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
    """How long a group's clients stay out of the first `horizon` periods, against all others."""

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
    """Share of clients that has left in one way by each tenure (Aalen–Johansen)."""

    kind: str  # lapsed, shrunk, closed
    tenure: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clients: int


@dataclass(frozen=True)
class LexisCell:
    """Departures of clients of one band of tenure in one band of the calendar."""

    tenure: int  # periods since the first order at which the band begins
    period: str  # ISO date of the band's first day
    clients: int  # most at risk in any one period
    departures: int
    rate: float  # of 100 clients, how many would leave within a year


@dataclass(frozen=True)
class LexisMap:
    """Departures over tenure and calendar together; cells of too few clients are missing."""

    width: int  # periods to a band
    open_from: int  # tenure from which on all clients are one band
    periods: tuple[str, ...]  # first day of each calendar band
    cells: tuple[LexisCell, ...]


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


@dataclass(frozen=True)
class TierRow:
    """One value tier: who they are, what they bring, how they leave."""

    tier: str
    clients: int
    revenue_share: float
    margin_share: float | None
    departures: int
    rate_per_year: Estimate  # departures per 100 clients and year
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


@dataclass(frozen=True)
class Outlook:
    """Departures and money that the next quarter brings for a group if nothing is done."""

    group: str  # "all", a tier, or an issue id
    departures: Estimate
    revenue: Estimate


@dataclass(frozen=True)
class OutlookCheck:
    """What the outlook would have said of a past quarter, and what then came."""

    quarter: str  # ISO date of its first day
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


@dataclass(frozen=True)
class Book:
    """The book of clients as a whole: what the first page and the method page show."""

    clients: int
    orders: int
    first_date: str
    last_date: str
    set_apart: int  # one-off bulk buyers and single orders that never were a client
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
    revenue_by_period: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RowCounts:
    """Rows of one table: read = accepted + rejected + after_as_of."""

    read: int
    accepted: int
    rejected: int
    after_as_of: int


@dataclass(frozen=True)
class DefinitionUsed:
    """The churn definition that the review's statements rest on."""

    name: str
    detail: str


@dataclass(frozen=True)
class RegisterEntry:
    """One line of the register: what became of an issue, or of a remedy, in one review."""

    as_of: str
    event: Literal["seen", "gone", "cannot_be_seen", "remedy", "decision"]
    issue_id: str | None
    text: str  # the issue's title, the remedy's action, or the decision in its maker's words
    status: str | None = None  # new, worse, same, better; of a remedy its verdict
    owner: str | None = None
    start_date: str | None = None  # of a remedy
    rank: int | None = None
    departures: float | None = None  # attributable to the issue; avoided by the remedy
    revenue_per_year: float | None = None


@dataclass(frozen=True)
class Review:
    """One run: everything the report says."""

    as_of: str
    period: Literal["week", "month", "quarter"]
    currency: str
    rows: Mapping[str, RowCounts]
    departure_definition: DefinitionUsed
    issues: tuple[Issue, ...]
    book: Book
    gone: tuple[Gone, ...] = ()
    remedies: tuple[RemedyResult, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    data_findings: tuple[DataFinding, ...] = ()
    verdict: tuple[Text, ...] = ()  # the two sentences of the first page
    definition_text: Text | None = None
    previous_as_of: str | None = None
    register: tuple[RegisterEntry, ...] = ()  # the history of issues and remedies, oldest first
    schema_version: str = SCHEMA_VERSION


def to_json(review: Review) -> str:
    """Return the review as JSON text; the same review gives the same bytes."""
    return json.dumps(_rounded(dataclasses.asdict(review)), indent=2, ensure_ascii=False) + "\n"


def _rounded(value: Any) -> Any:
    """Round floats to 9 significant digits (thread order must not show in the file)."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return float(f"{value:.9g}")
    if isinstance(value, Mapping):
        return {str(k): _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def from_json(text: str, origin: str = "review.json") -> Review:
    """Read a review back.

    Raises
    ------
    ReviewError
        When the text is no review of a schema this version knows; names the first wrong key.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to import; only readers pay

    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReviewError(f"{origin} is not JSON (line {error.lineno}): {error.msg}.") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise ReviewError(
            f"{origin} has schema_version {version!r}; this version of churnlens reads "
            f"'{SCHEMA_VERSION}'. Make the review again with `churnlens run`."
        )
    try:
        return TypeAdapter(Review).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ReviewError(f"{origin}: {where}: {first['msg']}.") from error


def read_review(path: Path) -> Review:
    """Read `review.json` from disk.

    Raises
    ------
    ReviewError
        When the file cannot be read or is no review.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReviewError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path} is not UTF-8 text.") from error
    return from_json(text, str(path))
