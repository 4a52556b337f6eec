"""Of those for whom a driver changed, only some may mind: the issue is theirs."""

import drawn_books
import numpy as np

from churnlens.which.segments import Attribute
from churnlens.why.candidates import find_candidates
from churnlens.why.narrowing import parts_that_mind


def for_everyone(rng, key, dose, onset):
    """A driver that rises by the same for all clients, and one that stands still."""
    cause = drawn_books.measure(rng, len(key))
    cause[:, drawn_books.START :] += 3.0
    return {"cause": cause, "still": drawn_books.measure(rng, len(key))}


def test_a_change_for_all_is_laid_to_those_who_left_more() -> None:
    book = drawn_books.draw(clients=2000, excess=3.0, follow="flat", drivers=for_everyone, seed=8)
    (found,) = find_candidates(book.baseline, book.attributes, season=True)
    assert found.driver == "cause"
    assert found.move.segment == drawn_books.KEY
    assert found.price > 0  # the search among parts is paid for
    assert not found.term.dose[~book.key].any()


def test_where_nobody_left_more_the_change_keeps_its_own_segment() -> None:
    book = drawn_books.draw(clients=2000, drivers=for_everyone, seed=9)
    (found,) = find_candidates(book.baseline, book.attributes, season=True)
    assert found.move.segment == {}
    assert found.gain < 3


def test_a_part_is_of_the_segment_and_never_the_whole_of_it() -> None:
    book = drawn_books.draw(clients=2000, excess=3.0, drivers=for_everyone, seed=10)
    inside = np.ones_like(book.baseline.expected, bool)
    parts = parts_that_mind(book.baseline, inside, {}, drawn_books.START, book.attributes)
    assert parts[0].segment == drawn_books.KEY
    assert all(p.segment and p.price > 0 for p in parts)
    own = book.inside(drawn_books.KEY)
    again = parts_that_mind(book.baseline, own, drawn_books.KEY, drawn_books.START, book.attributes)
    assert all(p.segment != drawn_books.KEY for p in again)
    assert all(p.segment["size"] == ("key",) for p in again)


def test_a_part_may_be_a_narrower_band_of_the_segment() -> None:
    """It changed for clients of more than 20 sites, and those with up to 50 of them minded."""
    book = drawn_books.draw(clients=2000, excess=3.0, drivers=for_everyone, seed=10)
    band = np.where(book.key, 1, np.random.default_rng(10).choice([0, 2], 2000))
    sites = Attribute("sites", band, ("up to 20", "20 to 50", "above 50"), ordered=True)
    inside = np.broadcast_to(band[:, None] > 0, book.baseline.expected.shape)
    above = {"sites": ("above 20",)}
    parts = parts_that_mind(book.baseline, inside, above, drawn_books.START, (sites,))
    assert parts[0].segment == {"sites": ("20 to 50",)}
