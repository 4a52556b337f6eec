"""Which segments can a client belong to? Text attributes, and numeric ones in bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens import bands
from churnlens.results import Skipped, Text
from churnlens.tables import Tables
from churnlens.tables.model import VALUE_TIER, scope_values

Array = npt.NDArray[Any]

MOST_VALUES = 24  # an attribute keeps this many values; the rarest are pooled
SMALLEST = 5  # clients below which a value is pooled
POOLED = "other"
UNKNOWN = "unknown"
MOST_BANDS, A_BAND = 10, 20  # bands of a numeric attribute, and clients to a band


def client_attributes(
    tables: Tables, clients: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[Skipped, ...]]:
    """Return the attributes of each client with orders, as categorical columns in code order.

    Text values with fewer than five clients are pooled as "other", and so are those beyond the
    commonest 24 that no remedy is meant for; blanks are "unknown". Numeric attributes are cut into
    about tenths, which the scan joins to wider bands as the data have it. An attribute with nearly
    a value per client, or with one value only, is refused and said so.
    """
    raw = _raw(tables, clients)
    kept, skipped = {}, []
    for name in map(str, raw):
        numeric = name in tables.numeric_attributes
        column = _banded(raw[name]) if numeric else _pooled(raw[name], _meant(tables, name))
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
        orders = tables.orders.select("client_id", value=name).drop_null("value")
        counts = orders.group_by("client_id", "value").aggregate(lines=orders.count())
        rows = counts.order_by("client_id", "lines", "value").to_pandas()
        usual = rows.groupby("client_id")["value"].last()  # the value of most of its orders
        frame[name] = frame["client_id"].map(usual)
    return frame.drop(columns="client_id")


def _meant(tables: Tables, name: str) -> frozenset[str]:
    """Values of an attribute that a remedy is meant for: pooled, nobody would be in its scope."""
    if tables.remedies is None or name not in tables.remedies.columns:
        return frozenset()
    return frozenset(v for scope in tables.remedies[name].dropna() for v in scope_values(scope))


def _pooled(column: pd.Series[Any], kept: frozenset[str] = frozenset()) -> pd.Series[Any]:
    text = column.astype("string").fillna(UNKNOWN)
    counts = text.value_counts()
    counts = counts.loc[sorted(counts.index, key=lambda v: (-counts[v], v))]
    large = [v for v in counts.index if counts[v] >= SMALLEST]
    common = [v for i, v in enumerate(large) if i < MOST_VALUES or v in kept]
    return text.where(text.isin(common), POOLED).astype(str).astype("category")


def _banded(column: pd.Series[Any]) -> pd.Series[Any]:
    values = pd.to_numeric(column, errors="coerce")
    known = values.dropna().to_numpy(dtype=float)
    count = min(MOST_BANDS, len(known) // A_BAND)
    cuts = bands.edges(known, count) if count > 1 else np.zeros(0)
    if not len(cuts):
        return _pooled(column.astype("string"))
    cut = pd.cut(values, [-np.inf, *cuts.tolist(), np.inf], labels=bands.names(cuts.tolist()))
    return cut.cat.add_categories(UNKNOWN).fillna(UNKNOWN).cat.remove_unused_categories()


def _refusal(name: str, raw: pd.Series[Any], column: pd.Series[Any], numeric: bool) -> Text | None:
    shown = {"attribute": name}
    if name == VALUE_TIER:
        return Text(
            "The attribute {attribute} has the name of the value tiers worked out from the orders "
            "and is not used. Rename the column to have it as a segment.",
            shown,
        )
    if not numeric and value_per_client(raw.nunique(), len(raw)):
        return Text(
            "The attribute {attribute} has nearly a value per client and cannot be a segment.",
            shown,
        )
    if column.nunique() < 2:
        return Text("The attribute {attribute} has one value only and cannot part clients.", shown)
    return None


def value_per_client(values: int, clients: int) -> bool:
    """Return whether an attribute has so many values that it names clients, not kinds of them."""
    return values > max(50, clients / 5)
