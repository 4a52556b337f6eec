"""Where and since when a driver moved: found where planted, and nowhere else."""

import drawn_books
import numpy as np
import pytest

from churnlens.which.segments import Attribute
from churnlens.why.moves import find_moves, readable
from churnlens.why.shifts import contrasts


def moves_of(book: drawn_books.Drawn, driver: str):
    return find_moves(
        book.exposure(driver), book.baseline, readable(book.baseline), book.attributes, season=True
    )


def test_a_move_is_found_where_and_when_it_was_planted(hit: drawn_books.Drawn) -> None:
    (move,) = moves_of(hit, "cause")
    assert move.segment == drawn_books.KEY
    assert move.low <= drawn_books.START <= move.high
    assert abs(move.start - drawn_books.START) <= 1
    assert move.direction == "more"
    assert move.before == pytest.approx(2.0, abs=0.2)
    assert move.after == pytest.approx(4.0, abs=0.4)


def test_a_driver_that_stands_still_has_no_move(hit: drawn_books.Drawn) -> None:
    assert moves_of(hit, "still") == ()


@pytest.mark.parametrize("seed", range(4))
def test_still_drivers_do_not_move_by_chance(seed: int) -> None:
    book = drawn_books.draw(
        clients=500,
        drivers=lambda rng, key, dose, onset: {"still": drawn_books.measure(rng, len(dose))},
        seed=seed,
    )
    assert moves_of(book, "still") == ()


def test_what_is_done_to_leavers_is_no_move_among_those_who_stay(hit: drawn_books.Drawn) -> None:
    raw = hit.exposure("symptom").values
    leaving = ~hit.panel.before_onset
    assert np.nanmean(raw[leaving]) > np.nanmean(raw[~leaving]) + 0.3  # it is there to be seen
    assert moves_of(hit, "symptom") == ()


def test_nothing_is_read_once_a_client_has_begun_to_leave(hit: drawn_books.Drawn) -> None:
    read = readable(hit.baseline)
    leavers = np.flatnonzero(hit.panel.onset >= 3)
    onset = hit.panel.onset[leavers]
    assert not read[leavers, onset].any()
    assert not read[leavers, onset - 2].any()  # nor just before
    assert read[leavers, onset - 3].all()


def test_a_season_of_everyone_is_no_move() -> None:
    def seasonal(rng, key, dose, onset):
        wave = np.sin(np.arange(drawn_books.MONTHS) * 2 * np.pi / 12)
        return {"seasonal": drawn_books.measure(rng, len(dose)) + wave}

    assert moves_of(drawn_books.draw(clients=500, drivers=seasonal, seed=3), "seasonal") == ()


def test_a_fall_is_found_as_less() -> None:
    def fallen(rng, key, dose, onset):
        return {"visits": drawn_books.shifted(rng, key, dose, size=-1.5)}

    (move,) = moves_of(drawn_books.draw(clients=600, drivers=fallen, seed=4), "visits")
    assert move.direction == "less"
    assert move.segment == drawn_books.KEY


def test_contrasts_are_later_less_earlier_means_with_their_precision() -> None:
    values = np.array([[1.0, 3.0, np.nan, 7.0], [np.nan, 2.0, 2.0, 2.0]])
    difference, weight = contrasts(values)
    assert difference[0, 3] == pytest.approx(7 - 2)
    assert weight[0, 3] == pytest.approx(2 * 1 / 3)
    assert difference[1, 2] == pytest.approx(0)
    assert weight[1, 1] == 0  # nothing was recorded before


def test_a_change_that_passes_is_found_with_its_end() -> None:
    def passing(rng, key, dose, onset):
        values = drawn_books.shifted(rng, key, dose)
        t = np.arange(drawn_books.MONTHS)
        over = key[:, None] & (t >= drawn_books.START + 8)
        return {"delay": values - 2.0 * np.where(over, dose[:, None], 0)}

    (move,) = moves_of(drawn_books.draw(clients=600, drivers=passing, seed=5), "delay")
    assert move.segment == drawn_books.KEY
    assert abs(move.start - drawn_books.START) <= 1
    assert move.end is not None
    assert abs(move.end - drawn_books.START - 8) <= 1
    assert move.after - move.before == pytest.approx(2.0, abs=0.4)


def test_a_change_that_stays_has_no_end(hit: drawn_books.Drawn) -> None:
    (move,) = moves_of(hit, "cause")
    assert move.end is None


def test_one_change_in_three_values_of_an_attribute_is_one_move() -> None:
    book = drawn_books.draw(clients=900, seed=6)
    rng = np.random.default_rng(6)
    rep = rng.integers(0, 12, 900)
    moved = drawn_books.shifted(rng, rep < 3, np.ones(900)).astype(np.float32)
    exposure = drawn_books.Exposure("hours", "mean", "orders", moved)
    reps = Attribute("rep", rep, tuple(f"r{k:02}" for k in range(12)))
    (move,) = find_moves(exposure, book.baseline, readable(book.baseline), (reps,), season=True)
    assert move.segment == {"rep": ("r00", "r01", "r02")}
    assert abs(move.start - drawn_books.START) <= 1
