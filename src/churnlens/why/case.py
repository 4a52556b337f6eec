"""What a check of a cause looks at, and how it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from churnlens.results import Evidence, Outcome, Text
from churnlens.which.baseline import Baseline
from churnlens.why.attribution import Attribution
from churnlens.why.candidates import Candidate
from churnlens.why.lead_lag import LeadLag
from churnlens.why.model import Term
from churnlens.why.precedence import Leads
from churnlens.why.rivals import Rival


@dataclass(frozen=True)
class Case:
    """All that a check may look at for one candidate cause.

    `term` is what departures are explained by, `lasting` the same for as long as the change itself
    went on, `beside` the other explanations that were taken; `others` is the same book under the
    other churn definitions, `controls` the drivers that the config names as negative controls,
    `leads` whether departures rose before the change or only long after, `models` the analyst's
    classifiers for the second opinion.
    """

    baseline: Baseline
    candidate: Candidate
    term: Term
    lasting: Term
    beside: tuple[Term, ...]
    attribution: Attribution
    rivals: tuple[Rival, ...]
    timing: LeadLag
    others: dict[str, Baseline]
    controls: tuple[Candidate, ...]
    seed: int
    leads: Leads
    models: tuple[tuple[str, Callable[[], Any]], ...] = ()


Check = Callable[[Case], Evidence]


def say(check: str, outcome: Outcome, text: Text) -> Evidence:
    """Return a check's answer, its sentence as text and in plain English."""
    return Evidence(check, outcome, str(text), text)
