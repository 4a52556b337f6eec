"""How drivers are measured, and the roles that the config gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from order_histories import START, as_source, order_days, write_source

from churnlens.config import parse
from churnlens.panel import open_book
from churnlens.panel.exposures import BEYOND
from churnlens.tables import open_source

MONTHS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A steady book with an order measure and two kinds of events."""
    rng = np.random.default_rng(3)
    orders = as_source(order_days(np.full((60, MONTHS), 1.5), seed=3))
    orders["delivery_delay_days"] = rng.exponential(2, len(orders)).round(1)
    events = pd.DataFrame(
        {
            "client_id": rng.choice(sorted(orders["client_id"].unique()), 400),
            "event_date": pd.Timestamp(START) + pd.to_timedelta(rng.integers(0, 800, 400), "D"),
            "event_type": rng.choice(["visit", "satisfaction"], 400),
        }
    )
    return write_source(tmp_path_factory.mktemp("roles"), orders, events=events)


def opened(folder, **drivers):
    settings = parse({"drivers": drivers}, "churnlens.toml")
    return open_book(open_source(folder, settings, None), settings)


def roles(book):
    return {e.driver: e.role for e in book.exposures}


def test_a_measure_of_returns_alone_is_said_not_to_be_recorded(tmp_path):
    orders = as_source(order_days(np.full((20, MONTHS), 1.5), seed=3))
    back = np.arange(len(orders)) % 9 == 0
    orders["amount"] = np.where(back, -5.0, 10.0)
    orders["refund_days"] = np.where(back, 3.0, np.nan)
    book = opened(write_source(tmp_path, orders))
    assert book.exposures == ()
    (said,) = (s for s in book.skipped if s.code == "unrecorded_driver")
    assert said.reason == "No order has a value of refund days, so nothing can be said of it."


def test_a_measure_that_never_differs_is_set_aside_with_a_reason(tmp_path):
    orders = as_source(order_days(np.full((20, MONTHS), 1.5), seed=3))
    book = opened(write_source(tmp_path, orders.assign(terms=30.1)))
    assert book.exposures == ()
    (said,) = (s for s in book.skipped if s.code == "constant_driver")
    assert said.reason == "terms is the same in every order: nothing can be learnt from it."


def test_every_recorded_driver_is_a_candidate(folder):
    assert roles(opened(folder)) == {
        "delivery_delay_days": "candidate",
        "visit": "candidate",
        "satisfaction": "candidate",
    }


@pytest.mark.parametrize("role", ["outcome", "ignore"])
def test_an_outcome_is_no_driver(folder, role):
    book = opened(folder, satisfaction=role, delivery_delay_days=role)
    assert set(roles(book)) == {"visit"}


def test_a_negative_control_is_known_as_one(folder):
    assert roles(opened(folder, visit="negative_control"))["visit"] == "negative_control"


def test_an_event_that_hardly_any_client_had_is_said_to_be_too_rare(tmp_path):
    orders = as_source(order_days(np.full((20, MONTHS), 3.0), seed=5))
    folder = write_source(tmp_path, orders)
    ids = sorted(set(orders["client_id"]))
    rows = [(c, "visit") for c in ids[:5]] + [(c, "fair") for c in ids[:4] * 3]
    lines = "".join(f"{c},{orders['order_date'].max():%Y-%m-%d},{kind}\n" for c, kind in rows)
    (folder / "events.csv").write_text("client_id,event_date,event_type\n" + lines)
    book = opened(folder)
    assert set(roles(book)) == {"visit"}
    (why,) = (s for s in book.skipped if s.code == "rare_driver")
    assert str(why.text) == (
        "fair was recorded for fewer than 5 clients in all: too few to say what it does."
    )


# --- the far tail of an order measure -------------------------------------------------------------


@pytest.fixture(scope="module")
def tailed(tmp_path_factory):
    """Orders whose delay is even but for a few, and the same with the worst fivefold for some."""
    rng = np.random.default_rng(5)
    orders = as_source(order_days(np.full((120, MONTHS), 3.0), seed=5))
    orders["delay"] = rng.gamma(4, 0.5, len(orders)).round(2)
    orders["late"] = (rng.random(len(orders)) < 0.2).astype(int)
    orders["steady"] = 7.0
    return orders, write_source(tmp_path_factory.mktemp("tails"), orders)


def test_the_far_tail_of_a_measure_is_a_share_of_orders(tailed):
    orders, folder = tailed
    book = opened(folder)
    (tail,) = book.sides  # a yes or no, and what never changes, have no tail beside their mean
    assert (tail.driver, tail.measure) == ("delay", BEYOND)
    assert tail.limit == pytest.approx(orders["delay"].quantile(0.975), rel=0.05)
    month = orders["order_date"].dt.to_period("M").rank(method="dense").astype(int) - 1
    share = (orders["delay"] > tail.limit).groupby([orders["client_id"], month]).mean()
    row = {c: i for i, c in enumerate(book.data.clients["client_id"])}
    for (client, period), value in share.items():
        assert tail.values[row[client], period] == pytest.approx(value)
    assert np.isnan(tail.values).sum() == tail.values.size - len(share)  # missing is not zero


def test_the_tail_of_a_driver_that_is_none_is_none(tailed):
    assert opened(tailed[1], delay="ignore").sides == ()
    (tail,) = opened(tailed[1], delay="negative_control").sides
    assert tail.role == "negative_control"
