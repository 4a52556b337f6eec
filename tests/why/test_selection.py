"""Which changes are taken: the driver in the right place, a window where none is, else nothing."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.why.candidates import find_candidates
from churnlens.why.selection import driver_p, explained_risk, overlap, select


def chosen(book: drawn_books.Drawn, others=None):
    found = find_candidates(book.baseline, book.attributes, season=True)
    return select(book.baseline, found, book.scan(), others or {})


def test_the_driver_in_the_right_place_wins_over_a_window(hit: drawn_books.Drawn) -> None:
    explained = chosen(hit)
    (part,) = explained.parts
    assert part.candidate is not None
    assert part.candidate.driver == "cause"
    assert part.p_value < 0.001
    assert part.gain == pytest.approx(explained.fit.gain)


@pytest.mark.parametrize("seed", [2, 20, 21, 22])
def test_nothing_is_taken_in_a_quiet_book(seed: int) -> None:
    book = drawn_books.draw(clients=700, drivers=drawn_books.two_drivers, seed=seed)
    assert chosen(book).parts == ()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_window_wins_over_a_driver_that_overlaps_by_chance(seed: int) -> None:
    plain = drawn_books.draw(excess=4.0, seed=seed)
    north = (plain.panel.attributes["region"] == "north").to_numpy()
    book = drawn_books.draw(excess=4.0, seed=seed)
    rng = np.random.default_rng(seed)
    decoy = drawn_books.Exposure(
        "decoy",
        "mean",
        "orders",
        drawn_books.shifted(rng, north, book.dose).astype(np.float32),
    )
    book = drawn_books.with_exposures(book, decoy)
    explained = chosen(book)
    (part,) = explained.parts
    assert part.candidate is None
    assert part.window is not None
    assert part.window.segment == drawn_books.KEY
    assert abs(part.window.start - drawn_books.START - 1) <= 2
    assert [c.driver for c in explained.left] == ["decoy"]


def test_two_causes_for_two_groups_are_both_taken() -> None:
    def drivers(rng, key, dose, onset):
        return {
            "cause": drawn_books.shifted(rng, key, dose),
            "still": drawn_books.measure(rng, len(dose)),
        }

    one = drawn_books.draw(clients=2000, excess=4.0, drivers=drivers, seed=12)
    small = ~one.key
    rng = np.random.default_rng(12)
    t = np.arange(drawn_books.MONTHS)
    late = t >= 24
    other = drawn_books.measure(rng, len(small)) + 2.0 * ((small * one.dose)[:, None] * late)
    extra = (rng.random(one.panel.found.shape) < 0.04) & small[:, None] & (t > 24)
    book = drawn_books.with_departures(one, extra)
    book = drawn_books.with_exposures(
        book,
        one.exposure("cause"),
        drawn_books.Exposure("second", "mean", "orders", other.astype(np.float32)),
    )
    taken = {p.candidate.driver for p in chosen(book).parts if p.candidate}
    assert taken == {"cause", "second"}


def test_looking_at_more_changes_costs_more() -> None:
    assert driver_p(8.0, 1) < driver_p(8.0, 10) < driver_p(8.0, 100) <= 1
    assert driver_p(0.0, 1) == 1
    assert driver_p(8.0, 10) == pytest.approx(10 * driver_p(8.0, 1))


def test_overlap_is_of_expected_departures(hit: drawn_books.Drawn) -> None:
    everything = np.ones(hit.panel.active.shape, bool)
    inside = hit.inside(drawn_books.KEY)
    assert overlap(hit.baseline, inside, inside) == 1
    assert overlap(hit.baseline, inside, ~inside) == 0
    part = hit.baseline.expected[inside].sum() / hit.baseline.expected.sum()
    assert overlap(hit.baseline, inside, everything) == pytest.approx(part, rel=1e-4)


def test_explained_risk_is_the_model_s(hit: drawn_books.Drawn) -> None:
    explained = chosen(hit)
    risk = explained_risk(hit.baseline, explained.fit)
    assert risk[~hit.key] == pytest.approx(1.0)
    due = (hit.baseline.expected * risk)[hit.key].sum()
    assert due == pytest.approx(hit.baseline.observed[hit.key].sum(), rel=0.03)


def test_a_window_that_no_other_definition_shows_is_not_taken() -> None:
    book = drawn_books.draw(excess=4.0, seed=0)
    (part,) = chosen(book, {"another": book.baseline}).parts
    assert part.window is not None
    nothing = dataclasses.replace(book.baseline, observed=book.baseline.expected)
    assert chosen(book, {"another": nothing}).parts == ()


def test_what_answers_leavers_one_by_one_explains_nothing() -> None:
    def drivers(rng, key, dose, onset):
        answer = drawn_books.measure(rng, len(dose))
        t = np.arange(drawn_books.MONTHS)
        answer += 4.0 * ((onset >= 0) & key)[:, None] * (t >= onset[:, None])
        return {"answer": answer}

    book = drawn_books.draw(clients=1500, excess=2.0, base=0.02, drivers=drivers, seed=6)
    move = dataclasses.replace(book.candidate("answer"), shape="dose", price=-20.0)
    # The segment's own rise is sure or not once the looks at it are paid for: 3 would be by itself.
    for flat_gain, taken in ((3.0, []), (5.0, ["answer"])):
        found = dataclasses.replace(move, flat_gain=flat_gain)
        parts = select(book.baseline, (found,), book.scan(), {}).parts
        assert [p.candidate.driver for p in parts if p.candidate] == taken


def test_a_change_that_clients_drawn_at_random_show_as_well_is_not_taken(
    hit: drawn_books.Drawn,
) -> None:
    plain = hit.candidate("cause")
    anybody = np.random.default_rng(3).permutation(hit.key)
    inside = np.broadcast_to(anybody[:, None], plain.inside.shape)
    term = dataclasses.replace(plain.term, inside=inside, dose=plain.term.dose * 0 + inside)
    moved = dataclasses.replace(plain, inside=inside, term=term, price=-20.0)
    taken = select(hit.baseline, (moved,), hit.scan(), {})
    assert all(p.candidate is None for p in taken.parts)


def test_a_definition_that_sees_too_little_says_nothing_against_a_rise() -> None:
    book = drawn_books.draw(excess=4.0, seed=1)
    now = np.arange(drawn_books.MONTHS) > drawn_books.START
    quiet = np.where(book.key[:, None] & now, book.baseline.expected, book.baseline.observed)
    denies = dataclasses.replace(book.baseline, observed=quiet)
    few = dataclasses.replace(
        book.baseline, expected=book.baseline.expected / 200, observed=quiet * 0
    )
    assert [p.window is not None for p in chosen(book, {"blind": few}).parts] == [True]
    assert chosen(book, {"denies": denies, "denies too": denies}).parts == ()


def test_what_a_driver_leaves_over_for_some_of_its_clients_is_no_rise_of_its_own() -> None:
    def drivers(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, key, np.ones(len(dose)))}

    plain = drawn_books.draw(excess=2.0, drivers=drivers, follow="flat", clients=4000, seed=3)
    north = (plain.panel.attributes["region"] == "north").to_numpy()
    late = np.arange(drawn_books.MONTHS) > drawn_books.START
    more = np.random.default_rng(3).random((4000, drawn_books.MONTHS)) < 0.05
    book = drawn_books.with_departures(plain, more & late & (plain.key & north)[:, None])
    (part,) = chosen(book).parts
    assert part.candidate is not None
    assert part.candidate.driver == "cause"
