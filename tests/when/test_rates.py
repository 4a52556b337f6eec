"""Departure rates and their exact Poisson intervals."""

import pytest

from churnlens.when.rates import (
    departure_rate,
    informed_part,
    left_within_a_year,
    poisson_interval,
    within_a_year,
)


def test_interval_is_garwoods():
    low, high = poisson_interval([0, 1, 10])
    assert low == pytest.approx([0, 0.0253, 4.7954], abs=1e-4)
    assert high == pytest.approx([3.6889, 5.5716, 18.3904], abs=1e-4)


def test_rate_is_a_year_and_a_hundred_clients():
    rate = departure_rate(10, 1200, 1.0, periods_a_year=12)
    assert rate.value == pytest.approx(10)
    assert (rate.low, rate.high) == pytest.approx((4.7954, 18.3904), abs=1e-3)


def test_what_the_data_do_not_tell_widens_the_interval():
    sure = departure_rate(40, 1200, 1.0, periods_a_year=12)
    unsure = departure_rate(40, 1200, 0.5, periods_a_year=12)
    assert unsure.value == sure.value
    assert unsure.low < sure.low < sure.high < unsure.high


def test_of_a_hundred_never_more_than_all_leave_within_a_year():
    assert within_a_year([0, 36, 1000]) == pytest.approx([0, 30.23, 100], abs=0.01)
    many = left_within_a_year(300, 1200, periods_a_year=12)
    assert many.value == pytest.approx(95.02, abs=0.01)
    assert many.low < many.value < many.high < 100


def test_nothing_due_is_hardly_informed():
    assert informed_part(0.0, 0.0) == 0.02
    assert informed_part(3.0, 4.0) == 0.75
