"""Drivers that cost clients all along: found where planted, by dose; none in a quiet book."""

import drawn_books
import numpy as np
import pytest

from churnlens.which.segments import Attribute
from churnlens.why.standing import find_standing, usual_level
from churnlens.why.within import among_alike, early_level

CLIENTS = 1500


def levelled(seed: int, harm: float, *, only_key: bool = False) -> drawn_books.Drawn:
    """A driver of which clients always got different amounts; `harm` on the log hazard per SD."""
    level = np.random.default_rng(seed + 50).normal(0, 1, CLIENTS)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((CLIENTS, drawn_books.MONTHS))
        return {
            "level": 2 + 0.5 * level[:, None] + 0.4 * noise,
            "still": drawn_books.measure(rng, CLIENTS),
            "symptom": drawn_books.after_onset(rng, onset),
        }

    plain = drawn_books.draw(clients=CLIENTS, seed=seed)
    minds = plain.key if only_key else np.ones(CLIENTS, bool)
    rate = np.exp(harm * level * minds)
    return drawn_books.draw(clients=CLIENTS, lasting_rate=rate, drivers=drivers, seed=seed)


def found_in(book: drawn_books.Drawn, taken: frozenset[str] = frozenset()):
    nothing = np.ones_like(book.baseline.expected)
    return find_standing(book.baseline, nothing, book.attributes, set(taken)).causes


def test_more_of_it_costs_clients() -> None:
    (standing,) = found_in(levelled(0, 0.6))
    assert (standing.driver, standing.direction, standing.segment) == ("level", "more", {})
    assert standing.low < standing.usual == pytest.approx(2.0, abs=0.1)


def test_a_lack_of_it_costs_clients() -> None:
    (standing,) = found_in(levelled(1, -0.6))
    assert (standing.driver, standing.direction) == ("level", "less")
    assert standing.low > standing.usual


def test_a_trouble_that_only_some_mind_is_found_where_it_is() -> None:
    (standing,) = found_in(levelled(2, 1.0, only_key=True))
    assert standing.segment == drawn_books.KEY
    assert not standing.term.dose[~levelled(2, 1.0, only_key=True).key].any()


def troubled(seed: int, harm: float, *, only_key: bool) -> drawn_books.Drawn:
    """Key clients have a trouble that others hardly know, or all have it alike; all mind it."""
    rng = np.random.default_rng(seed + 70)
    much = rng.gamma(2.0, 1.0, CLIENTS)
    plain = drawn_books.draw(clients=CLIENTS, seed=seed)
    level = np.where(plain.key | (not only_key), much, 0.1)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((CLIENTS, drawn_books.MONTHS))
        return {"trouble": 1 + 0.5 * level[:, None] + 0.4 * noise}

    return drawn_books.draw(
        clients=CLIENTS, base=0.008, lasting_rate=1 + harm * level, drivers=drivers, seed=seed
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_trouble_that_only_some_have_is_said_of_them(seed: int) -> None:
    (standing,) = found_in(troubled(seed, 1.2, only_key=True))
    book = troubled(seed, 1.2, only_key=True)
    assert standing.segment == drawn_books.KEY
    assert not standing.term.dose[~book.key].any()
    assert (standing.inside.any(axis=1) == book.key).all()
    assert standing.low < 1.4  # as it is elsewhere


@pytest.mark.parametrize("seed", range(3))
def test_a_trouble_that_all_have_is_said_of_all(seed: int) -> None:
    (standing,) = found_in(troubled(seed, 0.8, only_key=False))
    assert standing.segment == {}


def minded_by_most(seed: int, rest: float) -> dict[str, tuple[str, ...]]:
    """The segment said of a trouble that all classes mind but the smallest, a part `rest`."""
    rng = np.random.default_rng(seed)
    code = rng.choice(3, CLIENTS, p=[0.5, 0.5 - rest, rest])
    level = rng.normal(0, 1, CLIENTS)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((CLIENTS, drawn_books.MONTHS))
        return {"level": 2 + 0.5 * level[:, None] + 0.4 * noise}

    rate = np.exp(0.5 * level * (code < 2))
    book = drawn_books.draw(clients=CLIENTS, lasting_rate=rate, drivers=drivers, seed=seed)
    classes = (Attribute("class", code, tuple("ABC")),)
    nothing = np.ones_like(book.baseline.expected)
    (standing,) = find_standing(book.baseline, nothing, classes, set()).causes
    return standing.segment


@pytest.mark.parametrize("seed", range(4))
def test_all_but_a_few_are_no_segment(seed: int) -> None:
    assert minded_by_most(seed, 0.05) == {}
    assert minded_by_most(seed, 0.4) == {"class": ("A", "B")}


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_a_quiet_book(seed: int) -> None:
    assert found_in(levelled(seed, 0.0)) == ()


def test_a_driver_that_explains_a_rise_already_is_not_looked_at_again() -> None:
    assert found_in(levelled(0, 0.6), frozenset({"level"})) == ()


def test_what_comes_after_a_change_of_the_driver_is_not_read() -> None:
    book = levelled(0, 0.6)
    nothing = np.ones_like(book.baseline.expected)
    since = np.ones(nothing.shape, bool)
    moved = {"level": since}
    assert find_standing(book.baseline, nothing, book.attributes, set(), moved).causes == ()
    since[:, :30] = False  # all along before that it costs clients
    (standing,) = find_standing(book.baseline, nothing, book.attributes, set(), moved).causes
    assert standing.driver == "level"
    assert not standing.term.dose[:, 30:].any()


def test_the_usual_level_is_read_from_the_past_alone(hit: drawn_books.Drawn) -> None:
    exposure = hit.exposure("still")
    values = exposure.values.copy()
    values[:, 30:] = np.nan
    level, known = usual_level(hit.baseline, exposure)
    assert not known[:, :4].any()  # the last four months are never read
    own = np.nanmean(exposure.values, axis=1)
    assert np.corrcoef(level[:, -1], own)[0, 1] > 0.9


@pytest.mark.parametrize(("period", "left_out"), [("month", 3), ("quarter", 1), ("week", 13)])
def test_the_last_months_are_left_out_in_every_calendar(
    period: str, left_out: int, hit: drawn_books.Drawn
) -> None:
    """A quarter is: nothing that was done because a client was leaving may enter."""
    values = hit.exposure("cause").values.copy()
    values[:, np.arange(drawn_books.MONTHS) != 10] = np.nan  # one record is all there is
    exposure = drawn_books.Exposure("cause", "mean", "orders", values)
    baseline = drawn_books.in_periods(hit.baseline, period)
    for known in (usual_level(baseline, exposure)[1], early_level(baseline, exposure)[1]):
        assert known.any(axis=0).argmax() == 11 + left_out


def test_what_is_recorded_for_nobody_has_no_usual_level(hit: drawn_books.Drawn) -> None:
    values = np.full_like(hit.exposure("still").values, np.nan)
    exposure = drawn_books.Exposure("still", "mean", "orders", values)
    level, known = usual_level(hit.baseline, exposure)
    assert np.isfinite(level).all()
    assert not known.any()


def test_what_all_clients_get_alike_has_no_level_to_leave_by() -> None:
    level = np.full((400_000, 3), 2.000154, dtype=np.float32)
    weight = np.random.default_rng(0).uniform(0, 0.1, level.shape).astype(np.float32)
    codes = [np.arange(level.size).reshape(level.shape) % k for k in (3, 5, 7)]
    apart, deviation = among_alike(level, weight, codes)
    assert deviation == 0
    assert not apart.any()


def test_where_nearly_all_have_most_of_it_those_few_with_less_stand_for_without() -> None:
    spared = np.random.default_rng(7).uniform(size=CLIENTS) < 0.09

    def drivers(rng, key, dose, onset):
        return {"level": np.where(spared[:, None], 0.0, 1.0) * np.ones((1, drawn_books.MONTHS))}

    rate = np.where(spared, 0.05, 2.5)
    book = drawn_books.draw(clients=CLIENTS, lasting_rate=rate, drivers=drivers, seed=8)
    (standing,) = found_in(book)
    assert standing.direction == "more"
    assert standing.low < standing.usual
    assert (standing.term.dose > 0).any()
