"""Within segments that leave more: a driver is a cause by who leaves there, not by where it is."""

import drawn_books
import numpy as np
import pytest

from churnlens.why.standing import LEAST_WITHIN
from churnlens.why.within import Within, early_level, look_within, worst_segments

CLIENTS = 1500


def worse_for_key(seed: int, harm: float, *, higher: bool = True) -> drawn_books.Drawn:
    """Key clients leave three times as often; `harm` by own level is on the log hazard per SD.

    Where `higher`, key clients also get more of `level` than others.
    """
    own = np.random.default_rng(seed + 50).normal(0, 1, CLIENTS)

    def drivers(rng, key, dose, onset):
        noise = 0.4 * rng.standard_normal((CLIENTS, drawn_books.MONTHS))
        level = 2 + 0.5 * own + 1.5 * key * higher
        return {"level": level[:, None] + noise, "still": drawn_books.measure(rng, CLIENTS)}

    key = drawn_books.draw(clients=CLIENTS, seed=seed).key
    rate = np.where(key, 3 * np.exp(harm * own), 1.0)
    return drawn_books.draw(clients=CLIENTS, lasting_rate=rate, drivers=drivers, seed=seed)


def looked_within(book: drawn_books.Drawn) -> tuple[Within, ...]:
    nothing, all_along = np.ones_like(book.baseline.expected), np.ones((1, 1), bool)
    still = {e.driver: all_along for e in book.panel.exposures}
    return look_within(book.baseline, nothing, book.attributes, book.panel.exposures, still)


@pytest.mark.parametrize(("harm", "sign"), [(0.5, 1), (-0.5, -1)])
def test_those_with_more_of_it_leave_sooner_or_later(harm: float, sign: int) -> None:
    (found,) = looked_within(worse_for_key(0, harm))
    assert (found.exposure.driver, found.segment, found.sign) == ("level", drawn_books.KEY, 1)
    assert sign * found.z > 3


def test_a_driver_that_is_no_higher_where_more_leave_is_not_tested() -> None:
    assert looked_within(worse_for_key(0, 0.5, higher=False)) == ()


def test_a_segment_of_newcomers_did_not_have_fewer_events() -> None:
    """Key clients leave more and came later; events come as often to them as to others."""
    key = drawn_books.draw(clients=CLIENTS, seed=4).key
    first = np.where(key, 12, 0)

    def drivers(rng, key, dose, onset):
        there = np.arange(drawn_books.MONTHS) >= first[:, None]
        return {"calls": rng.poisson(0.5, there.shape) * there}

    rate = np.where(key, 3.0, 1.0)
    book = drawn_books.draw(clients=CLIENTS, lasting_rate=rate, drivers=drivers, seed=4)
    book.panel.activity.first = first
    assert looked_within(book) == ()


def test_nothing_is_tested_where_nobody_leaves_more() -> None:
    book = drawn_books.draw(clients=CLIENTS, drivers=drawn_books.two_drivers, seed=3)
    assert looked_within(book) == ()


def test_a_driver_that_is_only_higher_where_more_leave_gives_no_cause() -> None:
    looked = [w for seed in range(8) for w in looked_within(worse_for_key(seed, 0.0))]
    assert [w.exposure.driver for w in looked] == ["level"] * 8
    assert sum(w.is_open for w in looked) >= 6  # nor does it clear the driver
    assert max(w.score for w in looked) < LEAST_WITHIN


@pytest.mark.parametrize(("harm", "is_open"), [(0.5, True), (-0.5, False)])
def test_what_is_higher_where_more_leave_is_open_unless_they_deny_it(
    harm: float, is_open: bool
) -> None:
    (found,) = looked_within(worse_for_key(0, harm))
    assert found.is_open is is_open


def test_the_segment_that_leaves_more_is_found_unless_it_is_explained() -> None:
    book = worse_for_key(1, 0.0)
    nothing = np.ones_like(book.baseline.expected)
    ((segment, inside),) = worst_segments(book.baseline, nothing, book.attributes)
    assert segment == drawn_books.KEY
    assert (inside == book.key).all()
    known = np.where(book.key[:, None], 3.0, nothing)
    assert worst_segments(book.baseline, known, book.attributes) == []


def test_a_young_client_is_read_from_its_first_months_and_never_from_now_on() -> None:
    book = worse_for_key(2, 0.0)
    exposure = book.exposure("level")
    level, known, _ = early_level(book.baseline, exposure)
    assert not known[:, 0].any()
    assert known[:, 1:].all()
    np.testing.assert_allclose(level[:, 1], exposure.values[:, 0], rtol=1e-5)
    np.testing.assert_allclose(level[:, 4], exposure.values[:, :2].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(level[:, 20], exposure.values[:, :17].mean(axis=1), rtol=1e-4)
