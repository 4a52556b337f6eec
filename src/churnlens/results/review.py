"""The whole of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from churnlens.results.book import Book, DataFinding
from churnlens.results.checked import Day
from churnlens.results.estimates import Skipped
from churnlens.results.issues import Gone, Issue, RuledOut
from churnlens.results.remedies import RemedyResult
from churnlens.results.text import Segment, Text

SCHEMA_VERSION = "1"
PERIODS_A_YEAR = {"week": 52, "month": 12, "quarter": 4}


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

    as_of: Day
    event: Literal["seen", "gone", "cannot_be_seen", "remedy"]
    issue_id: str | None
    text: str  # the issue's title, or the remedy's action
    status: str | None = None  # new, worse, same, better; of a remedy its verdict
    owner: str | None = None
    start_date: Day | None = None  # of a remedy
    rank: int | None = None
    departures: float | None = None  # attributable to the issue; avoided by the remedy
    revenue_per_year: float | None = None
    title_text: Text | None = None  # of an issue: `text` as it can be translated
    clients: int = 0  # at risk in its segment; 0: not known
    segment: Segment = field(default_factory=dict)  # whom a remedy reaches


@dataclass(frozen=True)
class Review:
    """One run: everything the report says."""

    as_of: Day
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
    verdict: tuple[Text, ...] = ()  # the two sentences of the first page, then caveats
    definition_text: Text | None = None
    previous_as_of: Day | None = None
    register: tuple[RegisterEntry, ...] = ()  # the history of issues and remedies, oldest first
    schema_version: str = SCHEMA_VERSION
