"""A driver's change as an explanation: by dose or alike, its lag, one candidate a matter."""

import drawn_books
import numpy as np

from churnlens.panel.exposures import Exposure
from churnlens.why.candidates import find_candidates


def test_the_cause_is_a_candidate_and_what_stands_still_is_none(hit: drawn_books.Drawn) -> None:
    found = find_candidates(hit.baseline, hit.attributes, season=True)
    assert [c.driver for c in found] == ["cause"]
    (cause,) = found
    assert cause.gain > 10
    assert cause.gain == max(cause.dose_gain, cause.flat_gain)
    assert cause.start == cause.move.start + cause.lag + 1


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
