"""Client-months as an analyst would make them from the files, with pandas alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Months:
    """A book of n clients over T months."""

    start: pd.Period
    clients: pd.DataFrame  # n rows; text attributes
    orders: np.ndarray  # n × T
    amount: np.ndarray  # n × T
    drivers: dict[str, np.ndarray]  # n × T, carried forward where a month has no order
    first: np.ndarray  # month of the first order
    last: np.ndarray  # month of the last order
    gap: np.ndarray  # median days between orders

    @property
    def span(self) -> int:
        """How many months."""
        return self.orders.shape[1]

    def date(self, month: float) -> str:
        """First day of a month by its number."""
        return str((self.start + int(month)).start_time.date())

    def members(self, scope: dict[str, tuple[str, ...]]) -> np.ndarray:
        """Who is in a segment."""
        inside = np.ones(len(self.clients), dtype=bool)
        for attribute, values in scope.items():
            inside &= self.clients[attribute].isin(values).to_numpy()
        return inside


def read(folder: Path) -> Months:
    """Make client-months from a folder."""
    path = next(folder.glob("orders.*"))
    orders = (
        pd.read_parquet(path)
        if path.suffix == ".parquet"
        else pd.read_csv(path, dtype={"client_id": str})
    )
    orders = orders[orders["amount"] > 0].copy()
    orders["order_date"] = pd.to_datetime(orders["order_date"])
    clients = pd.read_csv(folder / "clients.csv", dtype={"client_id": str})
    clients = clients[clients["client_id"].isin(orders["client_id"])].reset_index(drop=True)
    start = orders["order_date"].min().to_period("M")
    span = (orders["order_date"].max().to_period("M") - start).n + 1
    row = pd.Index(clients["client_id"]).get_indexer(orders["client_id"])
    month = _number(orders["order_date"], start)
    shape = (len(clients), span)
    count = _sum(row, month, np.ones(len(orders)), shape)
    first = np.where(count > 0, np.arange(span), span).min(1)
    last = np.where(count > 0, np.arange(span), -1).max(1)
    gaps = orders.sort_values("order_date").groupby("client_id")["order_date"].diff().dt.days
    gap = gaps.groupby(orders["client_id"]).median().reindex(clients["client_id"]).fillna(60)
    return Months(
        start=start,
        clients=clients[_text_columns(clients)],
        orders=count,
        amount=_sum(row, month, orders["amount"].to_numpy(float), shape),
        drivers=_measures(orders, row, month, shape) | _events(folder, clients, start, shape),
        first=first,
        last=last,
        gap=gap.to_numpy(float),
    )


def _number(dates: pd.Series, start: pd.Period) -> np.ndarray:
    return ((dates.dt.year - start.year) * 12 + dates.dt.month - start.month).to_numpy()


def _sum(
    row: np.ndarray, month: np.ndarray, value: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    flat = np.bincount(row * shape[1] + month, weights=value, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def _text_columns(clients: pd.DataFrame) -> list[str]:
    known = {"client_id", "signup_date", "closed_on", "closed_reason"}
    return [c for c in clients.columns if c not in known and clients[c].dtype == object]


def _measures(
    orders: pd.DataFrame, row: np.ndarray, month: np.ndarray, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    known = {"order_id", "client_id", "order_date", "amount", "margin", "quantity", "category"}
    made = {}
    for name in [c for c in orders.columns if c not in known]:
        value = orders[name].to_numpy(float)
        there = ~np.isnan(value)
        total = _sum(row[there], month[there], value[there], shape)
        count = _sum(row[there], month[there], np.ones(there.sum()), shape)
        mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
        made[name] = pd.DataFrame(mean).ffill(axis=1).bfill(axis=1).fillna(0).to_numpy()
    return made


def _events(
    folder: Path, clients: pd.DataFrame, start: pd.Period, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    events = pd.read_csv(folder / "events.csv", dtype={"client_id": str})
    events["event_date"] = pd.to_datetime(events["event_date"])
    row = pd.Index(clients["client_id"]).get_indexer(events["client_id"])
    month = _number(events["event_date"], start)
    there = (row >= 0) & (month >= 0) & (month < shape[1])
    made = {}
    for name in sorted(events["event_type"].unique()):
        mine = there & (events["event_type"] == name).to_numpy()
        made[name] = _sum(row[mine], month[mine], np.ones(mine.sum()), shape)
    return made
