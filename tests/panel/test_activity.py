"""Season, rhythm and scatter are read back from books drawn with known ones."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from order_histories import activity, data_of, months_from, order_days

from churnlens.panel.activity import measure, seasonal_index
from churnlens.panel.periods import calendar
from churnlens.panel.visibility import delay_distribution

MONTHS = 36
SEASON = 1 + 0.5 * np.sin(2 * np.pi * np.arange(12) / 12)  # by month of the year


def _season(months=MONTHS):
    return SEASON[(np.arange(months) + 3) % 12]  # the books begin in April


def _index(orders, months=MONTHS):
    data = data_of(orders, months)
    first = data.calendar.indices(data.clients["first"])
    last = data.calendar.indices(data.clients["last"])
    t = np.arange(months)
    active = (t >= first[:, None]) & (t <= last[:, None])
    empty = pd.DataFrame(index=data.clients.index)
    return seasonal_index(data.orders, active, data.calendar, empty)


def test_the_season_of_the_book_is_recovered():
    found = _index(order_days(np.full((1500, 1), 2.0) * _season(), seed=1))
    assert found[0] == pytest.approx(_season(), abs=0.06)


def test_a_trend_is_no_season():
    growing = np.full((1500, 1), 1.0) * np.linspace(1, 3, MONTHS)
    found = _index(order_days(growing, seed=2))
    assert np.abs(found[0] - 1).max() < 0.1


def test_under_two_years_a_season_cannot_be_told():
    found = _index(order_days(np.full((300, 1), 2.0) * _season(20), seed=3), 20)
    assert (found == 1).all()


def test_an_industry_has_a_season_of_its_own():
    rate = np.full((2000, MONTHS), 2.0)
    rate[:600] *= _season()
    orders = order_days(rate, seed=4)
    data = data_of(orders, MONTHS)
    ids = data.clients["client_id"].to_numpy()
    names = np.where(ids < 600, "garden", np.char.add("other", (ids % 13).astype(str)))
    trade = pd.DataFrame({"trade": pd.Categorical(names)})  # many values: codes are small integers
    act = measure(data, trade, np.full(len(ids), MONTHS))
    garden, rest = act.exposure[ids < 600, -12:], act.exposure[ids >= 600, -12:]
    assert np.ptp(garden.mean(axis=0)) > 0.7
    assert np.ptp(rest.mean(axis=0)) < 0.25


def test_scatter_tells_clockwork_from_chance():
    regular = np.where(np.arange(1000) % 2, 6.0, 1.0)
    orders = order_days(np.full((1000, MONTHS), 2.0), seed=5, regular=regular)
    act = activity(orders, MONTHS)
    assert np.median(act.order_scatter[regular == 1]) == pytest.approx(1, abs=0.3)
    assert np.median(act.order_scatter[regular > 1]) < 0.6


@pytest.mark.parametrize("rate", [0.4, 0.7, 1.0, 3.0])
@pytest.mark.parametrize("shape", [1.0, 2.0, 3.0])
def test_few_orders_in_whole_numbers_do_not_pass_for_scatter(rate: float, shape: float):
    """Steady clients: the quarters of some had seemed to scatter by half more than they do."""
    orders = order_days(np.full((1500, MONTHS), rate), seed=7, regular=shape)
    found = np.median(activity(orders, MONTHS).order_scatter)
    assert found == pytest.approx(1 / shape, rel=0.2)


def test_rates_that_wander_are_scatter():
    walk = np.random.default_rng(8).normal(0, 0.5, (1500, MONTHS // 3)).repeat(3, axis=1)
    calm, wild = (
        np.median(activity(order_days(2 * np.exp(w * walk), seed=9), MONTHS).order_scatter)
        for w in (0, 1)
    )
    assert wild > 1.5 * calm


def test_a_gap_in_the_book_lowers_what_is_due():
    orders = order_days(np.full((800, MONTHS), 2.0), seed=6)
    torn = orders[orders["month"] != 17]
    act = activity(torn, MONTHS)
    assert act.exposure[:, 17].max() < 0.2
    assert np.median(act.exposure[:, 16]) > 0.7


@pytest.mark.parametrize("period", ["week", "month", "quarter"])
def test_dates_fall_in_the_period_the_calendar_says(period):
    span = months_from(MONTHS).starts
    cal = calendar(period, span[0], span[-1])
    days = pd.Series(pd.date_range(cal.starts[0], cal.starts[-1]))
    assert (cal.indices(days) == [cal.index(day.date()) for day in days]).all()
    for t in (0, 1, len(cal.starts) - 1, len(cal.starts) + 5):
        last = cal.last_day(t)
        assert (cal.index(last), cal.index(last + dt.timedelta(days=1))) == (t, t + 1)


def test_delays_cut_off_by_the_end_of_the_data_are_recovered():
    """Delays uniform on 0 to 4, seen only where they fit in the time left."""
    rng = np.random.default_rng(0)
    delay, limit = rng.uniform(0, 4, 20_000), rng.uniform(0, 8, 20_000).clip(max=4)
    seen = delay <= limit
    grid, chance = delay_distribution(delay[seen], limit[seen])
    at = np.array([0.5, 1, 2, 3])
    assert np.interp(at, grid, chance) == pytest.approx(at / 4, abs=0.04)
    assert (np.diff(chance) >= 0).all()


def test_long_delays_that_hardly_anybody_had_time_for_are_recovered():
    """Delays gamma about 1.6, seen only where they fit in a time left of 1 on average."""
    told = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        delay, limit = (
            a.clip(max=4) for a in (rng.gamma(4, 0.4, 30_000), rng.exponential(1, 30_000))
        )
        grid, chance = delay_distribution(delay[delay <= limit], limit[delay <= limit])
        told.append(np.interp([1.5, 2.0, 2.5], grid, chance))
    assert np.mean(told, axis=0) == pytest.approx([0.516, 0.735, 0.870], abs=0.01)
