"""Calendar, tenure and cohort: what is counted, what is identified, what is hidden."""

import numpy as np
import pytest
from scipy import stats

from churnlens.results import Skipped
from churnlens.when import calendar

YEARS, PERIODS = 12, 12


def _book(clients=20_000, seed=0, tenure=0.0, period=0.0, cohort=0.0, jump=0.0, bend=0.0):
    """Spells won in bands 0..11, leaving by a log-linear rate with a jump in band 8."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, PERIODS - 1, clients)
    onset = np.full(clients, -1)
    for t in range(PERIODS):
        age = t - entry
        rate = -3.0 + tenure * age + period * t + cohort * entry + jump * (t >= 8)
        rate = rate + bend * (age - 4) ** 2
        at_risk = (age >= 0) & (onset < 0)
        onset[at_risk & (rng.random(clients) < 1 - np.exp(-np.exp(rate)))] = t
    t = np.arange(PERIODS)
    at_risk = (t >= entry[:, None]) & ((onset < 0)[:, None] | (t <= onset[:, None]))
    return at_risk, t == onset[:, None], entry


def _split(table):
    return calendar.age_period_cohort(table, bands_a_year=4)


def test_lexis_counts_everyone_once():
    at_risk, gone, entry = _book(3_000)
    for width in (1, 3, 5):
        table = calendar.lexis(at_risk, gone, entry, width=width)
        assert table.at_risk.sum() == at_risk.sum()
        assert table.departures.sum() == gone.sum()
        bands = -(-PERIODS // width)
        assert table.at_risk.shape == (bands, bands)
        np.testing.assert_array_equal(
            table.departures.sum(axis=0)[-1],
            gone[:, PERIODS - width :].sum(),
        )


def test_cells_under_five_clients_are_hidden():
    at_risk, gone, entry = _book(60)
    table = calendar.lexis(at_risk, gone, entry)
    rates = table.rates()
    assert np.isnan(rates[table.at_risk < 5]).all()
    assert np.isfinite(rates[table.at_risk >= 5]).all()
    wide = calendar.lexis(at_risk, gone, entry, width=4)
    assert np.all(wide.clients * 4 >= wide.at_risk / 4)
    assert np.all(wide.clients <= 60)


def test_drift_and_bends_are_found():
    found = _split(calendar.lexis(*_book(60_000, jump=0.7, tenure=-0.05)))
    assert found.calendar.p_value < 1e-6
    assert found.cohort.p_value > 0.001
    rise = np.diff(found.calendar.value)
    assert np.argmax(rise) == 7
    assert found.dispersion < 1.5
    assert "cannot be known" in str(found.text)


def test_slopes_move_between_the_factors_without_changing_what_is_reported():
    """Rates that differ by a straight line shuffled between the three give the same answers."""
    one = _split(calendar.lexis(*_book(60_000, tenure=0.04, period=0.02, cohort=0.03, bend=0.01)))
    other = _split(calendar.lexis(*_book(60_000, tenure=0.01, period=0.05, cohort=0.0, bend=0.01)))
    for found in (one, other):
        assert found.drift.low <= np.exp(0.05) <= found.drift.high
    assert one.drift.value == pytest.approx(other.drift.value, abs=1e-9)
    assert one.tenure_trend.value == pytest.approx(other.tenure_trend.value, abs=1e-9)
    np.testing.assert_allclose(one.tenure.value, other.tenure.value, atol=1e-9)
    truth = 0.01 * (np.array(one.tenure.band) - 4.0) ** 2
    bands = np.array(one.tenure.band, dtype=float)
    truth = truth - np.polyval(np.polyfit(bands, truth, 1), bands)
    gap = (np.array(one.tenure.value) - truth) / np.array(one.tenure.error)
    assert np.abs(gap).max() < 4


def test_a_drift_is_said_with_its_interval_and_only_over_three_years():
    table = calendar.lexis(*_book(60_000, period=-0.05))
    said = calendar.age_period_cohort(table, bands_a_year=4).text
    values = [said.values[name]["value"] for name in ("low", "share", "high")]
    assert values == sorted(values)
    assert values[0] <= 1 - np.exp(-0.2) <= values[2]
    short = calendar.age_period_cohort(table, bands_a_year=6)
    assert str(short.text).startswith("The data cover less than three years")
    assert short.drift.value < 1


def test_p_values_of_bends_are_uniform_without_bends():
    p = [
        _split(calendar.lexis(*_book(3_000, seed), width=2)).calendar.p_value for seed in range(150)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_the_intervals_of_drift_hold_the_truth():
    held = []
    for seed in range(80):
        found = _split(calendar.lexis(*_book(3_000, seed, period=0.05)))
        held.append(found.drift.low <= np.exp(0.05) <= found.drift.high)
    assert np.mean(held) >= 0.88


def test_bands_without_departures_are_left_out():
    at_risk, gone, entry = _book(5_000)
    gone[:, 3] = False
    found = _split(calendar.lexis(at_risk, gone, entry))
    assert 3 not in found.calendar.band
    assert np.isfinite(found.drift.value)


def test_too_few_departures_is_an_answer_and_so_is_too_short_a_time():
    few = _split(calendar.lexis(*_book(40)))
    assert isinstance(few, Skipped)
    assert few.reason.startswith("Too few departures")
    at_risk, gone, entry = _book(5_000)
    short = _split(calendar.lexis(at_risk[:, :2], gone[:, :2], entry))
    assert isinstance(short, Skipped)
    assert short.reason.endswith("in fewer than 3 bands.")


def test_many_departures_in_too_few_bands_are_not_called_too_few():
    short = _book(60_000)
    table = calendar.lexis(short[0][:, :2], short[1][:, :2], short[2])
    found = calendar.age_period_cohort(table, bands_a_year=4)
    assert isinstance(found, Skipped)
    assert table.departures.sum() > 500
    assert "Too few departures" not in str(found.text)
    assert "fewer than 3 bands" in str(found.text)


def test_period_points_carry_the_band_of_chance():
    due = np.array([0.5, 8.0, 100.0])
    points = calendar.period_points(
        ["2024-01-01", "2024-02-01", "2024-03-01"], [0, 9, 130], due, [50, 60, 70]
    )
    draws = np.random.default_rng(0).poisson(due, (20_000, 3))
    for k, point in enumerate(points):
        assert np.mean(draws[:, k] > point.high) <= 0.03
        assert np.mean(draws[:, k] < point.low) <= 0.03
    assert points[2].observed > points[2].high


def test_departures_in_parts_add_up_over_the_periods():
    months = [f"2024-{m:02d}-01" for m in range(1, 13)]
    points = calendar.period_points(months, np.full(12, 0.9), np.ones(12), np.full(12, 49.7))
    assert sum(p.observed for p in points) == pytest.approx(10.8)
    assert points[0].at_risk == 50
