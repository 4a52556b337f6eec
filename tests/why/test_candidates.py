"""A driver's change as an explanation: by dose or alike, its lag, one candidate a matter."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.panel.exposures import BEYOND, Exposure
from churnlens.why.candidates import find_candidates
from churnlens.why.selection import KEEP

MONTHS = np.arange(drawn_books.MONTHS)


def test_the_cause_is_a_candidate_and_what_stands_still_is_none(hit: drawn_books.Drawn) -> None:
    found = find_candidates(hit.baseline, hit.attributes, season=True)
    assert [c.driver for c in found] == ["cause"]
    (cause,) = found
    assert cause.gain > 10
    assert cause.gain == max(cause.dose_gain, cause.flat_gain)
    assert cause.start == cause.move.start + cause.lag


def test_departures_that_follow_the_dose_are_read_by_dose(hit: drawn_books.Drawn) -> None:
    cause = hit.candidate("cause")
    assert cause.shape == "dose"
    assert cause.dose_gain > cause.flat_gain


def test_departures_of_all_alike_are_read_flat() -> None:
    book = drawn_books.draw(
        clients=2000, excess=3.0, follow="flat", drivers=drawn_books.two_drivers, seed=8
    )
    cause = book.candidate("cause")
    assert cause.shape == "flat"
    assert set(np.unique(cause.term.dose)) == {0.0, 1.0}


def test_nothing_is_explained_before_the_change(hit: drawn_books.Drawn) -> None:
    cause = hit.candidate("cause")
    assert not cause.term.dose[:, : cause.start].any()
    assert (cause.lasting.dose >= cause.term.dose).all()


def test_a_change_without_departures_gains_nothing(quiet: drawn_books.Drawn) -> None:
    assert quiet.candidate("cause").gain < 3


@pytest.mark.parametrize("seed", range(4))
def test_a_segment_that_left_more_from_the_first_day_did_not_begin_to_leave(seed: int) -> None:
    """Those who mind most leave first, so that it leaves less and less: no rise at any month."""
    rng = np.random.default_rng(seed + 90)
    key = drawn_books.draw(clients=3000, seed=seed).key
    rate = np.where(key, 12 * rng.gamma(0.5, 2.0, 3000), 1.0)

    def moved_early(rng, key, dose, onset):
        return {"cause": drawn_books.measure(rng, 3000) + 2 * key[:, None] * (MONTHS >= 3)}

    book = drawn_books.draw(clients=3000, lasting_rate=rate, drivers=moved_early, seed=seed)
    assert book.candidate("cause", start=3).flat_gain < KEEP


def test_a_driver_measured_in_two_ways_is_one_candidate() -> None:
    def visits(rng, key, dose, onset):
        fewer = np.where(key, 0.4, 1.5)[:, None]
        rate = np.where(np.arange(drawn_books.MONTHS) < drawn_books.START, 1.5, fewer)
        count = rng.poisson(rate).astype(np.float32)
        value = count * rng.normal(10, 1, count.shape).astype(np.float32)
        return {
            "count": Exposure("visit", "count", "events", count),
            "value": Exposure("visit", "value", "events", value),
        }

    book = drawn_books.draw(excess=3.0, drivers=visits, seed=9)
    (found,) = find_candidates(book.baseline, book.attributes, season=True)
    assert (found.driver, found.move.exposure.measure) == ("visit", "count")
    assert found.move.direction == "less"


@pytest.mark.parametrize(
    ("period", "apart", "matters"), [("month", 3, 1), ("quarter", 3, 2), ("week", 12, 1)]
)
def test_measures_that_moved_within_a_quarter_are_one_matter(period, apart, matters) -> None:
    """Three quarters apart are two matters, and twelve weeks apart are one."""
    start = 12

    def visits(rng, key, dose, onset):
        fewer, cheaper = (key[:, None] & (at <= MONTHS) for at in (start, start + apart))
        count = rng.poisson(np.where(fewer, 0.8, 1.5)).astype(np.float32)
        value = np.where(cheaper, 5, 10) + rng.normal(0, 1, count.shape)
        return {
            "count": Exposure("visit", "count", "events", count),
            "value": Exposure("visit", "value", "events", value.astype(np.float32)),
        }

    book = drawn_books.draw(drivers=visits, seed=9)
    baseline = drawn_books.in_periods(book.baseline, period)
    assert len(find_candidates(baseline, book.attributes, season=False)) == matters


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("month", np.array([0, 1, 2, 3, 4, 5, 7])),
        ("quarter", np.array([0, 3, 6])),
        ("week", np.array([0, 4, 9, 13, 17, 22, 30]) * 12 / 52),
    ],
)
def test_weights_of_the_lags_tried_have_mean_one(period, months, hit) -> None:
    """Quarters try three lags only, and what is tried pays for what is tried."""
    baseline = drawn_books.in_periods(hit.baseline, period)
    cause = dataclasses.replace(hit, baseline=baseline).candidate("cause")
    weights = np.exp(-months / 2)
    weight = float(np.exp(-cause.price))
    assert np.isclose(weights / weights.mean(), weight).any()


def with_tails(follow: str = "key", seed: int = 10) -> drawn_books.Drawn:
    """A book whose driver keeps its mean while its far tail grows, for key clients or for all."""

    def drivers(rng, key, dose, onset):
        shape = (len(dose), drawn_books.MONTHS)
        late = np.arange(drawn_books.MONTHS) >= drawn_books.START
        grown = key[:, None] & late if follow == "key" else late & np.ones(shape, bool)
        share = 0.02 + 0.1 * grown * np.where(follow == "key", dose, 1.0)[:, None]
        worst = rng.binomial(4, share.clip(0, 0.9)) / 4
        mean = Exposure(
            "delay", "mean", "orders", (2 + rng.standard_normal(shape)).astype(np.float32)
        )
        return {"mean": mean, "tail": worst}

    book = drawn_books.draw(clients=1500, excess=3.0, drivers=drivers, seed=seed)
    mean, worst = book.panel.exposures
    tail = Exposure("delay", BEYOND, "orders", worst.values, limit=9.0)
    panel = dataclasses.replace(book.panel, exposures=(mean,), sides=(tail,))
    return dataclasses.replace(book, baseline=dataclasses.replace(book.baseline, panel=panel))


def test_a_tail_that_grew_is_found_where_the_mean_stayed() -> None:
    book = with_tails()
    (found,) = find_candidates(book.baseline, book.attributes, season=True)
    assert (found.driver, found.move.exposure.measure) == ("delay", BEYOND)
    assert found.move.segment == drawn_books.KEY
    assert found.gain > 10
    without = dataclasses.replace(book.panel, sides=())
    alone = dataclasses.replace(book.baseline, panel=without)
    assert find_candidates(alone, book.attributes, season=True) == ()


def test_a_tail_that_grew_for_everyone_is_a_drift() -> None:
    book = with_tails("all")
    assert find_candidates(book.baseline, book.attributes, season=True) == ()


def test_the_tail_of_what_follows_the_decline_is_not_read() -> None:
    book = with_tails()
    rng = np.random.default_rng(0)
    reaction = drawn_books.after_onset(rng, book.panel.onset).astype(np.float32)
    symptom = dataclasses.replace(book.panel.exposures[0], values=reaction)
    panel = dataclasses.replace(book.panel, exposures=(symptom,))
    baseline = dataclasses.replace(book.baseline, panel=panel)
    found = find_candidates(baseline, book.attributes, season=True)
    assert all(c.move.exposure.measure != BEYOND for c in found)


@pytest.mark.parametrize("mended", [False, True])
def test_a_remedy_of_another_matter_changes_nothing_in_how_a_driver_is_read(mended: bool) -> None:
    """All are reached by it; only what it mended is read from the time before."""
    late = np.arange(drawn_books.MONTHS) >= 26

    def drivers(rng, key, dose, onset):
        risen = drawn_books.shifted(rng, key, dose)
        back = drawn_books.measure(rng, len(dose))
        return {"cause": np.where(late & mended, back, risen)}

    book = drawn_books.draw(excess=3.0, drivers=drivers, seed=21)
    reached = np.broadcast_to(late, book.baseline.expected.shape)
    plain, after = (
        find_candidates(book.baseline, book.attributes, season=True, remedied=r)
        for r in (None, reached)
    )
    dates = [
        [(c.move.segment, c.move.start, c.move.end) for c in found] for found in (plain, after)
    ]
    assert (dates[0] == dates[1]) is not mended
