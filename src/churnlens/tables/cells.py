"""What does a cell say? Text, a date or a number, or nothing, or something that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

# What stands for "no value" besides a blank; "NA" may be a text (Namibia), so only in numbers.
MISSING_TEXT = ("", "NULL", "null", "\\N")
MISSING_NUMBER = (*MISSING_TEXT, "NA", "N/A", "#N/A", "NaN", "nan", "None")

_TIME = r"([T ]([01]\d|2[0-4]):?[0-5]\d(:?[0-6]\d([.,]\d+)?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?"
ISO_DATE = r"^[12]\d{3}-\d{2}-\d{2}" + _TIME + "$"
_FIRST, _LAST = "1000-01-01", "2999-12-31"


@dataclass(frozen=True)
class Cell:
    """A column read as one type: its value, where it is blank, and where it cannot be read."""

    found: ir.Value  # what stands in the source
    value: ir.Value  # null where blank or bad
    blank: ir.BooleanValue
    bad: ir.BooleanValue  # neither blank nor readable


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), "timestamp"))
def _try_strptime(text: Any, pattern: Any) -> Any:
    """DuckDB's strptime that answers null where a text is no such date."""


def text(column: ir.Value) -> Cell:
    """Read a column as text, to the letter: `00042` stays `00042`."""
    if column.type().is_floating():
        whole = column.cast("int64")
        exact = ibis.ifelse(column == whole, whole.cast("string"), column.cast("string"))
        value = ibis.ifelse(column.isnan(), ibis.null("string"), exact)
        return Cell(column, value, value.isnull(), ibis.literal(False))
    value = column.cast("string")
    blank = value.isnull() | value.strip().isin(MISSING_TEXT)
    return Cell(column, ibis.ifelse(blank, ibis.null("string"), value), blank, ibis.literal(False))


def date(column: ir.Value, pattern: str | None) -> Cell:
    """Read a column as dates: ISO 8601 unless `pattern` (strptime) says otherwise.

    A date of the years before 1000 or after 2999 counts as one that cannot be read.
    """
    if column.type().is_date() or column.type().is_timestamp():
        value, blank = column.cast("date"), column.isnull()
    else:
        written = column.cast("string").strip()
        blank = written.isnull() | written.isin(MISSING_NUMBER)
        value = _dated(written, pattern)
    sound = value.notnull() & value.between(ibis.date(_FIRST), ibis.date(_LAST))
    return Cell(column, ibis.ifelse(sound, value, ibis.null("date")), blank, ~blank & ~sound)


def _dated(written: ir.StringValue, pattern: str | None) -> ir.DateValue:
    if pattern is not None:
        return _try_strptime(written, pattern).date()
    iso = written.re_search(ISO_DATE)
    return ibis.ifelse(iso, written.left(10), ibis.null("string")).try_cast("date")


def number(column: ir.Value, decimal: str = ".") -> Cell:
    """Read a column as finite numbers; `decimal` is the decimal mark of numbers kept as text."""
    kind = column.type()
    if kind.is_boolean():
        return Cell(column, column.cast("float64"), column.isnull(), ibis.literal(False))
    if kind.is_floating():
        blank = column.isnull() | column.isnan()
        bad = ~blank & column.isinf()
        value = ibis.ifelse(blank | bad, ibis.null("float64"), column.cast("float64"))
        return Cell(column, value, blank, bad)
    if kind.is_numeric():
        return Cell(column, column.cast("float64"), column.isnull(), ibis.literal(False))
    return _number_in_text(column, decimal)


def _number_in_text(column: ir.Value, decimal: str) -> Cell:
    written = column.cast("string").strip()
    blank = written.isnull() | written.isin(MISSING_NUMBER)
    plain = written if decimal == "." else written.replace(".", "#").replace(decimal, ".")
    parsed = plain.try_cast("float64")
    bad = ~blank & (parsed.isnull() | parsed.isinf() | parsed.isnan() | plain.contains("_"))
    value = ibis.ifelse(blank | bad, ibis.null("float64"), parsed)
    return Cell(column, value, blank, bad)
