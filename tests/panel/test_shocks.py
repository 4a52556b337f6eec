"""A shock that all came back from lowers what is due; a lasting fall and those who left do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from order_histories import activity, data_of, order_days

from churnlens.panel.activity import measure

MONTHS, CLIENTS = 48, 900
SHOCK = slice(20, 26)


def _exposure(rate, seed):
    return activity(order_days(rate, seed=seed), MONTHS).exposure.mean(axis=0)


def test_a_shock_of_half_a_year_is_read_back():
    rate = np.full((CLIENTS, MONTHS), 2.0)
    rate[:, SHOCK] *= 0.3
    due = _exposure(rate, seed=1)
    assert due[SHOCK] == pytest.approx(0.3, abs=0.05)
    assert np.delete(due, np.r_[SHOCK])[2:] == pytest.approx(1, abs=0.15)


def test_a_trade_has_a_shock_of_its_own():
    rate = np.full((CLIENTS, MONTHS), 2.0)
    rate[:300, SHOCK] *= 0.2
    rate[300:, SHOCK] *= 0.75
    data = data_of(order_days(rate, seed=2), MONTHS)
    ids = data.clients["client_id"].to_numpy()
    trade = pd.DataFrame({"trade": pd.Categorical(np.where(ids < 300, "hotel", "shop"))})
    due = measure(data, trade, np.full(len(ids), MONTHS)).exposure
    assert due[ids < 300, SHOCK].mean() == pytest.approx(0.2, abs=0.05)
    assert due[ids >= 300, SHOCK].mean() == pytest.approx(0.75, abs=0.06)


def test_a_lasting_fall_is_no_shock():
    rate = np.full((CLIENTS, MONTHS), 2.0)
    rate[:, 20:] *= 0.4
    assert _exposure(rate, seed=3)[2:].min() > 0.8


def test_departures_of_a_cause_that_passed_are_no_shock():
    rate = np.full((CLIENTS, MONTHS), 2.0)
    onset = 20 + np.arange(450) % 6
    rate[:450] *= np.where(np.arange(MONTHS) < onset[:, None], 1, 0.02)
    rate[300:450] *= np.where(np.arange(MONTHS) < onset[300:, None], 1, 15)  # some stay, smaller
    assert _exposure(rate, seed=4)[2:].min() > 0.8


def test_a_fall_that_nobody_has_come_back_from_yet_is_no_shock():
    rate = np.full((CLIENTS, MONTHS), 2.0)
    rate[:, MONTHS - 6 :] *= 0.3
    assert _exposure(rate, seed=5)[2:].min() > 0.8
