"""What does a cell say? Text, a date or a number; null where it says nothing or cannot be read."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

# What stands for "no value" besides a blank; "NA" may be a text (Namibia), so only in numbers.
MISSING_TEXT = ("", "NULL", "null", "\\N")
MISSING_NUMBER = (*MISSING_TEXT, "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "-")

_TIME = r"[T ]([01]\d|2[0-4]):?[0-5]\d(:?[0-6]\d([.,]\d+)?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?"
_DATE_AND_TIME = r"^[12]\d{3}-\d{2}-\d{2}" + _TIME + "$"
_ZEROS = (
    r"\.0*$|(\.\d*?)0+$"  # of decimals, which are written with as many places as their type has
)
_CONTROL = r"[\x00-\x1f\x7f]+"
_FIRST_DAY, _LAST_DAY = "1700-01-01", "2199-12-31"
# No amount and no measure is larger; squares and sums of what is smaller still are numbers, in
# single precision too.
_LARGEST = 1e15


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), "timestamp"))  # type: ignore[untyped-decorator]
def _try_strptime(written: str, pattern: str) -> None:
    """DuckDB's strptime that answers null where a text is no such date."""


def missing(column: ir.Value) -> ir.BooleanValue:
    """Tell where the source says nothing: null, blank, or a word for it."""
    if column.type().is_string():
        return column.isnull() | _says_nothing(column, MISSING_NUMBER)
    if column.type().is_floating():
        return column.isnull() | column.isnan()
    return column.isnull()


def _says_nothing(written: ir.StringValue, words: tuple[str, ...]) -> ir.BooleanValue:
    # stripping costs more than all other checks: only a text that begins below "!" needs it
    return ibis.ifelse(written < "!", written.strip() == "", written.isin(words))


def text(column: ir.Value) -> ir.StringValue:
    """Read text to the letter: `00042` stays `00042`, and a number 42.0 is `42`."""
    if column.type().is_decimal():
        return column.cast("string").re_replace(_ZEROS, r"\1")
    if column.type().is_floating():
        whole = column.try_cast("int64")
        written = ibis.ifelse(column == whole, whole.cast("string"), column.cast("string"))
        return ibis.ifelse(column.isnan(), ibis.null("string"), written)
    written = column.cast("string")
    return ibis.ifelse(_says_nothing(written, MISSING_TEXT), ibis.null("string"), written)


def shown(column: ir.Value) -> ir.StringValue:
    """Read text that stands in sentences: as `text`, but for control characters.

    A terminal would obey them, and titles go to terminals, minutes and other programs.
    """
    return text(text(column).re_replace(_CONTROL, " "))


def date(column: ir.Value, pattern: str | None) -> ir.DateValue:
    """Read dates: ISO 8601 unless `pattern` (strptime) says otherwise; years 1700 to 2199."""
    if column.type().is_date() or column.type().is_timestamp():
        return column.cast("date")
    # a column of whole numbers with a blank among them may be kept as floats
    written = text(column) if column.type().is_numeric() else column.cast("string")
    if pattern is not None:
        return _try_strptime(written.strip(), pattern).date()
    iso = ibis.cases(
        (written.like("____-__-__"), written),
        (written.strip().like("____-__-__"), written.strip()),
        (written.strip().re_search(_DATE_AND_TIME), written.strip().left(10)),
        else_=ibis.null("string"),
    )
    return iso.try_cast("date")


def sound_date(value: ir.DateValue) -> ir.DateValue:
    """Return null for a date outside the years 1700 to 2199, which nobody meant."""
    within = value.between(ibis.date(_FIRST_DAY), ibis.date(_LAST_DAY))
    return ibis.ifelse(within, value, ibis.null("date"))


def may_be_number(column: ir.Value) -> bool:
    """Return whether a column is of a type that may hold numbers: not a date, nor a list."""
    kind = column.type()
    return bool(kind.is_numeric() or kind.is_boolean() or kind.is_string())


def number(column: ir.Value, decimal: str = ".") -> ir.FloatingValue:
    """Read numbers; `decimal` is the decimal mark of numbers kept as text.

    What is of a type that is never a number (a date, a list) is none.
    """
    if not may_be_number(column):
        return ibis.null("float64")
    if not column.type().is_string():
        return column.cast("float64")
    if decimal != ".":
        column = column.replace(".", "_").replace(decimal, ".")
    # DuckDB reads 1_000 as a number: no other program writes one so
    return ibis.ifelse(column.contains("_"), ibis.null("string"), column).try_cast("float64")


def sound_number(value: ir.FloatingValue) -> ir.FloatingValue:
    """Return null for what is not finite, or too large for anything that is counted."""
    return ibis.ifelse(value.between(-_LARGEST, _LARGEST), value, ibis.null("float64"))
