"""What a page says is not known must be unknown, and the reason given the one that there is."""

from __future__ import annotations

import dataclasses

import drawn_books

from churnlens.results import Estimate, LagPoint
from churnlens.why import doubts
from churnlens.why.lead_lag import LeadLag

POINTS = tuple(LagPoint(lag, Estimate(0, -1, 1), 20) for lag in range(-8, 7))
LATE = LeadLag(POINTS, 0.0, 0.0, 1.0, 9.0)


def test_a_driver_that_leavers_got_only_afterwards_is_doubted_for_that(
    hit: drawn_books.Drawn,
) -> None:
    """Departures do follow its dose there: the reason is when, not how much."""
    candidate = dataclasses.replace(hit.candidate("cause"), shape="dose")
    case = drawn_books.case(hit, candidate, timing=LATE)
    said = " ".join(map(str, doubts.of_a_change(case, "cannot_tell", ())))
    assert "only after they began to leave" in said
    assert "do not follow how much of it" not in said


def test_a_dose_that_was_refuted_is_not_said_to_be_open() -> None:
    book = drawn_books.draw(
        clients=3000, excess=4.0, follow="flat", drivers=drawn_books.two_drivers, seed=8
    )
    case = drawn_books.case(book, book.candidate("cause"))
    said = " ".join(map(str, doubts.of_a_change(case, "cannot_tell", ())))
    assert "do not follow how much of it" in said
    assert "cannot be told yet" not in said


def test_where_all_are_hit_alike_whether_the_dose_matters_is_open(hit: drawn_books.Drawn) -> None:
    candidate = dataclasses.replace(hit.candidate("cause"), shape="flat")
    case = drawn_books.case(hit, candidate)
    assert any("cannot be told yet" in str(t) for t in doubts.of_a_change(case, "cause", ()))
