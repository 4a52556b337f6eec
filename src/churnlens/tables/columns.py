"""Which column of the source means what? Names, mappings, and the kind of every other column."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from churnlens.config import ClientSettings, Settings, TableSettings
from churnlens.errors import ContractError, did_you_mean
from churnlens.tables import cells
from churnlens.tables.contract import Column, Reading
from churnlens.tables.delimited import DELIMITERS, ROW
from churnlens.tables.reading import Raw

A_DATE = "a date (ISO 8601, like 2024-01-31, years 1700 to 2199)"
A_NUMBER = "a number (of at most 15 digits)"
A_SCOPE = "a value or several parted by | (blank: everyone)"
AFTER_START = "on or after start_date"
NO_CLIENT = "no client"
_NEARLY_ALL = 0.95  # of a text column's filled cells, for it to be a column of numbers
_GLANCE = 10_000  # rows
_ID_ENDINGS = ("_id", "_no", "_nr", "_number", "_code", "_key", "_ref")

FIXED: Mapping[str, tuple[str, ...]] = {
    "orders": ("client_id", "order_date", "amount", "order_id", "margin", "category", "quantity"),
    "clients": ("client_id", "signup_date", "closed_on", "closed_reason"),
    "events": ("client_id", "event_date", "event_type", "value", "level"),
    "remedies": ("action", "start_date", "issue_id", "end_date", "owner"),
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "orders": ("client_id", "order_date", "amount"),
    "clients": ("client_id",),
    "events": ("client_id", "event_date", "event_type"),
    "remedies": ("action", "start_date"),
}
_DATES = ("order_date", "signup_date", "closed_on", "event_date", "start_date", "end_date")
_NUMBERS = ("amount", "margin", "quantity", "value")
_IDS = ("client_id", "order_id", "issue_id")  # read to the letter
_NAMES = ("event_type", "level")  # blanks around them mean nothing, as in an attribute


@dataclass(frozen=True)
class Mapped:
    """The source's columns: contract name -> source column(s), and the others by kind."""

    fixed: Mapping[str, tuple[str, ...]]  # two source columns are a product
    numeric: tuple[str, ...]
    text: tuple[str, ...]


def match(raw: Raw, name: str, chosen: TableSettings) -> Mapped:
    """Find the columns with a fixed meaning, and sort the others into numbers and text.

    Raises
    ------
    ContractError
        When a needed or a mapped column is missing, or a mapping names no contract column.
    """
    for ignored in chosen.ignore:
        require_column(raw, ignored, f"[{name}] ignore names it")
    unknown = next((key for key in chosen.columns if key not in FIXED[name]), None)
    if unknown is not None:
        hint = did_you_mean(unknown, FIXED[name])
        known = ", ".join(FIXED[name])
        raise ContractError(
            f"[{name}.columns] maps '{unknown}', which is no column of the contract.{hint} "
            f"The contract's columns are {known}."
        )
    fixed = {key: _sources(raw, name, key, chosen) for key in FIXED[name]}
    _refuse_ignored(raw, name, fixed, chosen)
    fixed = {k: found for k, found in fixed.items() if found and not {*found} & {*chosen.ignore}}
    _check_needed(raw, name, fixed, chosen)
    # a price that is only a factor of the amount stays a measure: a price rise is a driver
    used = {s for k, found in fixed.items() for s in found if len(found) == 1 or k not in _NUMBERS}
    others = [c for c in raw.columns if c not in used and c not in (*FIXED[name], *chosen.ignore)]
    numeric, text = sort_by_kind(raw, others, chosen)
    return Mapped(fixed, numeric, text)


def _sources(raw: Raw, name: str, key: str, chosen: TableSettings) -> tuple[str, ...]:
    """Return the source's column(s) for a contract name; none when it has no such column."""
    said = chosen.columns.get(key)
    if said is None:
        return (key,) if key in raw.columns else ()
    if said in raw.columns:
        return (said,)
    sign = "*" if key in _NUMBERS else "+"
    parts = (said,) if key in _DATES else tuple(part.strip() for part in said.split(sign))
    for part in parts:
        require_column(raw, part, f"[{name}.columns] {key} names it")
    return parts


def require_column(raw: Raw, column: str, why: str) -> None:
    """Raise a ContractError that names the file and the nearest column, if there is no such."""
    if column not in raw.columns:
        hint = did_you_mean(column, raw.columns)
        listed = ", ".join(raw.columns)
        raise ContractError(
            f"{_place(raw)} has no column '{column}' ({why}).{hint} Its columns are {listed}."
        )


def _refuse_ignored(
    raw: Raw, name: str, fixed: Mapping[str, tuple[str, ...]], chosen: TableSettings
) -> None:
    """Refuse to leave out a column that the table cannot be used without."""
    for key in NEEDED[name]:
        ignored = next((source for source in fixed[key] if source in chosen.ignore), None)
        if ignored is not None:
            raise ContractError(
                f"[{name}] ignore names '{ignored}' of {raw.label}, which is needed as {key}: take "
                f"it out of ignore, or say in [{name}.columns] which other column is {key}."
            )


def _check_needed(raw: Raw, name: str, fixed: Mapping[str, object], chosen: TableSettings) -> None:
    missing = next((key for key in NEEDED[name] if key not in fixed), None)
    if missing is None:
        return
    hint = did_you_mean(missing, raw.columns) or _headless(raw.columns)
    setting = f'[{name}.columns] {missing} = "…"'
    remedy = f"Fill in which it is in churnlens.toml: {setting}."
    if chosen == type(chosen)():
        remedy = (
            f"Rename one, or say in churnlens.toml which it is: {setting} (`churnlens init` writes "
            "a first churnlens.toml)."
        )
    raise ContractError(
        f"{_place(raw)} has no column '{missing}', which {name} must have.{hint} Its columns are "
        f"{', '.join(raw.columns)}. {remedy}{_other_sheets(raw, name)}"
    )


def _place(raw: Raw) -> str:
    return raw.label if raw.sheet is None else f"{raw.label}, sheet '{raw.sheet}',"


def _other_sheets(raw: Raw, name: str) -> str:
    """Say how another sheet is chosen, where there are several."""
    if not raw.other_sheets:
        return ""
    others = ", ".join(f"'{sheet}'" for sheet in raw.other_sheets)
    return f' The sheet is chosen by [{name}] table = "…"; the others are {others}.'


def _headless(names: Sequence[str]) -> str:
    """Ask whether a file lacks its header, or has something above it, by what its names are."""
    data = next((name for name in names if re.fullmatch(r"[\d.,:/ -]*\d[\d.,:/ -]*", name)), None)
    if data:
        return f" Is '{data}' a name? The first row must hold the columns' names."
    if len(names) == 1 and any(sign in names[0] for sign in DELIMITERS):
        return " Is it parted by another sign than delimiter in churnlens.toml says?"
    nameless = sum(name.startswith("unnamed_") for name in names)
    if len(names) == 1 or 2 * nameless >= len(names):
        return " The first row must hold the columns' names: take away what stands above them."
    return ""


def sort_by_kind(
    raw: Raw, names: Iterable[str], chosen: TableSettings
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part columns into numbers and text; dates and anything else are left out.

    A column of text is one of numbers when 95 of 100 filled cells are numbers and none is written
    with leading zeros (a code); a column named like an identifier is text, and so is one of more
    digits than any measure has.
    """
    types = {name: raw.table[name].type() for name in names}
    described = chosen.attributes if isinstance(chosen, ClientSettings) else ()
    coded = {n for n in types if is_identifier(n) or n in described}
    typed = [n for n, t in types.items() if t.is_numeric() and n not in coded]
    written = [n for n, t in types.items() if t.is_string() and n not in coded]
    parsed = _numbers_in_text(raw.table, written, chosen.decimal)
    long = _too_long(raw.table, typed)
    numeric = tuple(n for n in types if (n in typed and n not in long) or n in parsed)
    textual = (n for n, t in types.items() if n not in numeric and _is_textual(t))
    return numeric, tuple(textual)


def _is_textual(kind: ibis.DataType) -> bool:
    return bool(kind.is_string() or kind.is_boolean() or kind.is_numeric())


def is_identifier(name: str) -> bool:
    """Tell whether a column is named as one that tells rows or clients apart, or not named."""
    lowered = name.lower()
    return lowered in ("id", "row", "line", "index") or (
        lowered.endswith(_ID_ENDINGS) or lowered.startswith("unnamed")
    )


def _too_long(table: ibis.Table, names: Sequence[str]) -> set[str]:
    """Return which columns of numbers have more digits than a measure, at a first look."""
    glance = _filled_and_parsed(table.filter(table[ROW] <= _GLANCE), names, ".")
    return {n for n, (filled, parsed) in glance.items() if parsed < filled / 2}


def _numbers_in_text(table: ibis.Table, names: Sequence[str], decimal: str) -> set[str]:
    """Return which text columns hold numbers; a first look spares the rest a whole pass."""
    glance = _filled_and_parsed(table.filter(table[ROW] <= _GLANCE), names, decimal)
    likely = [n for n, (filled, parsed) in glance.items() if parsed >= filled / 2]
    whole = _filled_and_parsed(table, likely, decimal)
    return {n for n, (filled, parsed) in whole.items() if filled and parsed >= filled * _NEARLY_ALL}


def _filled_and_parsed(
    table: ibis.Table, names: Sequence[str], decimal: str
) -> dict[str, tuple[int, int]]:
    """Count filled cells and cells that are numbers; a number with leading zeros is a code."""
    if not names:
        return {}
    asked = {}
    for i, name in enumerate(names):
        value = cells.sound_number(cells.number(table[name], decimal))
        asked[f"filled{i}"] = (~cells.missing(table[name])).sum().fill_null(0)
        asked[f"parsed{i}"] = value.notnull().sum().fill_null(0)
        code = table[name].cast("string").between("00", "0:")  # begins with 0 and a digit
        asked[f"coded{i}"] = code.sum().fill_null(0)
    seen = table.aggregate(**asked).to_pyarrow().to_pylist()[0]
    return {
        name: (seen[f"filled{i}"], 0 if seen[f"coded{i}"] else seen[f"parsed{i}"])
        for i, name in enumerate(names)
    }


def fixed_column(raw: Raw, name: str, key: str, mapped: Mapped, chosen: TableSettings) -> Column:
    """Build one column of fixed meaning with its rules."""
    needed = key in NEEDED[name]
    sources = mapped.fixed[key]
    if key in _DATES:
        read = [_date_reading(raw, source, needed, chosen) for source in sources]
    elif key in _NUMBERS:
        read = [_number_reading(raw, source, needed, chosen) for source in sources]
    else:
        why = f"{NO_CLIENT}: {{}} is blank" if key == "client_id" else ""
        read = [Reading(s, _text(raw, s, key), needed=needed, blank=why.format(s)) for s in sources]
        return Column(key, tuple(read), _joined)
    return Column(key, tuple(read), _product)


def _text(raw: Raw, source: str, key: str) -> ir.StringValue:
    written = (cells.text if key in _IDS else cells.shown)(raw.table[source])
    return written.strip() if key in _NAMES else written


def _product(values: Sequence[ir.Value]) -> ir.Value:
    return functools.reduce(operator.mul, values)


def _joined(values: Sequence[ir.Value]) -> ir.Value:
    return functools.reduce(lambda left, right: left + " / " + right, values)


def _date_reading(raw: Raw, source: str, needed: bool, chosen: TableSettings) -> Reading:
    pattern = chosen.date_format
    kind = f"a date written {pattern}" if pattern else A_DATE
    value = cells.date(raw.table[source], pattern)
    return Reading(source, value, kind, needed, sound=cells.sound_date)


def _number_reading(raw: Raw, source: str, needed: bool, chosen: TableSettings) -> Reading:
    value = cells.number(raw.table[source], chosen.decimal)
    return Reading(source, value, A_NUMBER, needed, sound=cells.sound_number)


def number_column(raw: Raw, name: str, chosen: TableSettings) -> Column:
    """Build a column of numbers that may be blank; a cell that is no number refuses its row."""
    return Column(name, (_number_reading(raw, name, False, chosen),))


def text_column(raw: Raw, name: str) -> Column:
    """Build a text attribute; blanks around it mean nothing."""
    return Column(name, (Reading(name, cells.shown(raw.table[name]).strip()),))


def scope_column(raw: Raw, name: str) -> Column:
    """Build a remedy's scope: blank for everyone, but not by separators alone."""
    written = cells.shown(raw.table[name]).strip()
    nobody = written.re_search(r"^[|\s]*$")
    value = ibis.ifelse(nobody, ibis.null("string"), written)
    return Column(name, (Reading(name, value, A_SCOPE),))


def ending_after(raw: Raw, mapped: Mapped, chosen: TableSettings) -> Column:
    """Build a remedy's end, which may not lie before its start."""
    (start,), (end,) = mapped.fixed["start_date"], mapped.fixed["end_date"]
    read = _date_reading(raw, end, False, chosen)
    begun = cells.date(raw.table[start], chosen.date_format)
    late = ibis.ifelse(read.value < begun, ibis.null("date"), read.value)
    return Column("end_date", (read, Reading(end, late, AFTER_START)))


def measures(mapped: Mapped, settings: Settings) -> tuple[str, ...]:
    """Return the numeric order columns that are candidate drivers, by name.

    Nothing may hang on the order in which an export happens to write its columns.
    """
    return tuple(sorted(n for n in mapped.numeric if settings.drivers.get(n) != "ignore"))
