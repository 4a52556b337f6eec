"""What stood out before clients began to leave, and what only afterwards."""

import dataclasses
import datetime as dt

import drawn_books
import numpy as np
import pytest

from churnlens.panel.periods import Calendar
from churnlens.why.lead_lag import LEAST_LEAVERS, LEAST_LONG, lead_lag, nearing


def test_a_symptom_stands_out_after_the_onset(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("symptom"), (), 1)
    assert timing.is_symptom
    assert abs(timing.before) < 0.1
    assert timing.after > 1
    by_lag = {p.lag: p.excess.value for p in timing.points}
    assert by_lag[-4] < 0.2 < by_lag[2]


def test_a_cause_stands_out_before_it(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("cause"), (), 1)
    assert not timing.is_symptom
    assert timing.before_z > 3


def test_what_stands_still_stands_out_nowhere(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("still"), (), 1)
    assert not timing.is_symptom
    assert abs(timing.before_z) < 3
    assert abs(timing.after_z) < 3


def test_less_of_a_driver_is_looked_at_the_other_way_round(hit: drawn_books.Drawn) -> None:
    more = lead_lag(hit.baseline, hit.exposure("symptom"), (), 1)
    less = lead_lag(hit.baseline, hit.exposure("symptom"), (), -1)
    assert less.after == pytest.approx(-more.after, rel=1e-5)
    assert not less.is_symptom


def test_points_say_more_and_less_as_the_records_have_it(hit: drawn_books.Drawn) -> None:
    """Whoever has less of what must not fall stands below comparable clients, also in its chart."""
    cause = hit.exposure("cause")
    fallen = dataclasses.replace(cause, values=-cause.values)
    timing = lead_lag(hit.baseline, fallen, (), -1)
    assert timing.before_z > 3
    before = [p.excess for p in timing.points if p.lag <= -3]
    assert all(e.low <= e.value <= e.high for e in before)
    assert np.mean([e.value for e in before]) < 0


def test_a_month_is_read_whole_in_a_weekly_book(hit: drawn_books.Drawn) -> None:
    """Who orders once in four weeks has one record in each month from its onset, on any week."""
    t, own = np.arange(drawn_books.MONTHS), np.arange(len(hit.key))[:, None]
    values = np.random.default_rng(0).normal(0, 1, hit.panel.active.shape)
    monthly = np.where(t % 4 == own % 4, values, np.nan).astype(np.float32)
    exposure = drawn_books.Exposure("monthly", "mean", "orders", monthly)
    timing = lead_lag(drawn_books.in_periods(hit.baseline, "week"), exposure, (), 1)
    by_lag = {p.lag: p.clients for p in timing.points}
    assert min(by_lag) < -20 < 20 < max(by_lag)
    for lag in (-8, -4):
        assert by_lag[lag] >= (hit.panel.onset + lag >= 0).sum()


def test_months_are_months_in_a_book_by_the_quarter() -> None:
    """A cause whose clients leave a quarter or two after it has not stood out for two years."""
    book = drawn_books.draw(excess=8.0, base=0.03, drivers=drawn_books.two_drivers, seed=1)
    quarters = tuple(dt.date(2010 + q // 4, q % 4 * 3 + 1, 1) for q in range(drawn_books.MONTHS))
    calendar = Calendar("quarter", quarters, np.ones(drawn_books.MONTHS))
    panel = dataclasses.replace(book.panel, calendar=calendar)
    timing = lead_lag(
        dataclasses.replace(book.baseline, panel=panel), book.exposure("cause"), (), 1
    )
    assert [p.lag for p in timing.points] == [-3, -2, -1, 0, 1, 2]
    assert timing.before_z > 3
    assert not timing.is_symptom


def test_a_lag_with_few_leavers_is_left_out() -> None:
    book = drawn_books.draw(clients=60, base=0.002, drivers=drawn_books.two_drivers, seed=3)
    timing = lead_lag(book.baseline, book.exposure("symptom"), (), 1)
    assert all(p.clients >= LEAST_LEAVERS for p in timing.points)
    assert not timing.is_symptom or timing.points


def test_leavers_are_held_against_clients_of_their_own_segment(hit: drawn_books.Drawn) -> None:
    inside = hit.inside(drawn_books.KEY)
    values = hit.exposure("still").values + 5.0 * inside  # always higher there
    moved = drawn_books.Exposure("still", "mean", "orders", values.astype(np.float32))
    timing = lead_lag(hit.baseline, moved, (inside,), 1)
    assert abs(timing.before_z) < 3


def test_a_change_for_a_whole_segment_is_no_reaction_to_its_leavers(
    hit: drawn_books.Drawn,
) -> None:
    inside = hit.inside(drawn_books.KEY)
    later = np.arange(drawn_books.MONTHS) >= drawn_books.START + 3
    values = hit.exposure("still").values + 3.0 * (inside & later)
    moved = drawn_books.Exposure("still", "mean", "orders", values.astype(np.float32))
    assert lead_lag(hit.baseline, moved, (), 1).after_z > 3
    assert not lead_lag(hit.baseline, moved, (inside,), 1).is_symptom
    assert lead_lag(hit.baseline, hit.exposure("symptom"), (inside,), 1).is_symptom


@pytest.mark.filterwarnings("error")
def test_a_driver_recorded_for_next_to_nobody_stands_out_nowhere(hit: drawn_books.Drawn) -> None:
    values = np.full(hit.exposure("still").values.shape, np.nan, np.float32)
    values[0, :3] = 1.0
    rare = drawn_books.Exposure("rare", "mean", "orders", values)
    assert lead_lag(hit.baseline, rare, (), 1).points == ()


def test_before_its_change_nobody_could_stand_out() -> None:
    """Of a cause whose clients leave at once, what was lived through since it changed counts."""

    def drivers(rng, key, dose, onset):
        return {
            "cause": drawn_books.shifted(rng, key, dose),
            "symptom": drawn_books.after_onset(rng, onset),
        }

    book = drawn_books.draw(excess=8.0, base=0.01, drivers=drivers, seed=6)
    inside = book.inside(drawn_books.KEY)
    since = inside & (np.arange(drawn_books.MONTHS) >= drawn_books.START)

    def stands_out(driver: str) -> float:
        return lead_lag(book.baseline, book.exposure(driver), (inside,), 1, since).since_z

    assert stands_out("cause") > 3
    assert abs(stands_out("symptom")) < 2
    assert lead_lag(book.baseline, book.exposure("cause"), (inside,), 1).since_z == -np.inf


def levels(harm: float, seed: int, *, ageing: float = 0.0) -> drawn_books.Drawn:
    """Clients differ in a level, by which they leave more or less often, and in an early sign.

    `ageing` is what the level gains in each month that a client has been there; half came late.
    """
    rng = np.random.default_rng(seed + 90)
    own = rng.standard_normal(1500)
    first = np.where(rng.random(1500) < 0.5, 0, rng.integers(1, 24, 1500))
    age = (np.arange(drawn_books.MONTHS) - first[:, None]).clip(0)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal(age.shape)
        return {
            "level": 2 + 0.5 * own[:, None] + 0.4 * noise + ageing * age,
            "sign": drawn_books.before_onset(rng, onset),
        }

    rate = np.exp(harm * own)
    book = drawn_books.draw(clients=1500, lasting_rate=rate, drivers=drivers, seed=seed)
    book.panel.activity.first = first
    return book


def test_a_sign_comes_up_as_leaving_nears_and_a_lasting_level_does_not() -> None:
    book = levels(0.6, 1)
    sign = nearing(book.baseline, book.exposure("sign"), (), 1)
    assert sign.z > 5
    assert abs(sign.long_z) < 2
    assert sign.late > 0.3
    level = nearing(book.baseline, book.exposure("level"), (), 1)
    assert level.z < 0
    assert level.long_z > 5
    assert level.late == pytest.approx(level.long_before, abs=0.1)


def test_a_lack_comes_up_as_well() -> None:
    book = levels(0.0, 2)
    sign = book.exposure("sign")
    lack = dataclasses.replace(sign, values=-sign.values)
    assert nearing(book.baseline, lack, (), -1).z > 5
    assert nearing(book.baseline, lack, (), 1).z < 0


@pytest.mark.parametrize("sign", [1, -1])
def test_what_grows_as_clients_grow_older_is_no_sign(sign: int) -> None:
    book = levels(0.0, 3, ageing=0.05 * sign)
    assert nearing(book.baseline, book.exposure("level"), (), sign).z < 2.33


def test_of_few_leavers_with_a_long_past_nothing_is_said() -> None:
    book = levels(0.6, 1)
    kept = book.panel.onset.copy()
    kept[np.flatnonzero(kept >= 13)[LEAST_LONG - 1 :]] = -1  # the others left too early
    panel = dataclasses.replace(book.panel, onset=kept)
    few = dataclasses.replace(book.baseline, panel=panel)
    assert nearing(few, book.exposure("sign"), (), 1).z == -np.inf


def newcomers(seed: int) -> drawn_books.Drawn:
    """Clients come one by one, and events as often to those who leave as to all others."""
    rng = np.random.default_rng(seed)
    plain = drawn_books.draw(clients=2000, seed=seed)
    known = np.where(plain.panel.onset >= 0, plain.panel.onset - 8, drawn_books.MONTHS - 6)
    first = (rng.random(2000) * known.clip(0)).astype(int)

    def drivers(rng, key, dose, onset):
        there = np.arange(drawn_books.MONTHS) >= first[:, None]
        calls = rng.poisson(0.3, there.shape) * there
        return {"calls": drawn_books.Exposure("calls", "count", "events", calls.astype(np.float32))}

    book = drawn_books.draw(clients=2000, drivers=drivers, seed=seed)
    book.panel.activity.first = first
    return book


@pytest.mark.parametrize("seed", range(3))
def test_who_is_not_there_yet_is_no_client_without_events(seed: int) -> None:
    book = newcomers(seed)
    timing = lead_lag(book.baseline, book.exposure("calls"), (), 1)
    assert abs(timing.before_z) < 2
    assert abs(timing.after_z) < 2


def test_months_before_the_first_order_are_no_past() -> None:
    book = levels(0.0, 4)
    book.panel.activity.first = np.full(1500, drawn_books.MONTHS - 10)
    assert nearing(book.baseline, book.exposure("sign"), (), 1).z == -np.inf
