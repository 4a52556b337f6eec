"""What a page says is not known must be unknown, and the reason given the one that there is."""

from __future__ import annotations

import dataclasses

import drawn_books
import pytest

from churnlens.results import Estimate, LagPoint, Text
from churnlens.why import doubts
from churnlens.why.case import say
from churnlens.why.lead_lag import LeadLag

POINTS = tuple(LagPoint(lag, Estimate(0, -1, 1), 20) for lag in range(-8, 7))
LATE = LeadLag(POINTS, 0.0, 0.0, 1.0, 9.0)


def test_a_driver_that_leavers_got_only_afterwards_is_doubted_for_that(
    hit: drawn_books.Drawn,
) -> None:
    """Departures do follow its dose there: the reason is when, not how much."""
    candidate = dataclasses.replace(hit.candidate("cause"), shape="dose", flat_gain=1.0)
    case = drawn_books.case(hit, candidate, timing=LATE)
    said = " ".join(map(str, doubts.of_a_change(case, "cannot_tell", ())))
    assert "only after they began to leave" in said
    assert "do not follow how much of it" not in said


@pytest.mark.parametrize(("outcome", "open_"), [("pass", False), ("fail", False), ("skip", True)])
def test_the_dose_is_unknown_only_where_its_check_could_not_be_made(
    hit: drawn_books.Drawn, outcome: str, open_: bool
) -> None:
    candidate = dataclasses.replace(hit.candidate("cause"), shape="flat")
    evidence = (say("dose_response", outcome, Text("…")),)
    said = doubts.of_a_change(drawn_books.case(hit, candidate), "cause", evidence)
    assert any("hit alike" in str(text) for text in said) is open_


def test_where_others_got_as_much_and_stayed_the_doubt_is_that(hit: drawn_books.Drawn) -> None:
    case = drawn_books.case(hit, hit.candidate("cause"))
    evidence = (say("elsewhere", "fail", Text("…")),)
    said = " ".join(map(str, doubts.of_a_change(case, "cannot_tell", evidence)))
    assert "Others got as much of it and stayed" in said
