"""Competing ways of leaving, on US life policies and against lifelines."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.when import competing, survival


def _data(name):
    home = Path(__file__).resolve().parents[2]
    path = Path(os.environ.get("CHURNLENS_DATA", home.parent / "shared" / "data")) / name
    if not path.exists():
        pytest.skip(f"{name} is not among the data beside the repository")
    return path


def test_policies_surrendered_ended_by_death_or_otherwise():
    policies = pd.read_parquet(_data("uslapseagent.parquet"))
    cause = policies["termination.cause"].replace("in-force", "").to_numpy(str)
    entry, duration = np.zeros(len(policies)), policies["duration"].to_numpy()
    found = competing.cumulative_incidence(entry, duration, cause)
    assert dict(zip(found.causes, found.events, strict=True)) == {
        "surrender": 11_098,
        "death": 1_284,
        "other": 2_482,
    }
    surrender = found.of("surrender")
    alone = survival.kaplan_meier(survival.risk_table(entry, duration, cause == "surrender"))
    place = np.searchsorted(found.times, alone.times)
    assert np.all(surrender[place] <= 1 - alone.value + 1e-12)
    assert surrender[-1] < (1 - alone.value)[-1] - 0.02
    np.testing.assert_allclose(found.value.sum(axis=0) + found.staying, 1.0)
    assert np.all((found.low <= found.value) & (found.value <= found.high))


def test_curves_and_variance_are_those_of_lifelines():
    from lifelines import AalenJohansenFitter

    rng = np.random.default_rng(0)
    end = np.sort(rng.exponential(10, 400))
    cause = rng.choice(["", "lapsed", "closed"], 400, p=[0.3, 0.5, 0.2])
    codes = np.select([cause == "lapsed", cause == "closed"], [1, 2], 0)
    reference = AalenJohansenFitter().fit(end, codes, event_of_interest=1)
    found = competing.cumulative_incidence(np.zeros(400), end, cause)
    expected = reference.cumulative_density_.loc[found.times].to_numpy()[:, 0]
    np.testing.assert_allclose(found.of("lapsed"), expected, rtol=1e-9)
    bounds = reference.confidence_interval_.loc[found.times].to_numpy()
    mine = np.column_stack((found.low[1], found.high[1]))
    np.testing.assert_allclose(mine[:-1], bounds[:-1], rtol=1e-9)  # lifelines ends on NaN


def test_delayed_entry_and_intervals_hold_the_truth():
    """Lapse 5 %, closing 2 % a month; half the book seen only from its twelfth month on."""
    lapsed = 0.05 / 0.07 * (1 - 0.93 ** np.arange(1, 25))
    held = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        stay = rng.geometric(0.07, 1_500)
        entry = np.where(np.arange(1_500) < 500, 0, 12)
        seen = stay > entry
        cause = np.where(rng.random(1_500) < 5 / 7, "lapsed", "closed")
        found = competing.cumulative_incidence(entry[seen], stay[seen], cause[seen])
        place = np.searchsorted(found.times, 24)
        row = found.causes.index("lapsed")
        held.append(found.low[row, place] <= lapsed[-1] <= found.high[row, place])
    assert np.mean(held) >= 0.88


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 9), st.sampled_from(["", "lapsed", "closed"])),
        min_size=1,
    )
)
def test_shares_sum_to_one_and_one_cause_is_kaplan_meier(spells):
    entry, stay, cause = (np.array(column) for column in zip(*spells, strict=True))
    found = competing.cumulative_incidence(entry, entry + stay, cause)
    np.testing.assert_allclose(found.value.sum(axis=0) + found.staying, 1.0)
    assert np.all(np.diff(found.value, axis=1) >= 0)
    one = competing.cumulative_incidence(entry, entry + stay, np.where(cause == "", "", "gone"))
    curve = survival.kaplan_meier(survival.risk_table(entry, entry + stay, cause != ""))
    np.testing.assert_allclose(one.value.sum(axis=0), 1 - curve.value, atol=1e-12)
