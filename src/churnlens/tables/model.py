"""What does the tables room hand on? Accepted rows, what was refused, and the sum of both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnlens.results import DataFinding, RowCounts

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from churnlens.tables.renumbering import Renumbering

TABLE_NAMES = ("orders", "clients", "events", "remedies")
RETURN = "__return"  # whether an order line is a return; no column of a source begins so
VALUE_TIER = "value_tier"  # the one attribute that no table holds: the panel works it out
VALUE_TIERS = (
    "top fifth",
    "middle",
    "bottom fifth",
    "costs more than it brings",
    "large without margin",
    "only at a discount",
)


@dataclass(frozen=True)
class Tables:
    """The four tables after the contract's checks, as they stood on `as_of`.

    Attributes
    ----------
    connection
        The Ibis backend that computes (DuckDB unless another engine was asked for).
    orders
        Accepted rows dated on or before `as_of`: client_id (string), order_date (date), order_id
        (string), amount (float64, currency), `RETURN` (boolean), where the source has them
        margin (float64), category (string), quantity (float64), then one float64 column a measure
        and one string column for each of `orders_attributes`.
    clients
        client_id, where the source has them signup_date and closed_on (date), closed_reason
        (string), then attributes (string) and numeric attributes (float64); one row a client.
    events
        client_id, event_date (date), event_type (string), value (float64), level (string).
    remedies
        action, start_date, end_date, issue_id, owner, then scope columns (strings, several values
        parted by `|`, None = everyone).
    measures
        Numeric columns of `orders` that are candidate drivers.
    attributes, numeric_attributes
        Columns that describe a client; `attributes` includes `orders_attributes`.
    rows
        For each table, read = accepted + rejected + after_as_of.
    rejects
        For each table, (file, row, column, value, reason), one row a refused row.
    ends_on
        The last day that the orders cover; None: it is `as_of`.
    renumbered
        Clients who seem to have been given new ids; None where there is no sign of it.
    """

    connection: Any
    orders: ibis.Table
    clients: ibis.Table | None
    events: ibis.Table | None
    remedies: pd.DataFrame | None
    measures: tuple[str, ...]
    attributes: tuple[str, ...]
    numeric_attributes: tuple[str, ...]
    orders_attributes: tuple[str, ...]
    rows: Mapping[str, RowCounts]
    rejects: Mapping[str, ibis.Table]
    as_of: dt.date
    first_date: dt.date
    findings: tuple[DataFinding, ...] = field(default=())
    ends_on: dt.date | None = None
    renumbered: Renumbering | None = None


def scope_values(written: str) -> tuple[str, ...]:
    """Return the values that a remedy's scope names: several are parted by `|`."""
    return tuple(part.strip() for part in written.split("|") if part.strip())
