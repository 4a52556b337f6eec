"""Who stops all at once at the end of the data is not gone; who leaves one by one may be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from order_histories import data_of, order_days

from churnlens.panel.activity import measure
from churnlens.panel.departures import cadence

MONTHS, CLIENTS = 36, 900


def _measured(rate, seed=1):
    data = data_of(order_days(rate, seed=seed), MONTHS)
    ids = data.clients["client_id"].to_numpy()
    branch = np.where(ids < 300, "east", "west")
    frame = pd.DataFrame({"branch": pd.Categorical(branch)})
    return measure(data, frame, np.full(len(ids), MONTHS)), branch


def _rate():
    return np.full((CLIENTS, MONTHS), 2.0)


def test_a_branch_that_stops_at_once_is_a_gap_of_its_own():
    rate = _rate()
    rate[:300, -1] *= 0.2
    activity, branch = _measured(rate)
    (gap,) = activity.last_gaps
    assert (gap.attribute, gap.value, gap.since) == ("branch", "east", MONTHS - 1)
    assert gap.part == pytest.approx(0.2, abs=0.08)
    due = activity.exposure[:, -1]
    assert due[branch == "east"].mean() == pytest.approx(0.2, abs=0.08)
    assert due[branch == "west"].mean() == pytest.approx(1, abs=0.1)


def test_nobody_is_gone_for_a_month_in_which_the_whole_book_is_lacking():
    rate = _rate()
    rate[:, -2:] *= 0.1
    activity, _ = _measured(rate)
    assert activity.last_gaps[0].attribute is None
    assert activity.last_gaps[0].since == MONTHS - 2
    left = cadence(activity)
    assert (left.onset >= MONTHS - 3).mean() < 0.01


@pytest.mark.parametrize("hazard", [0.02, 0.15])
def test_departures_one_by_one_are_no_gap(hazard):
    rate = _rate()
    rng = np.random.default_rng(4)
    leaves = rng.geometric(hazard, 300) + MONTHS - 6
    rate[:300] *= np.where(np.arange(MONTHS) < leaves[:, None], 1, 0.02)
    activity, _ = _measured(rate)
    assert activity.last_gaps == ()
    assert (activity.exposure[:, -2:] > 0.7).all()


def test_a_month_that_is_quiet_every_year_is_no_gap():
    rate = _rate()
    rate[:, 11::12] *= 0.3
    activity, _ = _measured(rate)
    assert activity.last_gaps == ()


def test_a_branch_whose_clients_are_known_to_have_closed_is_no_gap():
    rate = _rate()
    rate[:300, -2:] = 0
    data = data_of(order_days(rate, seed=1), MONTHS)
    ids = data.clients["client_id"].to_numpy()
    frame = pd.DataFrame({"branch": pd.Categorical(np.where(ids < 300, "east", "west"))})
    for closed, gaps in ((np.where(ids < 300, MONTHS - 2, MONTHS), 0), (ids * 0 + MONTHS, 1)):
        assert len(measure(data, frame, closed).last_gaps) == gaps


def test_a_sag_of_the_whole_book_is_no_gap_of_those_it_hit_a_little_harder():
    rate = _rate()
    rate[:, -1] *= 0.68
    rate[:300, -1] *= 0.85
    activity, _ = _measured(rate, seed=7)
    assert activity.last_gaps == ()


def test_a_short_history_says_nothing():
    rate = np.full((CLIENTS, 7), 2.0)
    rate[:, -1] *= 0.1
    data = data_of(order_days(rate, seed=2), 7)
    none = pd.DataFrame(index=data.clients.index)
    assert measure(data, none, np.full(len(data.clients), 7)).last_gaps == ()
