"""To which drivers does the configuration give a role that the data do not have?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from churnlens.config import Settings
from churnlens.results import DataFinding, Text
from churnlens.tables.model import Tables


def findings(tables: Tables, settings: Settings, columns: Collection[str]) -> Iterator[DataFinding]:
    """Return one finding for each name under [drivers] that is no driver of these data.

    `columns` are those of the orders: one to be ignored is no measure any more, and known.
    """
    if not settings.drivers:
        return
    own = (name.partition(":")[2] for name in settings.plugins.drivers)
    known = sorted({*tables.measures, *_event_types(tables), *own})
    for name, role in sorted(settings.drivers.items()):
        if name not in known and not (role == "ignore" and name in columns):
            yield DataFinding("unknown_driver", "warning", _unknown(name, known), 1)


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
