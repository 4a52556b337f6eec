"""What does the configuration say of columns that is passed over? Said, since nobody would see."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from churnlens.config import Settings
from churnlens.results import DataFinding, Text
from churnlens.tables.model import Tables


def findings(tables: Tables, settings: Settings, columns: Collection[str]) -> Iterator[DataFinding]:
    """Return one finding for each name that the configuration gives a role it has not here.

    Those under [drivers] that are no driver of these data, and attributes of the orders that the
    clients table has as well. `columns` are those of the orders: one to be ignored is no measure
    any more, and known.
    """
    yield from _told_twice(tables, settings)
    if not settings.drivers:
        return
    own = (name.partition(":")[2] for name in settings.plugins.drivers)
    known = sorted({*tables.measures, *_event_types(tables), *own})
    for name, role in sorted(settings.drivers.items()):
        if name not in known and not (role == "ignore" and name in columns):
            yield DataFinding("unknown_driver", "warning", _unknown(name, known), 1)


def _told_twice(tables: Tables, settings: Settings) -> Iterator[DataFinding]:
    for name in settings.orders.attributes:
        if name not in tables.orders_attributes:
            text = Text(
                "{attribute} is an attribute in the clients table too: what that says of a client "
                "is used, and [orders] attributes names it in vain.",
                {"attribute": name.replace("_", " ")},
            )
            yield DataFinding("attribute_twice", "warning", text, 1)


def _event_types(tables: Tables) -> list[str]:
    if tables.events is None:
        return []
    types = tables.events.select("event_type").distinct().to_pyarrow()
    return [str(name) for name in types.column(0).to_pylist()]


def _unknown(name: str, known: list[str]) -> Text:
    near = get_close_matches(name, known, 1)
    if near:
        return Text(
            "The configuration gives a role to '{name}', which these records do not have. Is "
            "'{near}' meant?",
            {"name": name, "near": near[0]},
        )
    return Text(
        "The configuration gives a role to '{name}', which these records do not have.",
        {"name": name},
    )
