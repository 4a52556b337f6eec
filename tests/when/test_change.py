"""Dating a change: Nile, size under the null, coverage, ramps, several changes."""

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from churnlens.panel.periods import calendar
from churnlens.results import Skipped
from churnlens.when import change, shapes

PERIODS = 36
EXPECTED = np.linspace(1.0, 1.6, PERIODS)


def _worlds(rng, level, ratio=1.0, start=20, ramp=0, scatter=1.0):
    share = shapes.shape(PERIODS, (ramp,))[0, start]
    mean = level * EXPECTED * (1 + (ratio - 1) * share)
    if scatter == 1.0:
        return rng.poisson(mean)
    return rng.negative_binomial(mean / (scatter - 1), 1 / scatter)


def test_nile():
    """One break, after observation 28 (1898); strucchange's interval is 25 to 32."""
    from statsmodels.datasets import nile

    flow = nile.load_pandas().data["volume"].to_numpy()
    found = change.date_series(flow, rng=np.random.default_rng(0), ramps=(0,))
    assert found.start == 28
    assert found.before == pytest.approx(1097.75, abs=0.005)
    assert found.after == pytest.approx(849.97, abs=0.005)
    assert 24 <= found.low <= 27
    assert 29 <= found.high <= 32
    assert found.p_value <= 0.002
    ramps_too = change.date_series(flow, rng=np.random.default_rng(0))
    assert ramps_too.low <= 28 <= ramps_too.high
    assert ramps_too.ramp == 0


@pytest.mark.parametrize(("level", "scatter"), [(2, 1.0), (30, 1.0), (30, 2.0)])
@pytest.mark.parametrize("direction", ["rise", "either"])
def test_counts_without_a_change_pass_one_time_in_twenty(level, scatter, direction):
    rng = np.random.default_rng(5)
    p = [
        change.date_counts(
            _worlds(rng, level, scatter=scatter),
            EXPECTED,
            rng=rng,
            draws=99,
            direction=direction,
            ramps=(0,),
        ).p_value
        for _ in range(300)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert 0.38 < np.mean(p) < 0.65


@pytest.mark.parametrize("carried", [0.0, 0.3])
def test_a_series_without_a_shift_seldom_passes(carried):
    rng = np.random.default_rng(7)
    passed = []
    for _ in range(300):
        noise = rng.standard_normal(PERIODS + 20)
        for t in range(1, len(noise)):
            noise[t] += carried * noise[t - 1]
        passed.append(change.date_series(noise[20:], rng=rng, draws=99).p_value <= 0.05)
    assert 0.0 < np.mean(passed) <= 0.09


@pytest.mark.parametrize(
    ("level", "ratio", "ramp"), [(10, 2.5, 0), (40, 1.5, 0), (10, 2.5, 4), (40, 2.0, 6)]
)
def test_the_interval_holds_the_start(level, ratio, ramp):
    rng = np.random.default_rng(8)
    found = [
        change.date_counts(_worlds(rng, level, ratio, 20, ramp), EXPECTED, rng=rng, draws=19)
        for _ in range(120)
    ]
    assert np.mean([f.low <= 20 <= f.high for f in found]) >= 0.90
    assert np.mean([abs(f.start - 20) for f in found]) < 1.5
    assert np.mean([f.ratio for f in found]) == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize("ramp", [8, 13, 26])
def test_a_shift_of_months_is_dated_in_weeks(ramp):
    """Ramps of six weeks at most would take one of a quarter for a step in its middle."""
    cal, held = calendar("week", dt.date(2021, 1, 4), dt.date(2023, 12, 31)), []
    weeks, at = len(cal.starts), 78
    share, ramps = shapes.shape(weeks, (ramp,))[0, at], change.ramps_of(cal)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        series = 2 * share + rng.normal(0, 0.4, weeks)
        found = change.date_series(
            series, rng=rng, draws=9, ramps=ramps, seasons=cal.season if seed % 2 else None
        )
        held.append(found.low <= at <= found.high)
    assert np.mean(held) >= 0.9


def test_lengths_of_a_change_are_the_same_time_in_every_calendar():
    first, last = dt.date(2021, 1, 1), dt.date(2023, 12, 31)
    weeks, months, quarters = (
        change.ramps_of(calendar(period, first, last)) for period in ("week", "month", "quarter")
    )
    assert months == quarters == (0, 1, 2, 3, 4, 5, 6)
    assert weeks[:7] == months
    assert weeks[7:] == (9, 13, 17, 22, 26)


def test_a_ramp_is_told_from_a_step():
    rng = np.random.default_rng(9)
    called = {
        ramp: np.mean(
            [
                change.date_counts(
                    _worlds(rng, 60, 2.0, 16, ramp), EXPECTED, rng=rng, draws=19
                ).ramp
                > 0
                for _ in range(60)
            ]
        )
        for ramp in (0, 5)
    }
    assert called[0] <= 0.1
    assert called[5] >= 0.9


def test_a_fall_is_no_rise():
    rng = np.random.default_rng(10)
    counts = _worlds(rng, 40, 0.5)
    assert change.date_counts(counts, EXPECTED, rng=rng).p_value > 0.5
    either = change.date_counts(counts, EXPECTED, rng=rng, direction="either")
    assert either.p_value <= 0.002
    assert either.low <= 20 <= either.high
    assert either.ratio == pytest.approx(0.5, rel=0.2)


def test_two_changes_are_found_and_dated():
    rng = np.random.default_rng(11)
    periods = np.arange(60)
    level = np.where(periods < 18, 30, np.where(periods < 40, 60, 25))
    found = change.date_changes(rng.poisson(level), np.ones(60), rng=rng)
    assert len(found) == 2
    assert all(abs(f.start - truth) <= 1 for f, truth in zip(found, (18, 40), strict=True))
    assert all(f.low <= truth <= f.high for f, truth in zip(found, (18, 40), strict=True))
    assert change.date_changes(rng.poisson(np.full(60, 30)), np.ones(60), rng=rng) == ()


def test_only_the_proportions_of_what_was_expected_matter():
    counts = _worlds(np.random.default_rng(12), 20, 2.0)
    one = change.date_counts(counts, EXPECTED, rng=np.random.default_rng(0))
    ten = change.date_counts(counts, 10 * EXPECTED, rng=np.random.default_rng(0))
    assert (one.start, one.low, one.high, one.p_value) == (
        ten.start,
        ten.low,
        ten.high,
        ten.p_value,
    )
    assert one.ratio == pytest.approx(ten.ratio)


def test_chances_sum_to_one_and_levels_follow_the_shape():
    counts = _worlds(np.random.default_rng(13), 60, 2.0, 16, 5)
    found = change.date_counts(counts, EXPECTED, rng=np.random.default_rng(0))
    assert sum(found.chances) == pytest.approx(1)
    assert found.level()[0] == pytest.approx(found.before)
    assert found.level()[-1] == pytest.approx(found.after)
    assert (found.level() * EXPECTED).sum() == pytest.approx(counts.sum())


def test_gaps_in_a_series_are_left_out():
    rng = np.random.default_rng(14)
    values = np.where(np.arange(PERIODS) < 20, 0.0, 3.0) + rng.standard_normal(PERIODS) * 0.5
    values[[3, 9, 30]] = np.nan
    found = change.date_series(values, rng=rng)
    assert (found.low, found.start, found.high) == (20, 20, 20)
    assert len(found.chances) == PERIODS


def test_too_little_to_date_is_an_answer():
    rng = np.random.default_rng(15)
    few = change.date_counts(np.r_[np.ones(7), np.zeros(29)], EXPECTED, rng=rng)
    assert isinstance(few, Skipped)
    assert "7" in few.reason
    short = change.date_series([1.0, 2.0, np.nan], rng=rng)
    assert isinstance(short, Skipped)
    assert short.code == "too_few_periods"


def test_a_step_is_not_taken_for_the_season_of_its_months():
    """Two years before and one after: each month of the year is seen on one side or the other."""
    months = np.arange(36)
    step = np.where(months >= 22, 250.0, 150.0)
    found = change.date_series(step, rng=np.random.default_rng(0), seasons=months % 12)
    assert (found.start, found.low, found.high, found.ramp) == (22, 22, 22, 0)
    assert (found.before, found.after) == (pytest.approx(150), pytest.approx(250))


@pytest.mark.parametrize("variance", [0.0, 0.3, 3.0, 30.0])
def test_the_evidence_of_a_season_is_that_of_a_multivariate_normal(variance):
    """The season and the shift are drawn with the noise, whose size is integrated out."""
    rng = np.random.default_rng(18)
    codes, weights = np.arange(PERIODS) % 12, rng.uniform(0.5, 2.0, PERIODS)
    x = rng.normal(0, 1, PERIODS) + (np.arange(PERIODS) >= 20)
    member, level = np.eye(12)[codes], np.full((PERIODS, PERIODS), 1e4)  # nothing is known of it
    share = shapes.shape(PERIODS, (3,))[0, 20]

    def exact(variance):
        noise = np.diag(1 / weights) + variance * member @ member.T + 10 * np.outer(share, share)
        normal = stats.multivariate_normal
        sizes = np.exp(np.linspace(-3, 3, 121)) ** 2
        fits = [normal.logpdf(x, cov=s * noise + level) for s in sizes]
        return np.logaddexp.reduce(fits)

    def told(variance):
        season = shapes.Season(codes, variance)
        return shapes.weigh_means(x, weights, (0, 3), season=season).log_evidence[1, 20]

    apart = exact(variance) - exact(1.0)
    assert told(variance) - told(1.0) == pytest.approx(apart, abs=1e-2)


def test_a_strong_season_of_its_own_does_not_hide_a_step():
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        months, at = np.arange(36), int(rng.integers(10, 26))
        wave = 3 * np.sin(2 * np.pi * months / 12 + rng.uniform(0, 6))
        series = wave + 2.0 * (months >= at) + rng.normal(0, 0.4, 36)
        found = change.date_series(series, rng=rng, draws=19, seasons=months % 12)
        hits += found.low <= at <= found.high and found.high - found.low <= 6
    assert hits >= 35


def test_a_change_that_ebbs_keeps_its_date():
    """Those who had most of it leave, so the mean falls again: that is no noise."""
    months = np.arange(36)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ebbing = np.where(months >= 15, 4.0 - 0.07 * (months - 15), 0.0)
        found = change.date_series(ebbing + rng.normal(0, 0.15, 36), rng=rng, draws=19)
        assert found.start == 15
        assert found.high - found.low <= 2


@pytest.mark.parametrize("ramp", [1, 3])
def test_a_short_ramp_is_no_noise(ramp):
    """A step or the longest ramp in its place would leave a wave over, as if noise carried over."""
    rng = np.random.default_rng(17)
    series = 20 * shapes.shape(PERIODS, (ramp,))[0, 18] + rng.normal(0, 0.2, PERIODS)
    found = change.date_series(series, rng=rng, draws=19, seasons=np.arange(PERIODS) % 12)
    assert (found.low, found.start, found.high, found.ramp) == (18, 18, 18, ramp)


def test_a_change_that_may_be_a_step_or_a_ramp_is_drawn_as_what_fits_from_its_date():
    """Its start is the middle of what both say; a step from there would miss the months between.

    A driver's mean in a segment that has lost two thirds of its clients since, by month.
    """
    before = [-0.05, 0.15, 0.1, 0.12, 0.26, 0.09, -0.05, -0.03, -0.05, -0.06, 0.03, 0.1, 0.06]
    coming = [0.5, 0.73, 2.13, 1.93, 1.68, 1.33, 1.99]
    after = [2.38, 2.55, 3.09, 1.72, 3.25, 2.65, 2.11, 2.38, 2.55]
    after += [0.79, 2.31, 2.12, 3.54, 2.58, 2.62, 2.56, 2.77, 3.05]
    heads = [52, 54, 53, 52, 54, 47, 51, 46, 45, 47, 50, 50, 45, 41, 28, 24, 20, 16, 14, 15, 9, 12]
    heads += [13, 11, 10, 13, 14, 13, 9, 10, 14, 14, 15, 16, 14, 16, 14, 16]
    series, weights = np.array([*before, *coming, *after]), np.array(heads, float)
    seasons = np.arange(8, 8 + len(series)) % 12
    found = change.date_series(series, weights, rng=np.random.default_rng(0), seasons=seasons)
    assert found.low <= len(before) <= found.high
    assert not found.is_gradual
    missed = weights @ (series - found.level()) ** 2
    steps = [
        weights @ (series - np.where(late, series[late].mean(), series[~late].mean())) ** 2
        for late in (np.arange(len(series)) >= k for k in range(5, 30))
    ]
    assert missed <= 1.1 * min(steps)


@pytest.mark.parametrize("carried", [0.3, 0.7])
@pytest.mark.parametrize(("size", "widest"), [(2.0, 36), (10.0, 4)])
def test_noise_that_carries_over_hides_a_small_shift_but_no_jump(carried, size, widest):
    held, width = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        at, noise = int(rng.integers(8, PERIODS - 8)), rng.standard_normal(PERIODS + 20)
        for t in range(1, len(noise)):
            noise[t] = carried * noise[t - 1] + np.sqrt(1 - carried**2) * noise[t]
        series = noise[20:] + size * (np.arange(PERIODS) >= at)
        found = change.date_series(series, rng=rng, draws=9)
        held.append(found.low <= at <= found.high)
        width.append(found.high - found.low)
    assert np.mean(held) >= 0.9
    assert np.mean(width) <= widest


def test_what_grows_slowly_has_no_sharp_date():
    """A kink that goes on rising is no jump, however smooth: the interval has to say so."""
    held, width = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        growing = 0.1 + 0.006 * (np.arange(50) - 22).clip(min=0)
        found = change.date_series(growing + np.cumsum(rng.normal(0, 0.001, 50)), rng=rng, draws=9)
        held.append(found.low <= 22 <= found.high)
        width.append(found.high - found.low)
    assert np.mean(held) >= 0.9
    assert np.mean(width) >= 12
