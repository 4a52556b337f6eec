"""Whether departures rose before a driver changed."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.why.candidates import candidate
from churnlens.why.lead_lag import LeadLag
from churnlens.why.precedence import leads, only_answers, untimely

AFTER, BEFORE_AS_WELL = (LeadLag((), before, z, 1.0, 9.0) for before, z in ((0.0, 0.0), (0.3, 4.0)))
NOTHING = np.ones((1, 1), np.float32)


def test_what_follows_a_change_has_no_head_start(hit: drawn_books.Drawn) -> None:
    assert leads(hit.baseline, hit.candidate("cause"), NOTHING).before < 0


@pytest.mark.parametrize("months", [4, 8])
def test_a_change_that_comes_after_the_rise_is_told(months: int) -> None:
    """The firm answers with something for the whole segment, the same for all."""
    book = drawn_books.draw(excess=3.0, follow="flat", drivers=drawn_books.two_drivers, seed=3)
    move = book.candidate("cause").move
    late = dataclasses.replace(
        move,
        start=move.start + months,
        low=move.low + months,
        high=move.high + months,
        exposure=book.candidate("still").move.exposure,
    )
    answer = candidate(late, book.baseline, book.attributes)
    assert leads(book.baseline, answer, NOTHING).before > 3
    assert untimely(book.baseline, answer)


def test_what_follows_a_change_at_once_is_not_late(hit: drawn_books.Drawn) -> None:
    assert leads(hit.baseline, hit.candidate("cause"), NOTHING).long_after < 0
    assert not untimely(hit.baseline, hit.candidate("cause"))


def test_a_rise_long_after_a_change_is_told() -> None:
    book = drawn_books.draw(excess=5.0, follow="flat", drivers=drawn_books.two_drivers, seed=3)
    cause = book.candidate("cause")
    early = drawn_books.START - 11
    move = dataclasses.replace(cause.move, start=early, low=early, high=early)
    answer = candidate(move, book.baseline, book.attributes)
    found = leads(book.baseline, answer, NOTHING)
    assert found.is_long_after
    assert not found.is_before


@pytest.mark.parametrize(
    ("change", "timing", "answers"),
    [
        ({}, AFTER, True),
        ({}, BEFORE_AS_WELL, False),
        ({"shape": "flat"}, AFTER, False),  # it was done to all alike
    ],
)
def test_what_follows_each_leaver_once_it_has_left_only_answers(
    change: dict[str, str], timing: LeadLag, answers: bool, hit: drawn_books.Drawn
) -> None:
    cause = hit.candidate("cause")
    assert cause.shape == "dose"
    assert only_answers(dataclasses.replace(cause, **change), timing) is answers


def test_contact_that_ends_with_a_client_is_no_answer(hit: drawn_books.Drawn) -> None:
    cause = hit.candidate("cause")
    visits = dataclasses.replace(cause.move.exposure, source="events")
    move = dataclasses.replace(cause.move, exposure=visits, after=cause.move.before - 1)
    assert not only_answers(dataclasses.replace(cause, move=move), AFTER)


def test_a_rise_that_something_else_explains_gives_none() -> None:
    book = drawn_books.draw(excess=3.0, follow="flat", drivers=drawn_books.two_drivers, seed=3)
    cause = book.candidate("cause")
    move = dataclasses.replace(cause.move, start=cause.move.start + 8, low=cause.move.low + 8)
    answer = candidate(move, book.baseline, book.attributes)
    risk = np.where(cause.lasting.dose > 0, 4.0, 1.0).astype(np.float32)
    assert not leads(book.baseline, answer, risk).is_before
