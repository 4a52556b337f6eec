"""The smallest rise that would be seen, checked by simulation."""

import numpy as np
import pytest
from scipy import special

from churnlens.when import power


@pytest.mark.parametrize("expected", [5, 20, 100, 1000])
def test_the_smallest_rise_is_seen_four_times_in_five(expected):
    ratio = power.smallest_rise(expected)
    seen = np.random.default_rng(0).poisson(expected * ratio, 40_000)
    passes = (special.kl_div(seen, expected) >= power.one_test()) & (seen > expected)
    # counts are whole: the average over the numbers around the threshold
    assert np.mean(passes) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(("expected", "compared"), [(20, 40), (100, 50), (200, 2000)])
def test_an_expectation_that_rests_on_counts_needs_a_larger_rise(expected, compared):
    ratio = power.smallest_rise(expected, compared=compared)
    assert ratio > power.smallest_rise(expected)
    rng = np.random.default_rng(1)
    seen, base = rng.poisson(expected * ratio, 40_000), rng.poisson(compared, 40_000)
    share = expected / (expected + compared)
    total = seen + base
    gap = special.rel_entr(seen, total * share) + special.rel_entr(base, total * (1 - share))
    found = (gap >= power.one_test()) & (seen > total * share)
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_the_false_alarm_is_that_of_the_critical_value():
    assert power.chance_seen(400, 1.0) == pytest.approx(0.05, abs=0.01)
    assert power.one_test() == pytest.approx(1.353, abs=1e-3)
    assert power.one_test(sides=2) == pytest.approx(1.921, abs=1e-3)


def test_fewer_departures_or_more_scatter_cost_more():
    alone = power.smallest_rise(50)
    assert power.smallest_rise(50, dispersion=2.0) > alone
    assert power.smallest_rise(500) < alone
    assert power.smallest_rise(0) is None
