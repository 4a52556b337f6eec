"""What stands beside the orders? Clients, events and remedies, under the same checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from churnlens.config import Settings, TableSettings
from churnlens.errors import ContractError, did_you_mean
from churnlens.results import DataFinding, Text
from churnlens.tables import columns as cols
from churnlens.tables.contract import Column, Reading, Split, Staged, stage
from churnlens.tables.delimited import ROW
from churnlens.tables.reading import Raw

if TYPE_CHECKING:
    import pandas as pd


def stage_clients(
    connection: Any, raw: Raw, settings: Settings
) -> tuple[Staged, tuple[str, ...], tuple[str, ...]]:
    """Tag the clients; returns them with their text and their numeric attributes.

    The first row of a client stands; later ones are refused.
    """
    chosen = settings.clients
    _check_named(raw, chosen.attributes, "[clients] attributes")
    mapped = cols.match(raw, "clients", chosen)
    _check_attributes(raw, chosen.attributes, mapped)
    columns = _fixed(raw, "clients", mapped, chosen)
    columns += [cols.text_column(raw, name) for name in mapped.text]
    columns += [cols.number_column(raw, name, chosen) for name in mapped.numeric]
    staged = stage(connection, raw, "clients", columns, unique="client_id")
    return staged, mapped.text, mapped.numeric


def signed_up(
    connection: Any, clients: Split, orders: ibis.Table
) -> tuple[Split, tuple[DataFinding, ...]]:
    """Return the clients without a signup later than an order of theirs up to `as_of`, and say so.

    Who orders is a client, whatever the date says: it is that of a new system, or mistyped, and the
    client would lose its attributes. `orders` are those accepted.
    """
    if "signup_date" not in clients.staged.columns:
        return clients, ()
    ordered = orders.select("client_id").distinct().client_id

    def late(table: ibis.Table) -> ir.BooleanValue:
        return (table.signup_date > clients.as_of).fill_null(False) & table.client_id.isin(ordered)

    count = int(clients.staged.kept.filter(late).count().to_pyarrow().as_py())
    if not count:
        return clients, ()
    table = clients.staged.table
    dated = table.mutate(signup_date=ibis.ifelse(late(table), ibis.null("date"), table.signup_date))
    kept = connection.create_table("clients_signed_up", dated, temp=True)
    text = Text(
        "{clients} clients ordered before they are said to have signed up, which is after {date}: "
        "that signup date is not used.",
        {"clients": count, "date": {"type": "day", "value": clients.as_of.isoformat()}},
    )
    found = DataFinding("late_signup", "warning", text, count)
    return replace(clients, staged=replace(clients.staged, table=kept)), (found,)


def stage_events(connection: Any, raw: Raw, settings: Settings) -> Staged:
    """Tag the events; `value` and `level` are null where the source has no such column."""
    mapped = cols.match(raw, "events", settings.events)
    columns = _fixed(raw, "events", mapped, settings.events)
    if "value" not in mapped.fixed:
        columns.append(_absent("value", "float64"))
    if "level" not in mapped.fixed:
        columns.append(_absent("level", "string"))
    return stage(connection, raw, "events", columns)


def refuse_shared_names(events: Split, measures: Sequence[str], orders: str) -> None:
    """Refuse an event type that is called as an order measure: the two would be one driver.

    Raises
    ------
    ContractError
        When there is one; `orders` is the file or table that holds the measure.
    """
    accepted = events.accepted
    named = accepted.filter(accepted.event_type.isin(measures)) if measures else None
    seen = [] if named is None else named.event_type.to_pyarrow().unique().to_pylist()
    if seen:
        name = min(seen)
        raise ContractError(
            f"{events.staged.label} has events of the type '{name}', and {orders} has a column "
            f"'{name}': two drivers of one name cannot be told apart. Rename one, or leave the "
            f'column out in churnlens.toml: [orders] ignore = ["{name}"].'
        )


def stage_remedies(
    connection: Any, raw: Raw, settings: Settings, attributes: Sequence[str]
) -> Staged:
    """Tag the remedies; every column without a fixed meaning must name a segment attribute.

    Raises
    ------
    ContractError
        When a scope column names no attribute: a remedy for some would be read as one for all.
    """
    mapped = cols.match(raw, "remedies", settings.remedies)
    fixed = {source for sources in mapped.fixed.values() for source in sources}
    scope = [c for c in raw.columns if c not in fixed and c not in settings.remedies.ignore]
    for name in scope:
        if name not in attributes:
            raise ContractError(_unknown_scope(raw.label, name, attributes))
    columns = _fixed(raw, "remedies", mapped, settings.remedies)
    if "end_date" in mapped.fixed:
        ending = cols.ending_after(raw, mapped, settings.remedies)
        columns = [ending if column.name == "end_date" else column for column in columns]
    for name in ("end_date", "issue_id", "owner"):
        if name not in mapped.fixed:
            kind = "date" if name == "end_date" else "string"
            columns.append(_absent(name, kind))
    columns += [cols.scope_column(raw, name) for name in scope]
    return stage(connection, raw, "remedies", columns)


def _absent(name: str, kind: str) -> Column:
    """Build a column that the source does not have."""
    return Column(name, (Reading(ROW, ibis.null(kind)),))


def _unknown_scope(label: str, name: str, attributes: Sequence[str]) -> str:
    known = f"The attributes are {', '.join(attributes)}."
    return (
        f"{label}: column '{name}' names no segment attribute.{did_you_mean(name, attributes)} "
        f'{known} If it is a note, add it to [remedies] ignore = ["{name}"] in churnlens.toml.'
    )


def _check_named(raw: Raw, names: Sequence[str], why: str) -> None:
    for name in names:
        cols.require_column(raw, name, f"{why} names it")


def _check_attributes(raw: Raw, asked: Sequence[str], mapped: cols.Mapped) -> None:
    """Refuse an attribute that would be passed over: it has another meaning, or is not read."""
    idle = next((name for name in asked if name not in mapped.text), None)
    if idle is not None:
        raise ContractError(
            f"[clients] attributes names '{idle}' of {raw.label}, which has a meaning of its own, "
            "is to be ignored, or is a date: an attribute is a text column that says what kind of "
            "client it is."
        )


def _fixed(raw: Raw, name: str, mapped: cols.Mapped, chosen: TableSettings) -> list[Column]:
    return [cols.fixed_column(raw, name, key, mapped, chosen) for key in mapped.fixed]


def clients_as_of(clients: Split | None) -> ibis.Table | None:
    """Return the accepted clients; an exit dated after `as_of` has not happened yet."""
    if clients is None:
        return None
    table = clients.accepted
    if "closed_on" not in table.columns:
        return table
    happened = (table.closed_on <= clients.as_of).fill_null(False)
    hidden = {"closed_on": ibis.ifelse(happened, table.closed_on, ibis.null("date"))}
    if "closed_reason" in table.columns:
        hidden["closed_reason"] = ibis.ifelse(happened, table.closed_reason, ibis.null("string"))
    return table.mutate(**hidden)


def remedies_frame(remedies: Split | None) -> pd.DataFrame | None:
    """Return the accepted remedies in the order of the source; an end to come is no end yet."""
    if remedies is None:
        return None
    table = remedies.accepted
    ended = (table.end_date <= remedies.as_of).fill_null(False)
    table = table.mutate(end_date=ibis.ifelse(ended, table.end_date, ibis.null("date")))
    frame: pd.DataFrame = table.execute()
    return frame
