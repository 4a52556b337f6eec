"""Where and since when a driver moved: found where planted, and nowhere else."""

import dataclasses
import datetime as dt

import drawn_books
import numpy as np
import pytest

from churnlens import bands
from churnlens.panel.periods import Calendar, calendar
from churnlens.which.segments import Attribute
from churnlens.why.dating import date_shift
from churnlens.why.moves import find_moves, readable


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


def test_a_client_that_came_back_is_read_once() -> None:
    """Two rows are of one client, the second from its return in the last year on."""
    back = drawn_books.MONTHS - 12
    book = drawn_books.with_returns(drawn_books.draw(clients=200, base=0.0), back)
    read = readable(book.baseline)
    assert not read[1::2, :back].any()
    assert not read[::2, back:].any()
    assert (read[::2] | read[1::2]).all()


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


def test_a_change_that_ends_within_a_band_of_a_number_is_one_move() -> None:
    """Of the band in which it ends a part had it, so that band seems to have had less of it."""
    rng = np.random.default_rng(4)
    number = rng.integers(0, 50, 1500)
    moved = drawn_books.shifted(rng, number < 13, np.ones(1500), size=1.5)
    cuts = [10.0, 20.0, 30.0, 40.0]
    bands_of = Attribute("sites", np.searchsorted(cuts, number), tuple(bands.names(cuts)), True)
    (move,) = _found(moved, bands_of)
    assert move.segment == {"sites": ("up to 20",)}
    assert abs(move.start - drawn_books.START) <= 1


@pytest.mark.parametrize(
    ("doses", "size", "seed", "segment"),
    [
        ((0.4, 0.7, 1.5, 1.5, 0.0), 2.0, 98, {"sites": ("up to 40",)}),  # and "20 to 40"
        ((0.4, 0.0, 0.4, 0.7, 0.4), 3.0, 157, {}),  # "up to 40" and "above 20"
    ],
)
def test_bands_that_overlap_are_one_and_all_of_them_everybody(
    doses: tuple[float, ...], size: float, seed: int, segment: dict[str, tuple[str, ...]]
) -> None:
    """Unequal doses of one change, found in two bands that have clients in common."""
    rng = np.random.default_rng(seed)
    cuts = [10.0, 20.0, 30.0, 40.0]
    band = np.searchsorted(cuts, rng.integers(0, 50, 1500))
    moved = drawn_books.shifted(rng, np.ones(1500, bool), np.array(doses)[band], size=size)
    move = _found(moved, Attribute("sites", band, tuple(bands.names(cuts)), True))[0]
    assert move.segment == segment
    assert move.start == drawn_books.START


@pytest.mark.parametrize("seed", range(4))
def test_who_got_less_of_a_change_got_no_less_than_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = rng.integers(0, 4, 1200)
    moved = drawn_books.shifted(rng, region < 3, np.where(region == 2, 0.4, 1.0), size=4.0)
    for move in _found(moved, _of_values(region, 4)):
        assert move.direction == "more"


def _found(values: np.ndarray, attribute: Attribute, measure: str = "mean"):
    """The moves of a measure drawn for a book of its own, by one attribute."""
    book = drawn_books.draw(clients=len(values), seed=6)
    exposure = drawn_books.Exposure("hours", measure, "orders", values.astype(np.float32))
    usable = readable(book.baseline)
    return find_moves(exposure, book.baseline, usable, (attribute,), season=True)


def _found_in(cal: Calendar, values: np.ndarray, attribute: Attribute):
    """The moves of a measure recorded in every period of a calendar, by one attribute."""
    baseline = drawn_books.draw(clients=10).baseline
    baseline = dataclasses.replace(
        baseline, panel=dataclasses.replace(baseline.panel, calendar=cal)
    )
    exposure = drawn_books.Exposure("hours", "mean", "orders", values.astype(np.float32))
    return find_moves(exposure, baseline, np.isfinite(values), (attribute,), season=True)


def _of_values(codes: np.ndarray, values: int) -> Attribute:
    return Attribute("region", codes, tuple(f"r{k}" for k in range(values)))


def test_three_of_eight_values_that_moved_are_found_and_not_the_whole_book() -> None:
    rng = np.random.default_rng(8)
    region = rng.integers(0, 8, 1600)
    moved = drawn_books.shifted(rng, region < 3, rng.gamma(4, 1 / 4, 1600))
    (move,) = _found(moved, _of_values(region, 8))
    assert move.segment == {"region": ("r0", "r1", "r2")}
    assert move.low <= drawn_books.START <= move.high


def test_a_change_rolled_out_value_by_value_is_one_move_for_each() -> None:
    rng = np.random.default_rng(9)
    region = rng.integers(0, 4, 1600)
    steps = np.array([10, 17, 24])
    since = np.append(steps, drawn_books.MONTHS)[region]
    values = drawn_books.measure(rng, 1600)
    values += 2.0 * (np.arange(drawn_books.MONTHS) >= since[:, None])
    moves = _found(values, _of_values(region, 4))
    assert {(m.segment["region"], m.start) for m in moves} == {
        (("r0",), 10),
        (("r1",), 17),
        (("r2",), 24),
    }
    assert all(m.direction == "more" for m in moves)


def test_a_drift_of_every_value_is_no_staircase() -> None:
    rng = np.random.default_rng(10)
    region = rng.integers(0, 4, 1600)
    values = drawn_books.measure(rng, 1600) + 0.05 * np.arange(drawn_books.MONTHS)
    assert _found(values, _of_values(region, 4)) == ()


@pytest.mark.parametrize("lasts", [1, 2])
def test_a_huge_pulse_has_its_own_dates(lasts: int) -> None:
    rng = np.random.default_rng(11)
    region = rng.integers(0, 4, 1200)
    t = np.arange(drawn_books.MONTHS)
    during = (t >= 20) & (t < 20 + lasts)
    values = drawn_books.measure(rng, 1200) + 6.0 * ((region == 1)[:, None] & during)
    (move,) = _found(values, _of_values(region, 4))
    assert move.segment == {"region": ("r1",)}
    assert (move.start, move.low, move.high, move.end) == (20, 20, 20, 20 + lasts)
    assert move.shift == pytest.approx(6.0, abs=0.3)


@pytest.mark.parametrize(("before", "after", "moves"), [(0.01, 0.15, 1), (0.05, 0.0, 0)])
def test_a_tail_counts_where_it_grew_and_not_where_it_went(
    before: float, after: float, moves: int
) -> None:
    rng = np.random.default_rng(12)
    region = rng.integers(0, 4, 1200)
    late = (region == 1)[:, None] & (np.arange(drawn_books.MONTHS) >= drawn_books.START)
    values = rng.random((1200, drawn_books.MONTHS)) < np.where(late, after, before)
    found = _found(values, _of_values(region, 4), "share beyond")
    assert len(found) == moves
    assert all(m.segment == {"region": ("r1",)} for m in found)


def test_a_record_that_never_varies_does_not_move() -> None:
    cal = drawn_books.draw(clients=60).baseline.panel.calendar
    dated = date_shift(np.zeros(len(cal.starts)), np.full(len(cal.starts), 50.0), cal, True)
    assert dated is None or dated.shift == pytest.approx(0)


@pytest.mark.filterwarnings("error")
def test_what_was_never_recorded_does_not_move() -> None:
    cal = drawn_books.draw(clients=60).baseline.panel.calendar
    never = np.full(len(cal.starts), np.nan)
    assert date_shift(never, np.zeros(len(never)), cal, True) is None


@pytest.mark.parametrize("ramp", [0.0, 2.0, 4.0])
def test_the_interval_of_a_date_holds_the_day_within_its_month(ramp: float) -> None:
    """Changes on any day of a month, at once or coming in over months, by their months' means."""
    cal = drawn_books.draw(clients=20).panel.calendar
    t, heads = np.arange(len(cal.starts)), np.full(len(cal.starts), 100.0)
    held, wide = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        day = 16 + rng.random()
        over = np.clip((t[:, None] + np.linspace(0.01, 0.99, 50) - day) / max(ramp, 1e-9), 0, 1)
        when = date_shift(over.mean(axis=1) + rng.normal(0, 0.06, len(t)), heads, cal, False)
        assert when is not None
        held.append(when.low - when.earlier <= day < when.high + 1)
        wide.append(when.high + 1 - when.low + when.earlier)
    assert np.mean(held) >= 0.9
    assert np.median(wide) <= 3


def test_a_book_shorter_than_what_is_left_unread_before_an_onset_is_read() -> None:
    """Eight weeks: the two months before a departure are all there is."""
    book = drawn_books.draw(clients=300, base=0.1)
    cal = calendar("week", dt.date(2023, 1, 2), dt.date(2023, 2, 26))
    cut = {name: getattr(book.panel, name)[:, :8] for name in ("found", "active")}
    panel = dataclasses.replace(book.panel, calendar=cal, **cut)
    read = readable(dataclasses.replace(book.baseline, panel=panel))
    assert read.shape == (300, 8)
    assert (read.all(axis=1) == ~panel.found.any(axis=1)).all()


def test_the_interval_of_a_date_holds_it_in_a_weekly_book() -> None:
    """A change that comes in over a quarter takes 13 weeks: ramps are as long in every calendar."""
    cal = calendar("week", dt.date(2021, 1, 4), dt.date(2023, 12, 31))
    t, held = np.arange(len(cal.starts)), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        series = 2 * np.clip((t - 77) / 13, 0, 1) + rng.normal(0, 0.4, len(t))
        when = date_shift(series, np.full(len(t), 50.0), cal, seed % 2 == 0)
        assert when is not None
        held.append(when.low <= 78 <= when.high)
    assert np.mean(held) >= 0.9


def test_the_weeks_of_one_month_are_no_season() -> None:
    """Two years show a month of the year once with a year around it, in weeks as in months.

    A change would pass for a season, and those spared would seem to change the other way.
    """
    cal = calendar("week", dt.date(2021, 1, 4), dt.date(2023, 1, 1))
    weeks, found = np.arange(len(cal.starts)), []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        at, region = int(rng.integers(30, 75)), rng.integers(0, 4, 60)
        values = 2 + 0.5 * rng.standard_normal((60, 1)) + rng.standard_normal((60, len(weeks)))
        values += (region < 2)[:, None] & (weeks >= at)
        found += _found_in(cal, values, _of_values(region, 4))
    assert [move.segment for move in found] == 8 * [{"region": ("r0", "r1")}]
