"""Which segments can a client belong to? Text attributes, numeric ones in bands, value tiers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.panel.periods import Calendar, ClientPeriods
from churnlens.results import Skipped, Text
from churnlens.tables import Tables

Array = npt.NDArray[Any]

MOST_VALUES = 24  # an attribute keeps this many values; the rarest are pooled
SMALLEST = 5  # clients below which a value is pooled
POOLED = "other"
UNKNOWN = "unknown"
BANDS = 4
TIER = "value_tier"
TIERS = ("top fifth", "middle", "bottom fifth", "costs more than it brings")


def client_attributes(
    tables: Tables, clients: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[Skipped, ...]]:
    """Return the attributes of each client with orders, as categorical columns in code order.

    Text values with fewer than five clients are pooled as "other", blanks are "unknown"; numeric
    attributes are cut at their quartiles. An attribute with nearly a value per client, or with
    one value only, is refused and said so.
    """
    raw = _raw(tables, clients)
    kept, skipped = {}, []
    for name in map(str, raw):
        numeric = name in tables.numeric_attributes
        column = _banded(raw[name]) if numeric else _pooled(raw[name])
        reason = _refusal(name, raw[name], column, numeric)
        if reason:
            skipped.append(Skipped("attribute", str(reason), reason))
        else:
            kept[name] = column
    return pd.DataFrame(kept, index=clients.index), tuple(skipped)


def _raw(tables: Tables, clients: pd.DataFrame) -> pd.DataFrame:
    frame = clients[["client_id"]].copy()
    if tables.clients is not None:
        names = [
            n
            for n in (*tables.attributes, *tables.numeric_attributes)
            if n in tables.clients.columns
        ]
        rows = tables.clients.select("client_id", *names).to_pandas()
        frame = frame.merge(rows, on="client_id", how="left")
    for name in tables.orders_attributes:
        counts = (
            tables.orders.drop_null(name)
            .group_by("client_id", name)
            .aggregate(n=lambda rows: rows.count())
            .order_by("client_id", "n", name)
            .to_pandas()
        )
        usual = counts.groupby("client_id")[name].last()  # the value of most of its orders
        frame[name] = frame["client_id"].map(usual)
    return frame.drop(columns="client_id")


def _pooled(column: pd.Series[Any]) -> pd.Series[Any]:
    text = column.astype("string").fillna(UNKNOWN)
    counts = text.value_counts()
    counts = counts.loc[sorted(counts.index, key=lambda v: (-counts[v], v))]
    common = [v for i, v in enumerate(counts.index) if counts[v] >= SMALLEST and i < MOST_VALUES]
    return text.where(text.isin(common), POOLED).astype(str).astype("category")


def _banded(column: pd.Series[Any]) -> pd.Series[Any]:
    values = pd.to_numeric(column, errors="coerce")
    known = values.dropna().to_numpy(dtype=float)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BANDS + 1))) if len(known) else known
    if len(edges) < 3:
        return _pooled(column.astype("string"))
    labels = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    cut = pd.cut(values, edges.tolist(), labels=labels, include_lowest=True)
    return cut.cat.add_categories(UNKNOWN).fillna(UNKNOWN).cat.remove_unused_categories()


def _refusal(name: str, raw: pd.Series[Any], column: pd.Series[Any], numeric: bool) -> Text | None:
    shown = {"attribute": name}
    if not numeric and raw.nunique() > max(50, len(raw) / 5):
        return Text(
            "The attribute {attribute} has nearly a value per client and cannot be a segment.",
            shown,
        )
    if column.nunique() < 2:
        return Text("The attribute {attribute} has one value only and cannot part clients.", shown)
    return None


def value_tiers(data: ClientPeriods, cal: Calendar) -> Array:
    """Return each client's value tier at the start of each period, int8[n, T]; −1 without a past.

    From margin where it is given, else revenue, over the year before the period: the top fifth of
    clients by what they brought, the bottom fifth, the middle, and (with margin) those that cost
    more than they brought. Codes index `TIERS`. Nothing of the period itself or later is used.
    """
    worth = data.revenue if data.margin is None else data.margin
    running = np.concatenate(
        [np.zeros((len(worth), 1)), np.cumsum(worth, axis=1, dtype=np.float64)], axis=1
    )
    ordered = np.concatenate(
        [np.zeros((len(worth), 1)), np.cumsum(data.orders, axis=1, dtype=np.float64)], axis=1
    )
    tiers = np.full(worth.shape, -1, np.int8)
    for t in range(worth.shape[1]):
        back = max(0, t - cal.per_year)
        past = running[:, t] - running[:, back]
        known = ordered[:, t] - ordered[:, back] > 0
        if known.sum() >= 2 * SMALLEST:
            low, high = np.quantile(past[known], [0.2, 0.8])
            tier = np.where(past > high, 0, np.where(past <= low, 2, 1))
            tier = np.where((data.margin is not None) & (past < 0), 3, tier)
            tiers[known, t] = tier[known]
    return tiers
