"""Clients drawn at random show as much as a change that did nothing, and less than a cause."""

import drawn_books
import numpy as np

from churnlens.why.placebo import MOST_BEATEN, beaten


def share_of(book: drawn_books.Drawn, who: np.ndarray | None = None) -> float | None:
    c = book.candidate("cause")
    inside = c.inside if who is None else np.broadcast_to(who[:, None], c.inside.shape)
    dose = (inside & (np.arange(drawn_books.MONTHS) > drawn_books.START)).astype(np.float32)
    return beaten(book.baseline, inside, dose, book.baseline.expected)


def test_nobody_drawn_at_random_shows_what_a_cause_does(hit: drawn_books.Drawn) -> None:
    assert share_of(hit) == 0


def test_with_everyone_hit_there_is_nobody_to_draw(hit: drawn_books.Drawn) -> None:
    assert share_of(hit, np.ones(len(hit.key), bool)) is None


def test_where_nothing_happens_it_passes_as_seldom_as_it_should(quiet: drawn_books.Drawn) -> None:
    rng = np.random.default_rng(0)
    shares = [share_of(quiet, rng.permutation(quiet.key)) for _ in range(60)]
    assert np.mean([s is not None and s <= MOST_BEATEN for s in shares]) <= 0.13
