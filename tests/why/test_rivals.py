"""Of two drivers that moved together: the dose parts them, or nothing does."""

import dataclasses

import drawn_books
import numpy as np
import pytest
from scipy.stats import pearsonr

from churnlens.panel.exposures import Exposure
from churnlens.why.candidates import find_candidates, read
from churnlens.why.rivals import CHANNEL_P, pearson_p, rivals, same_dose_p
from churnlens.why.verdicts import resolve

MORE = {"excess": 3.0, "clients": 1500}


def relation(book: drawn_books.Drawn, taken: str, other: str) -> str:
    a, b = book.candidate(taken), book.candidate(other)
    (rival,) = rivals(book.baseline, a, drawn_books.explained(book, a, left=(b,)))
    assert rival.candidate is b
    return rival.relation


@pytest.fixture(scope="module")
def twins() -> drawn_books.Drawn:
    """An innocent that moved for the same clients at the same time, with doses of its own."""

    def drivers(rng, key, dose, onset):
        other = rng.gamma(2.8, 1 / 2.8, len(dose))
        return {
            "cause": drawn_books.shifted(rng, key, dose),
            "twin": drawn_books.shifted(rng, key, other),
        }

    return drawn_books.draw(drivers=drivers, seed=1, **MORE)


@pytest.fixture(scope="module")
def complaints() -> drawn_books.Drawn:
    """Late deliveries drive clients away, and make them complain."""

    def drivers(rng, key, dose, onset):
        late = np.arange(drawn_books.MONTHS) >= drawn_books.START
        rate = 0.05 + 0.5 * np.where(key, dose, 0)[:, None] * late
        count = rng.poisson(rate).astype(np.float32)
        return {
            "late": drawn_books.shifted(rng, key, dose),
            "complaint": Exposure("complaint", "count", "events", count),
        }

    return drawn_books.draw(drivers=drivers, seed=0, **MORE)


def test_a_twin_with_another_dose_is_told_apart(twins: drawn_books.Drawn) -> None:
    assert relation(twins, "cause", "twin") == "weaker"
    assert relation(twins, "twin", "cause") == "stronger"


def test_of_two_doses_that_departures_go_against_none_is_the_better(
    twins: drawn_books.Drawn,
) -> None:
    one, two = twins.candidate("cause"), twins.candidate("twin")
    alike = 2 * one.dose_gain - two.dose_gain + 1  # farther ahead of both than they are apart
    one = dataclasses.replace(one, flat_gain=alike, gain=alike, shape="flat")
    two = dataclasses.replace(two, flat_gain=alike, gain=alike, shape="flat")
    (rival,) = rivals(twins.baseline, one, drawn_books.explained(twins, one, left=(two,)))
    assert one.dose_gain > two.dose_gain + 3
    assert rival.relation == "inseparable"


def test_twins_with_the_same_dose_cannot_be_parted() -> None:
    def drivers(rng, key, dose, onset):
        return {name: drawn_books.shifted(rng, key, dose) for name in ("one", "two")}

    book = drawn_books.draw(drivers=drivers, seed=2, **MORE)
    assert relation(book, "one", "two") == "inseparable"
    assert relation(book, "two", "one") == "inseparable"


def test_an_event_that_rises_with_a_measure_is_its_channel(complaints: drawn_books.Drawn) -> None:
    assert relation(complaints, "late", "complaint") == "channel"
    assert relation(complaints, "complaint", "late") == "upstream"


def test_an_event_that_rises_where_the_measure_does_not_is_no_channel() -> None:
    """Its doses go with those of a measured trouble by chance; others got it without."""

    def drivers(rng, key, dose, onset):
        late = np.arange(drawn_books.MONTHS) >= drawn_books.START
        had = key | (rng.random(len(key)) < 0.3)  # as the other attribute says, below
        rate = 0.05 + 0.5 * np.where(had, dose, 0)[:, None] * late
        return {
            "late": drawn_books.shifted(rng, key, dose),
            "complaint": Exposure("complaint", "count", "events", rng.poisson(rate).astype("f4")),
            "had": had[:, None] * np.ones(drawn_books.MONTHS),
        }

    book = drawn_books.draw(drivers=drivers, seed=0, **MORE)
    had = book.exposure("had").values > 0
    late, complaint = book.candidate("late"), book.candidate("complaint")
    wide = read(complaint.move, book.baseline, had)
    (rival,) = rivals(book.baseline, late, drawn_books.explained(book, late, left=(wide,)))
    assert same_dose_p(book.baseline, late, wide) < CHANNEL_P
    assert rival.relation != "channel"
    (rival,) = rivals(book.baseline, wide, drawn_books.explained(book, wide, left=(late,)))
    assert rival.relation != "upstream"


def test_doses_that_go_together_are_known_for_it(
    twins: drawn_books.Drawn, complaints: drawn_books.Drawn
) -> None:
    def p(book: drawn_books.Drawn, one: str, other: str) -> float:
        return same_dose_p(book.baseline, book.candidate(one), book.candidate(other))

    assert p(complaints, "late", "complaint") < 0.001
    assert p(twins, "cause", "twin") > 0.02


def test_an_early_change_that_explains_the_same_departures_worse_is_weaker(
    twins: drawn_books.Drawn,
) -> None:
    """After a long lag it could be laid to any earlier change; the lag is paid for."""
    cause, early = twins.candidate("cause"), twins.candidate("twin", start=8)
    explained = drawn_books.explained(twins, cause, left=(early,))
    assert [r.relation for r in rivals(twins.baseline, cause, explained)] == ["weaker"]


def test_the_better_of_two_takes_the_place(twins: drawn_books.Drawn) -> None:
    taken, cause = twins.candidate("twin"), twins.candidate("cause")
    explained, named = resolve(twins.baseline, drawn_books.explained(twins, taken, left=(cause,)))
    assert [p.candidate.driver for p in explained.parts if p.candidate] == ["cause"]
    assert [c.driver for c in explained.left] == ["twin"]
    assert [(r.candidate.driver, r.relation) for r in named[0].rivals] == [("twin", "weaker")]


def test_what_is_upstream_takes_the_place_of_its_channel(complaints: drawn_books.Drawn) -> None:
    taken, cause = complaints.candidate("complaint"), complaints.candidate("late")
    _, named = resolve(complaints.baseline, drawn_books.explained(complaints, taken, left=(cause,)))
    assert named[0].candidate.driver == "late"
    assert [(r.candidate.driver, r.relation) for r in named[0].rivals] == [("complaint", "channel")]


def test_what_another_explains_by_its_dose_counts_for_it() -> None:
    def drivers(rng, key, dose, onset):
        return {name: drawn_books.shifted(rng, key, dose) for name in ("one", "two")}

    book = drawn_books.draw(drivers=drivers, seed=2, **MORE)
    one, two = book.candidate("one"), book.candidate("two")
    alike = dataclasses.replace(two, flat_gain=one.gain / 4)
    (rival,) = rivals(book.baseline, one, drawn_books.explained(book, one, left=(alike,)))
    assert rival.relation == "inseparable"


@pytest.mark.parametrize("clients", [10, 200])
def test_correlation_is_that_of_scipy(clients: int) -> None:
    rng = np.random.default_rng(clients)
    x = rng.poisson(3.0, clients).astype(np.float32)
    y = x + rng.normal(0, 4, clients)
    assert pearson_p(x, y) == pytest.approx(pearsonr(x, y, alternative="greater").pvalue)
    assert pearson_p(x, x) == 0
    assert np.isnan(pearson_p(np.ones(clients), y))


def test_one_level_for_another_makes_two_rivals_of_one_driver() -> None:
    def visits(rng, key, dose, onset):
        ones = np.ones_like(dose)
        sides = {"level leadership": -1.0, "level technical": 1.0}
        return {
            m: drawn_books.Exposure(
                "visit",
                m,
                "events",
                drawn_books.shifted(rng, key, ones, size=s).astype(np.float32),
            )
            for m, s in sides.items()
        }

    book = drawn_books.draw(clients=1500, excess=4.0, follow="flat", drivers=visits, seed=8)
    found = find_candidates(book.baseline, book.attributes, season=True)
    assert {c.move.exposure.subject for c in found} == {"leadership visit", "technical visit"}
    taken, other = found
    (rival,) = rivals(book.baseline, taken, drawn_books.explained(book, taken, left=(other,)))
    assert rival.relation == "inseparable"


def test_of_two_with_like_doses_the_one_that_hit_others_in_vain_is_weaker() -> None:
    def drivers(rng, key, dose, onset):
        own = [rng.gamma(2.8, 1 / 2.8, len(dose)) for _ in range(2)]
        return {
            n: drawn_books.shifted(rng, key, o) for n, o in zip(("one", "two"), own, strict=True)
        }

    book = drawn_books.draw(drivers=drivers, follow="flat", seed=6, **MORE)
    one, two = book.candidate("one"), book.candidate("two")
    assert relation(book, "one", "two") == "inseparable"
    narrowed = dataclasses.replace(two, gain=two.gain - 4, price=two.price + 4)
    (rival,) = rivals(book.baseline, one, drawn_books.explained(book, one, left=(narrowed,)))
    assert rival.relation == "weaker"
