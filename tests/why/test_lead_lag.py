"""What stood out before clients began to leave, and what only afterwards."""

import drawn_books
import numpy as np
import pytest

from churnlens.why.lead_lag import LEAST_LEAVERS, lead_lag


def test_a_symptom_stands_out_after_the_onset(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("symptom"), None, 1)
    assert timing.is_symptom
    assert abs(timing.before) < 0.1
    assert timing.after > 1
    by_lag = {p.lag: p.excess.value for p in timing.points}
    assert by_lag[-4] < 0.2 < by_lag[2]


def test_a_cause_stands_out_before_it(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("cause"), None, 1)
    assert not timing.is_symptom
    assert timing.before_z > 3


def test_what_stands_still_stands_out_nowhere(hit: drawn_books.Drawn) -> None:
    timing = lead_lag(hit.baseline, hit.exposure("still"), None, 1)
    assert not timing.is_symptom
    assert abs(timing.before_z) < 3
    assert abs(timing.after_z) < 3


def test_less_of_a_driver_is_looked_at_the_other_way_round(hit: drawn_books.Drawn) -> None:
    more = lead_lag(hit.baseline, hit.exposure("symptom"), None, 1)
    less = lead_lag(hit.baseline, hit.exposure("symptom"), None, -1)
    assert less.after == pytest.approx(-more.after, rel=1e-5)
    assert not less.is_symptom


def test_a_lag_with_few_leavers_is_left_out() -> None:
    book = drawn_books.draw(clients=60, base=0.002, drivers=drawn_books.two_drivers, seed=3)
    timing = lead_lag(book.baseline, book.exposure("symptom"), None, 1)
    assert all(p.clients >= LEAST_LEAVERS for p in timing.points)
    assert not timing.is_symptom or timing.points


def test_leavers_are_held_against_clients_of_their_own_segment(hit: drawn_books.Drawn) -> None:
    inside = hit.inside(drawn_books.KEY)
    values = hit.exposure("still").values + 5.0 * inside  # always higher there
    moved = drawn_books.Exposure("still", "mean", "orders", values.astype(np.float32))
    timing = lead_lag(hit.baseline, moved, inside, 1)
    assert abs(timing.before_z) < 3
