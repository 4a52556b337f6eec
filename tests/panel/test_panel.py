"""The panel made from a source: what counts as an order, who is at risk, what is expected."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from order_histories import START, as_source, book, order_days, write_source

from churnlens.config import Settings
from churnlens.panel import build, open_book
from churnlens.panel.departures import DEFINITIONS
from churnlens.tables import open_source
from churnlens.which.segments import attributes_of

MONTHS = 36


def opened(folder, as_of=None):
    return open_book(open_source(folder, Settings(), as_of), Settings())


@pytest.fixture(scope="module")
def steady():
    rng = np.random.default_rng(2)
    rate = np.repeat(rng.gamma(4, 0.6, (400, 1)).clip(0.5), MONTHS, axis=1)
    return as_source(order_days(rate, seed=1, regular=2))


def test_returns_are_no_orders(steady, tmp_path):
    """A client that only sends goods back has left; its credit notes lower its revenue."""
    leaver = steady["client_id"] == "C0007"
    late = steady["order_date"] >= pd.Timestamp(START) + pd.DateOffset(months=20)
    rows = steady.assign(amount=steady["amount"].where(~(leaver & late), -5.0))
    known = opened(write_source(tmp_path, rows))
    row = list(known.data.clients["client_id"]).index("C0007")
    assert known.activity.orders[row, 20:].sum() == 0
    assert known.data.revenue[row, 20:].sum() == pytest.approx(-5.0 * (leaver & late).sum())
    panel = build(known, "cadence")
    spell = np.flatnonzero(panel.client == row)
    assert abs(panel.onset[spell[0]] - 20) <= 2
    assert panel.kind[spell[0]] == "lapsed"


def test_a_return_before_the_first_order_changes_no_period(steady, tmp_path):
    early = steady.iloc[:1].assign(order_date=pd.Timestamp(START) - pd.Timedelta(900, "D"))
    rows = pd.concat([steady, early.assign(amount=-5.0)])
    known = opened(write_source(tmp_path, rows))
    assert known.calendar.starts[0] == START
    assert known.data.revenue.sum() == pytest.approx(steady["amount"].sum(), rel=1e-5)


@pytest.mark.parametrize("blank", [slice(100, 101), slice(None, None, 2), slice(None)])
def test_a_blank_margin_is_no_margin_of_nought(steady, tmp_path, blank):
    """It is the part of the amount that it is elsewhere; where none is given, there is none."""
    margin = 0.25 * steady["amount"]
    margin.iloc[blank] = np.nan
    data = opened(write_source(tmp_path, steady.assign(margin=margin))).data
    if margin.notna().any():
        np.testing.assert_allclose(data.margin, 0.25 * data.revenue, rtol=1e-5)
    else:
        assert data.margin is None


def test_an_attribute_may_have_the_name_of_one_that_is_worked_out(steady, tmp_path):
    """No name stands twice: the value tiers are ours, the rest is as the clients table says."""
    clients = pd.DataFrame({"client_id": sorted(steady["client_id"].unique())})
    for name in ("value_tier", "main_category", "tenure_months"):
        clients[name] = np.where(clients.index % 2, "one", "two")
    rows = steady.assign(category=np.where(np.arange(len(steady)) % 3, "a", "b"))
    known = opened(write_source(tmp_path, rows, clients=clients))
    assert list(known.attributes) == ["main_category", "tenure_months"]
    assert any("value_tier" in s.reason and "Rename" in s.reason for s in known.skipped)
    names = [a.name for a in attributes_of(build(known, "cadence"))]
    assert len(names) == len(set(names))
    assert dict(known.attributes["tenure_months"].value_counts()) == {"one": 200, "two": 200}


def test_a_value_that_a_remedy_is_meant_for_is_not_pooled(steady, tmp_path):
    """Of thirty managers the commonest 24 are told apart, and whose clients a remedy is for."""
    ids = sorted(steady["client_id"].unique())
    managers = [f"m{k % 30:02d}" for k in range(len(ids) - 10)] + ["m00"] * 10
    clients = pd.DataFrame({"client_id": ids, "manager": managers})
    scope = {"start_date": pd.Timestamp("2023-06-01"), "manager": "m29|m28"}
    remedies = pd.DataFrame({"action": ["visit"], **{k: [v] for k, v in scope.items()}})
    source = write_source(tmp_path, steady, clients=clients, remedies=remedies)
    told = set(opened(source).attributes["manager"])
    assert {"m28", "m29", "other"} <= told
    assert len(told) == 24 + 2 + 1


def test_closing_is_no_departure(steady, tmp_path):
    closed = steady["client_id"].isin([f"C{i:04d}" for i in range(20)])
    day = pd.Timestamp(START) + pd.DateOffset(months=22)
    rows = steady[~(closed & (steady["order_date"] >= day))]
    clients = pd.DataFrame({"client_id": sorted(steady["client_id"].unique())})
    clients["closed_on"] = np.where(clients.index < 20, day.date().isoformat(), None)
    panel = build(opened(write_source(tmp_path, rows, clients=clients)), "cadence")
    theirs = panel.client < 20
    assert (panel.onset[theirs] >= 0).mean() <= 0.05
    assert (panel.kind[theirs] == "closed").mean() >= 0.95
    assert not panel.at_risk[theirs][:, 23:].any()


def test_an_old_quarter_reads_as_it_did_then(steady, tmp_path):
    """Nothing dated after the as-of date is used: orders, events, departures, expectations."""
    as_of = dt.date(2023, 6, 30)
    events = pd.DataFrame(
        {
            "client_id": np.repeat(sorted(steady["client_id"].unique()), 6),
            "event_date": pd.Timestamp(START) + pd.to_timedelta(np.arange(2400) % 1000, "D"),
            "event_type": "visit",
            "value": np.arange(2400) % 7,
        }
    )
    known = steady["order_date"].dt.date <= as_of
    then = events["event_date"].dt.date <= as_of
    early = opened(write_source(tmp_path / "then", steady[known], events=events[then]), as_of)
    later = opened(write_source(tmp_path / "now", steady, events=events), as_of)
    for name in DEFINITIONS:
        a, b = build(early, name), build(later, name)
        assert a.found.tobytes() == b.found.tobytes()
        assert a.active.tobytes() == b.active.tobytes()
        for x, y in zip(a.exposures, b.exposures, strict=True):
            assert x.name == y.name
            assert x.values.tobytes() == y.values.tobytes()
    assert early.tiers.tobytes() == later.tiers.tobytes()


def test_categories_that_hardly_anybody_shares_are_no_segment(steady, tmp_path):
    few = steady[steady["client_id"].isin(sorted(steady["client_id"].unique())[:4])]
    rows = few.assign(category=np.where(np.arange(len(few)) % 2, "a", "b"))
    known = opened(write_source(tmp_path, rows))
    assert any("same category" in s.reason for s in known.skipped)


def test_baskets_are_what_each_client_bought_by_category_and_month(steady, tmp_path):
    rng = np.random.default_rng(3)
    names = np.array(["wire", "lamps", "", "fuses"])[rng.choice(4, len(steady))]
    rows = steady.assign(category=names)
    rows.loc[::50, "amount"] = -1.0
    held = opened(write_source(tmp_path, rows)).activity.baskets
    real = rows[(rows["amount"] > 0) & (rows["category"] != "")]
    month = real["order_date"].dt.to_period("M").astype("int64")
    real = real.assign(month=month - month.min())
    days = real.drop_duplicates(["client_id", "order_date", "category"])
    days = days.groupby(["client_id", "category"]).size()
    often = days[days >= 6]
    assert len(held.client) == len(often)
    assert held.orders.sum() == often.sum()
    one = real[(real["client_id"] == "C0005") & (real["category"] == "lamps")]
    by_month = one.groupby("month")["amount"].sum().reindex(range(MONTHS), fill_value=0)
    row = np.flatnonzero((held.client == 5) & (held.category == 1))  # fuses, lamps, wire
    assert np.allclose(held.amount[row[0]], by_month, rtol=1e-5)


def test_a_single_bulk_order_never_made_a_client(steady, tmp_path):
    bulk = pd.DataFrame(
        {"client_id": [f"B{i}" for i in range(30)], "order_date": pd.Timestamp("2022-05-03")}
    ).assign(amount=50_000.0)
    panel = build(opened(write_source(tmp_path, pd.concat([steady, bulk]))), "cadence")
    assert panel.set_apart >= 30
    assert not np.isin(panel.client, range(30)).any()  # their ids come first


def test_a_gap_in_the_records_makes_nobody_leave(steady, tmp_path):
    day = steady["order_date"] - pd.Timestamp(START)
    gap = (day >= pd.Timedelta(days=500)) & (day < pd.Timedelta(days=560))
    for name in ("cadence", "silence"):
        whole = build(opened(write_source(tmp_path / "whole", steady)), name)
        torn = build(opened(write_source(tmp_path / "torn", steady[~gap])), name)
        assert (torn.onset >= 0).mean() <= (whole.onset >= 0).mean() + 0.02


def test_what_a_client_brought_before_it_came_back_is_not_its_year_since():
    """A spell of three months is scaled to a year; an earlier one in that year does not add up."""
    rate = np.full((200, MONTHS), 4.0)
    rate[0, 13:17], rate[0, 21:] = 0, 0
    known = book(order_days(rate, seed=3, regular=4), MONTHS)
    panel = build(known, "silence")
    first, second = np.flatnonzero(panel.client == 0)
    assert panel.onset[second] >= 19
    revenue = np.where(known.activity.orders > 0, 100.0, 0.0)[panel.client]  # a month with orders
    a_year = panel.yearly(revenue)
    assert a_year[first] == pytest.approx(1200, rel=0.15)
    assert a_year[second] <= 1200


def test_late_comers_are_at_risk_only_once_established(steady, tmp_path):
    late = steady["client_id"] < "C0100"
    first = pd.Timestamp(START) + pd.DateOffset(months=15)
    rows = steady[~late | (steady["order_date"] >= first)]
    panel = build(opened(write_source(tmp_path, rows)), "cadence")
    theirs = panel.client < 100
    assert (panel.entry[theirs] >= 15).all()
    assert not panel.known_from_start[theirs].any()
    assert not panel.at_risk[theirs][:, :16].any()
    assert panel.known_from_start[~theirs].mean() > 0.7


def test_the_age_of_clients_whose_signup_is_on_record_is_known(steady, tmp_path):
    """Of those who order from the start: some signed up just then, some are said to have later."""
    ids = sorted(steady["client_id"].unique())
    first = steady.groupby("client_id")["order_date"].min()[ids]
    days = pd.Series(first.to_numpy())
    days[100:200] = pd.Timestamp(START) + pd.DateOffset(months=20)
    days[200:] = pd.NaT
    clients = pd.DataFrame({"client_id": ids, "signup_date": days})
    panel = build(opened(write_source(tmp_path, steady, clients=clients)), "cadence")
    start = (panel.activity.first < 3) & (panel.entry < 3)
    on_record, later, none = (
        panel.known_from_start[start & (panel.client >= low) & (panel.client < low + 100)]
        for low in (0, 100, 200)
    )
    assert not on_record.any()
    assert later.all()
    assert none.all()


def test_found_less_expected_averages_nought_where_nothing_changes():
    """The posterior neither invents nor misses departures, period by period, recent ones too."""
    rng = np.random.default_rng(4)
    rate = np.repeat(rng.gamma(4, 0.6, (3000, 1)).clip(0.5), MONTHS, axis=1)
    leaves = rng.random(rate.shape) < 0.01
    gone = np.cumsum(leaves, axis=1) - 0.5 * leaves
    panel = build(book(order_days(rate * (1 - gone).clip(0, 1), seed=7), MONTHS), "cadence")
    total, there = panel.found.sum(axis=0), panel.active.sum(axis=0)
    hazard = total.sum() / there.sum()
    usable = there > 500
    z = (total - hazard * there)[usable] / np.sqrt(hazard * there[usable])
    assert abs(hazard - 0.01) < 0.0025
    assert np.abs(z).max() < 4.5
    assert abs(z[-6:].mean()) < 1.5


def test_the_same_orders_give_the_same_bytes(steady, tmp_path):
    folder = write_source(tmp_path, steady)
    shuffled = write_source(tmp_path / "shuffled", steady.sample(frac=1, random_state=0))
    a, b = build(opened(folder), "cadence"), build(opened(shuffled), "cadence")
    assert a.found.tobytes() == b.found.tobytes()


def burst(rate: np.ndarray, months: int) -> np.ndarray:
    """Turn the first hundred clients into buyers of one purchase, split over a month."""
    rate = rate.copy()
    rate[:100] = 0
    at = 4 + np.arange(100) % (months - 10)
    rate[np.arange(100), at] = 6.0
    return rate


@pytest.mark.parametrize("name", ["cadence", "silence"])
def test_one_purchase_split_over_many_orders_makes_no_client(name):
    rate = burst(np.full((500, MONTHS), 2.0), MONTHS)
    known = book(order_days(rate, seed=8), MONTHS)
    panel = build(known, name)
    ids = known.data.clients["client_id"].to_numpy()[panel.client]
    assert not (ids < 100).any()
    assert panel.set_apart >= 95


def test_a_fall_before_a_client_was_one_is_not_taken_for_a_later_one():
    """Who fades from its second month on is no departure of the months after it."""
    rng = np.random.default_rng(4)
    rate = np.repeat(rng.gamma(4, 0.6, (600, 1)).clip(1), MONTHS, axis=1)
    at = rng.integers(3, 20, 200)
    since = np.arange(MONTHS) - at[:, None]
    rate[:200] = np.select([since < 0, since < 1, since < 4], [0, 8.0, 1.0], 0.02)
    known = book(order_days(rate, seed=9), MONTHS)
    panel = build(known, "cadence")
    ids = known.data.clients["client_id"].to_numpy()[panel.client]
    early = panel.found[ids < 200].sum()
    assert early < 0.5 * np.unique(panel.client[ids < 200]).size


def test_records_missing_for_one_branch_are_no_departures():
    rate = np.full((600, MONTHS), 2.5)
    orders = order_days(rate, seed=10)
    branch = np.where(np.arange(600) < 200, "east", "west")
    missing = (orders["client"] < 200) & orders["month"].isin([16, 17])
    attributes = pd.DataFrame({"branch": pd.Categorical(branch)})
    known = book(orders[~missing].reset_index(drop=True), MONTHS, attributes)
    east = build(known, "cadence").found[:200]
    blind = book(orders[~missing].reset_index(drop=True), MONTHS)
    assert east.sum() < 5
    assert build(blind, "cadence").found[:200].sum() > 2 * east.sum()
