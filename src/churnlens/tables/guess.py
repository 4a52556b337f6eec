"""What would a first `churnlens.toml` for this source look like? Guessed, with the reasons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd

from churnlens.config import OrderSettings, Settings, TableSettings
from churnlens.errors import ContractError, did_you_mean
from churnlens.tables import profile
from churnlens.tables.columns import FIXED
from churnlens.tables.database import open_database
from churnlens.tables.delimited import ROW
from churnlens.tables.model import TABLE_NAMES
from churnlens.tables.opening import connect
from churnlens.tables.profile import Guess
from churnlens.tables.reading import Raw, read_all
from churnlens.tables.sources import FORMATS, is_url, locate

_SAMPLE = 20_000  # rows looked at
_MOST_VALUES = 50  # of a column that may be an attribute
_STEADY = 0.95  # share of clients with one value, for an attribute of the client

_HEAD = """\
# churnlens.toml, guessed by `churnlens init`. Read it through; every line says why it is there.
# Then: churnlens run churnlens.toml

period = "month"  # week, month or quarter: what departures are counted by
currency = "EUR"  # only written beside amounts
# price_cut = "…"  # the order column that says how far a price was cut; else the one named so
# When a client counts as gone: cadence, silence, volume, p_alive, basket or "my_module:name".
# definition = "cadence"
"""


@dataclass(frozen=True)
class FirstConfig:
    """A first `churnlens.toml`, and what must be filled in: needed columns not found, by table."""

    text: str
    lacking: dict[str, tuple[str, ...]]


def first_config(source: Path | str) -> FirstConfig:
    """Return a commented `churnlens.toml` for a source of any column names.

    Raises
    ------
    ContractError
        When the source cannot be read.
    """
    settings = _first_settings(source)
    raws = read_all(connect(None), locate(source, settings), settings)
    samples = {name: _sample(raw) for name, raw in raws.items()}
    found = {name: _guessed(name, sample) for name, sample in samples.items()}
    parts = [_HEAD]
    if is_url(source):
        parts.append(f"source = {_quoted(str(source))}\n")
    parts += [
        _section(name, samples[name], found[name], getattr(settings, name), source, raws)
        for name in TABLE_NAMES
        if name in raws
    ]
    parts.append(_drivers(samples["orders"]))
    lacking = {name: profile.missing(found[name], name) for name in found}
    return FirstConfig("\n".join(parts), {name: keys for name, keys in lacking.items() if keys})


def _guessed(name: str, sample: pd.DataFrame) -> dict[str, Guess]:
    return profile.guess_columns(sample, name, profile.decimal_mark(sample))


def _first_settings(source: Path | str) -> Settings:
    """Name the file or table that holds the orders, where it has another name than `orders`."""
    if is_url(source):
        database = open_database(str(source))
        tables = database.tables or database.all_tables()
        return Settings(orders=OrderSettings(table=_nearest_orders(tables, str(source))))
    path = Path(source)
    if not path.is_dir():
        return Settings()
    files = sorted(p.name for p in path.iterdir() if p.name.lower().endswith(FORMATS))
    stems = {name.lower().split(".")[0] for name in files}
    others = [name for name in files if name.lower().split(".")[0] not in TABLE_NAMES]
    if "orders" in stems or not others:
        return Settings()
    return Settings(orders=OrderSettings(file=_nearest_orders(others, str(path))))


def _nearest_orders(names: tuple[str, ...] | list[str], where: str) -> str:
    words = ("order", "sale", "invoice", "transaction", "purchase", "booking",
             "订单", "销售", "发票")  # fmt: skip
    named = [name for word in words for name in names if word in name.lower()]
    if named:
        return named[0]
    if len(names) == 1:
        return names[0]
    hint = did_you_mean("orders", names)
    raise ContractError(
        f"{where}: which of {', '.join(names) or 'no tables'} holds the orders?{hint}"
    )


def _sample(raw: Raw) -> pd.DataFrame:
    flat = [name for name in raw.columns if _is_flat(raw.table[name].type())]
    frame: pd.DataFrame = raw.table.filter(raw.table[ROW] <= _SAMPLE).select(*flat).execute()
    return frame


def _is_flat(kind: ibis.DataType) -> bool:
    return bool(kind.is_string() or kind.is_numeric() or kind.is_temporal())


def _section(
    name: str,
    sample: pd.DataFrame,
    found: dict[str, Guess],
    chosen: TableSettings,
    source: Path | str,
    raws: dict[str, Raw],
) -> str:
    decimal = profile.decimal_mark(sample)
    lines = [f"[{name}]"]
    if is_url(source):
        lines.append(f"table = {_quoted(chosen.table or name)}")
    elif chosen.file or not Path(source).is_dir():
        lines.append(f"file = {_quoted(chosen.file or raws[name].label)}")
    lines += _formats(sample, found, decimal)
    if name == "orders":
        lines += _attributes(sample, found, "clients" in raws)
    lines += _mapping(name, sample, found)
    if name == "orders":
        lines += _returns(sample, found)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _formats(sample: pd.DataFrame, found: dict[str, Guess], decimal: str) -> list[str]:
    lines = []
    if decimal == ",":
        lines.append('decimal = ","  # numbers are written 12,50')
    dates = [guess.source for key, guess in found.items() if key.endswith(("_date", "_on"))]
    formats = [profile.date_formats(sample[name]) for name in dates if name in sample.columns]
    fitting = [p for p in profile.DATE_FORMATS if formats and all(p in f for f in formats)]
    if fitting and fitting[0] != profile.DATE_FORMATS[0]:
        lines.append(f"date_format = {_quoted(fitting[0])}  # {_how_sure(fitting)}")
    return lines


def _how_sure(fitting: list[str]) -> str:
    if len(fitting) == 1:
        return "the only format that the dates fit"
    return f"CHECK: the dates fit {' and '.join(fitting[1:])} as well"


def _mapping(name: str, sample: pd.DataFrame, found: dict[str, Guess]) -> list[str]:
    lines = ["", f"[{name}.columns]"]
    for key in FIXED[name]:
        guess = found.get(key)
        if guess is not None:
            lines.append(f"{key} = {_quoted(guess.source)}  # {guess.why}")
        elif key in profile.missing(found, name):
            lines.append(f'# {key} = "…"  # NEEDED, not found. {_which(key, sample)}')
        else:
            lines.append(f'# {key} = "…"  # not found; it may be left out')
    return lines


def _which(key: str, sample: pd.DataFrame) -> str:
    """Ask for a column, or say why the likely ones cannot be read as the amount."""
    marked = [n for n in sample.columns if profile.is_marked_number(sample[n])]
    if key != "amount" or not marked:
        return f"Which one is it? {', '.join(sample.columns)}"
    example = sample[marked[0]].dropna().iloc[0]
    return (
        f"Is it {' or '.join(marked)}? It holds {_quoted(str(example))}: export numbers without a "
        "currency sign and marks of thousands."
    )


def _attributes(sample: pd.DataFrame, found: dict[str, Guess], has_clients: bool) -> list[str]:
    """Take text columns that hardly change within a client as attributes of the client."""
    client = found.get("client_id")
    used = {guess.source for guess in found.values()}
    if client is None or has_clients:
        return []
    steady = [
        name
        for name in sample.columns
        if name not in used and _is_steady(sample[name], sample[client.source])
    ]
    if not steady:
        return []
    listed = ", ".join(_quoted(name) for name in steady)
    return [f"attributes = [{listed}]  # text that hardly changes within a client: segments"]


def _is_steady(column: pd.Series, client: pd.Series) -> bool:
    if profile.is_number(column) or profile.is_marked_number(column):
        return False
    if profile.date_formats(column):
        return False
    values = column.nunique()
    if not 2 <= values <= _MOST_VALUES:
        return False
    pairs = pd.DataFrame({"client": client, "value": column}).dropna().drop_duplicates()
    one_value = ~pairs.duplicated("client", keep=False)
    return bool(one_value.sum() >= _STEADY * pairs["client"].nunique())


def _returns(sample: pd.DataFrame, found: dict[str, Guess]) -> list[str]:
    """Look for a letter before the order number that goes with a negative quantity."""
    order, quantity = found.get("order_id"), found.get("quantity") or found.get("amount")
    if order is None or quantity is None or quantity.source not in sample.columns:
        return []
    letter = sample[order.source].astype("string").str.extract(r"^([A-Za-z])", expand=False)
    negative = pd.to_numeric(sample[quantity.source], errors="coerce") < 0
    share = negative.groupby(letter).mean()
    marks = share[share > _STEADY].index
    if len(marks) == 0 or letter.notna().all():
        return []
    why = f"{order.source} begins so where {quantity.source} is negative"
    return [
        "",
        "[orders.returns]",
        f"column = {_quoted(order.source)}",
        f"starts_with = {_quoted(str(marks[0]))}  # {why}",
    ]


def _drivers(orders: pd.DataFrame) -> str:
    """List the numeric columns that will be looked at as drivers."""
    decimal = profile.decimal_mark(orders)
    used = {g.source for g in profile.guess_columns(orders, "orders", decimal).values()}
    numeric = [n for n in orders.columns if n not in used and profile.is_number(orders[n], decimal)]
    lines = [
        "# Numeric order columns are candidate drivers; take the # away from one that is none.",
        "[drivers]",
        *(f'# {_quoted(name)} = "ignore"' for name in numeric),
    ]
    return "\n".join(lines) + "\n"
