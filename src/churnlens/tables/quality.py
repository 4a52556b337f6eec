"""What should a person know about the data? Findings to act on, each one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import ibis.expr.types as ir

from churnlens.bands import limits
from churnlens.results import DataFinding, Text
from churnlens.tables import calendar, refusals, units
from churnlens.tables.model import RETURN, VALUE_TIER, VALUE_TIERS, Tables, scope_values
from churnlens.tables.refusals import percent

_MOSTLY_MISSING = 0.5  # of a measure's cells, or of the events
_PER_CLIENT = 0.5  # distinct values of an attribute, as a share of the clients
_FEW_CLIENTS = 20  # too few to say that an attribute tells them apart
_BULK_QUANTILE = 0.95  # of what clients brought over the whole span
_UNSEEN = "\u00a0\u200b\u200e\u200f\ufeff"  # blanks that no eye and no strip() sees
_LARGE_BOOK = 600_000  # order lines; above, repeated lines are counted in a part of the clients
_PART = 150_000  # order lines of that part, about
# Ids that read as if nobody had noted who bought; the numbers only where very many lines have them.
_NOBODY = (
    r"^(unknown|unbekannt|inconnu|none|nil|nan|#?n[/.]?a\.?|undefined|missing|anonym(ous)?|guest"
    r"|cash([-_]?(sales?|customer|client))?|walk-?in([-_]?(customer|client))?|dummy|test"
    r"|misc(ellaneous)?|diverse|x{3,}|[-_.?]+)$"
)
_NO_NUMBER = r"^(0|9{4,})$"
_VERY_MANY = 10  # times the lines of a client on average
_LATE = 0.25  # share of the span at its end in which a first order may yet be followed by more


def findings(tables: Tables) -> tuple[DataFinding, ...]:
    """Return what was found in the data, warnings first.

    Nothing is changed for a finding: a duplicate line is said, never dropped.
    """
    found = [
        *refusals.findings(tables),
        *_after_as_of(tables),
        *calendar.findings(tables),
        *_returns_and_measures(tables),
        *units.findings(tables),
        *_repeated_lines(tables),
        *_shared_numbers(tables),
        *_bulk_buyers(tables),
        *_unknown_clients(tables),
        *_two_ids(tables),
        *_stand_ins(tables),
        *_two_event_types(tables),
        *_attributes(tables),
        *_two_values(tables),
        *_exits(tables),
        *_scopes(tables),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity != "warning"))


def _records(table: ibis.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def _after_as_of(tables: Tables) -> Iterator[DataFinding]:
    for name, counts in tables.rows.items():
        if counts.after_as_of:
            text = Text(
                "Dated after {date} and so not used: {rows} of {read} rows of {table}.",
                {
                    "rows": counts.after_as_of,
                    "read": counts.read,
                    "table": name,
                    "date": {"type": "day", "value": tables.as_of.isoformat()},
                },
            )
            yield DataFinding("after_as_of", "info", text, counts.after_as_of)


def _returns_and_measures(tables: Tables) -> Iterator[DataFinding]:
    """One pass over the orders for everything that is counted row by row."""
    orders = tables.orders
    asked = {"rows": orders.count(), "returns": orders[RETURN].sum()}
    if "margin" in orders.columns:
        asked["without_margin"] = (orders.margin.isnull() & ~orders[RETURN]).sum()
    for i, name in enumerate(tables.measures):
        column = orders[name]
        asked |= {f"filled{i}": column.count(), f"low{i}": column.min(), f"high{i}": column.max()}
        asked[f"negative{i}"] = (column < 0).sum().fill_null(0)
    seen = _records(orders.aggregate(**asked))[0]
    if seen["returns"]:
        text = Text(
            "{rows} of {all} order lines ({share}) are returns, credit notes or of no value: they "
            "lower revenue and are never counted as orders.",
            {
                "rows": seen["returns"],
                "all": seen["rows"],
                "share": percent(seen["returns"], seen["rows"]),
            },
        )
        yield DataFinding("returns", "info", text, seen["returns"])
    yield from _margin(seen.get("without_margin", 0), seen["rows"] - seen["returns"])
    for i, name in enumerate(tables.measures):
        one = {key: seen[f"{key}{i}"] for key in ("filled", "low", "high", "negative")}
        yield from _measure(name, one, seen["rows"])


def _margin(missing: int, rows: int) -> Iterator[DataFinding]:
    """Say what is made of order lines without a margin."""
    if missing == rows:
        text = Text("No order line has a margin: what clients are worth is read from revenue.")
        yield DataFinding("margin_missing", "warning", text, missing)
    elif missing:
        text = Text(
            "The margin is missing in {missing} order lines ({share}): it is taken to be the part "
            "of the amount that it is in the others.",
            {"missing": missing, "share": percent(missing, rows)},
        )
        mostly = missing > _MOSTLY_MISSING * rows
        yield DataFinding("margin_missing", "warning" if mostly else "info", text, missing)


def _measure(name: str, seen: dict[str, Any], rows: int) -> Iterator[DataFinding]:
    driver = {"type": "driver", "value": name}
    missing = rows - seen["filled"]
    if missing > _MOSTLY_MISSING * rows:
        text = Text(
            "{driver} is missing in {missing} order lines ({share}): what it does can only be "
            "seen where it was recorded.",
            {"driver": driver, "missing": missing, "share": percent(missing, rows)},
        )
        yield DataFinding("measure_missing", "warning", text, missing)
    if seen["filled"] and seen["low"] == seen["high"]:
        text = Text(
            "{driver} is {value} in every order line: nothing can be learnt from it.",
            {"driver": driver, "value": seen["low"]},
        )
        yield DataFinding("measure_constant", "info", text, seen["filled"])
    if seen["negative"]:
        text = Text(
            "{driver} is below zero in {rows} order lines ({share}); check that this is meant.",
            {
                "driver": driver,
                "rows": seen["negative"],
                "share": percent(seen["negative"], rows),
            },
        )
        yield DataFinding("measure_negative", "info", text, seen["negative"])


def _repeated_lines(tables: Tables) -> Iterator[DataFinding]:
    """Count lines that repeat another; in a large book, those of every k-th client, times k."""
    orders = tables.orders
    accepted = tables.rows["orders"].accepted
    step = accepted // _PART if accepted > _LARGE_BOOK else 1
    if step > 1:
        orders = orders.filter(orders.client_id.hash() % step == 0)
    number = orders.order_id
    given = ibis.ifelse(number.startswith("row "), ibis.null("string"), number)
    others = {name: orders[name] for name in orders.columns if name != "order_id"}
    line = ibis.struct({**others, "order_id": given}).hash()
    counted = orders.select(line=line).group_by("line").aggregate(times=lambda t: t.count())
    again = counted.aggregate(extra=(counted.times - 1).sum().fill_null(0))
    extra = int(_records(again)[0]["extra"]) * step
    if extra:
        doubled = 2 * extra >= accepted  # as where an export holds every line twice
        text = _repeated(extra, step)
        yield DataFinding("repeated_lines", "warning" if doubled else "info", text, extra)


def _repeated(rows: int, step: int) -> Text:
    if step == 1:
        return Text(
            "Equal to another line in every column: {rows} order lines. Such lines are kept, since "
            "two may be two sales. If the export doubles lines, mend it there.",
            {"rows": rows},
        )
    return Text(
        "About {rows} order lines repeat another line in every column (counted for one client in "
        "{step}). They were kept: two equal lines may be two sales. If the export doubles lines, "
        "mend it there.",
        {"rows": rows, "step": step},
    )


def _shared_numbers(tables: Tables) -> Iterator[DataFinding]:
    """Look for order numbers that stand beside two clients: which of them placed the order?"""
    orders = tables.orders.filter(~tables.orders.order_id.startswith("row "))  # given ones alone
    ends = orders.group_by("order_id").aggregate(
        low=orders.client_id.min(), high=orders.client_id.max()
    )
    if count := _count(ends.filter(ends.low != ends.high)):
        text = Text(
            "{orders} order numbers stand beside two clients or more; each client's part is read "
            "as an order of its own. If numbers begin anew that is fine; if not, which client is "
            "right?",
            {"orders": count},
        )
        yield DataFinding("shared_order_id", "info", text, count)


def _bulk_buyers(tables: Tables) -> Iterator[DataFinding]:
    """Find who ordered on one day only, for more than nearly all others brought in all."""
    sales = tables.orders.filter(~tables.orders[RETURN])
    clients = sales.group_by("client_id").aggregate(
        first=sales.order_date.min(), last=sales.order_date.max(), revenue=sales.amount.sum()
    )
    span = tables.as_of - tables.first_date
    early = clients["first"] < tables.as_of - span * _LATE
    large = clients.revenue > clients.revenue.quantile(_BULK_QUANTILE).as_scalar()
    once = clients.filter((clients["first"] == clients["last"]) & early & large)
    seen = _records(once.aggregate(clients=once.count(), revenue=once.revenue.sum()))[0]
    if seen["clients"]:
        text = Text(
            "{clients} clients ordered on a single day, for more than 95 of 100 clients brought "
            "in all: {money} together. Such one-off buyers are set apart, not counted as lost.",
            {"clients": seen["clients"], "money": {"type": "money", "value": seen["revenue"]}},
        )
        yield DataFinding("one_off_bulk", "info", text, seen["clients"])


def _unknown_clients(tables: Tables) -> Iterator[DataFinding]:
    ordering = tables.orders.select("client_id").distinct()
    if tables.clients is not None:
        missing = _count(ordering.anti_join(tables.clients, "client_id"))
        if missing:
            text = Text(
                "Missing from the clients table, so that no segment is known of them: {clients} of "
                "{all} clients with orders ({share}).",
                {
                    "clients": missing,
                    "all": _count(ordering),
                    "share": percent(missing, _count(ordering)),
                },
            )
            yield DataFinding("not_in_clients", "warning", text, missing)
    if tables.events is not None:
        rows = tables.events.anti_join(ordering, "client_id")
        all_events = _count(tables.events)
        if count := _count(rows):
            text = Text(
                "Of clients who never ordered, and so of no use: {rows} events ({share}).",
                {"rows": count, "share": percent(count, all_events)},
            )
            mostly = count > _MOSTLY_MISSING * all_events
            yield DataFinding("events_unknown_client", "warning" if mostly else "info", text, count)
        yield from _events_before(tables, tables.events)


def _events_before(tables: Tables, events: ibis.Table) -> Iterator[DataFinding]:
    """Name the event types that end before the first order: they can be no driver."""
    types = events.group_by("event_type").aggregate(
        rows=events.count(), last=events.event_date.max()
    )
    early = _records(types.filter(types["last"] < tables.first_date).order_by("event_type"))
    if early:
        rows = sum(one["rows"] for one in early)
        text = Text(
            "Dated before the first order, all of them, and so of no use: the events {names} "
            "({rows}). Are their dates right?",
            {"names": ", ".join(one["event_type"] for one in early), "rows": rows},
        )
        yield DataFinding("events_before", "warning", text, rows)


def _count(table: ibis.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def _two_ids(tables: Tables) -> Iterator[DataFinding]:
    """Look for ids that differ only in how they are written: in the orders, and beside them."""
    ids = tables.orders.select("client_id").distinct()
    ids = ids.mutate(plain=_plain_id(ids.client_id))
    same = ids.group_by("plain").aggregate(ids=ids.count())
    same = same.filter(same.ids > 1)
    if count := _count(same):
        text = Text(
            "{clients} clients may stand under two ids that differ only in capitals, spaces, "
            "leading zeros or a final .0: each would look like one client lost and one won.",
            {"clients": count},
        )
        yield DataFinding("two_ids", "warning", text, count)
    yield from _unlike_ids(ids, "clients", tables.clients)
    yield from _unlike_ids(ids, "events", tables.events)


def _stand_ins(tables: Tables) -> Iterator[DataFinding]:
    """Look for ids that stand for whoever was not noted: many buyers that look like one client."""
    lines = tables.orders.group_by("client_id").aggregate(lines=tables.orders.count())
    plain = _plain_id(lines.client_id)
    many = lines.lines > _VERY_MANY * lines.lines.mean().as_scalar()
    nobody = lines.filter(plain.re_search(_NOBODY) | (plain.re_search(_NO_NUMBER) & many))
    seen = _records(nobody.aggregate(ids=nobody.count(), rows=nobody.lines.sum()))[0]
    if seen["ids"]:
        text = Text(
            "Written as if nobody had noted who bought (unknown, cash, guest, test, 0 or 9999, "
            "say): {ids} client ids, with {rows} order lines ({share}). Many buyers under one id "
            "look like one client; leave the id blank for them, so that their rows are set aside.",
            {
                "ids": seen["ids"],
                "rows": seen["rows"],
                "share": percent(seen["rows"], tables.rows["orders"].accepted),
            },
        )
        yield DataFinding("stand_in_ids", "warning", text, seen["rows"])


def _unlike_ids(ids: ibis.Table, name: str, table: ibis.Table | None) -> Iterator[DataFinding]:
    """Look for clients that another table knows only under an id written otherwise."""
    if table is None:
        return
    known = table.select("client_id", plain=_plain_id(table.client_id))
    unlike = ids.anti_join(known, "client_id").semi_join(known, "plain")
    if count := _count(unlike):
        text = Text(
            "{clients} clients stand in the {table} table under an id that differs from that in "
            "the orders in capitals, spaces, leading zeros or a final .0 alone, so what is said of "
            "them there is not found. Write the ids alike in both.",
            {"clients": count, "table": name},
        )
        yield DataFinding("unlike_ids", "warning", text, count)


def _plain_id(written: ir.StringValue) -> ir.StringValue:
    """Return an id without what programs change: a spreadsheet makes 42.0 or 42 of 00042."""
    seen = written.re_replace(f"[\\s{_UNSEEN}]+", "").lower()
    plain = seen.re_replace(r"^(\d+)\.0+$", r"\1").re_replace(r"^0+", "")
    return ibis.ifelse(plain == "", "0", plain)


def _two_event_types(tables: Tables) -> Iterator[DataFinding]:
    """Look for event types that differ only in capitals; each is a driver of its own."""
    if tables.events is None:
        return
    plain = tables.events.event_type.lower()
    seen = tables.events.group_by(plain=plain).aggregate(names=tables.events.event_type.nunique())
    twice = seen.filter(seen.names > 1)
    alike = tables.events.filter(plain.isin(twice.plain)).select("event_type").distinct()
    names = sorted(one["event_type"] for one in _records(alike))
    if names:
        text = Text(
            "The event types {names} differ only in capitals: each is looked at as a driver of its "
            "own. If they mean the same, write them alike.",
            {"names": ", ".join(names)},
        )
        yield DataFinding("two_event_types", "warning", text, len(names))


def _two_values(tables: Tables) -> Iterator[DataFinding]:
    """Look for values of an attribute that differ only in capitals: each is its own segment."""
    clients = tables.clients
    for name in [] if clients is None else tables.attributes:
        if clients is None or name not in clients.columns:
            continue
        plain = clients[name].lower()
        seen = clients.group_by(plain=plain).aggregate(values=clients[name].nunique())
        if count := _count(seen.filter(seen["values"] > 1)):
            text = Text(
                "{count} values of {attribute} are written in two ways that differ in capitals: "
                "each way is a segment of its own. Write them alike.",
                {"count": count, "attribute": name.replace("_", " ")},
            )
            yield DataFinding("two_values", "warning", text, count)


def _attributes(tables: Tables) -> Iterator[DataFinding]:
    """Look for attributes that tell single clients apart, and names that two ids share."""
    clients = tables.clients
    own = [] if clients is None else [n for n in tables.attributes if n in clients.columns]
    if clients is None or not own:
        return
    asked = {f"values{i}": clients[name].nunique() for i, name in enumerate(own)}
    asked |= {f"filled{i}": clients[name].count() for i, name in enumerate(own)}
    seen = _records(clients.aggregate(rows=clients.count(), **asked))[0]
    for i, name in enumerate(own):
        values, filled = seen[f"values{i}"], seen[f"filled{i}"]
        if seen["rows"] < _FEW_CLIENTS or values <= _PER_CLIENT * seen["rows"]:
            continue
        text = Text(
            "{attribute} has {values} values for {clients} clients: it tells single clients apart "
            "and makes no segment.",
            {"attribute": name.replace("_", " "), "values": values, "clients": seen["rows"]},
        )
        yield DataFinding("attribute_per_client", "info", text, values)
        if values >= 0.9 * filled and _is_name(clients[name]):
            yield from _same_name(clients, name)


def _is_name(column: ir.StringValue) -> bool:
    """Whether most of a column's values are words: dates and numbers may be shared by chance."""
    words = column.re_search(r"[^0-9TZ\s.,:/+-]").mean()
    return bool((words.to_pyarrow().as_py() or 0) > 0.5)


def _same_name(clients: ibis.Table, name: str) -> Iterator[DataFinding]:
    plain = clients[name].strip().lower().re_replace(r"[\s.,]+", " ")
    named = clients.filter(clients[name].notnull())
    same = named.group_by(plain=plain).aggregate(ids=named.count())
    same = same.filter(same.ids > 1)
    if count := _count(same):
        text = Text(
            "Under two or more client ids: {count} values of {attribute}. Perhaps one client with "
            "two accounts, who would look like one lost and one won.",
            {"count": count, "attribute": name.replace("_", " ")},
        )
        yield DataFinding("same_name", "warning", text, count)


def _exits(tables: Tables) -> Iterator[DataFinding]:
    clients = tables.clients
    if clients is None or "closed_on" not in clients.columns:
        return
    closed = clients.filter(clients.closed_on.notnull()).select("client_id", "closed_on")
    sales = tables.orders.filter(~tables.orders[RETURN]).select("client_id", "order_date")
    later = sales.join(closed, "client_id")
    later = later.filter(later.order_date > later.closed_on)
    if count := _count(later.select("client_id").distinct()):
        text = Text(
            "{clients} clients ordered after the day on which they are said to have closed.",
            {"clients": count},
        )
        yield DataFinding("orders_after_close", "warning", text, count)


def _scopes(tables: Tables) -> Iterator[DataFinding]:
    """Look for remedies whose scope names a value that no client has."""
    if tables.remedies is None:
        return
    for name in dict.fromkeys((*tables.attributes, *tables.numeric_attributes, VALUE_TIER)):
        if name not in tables.remedies.columns:
            continue
        said = {v for scope in tables.remedies[name].dropna() for v in scope_values(scope)}
        numeric = name in tables.numeric_attributes
        plain = {value for value in said if numeric and limits(value) is None}
        if plain:
            text = Text(
                "A remedy is meant for {attribute} {values}, which is no band: clients are grouped "
                "by bands of a number, written as “up to 20”, “20 to 50” or “above 50”.",
                _named(name, plain),
            )
            yield DataFinding("scope_unknown", "warning", text, len(plain))
        strange = said - plain - _known_values(tables, name, said)
        if strange:
            text = Text(
                "A remedy is meant for {attribute} {values}, which no client has.",
                _named(name, strange),
            )
            yield DataFinding("scope_unknown", "warning", text, len(strange))


def _named(attribute: str, values: set[str]) -> dict[str, str]:
    return {"attribute": attribute.replace("_", " "), "values": ", ".join(sorted(values))}


def _known_values(tables: Tables, name: str, said: set[str]) -> set[str]:
    """Return the values of an attribute that clients have; of a number, the bands `said`."""
    if name == VALUE_TIER:
        return set(VALUE_TIERS)
    of_orders = name in tables.orders_attributes
    table = tables.orders if of_orders or tables.clients is None else tables.clients
    known = set(table.select(name).distinct().to_pyarrow().column(0).to_pylist())
    if name not in tables.numeric_attributes:
        return known
    ends = {value: span for value in said if (span := limits(value)) is not None}
    return {
        value
        for value, (low, high) in ends.items()
        if any(number is not None and low < number <= high for number in known)
    }
