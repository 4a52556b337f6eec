"""How much of a change each client got: shrunk by its noise, read from the past alone."""

from dataclasses import replace

import drawn_books
import numpy as np
import pytest

from churnlens.panel.exposures import Exposure
from churnlens.why.dose import WIDEST, change_dose, lived_through

LATE = drawn_books.MONTHS - 1


@pytest.fixture(scope="module")
def cause(hit: drawn_books.Drawn):
    return hit.candidate("cause")


def test_doses_follow_what_clients_got(hit: drawn_books.Drawn, cause) -> None:
    known = hit.key & np.isfinite(hit.exposure("cause").values[:, drawn_books.START :]).any(axis=1)
    got = cause.dose[known, LATE]
    assert np.corrcoef(got, hit.dose[known])[0, 1] > 0.9
    assert got.mean() == pytest.approx(1.0, abs=0.1)


def test_there_is_none_outside_the_segment_or_before_the_change(
    hit: drawn_books.Drawn, cause
) -> None:
    assert not cause.dose[~hit.key].any()
    assert not cause.dose[:, : drawn_books.START].any()
    assert cause.dose.max() <= WIDEST


def test_what_comes_later_changes_no_dose(hit: drawn_books.Drawn, cause) -> None:
    values = hit.exposure("cause").values.copy()
    values[:, 28:] += 5.0
    again = change_dose(cause.move, values, cause.inside)
    np.testing.assert_allclose(again[:, :29], cause.dose[:, :29], atol=1e-6)
    assert not np.allclose(again[:, 30:], cause.dose[:, 30:])


def test_a_client_with_few_records_is_pulled_to_the_mean_of_its_segment(
    hit: drawn_books.Drawn, cause
) -> None:
    values = hit.exposure("cause").values.copy()
    client = int(np.flatnonzero(hit.key)[np.argmax(hit.dose[hit.key])])
    typical = float(np.median(cause.dose[hit.key, LATE]))
    values[client] = np.nan
    values[client, [3, 20]] = [2.0, 8.0]  # a rise by three times the segment's, seen once
    seldom = change_dose(cause.move, values, cause.inside)[client, LATE]
    values[client, :18], values[client, 18:] = 2.0, 8.0  # the same rise, seen every month
    often = change_dose(cause.move, values, cause.inside)[client, LATE]
    assert typical < seldom < often


def test_a_client_without_records_gets_the_dose_of_its_segment(
    hit: drawn_books.Drawn, cause
) -> None:
    values = hit.exposure("cause").values.copy()
    client = int(np.flatnonzero(hit.key)[0])
    values[client] = np.nan
    dose = change_dose(cause.move, values, cause.inside)
    assert dose[client, LATE] == pytest.approx(dose[hit.key, LATE].mean(), abs=0.1)


def test_noise_alone_makes_no_doses_apart() -> None:
    def alike(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, key, np.ones(len(dose)), noise=1.5)}

    book = drawn_books.draw(drivers=alike, seed=5)
    dose = book.candidate("cause").dose[book.key, LATE]
    assert dose.std() < 0.15  # the plain differences of means scatter by more


def test_a_dose_stays_what_was_lived_through_when_a_change_has_passed(
    hit: drawn_books.Drawn, cause
) -> None:
    values, move = hit.exposure("cause").values, replace(cause.move, end=drawn_books.START + 6)
    dose = change_dose(move, values, cause.inside)
    later = values.copy()
    later[:, move.end :] = 0.0
    np.testing.assert_array_equal(dose, change_dose(move, later, cause.inside))
    np.testing.assert_allclose(dose[:, LATE], dose[:, move.end], atol=1e-6)


def test_who_came_after_a_change_had_passed_has_no_dose_of_it(
    hit: drawn_books.Drawn, cause
) -> None:
    values, move = hit.exposure("cause").values.copy(), replace(cause.move, end=LATE - 4)
    client = int(np.flatnonzero(hit.key)[0])
    values[client, : move.end] = np.nan
    dose = change_dose(move, values, cause.inside)
    assert not dose[client, move.end :].any()
    assert dose[hit.key, LATE].mean() > 0.5


def test_noise_that_grows_with_the_level_makes_no_doses_apart() -> None:
    def alike(rng, key, dose, onset):
        plain = drawn_books.shifted(rng, key, np.ones(len(dose)), noise=0.3)
        after = np.arange(drawn_books.MONTHS) >= drawn_books.START
        scatter = rng.normal(0, 3.0, plain.shape) * (key[:, None] & after)
        return {"cause": (plain + scatter).astype(np.float32)}

    book = drawn_books.draw(drivers=alike, seed=5)
    candidate = book.candidate("cause")
    raw = book.exposure("cause").values[book.key, drawn_books.START :]
    apart = np.nanmean(raw, axis=1).std() / candidate.move.shift
    assert candidate.dose[book.key, LATE].std() < 0.3 * apart


def _hit_once(*, excess: float, seed: int) -> drawn_books.Drawn:
    """Half of the key clients have an event once; who had it leaves more."""

    def events(rng, key, dose, onset):
        count = np.zeros((len(key), drawn_books.MONTHS), np.float32)
        had = key & (dose > 0)
        when = rng.integers(drawn_books.START, drawn_books.START + 5, len(key))
        count[had, when[had]] = 1
        return {"cut": Exposure("cut", "count", "events", count)}

    return drawn_books.draw(clients=2400, excess=excess, follow="half", drivers=events, seed=seed)


def test_an_event_that_happens_once_is_a_dose_for_those_who_had_it() -> None:
    book = _hit_once(excess=3.0, seed=4)
    cut = book.candidate("cut")
    had = book.key & (book.dose > 0)
    assert cut.dose[had, LATE].min() > 1
    assert not cut.dose[book.key & ~had, LATE].any()
    assert cut.dose_gain > cut.flat_gain
    assert cut.level[book.key, LATE].std() < 0.2  # read as a level, all got about the same


def test_an_event_is_no_dose_before_the_period_after_it() -> None:
    book = _hit_once(excess=3.0, seed=4)
    move, inside = book.candidate("cut").move, book.inside(drawn_books.KEY)
    values = book.exposure("cut").values.copy()
    values[:, 25:] = 0
    before = lived_through(move, values, inside, 6)
    client = int(np.flatnonzero(book.key)[0])
    values[client, 25] = 1
    after = lived_through(move, values, inside, 6)
    np.testing.assert_array_equal(after[client, :26] > 0, before[client, :26] > 0)
    assert (after[client, 26:32] > 0).all()
    assert not after[client, 33:].any() or before[client, 33:].any()
