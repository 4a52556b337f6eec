"""Clients drawn at random show as much as a change that did nothing, and less than a cause."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.why.placebo import MOST_BEATEN, beaten, chance


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


def chance_of(book: drawn_books.Drawn, who: np.ndarray | None = None) -> float | None:
    c = book.candidate("cause")
    if who is not None:
        c = dataclasses.replace(c, inside=np.broadcast_to(who[:, None], c.inside.shape))
    return chance(book.baseline, c, book.baseline.expected, 0.01)


def test_a_cause_is_no_chance(hit: drawn_books.Drawn) -> None:
    p = chance_of(hit)
    assert p is not None
    assert p <= 0.01


def test_of_everyone_chance_cannot_be_told(hit: drawn_books.Drawn) -> None:
    assert chance_of(hit, np.ones(len(hit.key), bool)) is None


def test_where_nothing_happens_chances_are_even(quiet: drawn_books.Drawn) -> None:
    rng = np.random.default_rng(1)
    found = [chance_of(quiet, rng.permutation(quiet.key)) for _ in range(120)]
    p = np.array([q for q in found if q is not None])
    assert len(p) == 120
    # Groups that do not rise at all share the largest value, so it is even only below.
    for level in (0.05, 0.1, 0.2):
        assert np.mean(p <= level) == pytest.approx(level, abs=3.5 * np.sqrt(level / 120))
