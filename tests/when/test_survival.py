"""Survival by tenure against Freireich's published values, lifelines, and its own promises."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.when import survival


@pytest.fixture(scope="module")
def freireich():
    from lifelines.datasets import load_leukemia

    return load_leukemia()


def test_freireich_kaplan_meier_and_log_rank(freireich):
    groups = np.where(freireich["Rx"] == 0, "6-MP", "placebo")
    table = survival.risk_table(np.zeros(42), freireich["t"], freireich["status"], groups)
    assert table.labels == ("6-MP", "placebo")
    curve = survival.kaplan_meier(table, 0)
    at = np.isin(curve.times, [6, 7, 10, 13, 16, 22, 23])
    np.testing.assert_allclose(
        curve.value[at], [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4
    )
    statistic, degrees, p = survival.log_rank(table)
    assert statistic == pytest.approx(16.79, abs=0.005)
    assert degrees == 1
    assert p < 1e-4


def _late(seed=0, size=3_000):
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(size) < 0.5, 0, rng.integers(1, 20, size))
    stay = rng.geometric(0.06, size)
    follow = rng.integers(1, 30, size)
    return entry, entry + np.minimum(stay, follow), stay <= follow, rng


def test_delayed_entry_is_that_of_lifelines():
    from lifelines import KaplanMeierFitter, NelsonAalenFitter

    entry, leaving, event, _ = _late()
    table = survival.risk_table(entry, leaving, event)
    # lifelines counts a client that enters at t as at risk at t; half a period makes it "after t"
    reference = KaplanMeierFitter().fit(leaving, event, entry=entry + 0.5)
    curve = survival.kaplan_meier(table)
    np.testing.assert_allclose(
        curve.value, reference.survival_function_at_times(curve.times), rtol=1e-9
    )
    bounds = reference.confidence_interval_survival_function_.loc[curve.times].to_numpy()
    np.testing.assert_allclose(np.column_stack((curve.low, curve.high)), bounds, rtol=1e-6)
    hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(leaving, event, entry=entry + 0.5)
    mine = survival.nelson_aalen(table)
    expected = hazard.cumulative_hazard_.loc[mine.times].to_numpy()[:, 0]
    np.testing.assert_allclose(mine.value, expected, rtol=1e-9)


def test_ignoring_delayed_entry_flatters():
    entry, leaving, event, _ = _late(1, 20_000)
    right = survival.kaplan_meier(survival.risk_table(entry, leaving, event)).value
    wrong = survival.kaplan_meier(survival.risk_table(np.zeros_like(entry), leaving, event)).value
    truth = 0.94 ** np.arange(1, len(right) + 1)
    assert np.abs(right - truth)[:24].max() < 0.02
    assert (wrong - truth)[11] > 0.05


def test_log_rank_of_many_groups_is_that_of_lifelines():
    from lifelines.statistics import multivariate_logrank_test

    rng = np.random.default_rng(2)
    groups, stay = rng.integers(0, 4, 500), rng.geometric(0.1, 500)
    event = rng.random(500) < 0.7
    reference = multivariate_logrank_test(stay, groups, event)
    statistic, degrees, p = survival.log_rank(
        survival.risk_table(np.zeros(500), stay, event, groups)
    )
    assert (statistic, degrees) == (pytest.approx(reference.test_statistic), 3)
    assert p == pytest.approx(reference.p_value)


def test_restricted_mean_and_its_interval():
    """A constant hazard of 5 % a month: Σ 0.95^t over 24 months; the interval holds it."""
    truth = sum(0.95**t for t in range(24))
    held = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        stay, follow = rng.geometric(0.05, 300), rng.integers(20, 60, 300)
        table = survival.risk_table(np.zeros(300), np.minimum(stay, follow), stay <= follow)
        mean = survival.restricted_mean(table, 24)
        held.append(mean.low <= truth <= mean.high)
    assert np.mean(held) >= 0.9


def test_what_a_shorter_lifetime_costs():
    rng = np.random.default_rng(4)
    size = np.where(rng.random(8_000) < 0.3, "key", "small")
    stay = rng.geometric(np.where(size == "key", 0.08, 0.03))
    table = survival.risk_table(np.zeros(8_000), np.minimum(stay, 36), stay <= 36, size)
    lost = survival.lifetime_lost(
        table,
        "key",
        horizon=24,
        revenue_per_period=1000.0,
        segment={"size": ("key",)},
    )
    truth = sum(0.97**t - 0.92**t for t in range(24))
    assert lost.periods.low <= truth <= lost.periods.high
    assert lost.money.value == pytest.approx(1000 * lost.periods.value)
    assert "size key" in str(lost.text)
    assert "less from each" in str(lost.text)


def test_curves_hide_small_groups_and_thin_tails():
    entry, leaving, event, rng = _late(5)
    region = np.where(np.arange(len(entry)) < 4, "tiny", rng.choice(["north", "south"], len(entry)))
    tables = {
        name: survival.risk_table(entry, leaving, event, labels, smallest=5)
        for name, labels in (("", None), ("region", pd.Categorical(region)))
    }
    drawn = survival.curves(tables)
    assert [(c.attribute, c.value) for c in drawn] == [
        ("", ""),
        ("region", "north"),
        ("region", "south"),
    ]
    assert drawn[0].clients == len(entry)
    for curve in drawn:
        assert curve.survival[0] == 1.0
        assert np.all(np.diff(curve.survival) <= 0)
        assert np.all(np.array(curve.low) <= curve.survival)
        assert np.all(np.array(curve.high) >= curve.survival)
    thin = survival.risk_table(entry, leaving, event)
    assert max(drawn[0].tenure) <= thin.times[thin.at_risk[0] >= 5].max()


def test_a_weighed_table_of_certain_departures_is_the_table_of_counts():
    rng = np.random.default_rng(8)
    begin = rng.integers(-20, 30, 3_000)
    stay = rng.geometric(0.05, 3_000)
    t = np.arange(40)
    last = begin + stay - 1
    there = (t >= begin[:, None]) & (t <= last[:, None])
    found = there & (t == last[:, None])
    seen = there.any(axis=1)
    first = np.maximum(begin, 0) - begin
    counted = survival.risk_table(
        first[seen], np.minimum(stay, 40 - begin)[seen], found.any(axis=1)[seen]
    )
    weighed = survival.weighed_table(begin[seen], there[seen], found[seen])
    np.testing.assert_array_equal(weighed.times, counted.times)
    np.testing.assert_allclose(weighed.at_risk, counted.at_risk)
    np.testing.assert_allclose(weighed.events, counted.events)


def test_probable_departures_make_a_curve_as_unsure_as_they_are():
    there = np.full((400, 24), 1.0)
    curves = [
        survival.kaplan_meier(
            survival.weighed_table(np.zeros(400, int), there, 0.02 * there, informed=told)
        )
        for told in (1.0, 0.25)
    ]
    for curve in curves:
        np.testing.assert_allclose(curve.value, 0.98 ** np.arange(1, 25))
    sure, unsure = (curve.high - curve.low for curve in curves)
    assert unsure[11] == pytest.approx(2 * sure[11], rel=0.1)


def test_hardly_a_departure_tells_next_to_nothing():
    there = np.ones((50, 3))
    found = np.array([1e-12, 1e-9, 0.1]) * there
    curve = survival.kaplan_meier(survival.weighed_table(np.zeros(50, int), there, found))
    assert (curve.low[0], curve.high[0]) == pytest.approx((0, 1))
    assert np.all((curve.low <= curve.value) & (curve.value <= curve.high))


def test_the_few_who_are_seen_early_do_not_set_the_curve():
    entry = np.zeros(400, int)
    there = np.broadcast_to(np.arange(24) >= 3, (400, 24)).astype(float)
    there[:8, 2] = 1.0
    found = 0.01 * there
    found[:8, 2] = 0.5
    (curve,) = survival.curves({"": survival.weighed_table(entry, there, found)})
    assert curve.tenure[:2] == (3.0, 4.0)
    assert curve.survival[:2] == (1.0, pytest.approx(0.99))


def _some_new(hazard, new, size, rng, periods=60):
    """Clients of whom the part `new` is seen from the first, all others from tenure 10 on."""
    began = np.where(rng.random(size) < new, 0, 10)
    t = np.arange(periods)
    leaves = (rng.random((size, periods)) < hazard) & (t >= began[:, None])
    gone = np.cumsum(leaves, axis=1) - leaves > 0
    there = (t >= began[:, None]) & ~gone
    return there.astype(float), (leaves & there).astype(float)


def test_who_leaves_sooner_stays_shorter_though_few_of_them_are_new():
    """The clients of one group come into sight late: the others' early departures do not count."""
    rng = np.random.default_rng(5)
    parts = [_some_new(0.03, 0.04, 500, rng), _some_new(0.02, 0.9, 500, rng)]
    there, found = (np.concatenate(both) for both in zip(*parts, strict=True))
    labels = np.repeat(["late", "new"], 500)
    table = survival.weighed_table(np.zeros(1000, int), there, found, labels)
    lost = survival.lifetime_lost(
        table, "late", horizon=36, revenue_per_period=1.0, segment={"size": ("late",)}
    )
    truth = sum(0.98**t - 0.97**t for t in range(26))
    assert lost.periods.low <= truth <= lost.periods.high
    assert lost.periods.low > 0
    assert lost.periods.value == pytest.approx(lost.others.value - lost.stay.value)
    assert str(lost.text).startswith("Of those still there after 10 months, a client of size late")
    drawn = {c.value: c.tenure[0] for c in survival.curves({"size": table})}
    assert drawn == {"late": 10.0, "new": 0.0}


def test_comparisons_are_corrected_for_their_number():
    entry, leaving, event, rng = _late(6)
    groups = {f"noise {k}": rng.integers(0, 3, len(entry)) for k in range(5)}
    tests = survival.compare(entry, leaving, event, pd.DataFrame(groups))
    p = np.array([t.p_value for t in tests])
    assert min(t.corrected for t in tests) == pytest.approx(min(1.0, 5 * p.min()))
    np.testing.assert_allclose(survival.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 10), st.booleans()), min_size=1))
def test_survival_never_rises_and_counts_add_up(spells):
    entry, stay, event = (np.array(column) for column in zip(*spells, strict=True))
    table = survival.risk_table(entry, entry + stay, event)
    curve = survival.kaplan_meier(table)
    assert table.events.sum() == event.sum()
    assert np.all(table.events <= table.at_risk)
    assert np.all(np.diff(curve.value) <= 0)
    assert np.all((curve.value >= 0) & (curve.value <= 1))


def test_three_hundred_thousand_spells_take_a_moment():
    entry, leaving, event, rng = _late(7, 300_000)
    groups = {str(k): rng.integers(0, 10, len(entry)) for k in range(4)}
    began = time.perf_counter()
    survival.curves({k: survival.risk_table(entry, leaving, event, g) for k, g in groups.items()})
    assert time.perf_counter() - began < 3.0


def test_a_group_that_never_has_enough_begins_where_most_are_there():
    entry, left = np.repeat([0.0, 10.0, 20.0], [1, 5, 90]), np.repeat([3.0, 13.0, 23.0], [1, 5, 90])
    table = survival.risk_table(entry, left, np.ones(96))
    few = survival.RiskTable(
        table.times, table.labels, np.array([[1.0, 5.0, 9.0]]), table.events, np.array([100])
    )
    assert few.settled().times.tolist() == [23.0]
