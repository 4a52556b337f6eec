"""Order books with a known truth: drawn by rates a month, or written as a source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from churnlens.panel import Book
from churnlens.panel.activity import Activity, measure
from churnlens.panel.periods import Baskets, Calendar, ClientPeriods, baskets_of, calendar

START = dt.date(2021, 4, 1)


def months_from(count: int) -> Calendar:
    end = (pd.Timestamp(START) + pd.DateOffset(months=count)).date() - dt.timedelta(days=1)
    return calendar("month", START, end)


def order_days(rate: np.ndarray, seed: int, regular: np.ndarray | float = 1.0) -> pd.DataFrame:
    """Draw order days (client, day, month, amount, category) from orders expected by month.

    Gaps on each client's own clock are gamma with shape `regular`: 1 orders at random, 10 like
    clockwork. Clients buy from three categories, three in five orders from the first of them.
    """
    rng = np.random.default_rng(seed)
    cal = months_from(rate.shape[1])
    days = np.arange(np.datetime64(START), np.datetime64(cal.starts[-1]) + 31)
    month = (days.astype("datetime64[M]") - np.datetime64(START, "M")).astype(int)
    days, month = days[month < rate.shape[1]], month[month < rate.shape[1]]
    clock = np.cumsum((rate / np.bincount(month))[:, month], axis=1)
    shape = np.broadcast_to(np.asarray(regular, float), len(rate))[:, None]
    gaps = rng.gamma(shape, 1 / shape, (len(rate), int(clock[:, -1].max() * 2) + 20))
    due = np.cumsum(gaps, axis=1) - gaps[:, :1] * rng.random((len(rate), 1))
    client, nth = np.nonzero(due < clock[:, -1:])
    apart = clock.max() + 1
    flat = (clock + apart * np.arange(len(rate))[:, None]).ravel()
    at = np.searchsorted(flat, due[client, nth] + apart * client) - client * clock.shape[1]
    at = at.clip(0, len(days) - 1)
    orders = pd.DataFrame({"client": client, "day": days[at], "month": month[at]})
    orders = orders.drop_duplicates(["client", "day"], ignore_index=True)
    amount = rng.lognormal(4, 0.4, len(orders))
    category = (orders["client"] + rng.choice(3, len(orders), p=[0.6, 0.25, 0.15])) % 6
    return orders.assign(amount=amount, category=category)


def data_of(orders: pd.DataFrame, months: int) -> ClientPeriods:
    """Aggregate order days as the engine does."""
    by_client = orders.groupby("client")
    gap = by_client["day"].diff().dt.days
    before = gap.groupby(orders["client"]).shift()
    orders = orders.assign(lv=3 * ((gap - before) / (gap + before)) ** 2)
    clients = orders.groupby("client").agg(
        first=("day", "min"),
        last=("day", "max"),
        days=("day", "size"),
        local_variation=("lv", "mean"),
        mean_day=("amount", "mean"),
        amount_cv2=("amount", lambda a: a.var() / a.mean() ** 2),
    )
    row = clients.index.get_indexer(orders["client"])
    counts, volume = np.zeros((2, len(clients), months), np.float32)
    np.add.at(counts, (row, orders["month"]), 1)
    np.add.at(volume, (row, orders["month"]), orders["amount"])
    clients = clients.rename_axis("client_id").reset_index()
    cal, held = months_from(months), baskets(orders, row, volume)
    return ClientPeriods(None, cal, clients, counts, volume, volume, None, {}, held)


def baskets(orders: pd.DataFrame, row: np.ndarray, volume: np.ndarray) -> Baskets:
    """Return order days by client and category, where there are six or more."""
    keys = ["client", "category"]
    rows = orders.assign(client=row, days=1).groupby([*keys, "month"])
    rows = rows[["days", "amount"]].sum().reset_index()
    rows = rows[rows.groupby(keys)["days"].transform("sum") >= 6]
    columns = [rows[name].to_numpy() for name in (*keys, "month", "days", "amount")]
    return baskets_of(*columns[:3], (columns[3], columns[4]), volume)


def activity(orders: pd.DataFrame, months: int) -> Activity:
    data = data_of(orders, months)
    nobody = np.full(len(data.clients), months)
    return measure(data, pd.DataFrame(index=data.clients.index), nobody)


def book(orders: pd.DataFrame, months: int, attributes: pd.DataFrame | None = None) -> Book:
    """Return a book as `open_book` makes it, of clients that all ordered."""
    data = data_of(orders, months)
    count = len(data.clients)
    nobody = np.full(count, months)
    if attributes is None:
        attributes = pd.DataFrame(index=data.clients.index)
    act = measure(data, attributes, nobody)
    tiers = np.full((count, months), -1, np.int8)
    undated = np.zeros(count, bool)
    return Book(data.calendar, data, act, attributes, tiers, (), (), act.first, undated, nobody, ())


def cut_off(orders: pd.DataFrame, months: int) -> pd.DataFrame:
    """Return what was known after so many months."""
    return orders[orders["month"] < months]


def by_client(activity: Activity, spells: object, count: int) -> np.ndarray:
    """Return each client's first onset, T where there is none; row numbers as in the activity."""
    onset = np.where(spells.onset >= 0, spells.onset, activity.orders.shape[1])
    first = np.full(count, activity.orders.shape[1])
    np.minimum.at(first, spells.client, onset)
    return first


def write_source(folder: Path, orders: pd.DataFrame, **companions: pd.DataFrame) -> Path:
    """Write orders (client_id, order_date, amount, …) and companions as a source folder."""
    folder.mkdir(parents=True, exist_ok=True)
    orders.to_parquet(folder / "orders.parquet", index=False)
    for name, rows in companions.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def as_source(orders: pd.DataFrame) -> pd.DataFrame:
    """Return order days with the columns of the contract."""
    ids = "C" + orders["client"].astype(str).str.zfill(4)
    category = "range " + orders["category"].astype(str)
    rows = orders.assign(client_id=ids, order_date=orders["day"], category=category)
    return rows[["client_id", "order_date", "amount", "category"]]
