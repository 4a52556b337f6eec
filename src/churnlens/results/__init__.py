"""What the analyses say: frozen results and their JSON, both ways; no frames, no figures.

`Review` is the whole of one run. The keys of `review.json` named in the outer contract are
fields here under the same names; further fields feed the report, which is rendered from the
review alone.
"""

from churnlens.results.book import (
    Association,
    Book,
    DataFinding,
    DefinitionSummary,
    ReturnCurve,
    TierRow,
)
from churnlens.results.estimates import (
    Z95,
    DateEstimate,
    Estimate,
    Evidence,
    Outcome,
    Skipped,
    money_as_said,
)
from churnlens.results.files import from_json, read_review, to_json
from churnlens.results.issues import (
    Bar,
    DefinitionsAgreeing,
    Departures,
    DosePoint,
    DriverPoint,
    Effect,
    Gone,
    Issue,
    Kind,
    LagPoint,
    PeriodPoint,
    RuledOut,
    TestPlan,
    Verdict,
    totals,
)
from churnlens.results.remedies import Outlook, OutlookCheck, OutlookMethod, RemedyResult
from churnlens.results.review import (
    PERIODS_A_YEAR,
    SCHEMA_VERSION,
    DefinitionUsed,
    RegisterEntry,
    Review,
    RowCounts,
)
from churnlens.results.text import Segment, Text, fitted, segment_label
from churnlens.results.when import (
    BookChange,
    CohortSplit,
    ExitCurve,
    LexisCell,
    LexisMap,
    Lifetime,
    SurvivalCurve,
    TenureRisk,
)

__all__ = [
    "PERIODS_A_YEAR",
    "SCHEMA_VERSION",
    "Z95",
    "Association",
    "Bar",
    "Book",
    "BookChange",
    "CohortSplit",
    "DataFinding",
    "DateEstimate",
    "DefinitionSummary",
    "DefinitionUsed",
    "DefinitionsAgreeing",
    "Departures",
    "DosePoint",
    "DriverPoint",
    "Effect",
    "Estimate",
    "Evidence",
    "ExitCurve",
    "Gone",
    "Issue",
    "Kind",
    "LagPoint",
    "LexisCell",
    "LexisMap",
    "Lifetime",
    "Outcome",
    "Outlook",
    "OutlookCheck",
    "OutlookMethod",
    "PeriodPoint",
    "RegisterEntry",
    "RemedyResult",
    "ReturnCurve",
    "Review",
    "RowCounts",
    "RuledOut",
    "Segment",
    "Skipped",
    "SurvivalCurve",
    "TenureRisk",
    "TestPlan",
    "Text",
    "TierRow",
    "Verdict",
    "fitted",
    "from_json",
    "money_as_said",
    "read_review",
    "segment_label",
    "to_json",
    "totals",
]
