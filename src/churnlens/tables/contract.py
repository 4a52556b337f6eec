"""Which rows keep the contract? Each row is tagged, in one pass, with the first thing wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from churnlens.results import RowCounts
from churnlens.tables.cells import Cell
from churnlens.tables.delimited import ROW
from churnlens.tables.reading import Raw

FAILED = "__failed"  # which check a row failed first; null for a row that keeps the contract
FOUND = "__found"  # what stood in the cell that failed


@dataclass(frozen=True)
class Check:
    """One rule: the source's column, what stands there, where it fails, and the reason given."""

    column: str
    found: ir.Value
    fails: ir.BooleanValue
    reason: str


@dataclass(frozen=True)
class Column:
    """One column of a table as later rooms know it, and the rules it must keep."""

    name: str
    value: ir.Value
    checks: tuple[Check, ...] = ()


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


def required(column: str, cell: Cell, kind: str) -> tuple[Check, ...]:
    """Rules of a column that every row must fill: not blank, and readable as `kind`."""
    blank = Check(column, cell.found, cell.blank, f"{column} is blank")
    return (blank, *optional(column, cell, kind))


def optional(column: str, cell: Cell, kind: str) -> tuple[Check, ...]:
    """Rule of a column that may be blank: readable as `kind` where it is not."""
    return (Check(column, cell.found, cell.bad, f"{column} is not {kind}"),)


def stage(
    connection: Any, raw: Raw, name: str, columns: Sequence[Column], unique: str | None = None
) -> Staged:
    """Tag every row and keep the result as a temporary table of the engine.

    `unique` names a column whose first kept row stands and whose later rows are refused.
    """
    checks = tuple(check for column in columns for check in column.checks)
    tagged = raw.table.select(
        raw.table[ROW].cast("int64").name(ROW),
        *(column.value.name(column.name) for column in columns),
        _first_failure(checks).name(FAILED),
        _cell_found(checks).name(FOUND),
    )
    if unique is not None:
        tagged, checks = _without_repeats(tagged, checks, unique)
    names = tuple(column.name for column in columns)
    table = connection.create_table(f"staged_{name}", tagged, temp=True)
    return Staged(raw.label, table, names, checks, raw.malformed)


def _first_failure(checks: Sequence[Check]) -> ir.IntegerValue:
    branches = [(c.fails, ibis.literal(i, "int16")) for i, c in enumerate(checks)]
    return ibis.cases(*branches, else_=ibis.null("int16"))


def _cell_found(checks: Sequence[Check]) -> ir.StringValue:
    branches = [(c.fails, c.found.cast("string")) for c in checks]
    return ibis.cases(*branches, else_=ibis.null("string"))


def _without_repeats(
    tagged: ibis.Table, checks: tuple[Check, ...], unique: str
) -> tuple[ibis.Table, tuple[Check, ...]]:
    again = ibis.row_number().over(
        group_by=[tagged[unique], tagged[FAILED].isnull()], order_by=tagged[ROW]
    )
    repeated = tagged[FAILED].isnull() & (again > 0)
    code = ibis.literal(len(checks), "int16")
    marked = tagged.mutate(
        ibis.ifelse(repeated, code, tagged[FAILED]).name(FAILED),
        ibis.ifelse(repeated, tagged[unique], tagged[FOUND]).name(FOUND),
    )
    found = tagged[unique]
    check = Check(unique, found, repeated, f"{unique} stands in an earlier row already")
    return marked, (*checks, check)
