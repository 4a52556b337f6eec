"""Can this source be used? Opens it, checks the contract in the engine, keeps what is sound."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis.common.exceptions import TranslationError

from churnlens.config import OrderSettings, Settings
from churnlens.errors import ConfigError, ContractError, first_line
from churnlens.results import DataFinding
from churnlens.tables import calendar, companions, quality, renumbering, returns, roles, written
from churnlens.tables import columns as cols
from churnlens.tables.contract import Column, Reading, Split, Staged, stage
from churnlens.tables.delimited import ROW
from churnlens.tables.model import RETURN, VALUE_TIER, Tables
from churnlens.tables.reading import Raw, read_all
from churnlens.tables.sources import locate

_STRAY_DAYS = 366  # between the last orders and the others
_STRAY_SHARE = 0.01  # of the rows, beyond so long a gap or before it
_STRAY_START = 3653  # days between the first orders and the others: a date such as 1900-01-01


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
    ConfigError
        When the engine cannot be opened, or cannot do what the checks need.
    """
    located = locate(source, settings)
    connection = connect(settings.engine)
    try:
        raws = read_all(connection, located, settings)
        return _checked(connection, raws, settings, as_of or settings.as_of)
    except TranslationError as error:
        if settings.engine is None:
            raise
        raise ConfigError(
            f"The engine {settings.engine} cannot do what the checks need ({first_line(error)}). "
            "Without one DuckDB computes."
        ) from error


def orders_placed(tables: Tables) -> int:
    """Return how many orders there are: lines of one client and order number are one.

    Returns are none. Numbers may begin anew with each branch, so they alone do not tell orders.
    """
    sales = tables.orders.filter(~tables.orders[RETURN])
    return int(sales.select("client_id", "order_id").distinct().count().to_pyarrow().as_py())


def connect(engine: str | None) -> Any:
    """Open the engine that computes: DuckDB in memory, or any Ibis connection URL.

    Raises
    ------
    ConfigError
        When the engine cannot be opened, or is one that cannot read what may be no number.
    """
    try:
        connection = ibis.connect(engine) if engine else ibis.duckdb.connect()
    except Exception as error:
        raise ConfigError(f"The engine {engine} cannot be opened: {first_line(error)}") from error
    if connection.name == "sqlite":
        raise ConfigError("SQLite can be a source, but not the --engine: it has no safe casts.")
    if connection.name == "duckdb":
        spill = Path(tempfile.gettempdir()) / f"churnlens-{os.getpid()}"
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql(f"SET temp_directory = '{spill}'")  # else `.tmp` where the user stands
    return connection


def _checked(
    connection: Any, raws: dict[str, Raw], settings: Settings, as_of: dt.date | None
) -> Tables:
    staged, measures, said = _stage_orders(connection, raws["orders"], settings)
    first, last = _span(staged, as_of)
    _refuse_stray_start(staged)
    if as_of is None:
        _refuse_stray(staged)
        as_of = last
    split = {"orders": Split(staged, "order_date", as_of)}
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    if "clients" in raws:
        clients, texts, numbers = companions.stage_clients(connection, raws["clients"], settings)
        dated = Split(clients, "signup_date", as_of)
        split["clients"], late = companions.signed_up(connection, dated, split["orders"].accepted)
        said = (*said, *late)
    if "events" in raws:
        events = companions.stage_events(connection, raws["events"], settings)
        split["events"] = Split(events, "event_date", as_of)
        companions.refuse_shared_names(split["events"], measures, staged.label)
    of_orders = tuple(n for n in settings.orders.attributes if n not in (*texts, *numbers))
    attributes = tuple(sorted((*texts, *of_orders)))
    if "remedies" in raws:
        known = (*attributes, *numbers, VALUE_TIER)
        remedies = companions.stage_remedies(connection, raws["remedies"], settings, known)
        split["remedies"] = Split(remedies, "start_date", as_of)
    tables = Tables(
        connection=connection,
        orders=split["orders"].accepted,
        clients=companions.clients_as_of(split.get("clients")),
        events=split["events"].accepted if "events" in split else None,
        remedies=companions.remedies_frame(split.get("remedies")),
        measures=measures,
        attributes=attributes,
        numeric_attributes=tuple(sorted(numbers)),
        orders_attributes=of_orders,
        rows={name: table.counts() for name, table in split.items()},
        rejects={name: table.staged.refused for name, table in split.items()},
        as_of=as_of,
        first_date=first,
    )
    tables = replace(tables, ends_on=calendar.covered_until(tables, last))
    of_roles = roles.findings(tables, settings, raws["orders"].columns)
    return _with_findings(tables, (*said, *of_roles))


def _with_findings(tables: Tables, said: tuple[DataFinding, ...]) -> Tables:
    """Tables with all that was found in them, warnings first."""
    moved = renumbering.renumbered(tables)
    found = (*said, *renumbering.findings(moved), *quality.findings(tables))
    ordered = tuple(sorted(found, key=lambda finding: finding.severity != "warning"))
    return replace(tables, findings=ordered, renumbered=moved)


def _stage_orders(
    connection: Any, raw: Raw, settings: Settings
) -> tuple[Staged, tuple[str, ...], tuple[DataFinding, ...]]:
    """Tag the orders; returns them with their measures and what was found in the other columns."""
    chosen = settings.orders
    mapped = cols.match(raw, "orders", chosen)
    unused = [
        name
        for name in mapped.text
        if name not in chosen.attributes and not cols.is_identifier(name)
    ]
    said = tuple(written.findings(raw.table, unused))  # the raw table is gone after this
    _check_attributes(raw, chosen)
    measures = cols.measures(mapped, settings)
    columns = [cols.fixed_column(raw, "orders", key, mapped, chosen) for key in mapped.fixed]
    if "order_id" not in mapped.fixed:
        columns.append(Column("order_id", (Reading(ROW, ibis.null("string")),)))
    columns += [cols.number_column(raw, name, chosen) for name in measures]
    for name in chosen.attributes:
        if name not in mapped.fixed:  # `category` may be an attribute too
            cols.require_column(raw, name, "[orders] attributes names it")
            columns.append(cols.text_column(raw, name))
    hidden = returns.sign(raw, chosen)
    derived = {"order_id": _order_number, **returns.derived(mapped.fixed, marked=bool(hidden))}
    said = (*said, *returns.findings(raw, hidden))
    return stage(connection, raw, "orders", [*columns, *hidden], derived), measures, said


def _check_attributes(raw: Raw, chosen: OrderSettings) -> None:
    """Refuse an attribute that is a column of the contract, but for the category."""
    taken = [n for n in chosen.attributes if n in cols.FIXED["orders"] and n != "category"]
    if taken:
        raise ContractError(
            f"[orders] attributes names '{taken[0]}' of {raw.label}, which has a meaning of its "
            "own: an attribute is a text column that says what kind of client it is."
        )


def _order_number(orders: ibis.Table) -> ir.StringValue:
    """Let an order line without an order number stand for itself."""
    return orders.order_id.coalesce(ibis.literal("row ") + orders[ROW].cast("string"))


def _span(orders: Staged, as_of: dt.date | None) -> tuple[dt.date, dt.date]:
    """Return the dates of the first order and of the last, up to `as_of` where there is one.

    Credit notes for what was bought before the data begin are no first order.

    Raises
    ------
    ContractError
        When no order can be used, all are returns, or all are dated after `as_of`.
    """
    kept = orders.kept
    span = kept.aggregate(
        first=kept.order_date.min(),
        last=kept.order_date.max(where=None if as_of is None else kept.order_date <= as_of),
        first_sale=kept.order_date.min(where=~kept[RETURN]),
    )
    seen = span.to_pyarrow().to_pylist()[0]
    if seen["first"] is None:
        raise ContractError(_nothing_usable(orders))
    if seen["first_sale"] is None:
        raise ContractError(
            f"{orders.label} has no order: in every row the amount is zero or below, or the row is "
            "marked as a return. Where sales are written with a minus or the amount stands in "
            "another column, say so under [orders] in churnlens.toml."
        )
    if as_of is not None and as_of < seen["first"]:
        raise ContractError(
            f"{orders.label}: as of {as_of} there was no order yet; the first is dated "
            f"{seen['first_sale']}. Choose a later --as-of."
        )
    if as_of is not None and as_of < seen["first_sale"]:
        raise ContractError(
            f"{orders.label}: up to {as_of} there are only returns; the first order is dated "
            f"{seen['first_sale']}. Choose a later --as-of."
        )
    return seen["first_sale"], seen["last"]


def _refuse_stray(orders: Staged) -> None:
    """Refuse to take the day of a few orders for today, where all others are long before it.

    A mistyped year would have every client leave; so would two of them.
    """
    days = _days(orders.kept)
    late = days["lines"][::-1].cumsum()[::-1]  # on this day or later
    few = (days["apart"] > _STRAY_DAYS) & (late <= _STRAY_SHARE * days["lines"].sum())
    if few.any():
        at = int(np.flatnonzero(few)[0])
        last, before = days["day"].iloc[-1].date(), days["day"].iloc[at - 1].date()
        others = "the one before it" if at == len(days) - 1 else f"all but {late[at]} rows"
        raise ContractError(
            f"{orders.label}: the last order_date, {last} in row {days['row'].iloc[-1]}, is "
            f"{(last - before).days:,} days after {others}. If it is mistyped, mend it or leave it "
            f"out with --as-of {before}; if it is right, say --as-of {last}."
        )


def _refuse_stray_start(orders: Staged) -> None:
    """Refuse to begin with the days of a few orders ten years before all others.

    Programs write 1900 or 1970 for no date; every period since would be looked through.
    """
    days = _days(orders.kept.filter(~orders.kept[RETURN]))
    early = days["lines"].cumsum().shift(fill_value=0)  # before this day
    few = (days["apart"] > _STRAY_START) & (early <= _STRAY_SHARE * days["lines"].sum())
    if few.any():
        at = int(np.flatnonzero(few)[-1])
        first, after = days["day"].iloc[0].date(), days["day"].iloc[at].date()
        others = f"the one after it ({early[at]} rows)" if at == 1 else f"all but {early[at]} rows"
        raise ContractError(
            f"{orders.label}: the first order_date, {first} in row {days['row'].iloc[0]}, is "
            f"{(after - first).days:,} days before {others}. It looks like a date that stands for "
            "none: mend these rows or leave them out."
        )


def _days(orders: ibis.Table) -> pd.DataFrame:
    """Days with an order: `day`, its `lines`, its first `row`, and how many days it is `apart`."""
    by_day = orders.group_by(day=orders.order_date).aggregate(
        lines=orders.count(), row=orders[ROW].min()
    )
    days: pd.DataFrame = by_day.order_by("day").to_pyarrow().to_pandas()
    days["day"] = pd.to_datetime(days["day"])
    return days.assign(apart=days["day"].diff().dt.days)


def _nothing_usable(orders: Staged) -> str:
    refused = orders.refused
    seen = refused.group_by("reason").aggregate(
        rows=refused.count(), row=refused.row.min(), value=refused.value.min()
    )
    worst = seen.order_by(seen.rows.desc(), seen.reason).limit(1).to_pyarrow().to_pylist()
    if not worst:
        return f"{orders.label} is empty: it has a header and no row of data."
    first = worst[0]
    example = f", for example '{first['value']}'" if first["value"] else ""
    return (
        f"{orders.label} has no row that can be used. {first['rows']} rows: {first['reason']}"
        f"{example}. See row {first['row']}; a date_format, decimal or column mapping under "
        "[orders] in churnlens.toml may mend it (`churnlens init` guesses them). A number has no "
        "currency sign and no mark of thousands."
    )
