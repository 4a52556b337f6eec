"""Issues and reviews as the analyses would hand them over, with one thing changed at a time."""

from __future__ import annotations

import dataclasses

from churnlens.issues.identity import issue_id
from churnlens.results import (
    Book,
    DateEstimate,
    DefinitionsAgreeing,
    DefinitionUsed,
    Departures,
    Estimate,
    Issue,
    Review,
    Segment,
)

KEY = {"size": ("key",)}


def issue(
    driver: str | None = "approval_days",
    segment: Segment | None = None,
    *,
    onset: str | None = "2023-09-01",
    observed: int = 60,
    expected: float = 25.0,
    revenue: tuple[float, float, float] = (100.0, 60.0, 140.0),
    **more: object,
) -> Issue:
    excess = observed - expected
    values = {
        "id": "",
        "rank": 1,
        "kind": "shift" if driver else "unexplained",
        "title": f"{driver} drives clients away",
        "driver": driver,
        "direction": "more" if driver else None,
        "verdict": "cause" if driver else None,
        "segment": KEY if segment is None else segment,
        "onset": None if onset is None else DateEstimate(onset, onset, onset),
        "departures": Departures(observed, expected, Estimate(excess, excess - 15, excess + 15)),
        "revenue_per_year": Estimate(*revenue),
        "effect": None,
        "evidence": (),
        "definitions_agreeing": DefinitionsAgreeing(3, 3),
        "status": None,
        "recommendation": (),
    }
    return Issue(**(values | more))


def review(*issues: Issue, as_of: str = "2024-03-31", **more: object) -> Review:
    named = [dataclasses.replace(i, id=issue_id(i.kind, i.driver, i.segment)) for i in issues]
    values = {
        "as_of": as_of,
        "period": "month",
        "currency": "EUR",
        "rows": {},
        "departure_definition": DefinitionUsed("cadence", ""),
        "issues": tuple(named),
        "book": Book(clients=1000, orders=1, first_date="2021-01-01", last_date=as_of, set_apart=0),
    }
    return Review(**(values | more))
