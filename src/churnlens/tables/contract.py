"""Which rows keep the contract? Each row is tagged, in one pass, with the first thing wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from churnlens.results import RowCounts
from churnlens.tables.cells import missing, sound_number
from churnlens.tables.delimited import ROW
from churnlens.tables.reading import Raw

FAILED = "__failed"  # which check a row failed first; null for a row that keeps the contract
FOUND = "__found"  # what stood in the cell that failed


Combine = Callable[[Sequence[ir.Value]], ir.Value]


@dataclass(frozen=True)
class Reading:
    """A column of the source, read as one type; null where it is blank or cannot be read.

    `kind` says in words what it should be ("a date"); None for text, which can always be read.
    A `needed` one may not be blank. `sound` nulls values that nobody meant.
    """

    source: str
    value: ir.Value
    kind: str | None = None
    needed: bool = False
    blank: str = ""  # the reason given for a blank one, where there is a better one
    sound: Callable[[ir.Value], ir.Value] = lambda value: value


@dataclass(frozen=True)
class Column:
    """One column of a table as later rooms know it, made of one or more readings."""

    name: str
    readings: tuple[Reading, ...]
    combine: Combine = lambda values: values[0]


@dataclass(frozen=True)
class Check:
    """One rule that a row may break: the column named in the reject, and the reason given."""

    column: str
    reason: str


@dataclass(frozen=True)
class Staged:
    """A table whose rows are tagged: typed columns, `ROW`, `FAILED` and `FOUND`."""

    label: str
    table: ibis.Table
    columns: tuple[str, ...]
    checks: tuple[Check, ...]
    malformed: ibis.Table | None

    @property
    def kept(self) -> ibis.Table:
        """Rows that keep the contract, whatever their date."""
        return self.table.filter(self.table[FAILED].isnull())

    @property
    def refused(self) -> ibis.Table:
        """Rows that break the contract: (file, row, column, value, reason)."""
        rows = self.table.filter(self.table[FAILED].notnull())
        wrong = rows.select(
            file=ibis.literal(self.label),
            row=rows[ROW],
            column=_named(rows[FAILED], [check.column for check in self.checks]),
            value=rows[FOUND],
            reason=_named(rows[FAILED], [check.reason for check in self.checks]),
        )
        if self.malformed is None:
            return wrong
        lines = self.malformed.select(
            file=ibis.literal(self.label),
            row="row",
            column=ibis.literal(""),
            value="value",
            reason="reason",
        )
        return wrong.union(lines)


@dataclass(frozen=True)
class Split:
    """A tagged table as it stood on `as_of`, by the date in `date_column` (if it has one)."""

    staged: Staged
    date_column: str
    as_of: dt.date

    @property
    def accepted(self) -> ibis.Table:
        """Rows that keep the contract and are not dated after `as_of`."""
        kept = self.staged.kept
        return kept.filter(~self._after(kept)).select(*self.staged.columns)

    def _after(self, table: ibis.Table) -> ir.BooleanValue:
        if self.date_column not in table.columns:
            return ibis.literal(False)
        return (table[self.date_column] > self.as_of).fill_null(False)

    def counts(self) -> RowCounts:
        """Count read = accepted + rejected + after_as_of."""
        table = self.staged.table
        kept = table[FAILED].isnull()
        counted = table.aggregate(
            read=table.count(),
            kept=kept.sum().fill_null(0),
            after=(kept & self._after(table)).sum().fill_null(0),
        )
        seen = counted.to_pyarrow().to_pylist()[0]
        lines = self.staged.malformed
        lost = 0 if lines is None else int(lines.count().to_pyarrow().as_py())
        return RowCounts(
            read=seen["read"] + lost,
            accepted=seen["kept"] - seen["after"],
            rejected=seen["read"] - seen["kept"] + lost,
            after_as_of=seen["after"],
        )


def _named(code: ir.IntegerValue, names: Sequence[str]) -> ir.StringValue:
    if not names:
        return ibis.null("string")
    return ibis.cases(*((code == i, name) for i, name in enumerate(names)), else_="")


def stage(
    connection: Any,
    raw: Raw,
    name: str,
    columns: Sequence[Column],
    derived: Mapping[str, Callable[[ibis.Table], ir.Value]] | None = None,
    unique: str | None = None,
) -> Staged:
    """Tag every row and keep the result as a temporary table of the engine.

    `derived` adds columns computed from the others or takes their place; those that begin with two
    underscores are left out afterwards. `unique` names a column whose first kept row stands and
    whose later rows are refused. The expression has layers (read, tag, show) so that every cell is
    parsed once.
    """
    tagged, checks, sources = _tagged(_read(raw, columns), columns)
    if derived:
        tagged = tagged.mutate(**{key: make(tagged) for key, make in derived.items()})
    if unique is not None:
        tagged = _without_repeats(tagged, unique, len(checks))
        checks = (*checks, Check(unique, f"{unique} stands in an earlier row already"))
        sources = (*sources, unique)
    own = (column.name for column in columns if not column.name.startswith("__"))
    names = tuple(dict.fromkeys([*own, *(derived or {})]))
    shown = tagged.select(ROW, *names, FAILED, _found(tagged, sources).name(FOUND))
    if unique is not None:
        shown = shown.order_by(ROW)
    with _layers_kept():
        table = connection.create_table(f"staged_{name}", shown, temp=True)
    if raw.copy is not None:
        connection.drop_table(raw.copy)
    return Staged(raw.label, table, names, checks, raw.malformed)


@contextmanager
def _layers_kept() -> Iterator[None]:
    """Keep Ibis from merging the layers, which would parse a cell once for every use of it."""
    before = ibis.options.sql.fuse_selects
    ibis.options.sql.fuse_selects = False
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = before


def _read(raw: Raw, columns: Sequence[Column]) -> ibis.Table:
    """Parse the readings, then null what is not sound; `__v0` … beside the source's columns."""
    readings = [reading for column in columns for reading in column.readings]
    used = dict.fromkeys(reading.source for reading in readings)
    parsed = raw.table.select(
        raw.table[ROW].cast("int64").name(ROW),
        *(raw.table[source].name(f"__s_{source}") for source in used if source != ROW),
        *(reading.value.name(f"__v{i}") for i, reading in enumerate(readings)),
    )
    sound = {f"__v{i}": r.sound(parsed[f"__v{i}"]) for i, r in enumerate(readings)}
    return parsed.mutate(**sound)


def _tagged(
    read: ibis.Table, columns: Sequence[Column]
) -> tuple[ibis.Table, tuple[Check, ...], tuple[str, ...]]:
    """Add the columns and `FAILED`; returns the checks and the column each of them looked at."""
    rules: list[tuple[Check, str, ir.BooleanValue]] = []
    values = {}
    place = 0
    for column in columns:
        parts = [read[f"__v{place + k}"] for k in range(len(column.readings))]
        place += len(parts)
        values[column.name] = column.combine(parts)
        for part, reading in zip(parts, column.readings, strict=True):
            rules += _rules(read, part, reading)
        if len(parts) > 1 and values[column.name].type().is_floating():
            rules.append(_too_large(column, values[column.name]))
    branches = [(fails, ibis.literal(i, "int16")) for i, (_, _, fails) in enumerate(rules)]
    failed = ibis.cases(*branches, else_=ibis.null("int16")) if branches else ibis.null("int16")
    checks = tuple(check for check, _, _ in rules)
    return read.mutate(failed.name(FAILED), **values), checks, tuple(found for _, found, _ in rules)


def _rules(
    read: ibis.Table, value: ir.Value, reading: Reading
) -> Iterator[tuple[Check, str, ir.BooleanValue]]:
    """Return the rules of one reading, each with the column that shows what was found."""
    found = f"__s_{reading.source}"
    empty = value.isnull()
    if reading.needed:
        blank = empty if reading.kind is None else empty & missing(read[found])
        yield Check(reading.source, reading.blank or f"{reading.source} is blank"), found, blank
    if reading.kind is not None:
        wrong = empty & ~missing(read[found])
        yield Check(reading.source, f"{reading.source} is not {reading.kind}"), found, wrong


def _too_large(column: Column, product: ir.FloatingValue) -> tuple[Check, str, ir.BooleanValue]:
    """Refuse a product of sound numbers that is not one itself."""
    first = column.readings[0]
    check = Check(first.source, f"{column.name} is not {first.kind}")
    return check, f"__s_{first.source}", sound_number(product).isnull() & product.notnull()


def _found(tagged: ibis.Table, sources: Sequence[str]) -> ir.StringValue:
    """Return what stood in the cell that failed; null in rows that did not."""
    failed = tagged[FAILED]
    nothing = ibis.null("string")
    shown = [(failed == i, tagged[name].cast("string")) for i, name in enumerate(sources)]
    return ibis.ifelse(failed.isnull(), nothing, ibis.cases(*shown, else_=nothing))


def _without_repeats(tagged: ibis.Table, unique: str, code: int) -> ibis.Table:
    again = ibis.row_number().over(
        group_by=[tagged[unique], tagged[FAILED].isnull()], order_by=tagged[ROW]
    )
    repeated = tagged[FAILED].isnull() & (again > 0)
    marked = ibis.ifelse(repeated, ibis.literal(code, "int16"), tagged[FAILED])
    return tagged.mutate(marked.name(FAILED))
