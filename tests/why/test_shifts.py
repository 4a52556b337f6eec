"""Shifts: what each client's own past says, and the segment in which it is clearest."""

import datetime as dt

import numpy as np
import pytest

from churnlens.panel.periods import Calendar
from churnlens.which.segments import Attribute
from churnlens.why.shifts import contrasts, is_rare, search_of, strongest

MONTHS = 30


def months() -> Calendar:
    starts = tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in range(MONTHS))
    return Calendar("month", starts, np.ones(MONTHS))


def reps_and_sizes(rep, size) -> tuple[Attribute, ...]:
    reps = tuple(f"r{k}" for k in range(rep.max() + 1))
    return Attribute("rep", rep, reps), Attribute("size", size, ("small", "key"))


def test_contrasts_are_later_less_earlier_means_with_their_precision() -> None:
    values = np.array([[1.0, 3.0, np.nan, 7.0], [np.nan, 2.0, 2.0, 2.0]])
    difference, weight = contrasts(values)
    assert difference[0, 3] == pytest.approx(7 - 2)
    assert weight[0, 3] == pytest.approx(2 * 1 / 3)
    assert difference[1, 2] == pytest.approx(0)
    assert weight[1, 1] == 0  # nothing was recorded before


def test_a_part_of_many_values_of_one_attribute_and_one_of_another_is_found() -> None:
    """No group of segments holds it: pairs are looked at with single values of an attribute."""
    rng = np.random.default_rng(0)
    rep, size = rng.integers(0, 9, 2000), rng.integers(0, 2, 2000)
    hit = (rep < 4) & (size == 1)
    values = rng.standard_normal((2000, MONTHS)) + 1.5 * (hit[:, None] & (np.arange(MONTHS) >= 15))
    look = search_of(reps_and_sizes(rep, size), 2000, months())
    found = strongest(values.astype(np.float32), look)
    assert found is not None
    assert found.segment == {"rep": ("r0", "r1", "r2", "r3"), "size": ("key",)}


@pytest.mark.parametrize("seed", range(6))
def test_those_who_got_most_of_a_change_are_no_segment_of_their_own(seed: int) -> None:
    """Doses are unequal between clients, so that the mean of some values is always larger."""
    rng = np.random.default_rng(seed)
    rep, size = rng.integers(0, 12, 600), (rng.uniform(size=600) < 0.15).astype(int)
    dose = np.where(size == 1, rng.gamma(0.7, 2.0, 600), 0.0)
    values = rng.standard_normal((600, MONTHS)) + dose[:, None] * (np.arange(MONTHS) >= 15)
    look = search_of(reps_and_sizes(rep, size), 600, months())
    found = strongest(values.astype(np.float32), look)
    assert found is not None
    assert found.segment == {"size": ("key",)}


@pytest.mark.parametrize("seed", range(8))
def test_who_got_most_is_no_pair_of_attributes_where_the_rest_moved_as_well(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rep, size = rng.integers(0, 3, 600), (rng.uniform(size=600) < 0.2).astype(int)
    dose = np.where(size == 1, rng.gamma(0.3, 8.0, 600), 0.0) * np.where(rep == 0, 2.0, 1.0)
    values = rng.standard_normal((600, MONTHS)) + dose[:, None] * (np.arange(MONTHS) >= 15)
    found = strongest(
        values.astype(np.float32), search_of(reps_and_sizes(rep, size), 600, months())
    )
    assert found is not None
    assert found.segment == {"size": ("key",)}


def test_all_but_a_few_who_hardly_moved_are_no_segment() -> None:
    rng = np.random.default_rng(2)
    rep, size = rng.integers(1, 12, 1200), (rng.uniform(size=1200) < 0.2).astype(int)
    rep[np.flatnonzero(size)[:8]] = 0
    dose = np.where(size == 1, rng.normal(1, 0.05, 1200), 0.0) * np.where(rep == 0, 0.1, 1.0)
    values = 0.2 * rng.standard_normal((1200, MONTHS)) + dose[:, None] * (np.arange(MONTHS) >= 15)
    found = strongest(
        values.astype(np.float32), search_of(reps_and_sizes(rep, size), 1200, months())
    )
    assert found is not None
    assert found.segment == {"size": ("key",)}


def test_a_pair_of_attributes_stays_where_the_rest_did_not_move() -> None:
    rng = np.random.default_rng(3)
    rep, size = rng.integers(0, 3, 600), (rng.uniform(size=600) < 0.2).astype(int)
    dose = np.where((size == 1) & (rep == 0), rng.gamma(0.7, 4.0, 600), 0.0)
    values = rng.standard_normal((600, MONTHS)) + dose[:, None] * (np.arange(MONTHS) >= 15)
    found = strongest(
        values.astype(np.float32), search_of(reps_and_sizes(rep, size), 600, months())
    )
    assert found is not None
    assert found.segment == {"rep": ("r0",), "size": ("key",)}


def test_rare_is_what_hardly_any_record_differs_in() -> None:
    seldom = (np.arange(100) % 10 == 0).astype(np.float32)
    assert is_rare(seldom)
    assert is_rare(1 - seldom)
    assert not is_rare((np.arange(100) % 3).astype(np.float32))
