"""Whether departures rose before a driver changed."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.why.candidates import candidate
from churnlens.why.precedence import head_start

NOTHING = np.ones((1, 1), np.float32)


def test_what_follows_a_change_has_no_head_start(hit: drawn_books.Drawn) -> None:
    assert head_start(hit.baseline, hit.candidate("cause"), NOTHING) < 0


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
    assert head_start(book.baseline, answer, NOTHING) > 3


def test_a_rise_that_something_else_explains_gives_none() -> None:
    book = drawn_books.draw(excess=3.0, follow="flat", drivers=drawn_books.two_drivers, seed=3)
    cause = book.candidate("cause")
    move = dataclasses.replace(cause.move, start=cause.move.start + 8, low=cause.move.low + 8)
    answer = candidate(move, book.baseline, book.attributes)
    risk = np.where(cause.lasting.dose > 0, 4.0, 1.0).astype(np.float32)
    assert head_start(book.baseline, answer, risk) < 3
