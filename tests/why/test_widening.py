"""A change found for some of a cause's clients is read for all of them where they had it too."""

import drawn_books
import numpy as np
import pytest

from churnlens.why.widening import as_wide, part_had

NARROW = {"size": ("key",), "region": ("north",)}


@pytest.fixture(scope="module")
def book() -> drawn_books.Drawn:
    """Two drivers moved for all key clients, a third for nobody."""

    def drivers(rng, key, dose, onset):
        return {
            "cause": drawn_books.shifted(rng, key, dose),
            "twin": drawn_books.shifted(rng, key, np.ones(len(dose))),
            "still": drawn_books.measure(rng, len(dose)),
        }

    return drawn_books.draw(excess=3.0, drivers=drivers, seed=4)


def test_what_moved_for_all_is_read_for_all(book: drawn_books.Drawn) -> None:
    narrow, wide = book.candidate("twin", segment=NARROW), book.candidate("cause")
    read = as_wide(book.baseline, narrow, wide)
    assert read.move.segment == drawn_books.KEY
    assert read.driver == "twin"
    assert np.array_equal(read.inside, wide.inside)
    assert read.flat_gain > narrow.flat_gain


def test_what_moved_for_a_part_stays_there(book: drawn_books.Drawn) -> None:
    t, inside = np.arange(drawn_books.MONTHS), book.inside(NARROW)
    values = book.exposure("still").values + 2.0 * (inside & (t >= drawn_books.START))
    part = drawn_books.Exposure("part", "mean", "orders", values.astype(np.float32))
    both = drawn_books.with_exposures(book, book.exposure("cause"), part)
    narrow, wide = both.candidate("part", segment=NARROW), both.candidate("cause")
    assert as_wide(both.baseline, narrow, wide) is narrow


def partly_recorded(book: drawn_books.Drawn, since: int) -> drawn_books.Drawn:
    """A driver fell for a part of the key clients, and is recorded for others from then on."""
    t, rng = np.arange(drawn_books.MONTHS), np.random.default_rng(7)
    fell = 2.0 * (book.inside(NARROW) & (t >= drawn_books.START))
    values = drawn_books.measure(rng, len(book.key), level=5.0) - fell
    values[~book.key, :since] = np.nan
    part = drawn_books.Exposure("part", "mean", "orders", values.astype(np.float32))
    return drawn_books.with_exposures(book, book.exposure("cause"), part)


@pytest.mark.parametrize("since", [15, drawn_books.MONTHS])
def test_that_it_was_not_recorded_elsewhere_is_no_level_of_nought(
    book: drawn_books.Drawn, since: int
) -> None:
    both = partly_recorded(book, since)
    narrow, wide = both.candidate("part", segment=NARROW), both.candidate("cause")
    assert as_wide(both.baseline, narrow, wide) is narrow


def test_the_rest_had_none_of_a_change_whenever_others_are_recorded(
    book: drawn_books.Drawn,
) -> None:
    both = partly_recorded(book, 15)
    move = both.candidate("part", segment=NARROW).move
    rest = both.key & ~both.inside(NARROW).any(axis=1)
    had, error = part_had(both.baseline, move, rest, ~both.key)
    assert abs(had) < 3 * error
    assert error < 0.2
    never = partly_recorded(book, drawn_books.MONTHS)
    unknown = never.candidate("part", segment=NARROW).move
    assert part_had(never.baseline, unknown, rest, ~both.key) is None


def test_what_has_no_rest_stays_as_it_is(book: drawn_books.Drawn) -> None:
    twin, cause = book.candidate("twin"), book.candidate("cause")
    assert as_wide(book.baseline, twin, cause) is twin
