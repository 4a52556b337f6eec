"""Can this source be used? Opens it, checks the contract in the engine, keeps what is sound."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from churnlens.config import Settings
from churnlens.errors import ContractError
from churnlens.results import RowCounts
from churnlens.tables import columns as cols
from churnlens.tables.contract import FAILED, Column, Staged, stage
from churnlens.tables.delimited import ROW
from churnlens.tables.model import Tables
from churnlens.tables.reading import Raw, read
from churnlens.tables.sources import Place, locate


def open_source(source: Path | str, settings: Settings, as_of: dt.date | None = None) -> Tables:
    """Open a source and check the contract.

    Parameters
    ----------
    source
        A folder with `orders.*` and its companions, a `churnlens.toml`, one data file of orders,
        or an Ibis connection URL such as `duckdb:///shop.db`.
    settings
        File or table names, column mappings and formats.
    as_of
        Nothing dated later is used; none: the last order date.

    Returns
    -------
    Tables
        Accepted rows as Ibis expressions, counts and rejects.

    Raises
    ------
    ContractError
        When the source cannot be used at all; names the file, the column and the remedy.
    """
    places = locate(source, settings)
    connection = connect(settings)
    raws = {
        name: read(connection, place, getattr(settings, name), name)
        for name, place in places.items()
    }
    return _checked(connection, raws, settings, as_of or settings.as_of)


def connect(settings: Settings) -> Any:
    """Open the engine: DuckDB in memory, spilling to the system's temporary folder."""
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET preserve_insertion_order = false")
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


def _checked(
    connection: Any, raws: dict[str, Raw], settings: Settings, as_of: dt.date | None
) -> Tables:
    orders, measures = _stage_orders(connection, raws["orders"], settings)
    first, last = _span(orders)
    as_of = as_of or last
    rows = {"orders": _counts(orders, orders.table.order_date > as_of)}
    return Tables(
        connection=connection,
        orders=_dated(orders, "order_date", as_of),
        clients=None,
        events=None,
        remedies=None,
        measures=measures,
        attributes=(),
        numeric_attributes=(),
        orders_attributes=settings.orders.attributes,
        rows=rows,
        rejects={"orders": orders.refused},
        as_of=as_of,
        first_date=first,
    )


def _stage_orders(
    connection: Any, raw: Raw, settings: Settings
) -> tuple[Staged, tuple[str, ...]]:
    chosen = settings.orders
    mapped = cols.match(raw, "orders", chosen)
    measures = cols.measures(mapped, settings)
    columns = [cols.fixed_column(raw, "orders", key, mapped, chosen) for key in mapped.fixed]
    columns = [_numbered(column, raw) for column in columns]
    if "order_id" not in mapped.fixed:
        columns.append(Column("order_id", raw.table[ROW].cast("string")))
    columns.append(_is_return(raw, columns, settings))
    columns += [cols.number_column(raw, name, chosen) for name in measures]
    columns += [cols.text_column(raw, name) for name in chosen.attributes]
    return stage(connection, raw, "orders", columns), measures


def _numbered(column: Column, raw: Raw) -> Column:
    """Let an order line without an order number stand for itself."""
    if column.name != "order_id":
        return column
    own = ibis.literal("row ") + raw.table[ROW].cast("string")
    return Column("order_id", column.value.coalesce(own), column.checks)


def _is_return(raw: Raw, columns: list[Column], settings: Settings) -> Column:
    amount = next(column.value for column in columns if column.name == "amount")
    returned: ir.BooleanValue = amount <= 0
    sign = settings.orders.returns
    if sign is not None:
        cols.require_column(raw, sign.column, "[orders.returns] column names it")
        text = raw.table[sign.column].cast("string").strip()
        if sign.starts_with is not None:
            returned = returned | text.startswith(sign.starts_with).fill_null(False)
        if sign.equals is not None:
            returned = returned | (text == sign.equals).fill_null(False)
    return Column("is_return", returned)


def _span(orders: Staged) -> tuple[dt.date, dt.date]:
    kept = orders.kept
    span = kept.aggregate(first=kept.order_date.min(), last=kept.order_date.max())
    seen = span.to_pyarrow().to_pylist()[0]
    if seen["first"] is None:
        raise ContractError(f"{orders.label} has no row that can be used.")
    return seen["first"], seen["last"]


def _dated(staged: Staged, column: str, as_of: dt.date) -> ibis.Table:
    kept = staged.kept
    return kept.filter(kept[column] <= as_of).select(*staged.columns)


def _counts(staged: Staged, after: ir.BooleanValue) -> RowCounts:
    table = staged.table
    kept = table[FAILED].isnull()
    counted = table.aggregate(
        read=table.count(),
        kept=kept.sum().fill_null(0),
        after=(kept & after.fill_null(False)).sum().fill_null(0),
    )
    seen = counted.to_pyarrow().to_pylist()[0]
    lost = 0 if staged.malformed is None else int(staged.malformed.count().to_pyarrow().as_py())
    return RowCounts(
        read=seen["read"] + lost,
        accepted=seen["kept"] - seen["after"],
        rejected=seen["read"] - seen["kept"] + lost,
        after_as_of=seen["after"],
    )
