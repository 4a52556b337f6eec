"""The smallest rise that would be seen, checked by simulation."""

import numpy as np
import pytest
from scipy import special

from churnlens.when import power


def _passes(seen, due, critical):
    return (special.kl_div(seen, due) >= critical) & (seen > due)


@pytest.mark.parametrize("expected", [5, 20, 100, 1000])
@pytest.mark.parametrize("critical", [None, 6.0])
def test_the_smallest_rise_is_seen_four_times_in_five(expected, critical):
    ratio = power.smallest_rise(expected, critical=critical)
    seen = np.random.default_rng(0).poisson(expected * ratio, 40_000)
    passes = power.one_test() if critical is None else critical
    # counts are whole: the average over the numbers around the threshold
    assert np.mean(_passes(seen, expected, passes)) == pytest.approx(0.8, abs=0.06)


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


def test_looking_in_more_places_or_more_scatter_costs_more():
    alone = power.smallest_rise(50)
    assert power.smallest_rise(50, critical=6.0) > alone
    assert power.smallest_rise(50, dispersion=2.0) > alone
    assert power.smallest_rise(500) < alone
    assert power.smallest_rise(0) is None


def test_a_remedy_is_readable_once_four_in_five_would_show_it():
    periods = power.readable_from(np.full(24, 6.0), 0.5)
    rng = np.random.default_rng(2)

    def share(months):
        seen = rng.poisson(6.0 * months * 0.5, 40_000)
        passes = special.kl_div(seen, 6.0 * months) >= power.one_test(sides=2)
        return np.mean(passes & (seen < 6.0 * months))

    assert share(periods) >= 0.76
    assert share(periods - 1) < 0.84
    assert power.readable_from(np.full(24, 6.0), 0.95) is None
    assert power.readable_from(np.full(24, 60.0), 0.5) == 1
    assert power.readable_from([0.5, 0.5], 0.1) is None
    assert power.readable_from(np.full(24, 6.0), 0.5, compared=60) > periods
