"""Which order lines are returns? Those of zero or below, and those that a column marks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import ibis
import ibis.expr.types as ir

from churnlens.config import OrderSettings
from churnlens.results import DataFinding, Text
from churnlens.tables import cells
from churnlens.tables import columns as cols
from churnlens.tables.contract import Column, Reading
from churnlens.tables.model import RETURN
from churnlens.tables.reading import Raw

Derived = Callable[[ibis.Table], ir.Value]
_SIGN = "__marked_return"


def sign(raw: Raw, chosen: OrderSettings) -> list[Column]:
    """Read the column that marks a return, as a boolean."""
    asked = chosen.returns
    if asked is None:
        return []
    cols.require_column(raw, asked.column, "[orders.returns] column names it")
    cell = raw.table[asked.column]
    text = cells.text(cell).strip()
    marked = ibis.literal(False)
    if asked.starts_with is not None:
        marked = marked | text.startswith(asked.starts_with)
    if asked.equals is not None:
        marked = marked | (text == asked.equals.strip())
        number = _as_number(asked.equals)
        if number is not None and cells.may_be_number(cell):  # 1 is 1.0, as some programs write it
            marked = marked | (cells.number(cell, chosen.decimal) == number).fill_null(False)
    return [Column(_SIGN, (Reading(asked.column, marked.fill_null(False)),))]


def _as_number(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None


def findings(raw: Raw, sign: Sequence[Column]) -> Iterator[DataFinding]:
    """Say so where no row at all is marked as a return: then the filter is not what was meant."""
    for column in sign:
        (reading,) = column.readings
        marked = raw.table.aggregate(any=reading.value.any())
        if not marked.to_pyarrow().to_pylist()[0]["any"]:
            text = Text(
                "[orders.returns] in churnlens.toml marks no row: nothing in “{column}” is what it "
                "asks for, and only amounts of zero or below are read as returns.",
                {"column": reading.source},
            )
            yield DataFinding("returns_unmarked", "warning", text)


def derived(names: Collection[str], *, marked: bool) -> dict[str, Derived]:
    """Return what is worked out from the other columns: `RETURN`, and amounts with their sign.

    `names` are the orders' columns of fixed meaning; `marked` says that a column marks returns.
    """
    signed = [name for name in ("amount", "margin") if marked and name in names]
    return {RETURN: _is_return, **{name: _given_back(name) for name in signed}}


def _given_back(name: str) -> Derived:
    """What a row that is marked as a return takes away, where it is written without a minus."""

    def signed(orders: ibis.Table) -> ir.FloatingValue:
        plain = orders[_SIGN] & (orders.amount > 0)
        return ibis.ifelse(plain, -orders[name].abs(), orders[name])

    return signed


def _is_return(orders: ibis.Table) -> ir.BooleanValue:
    returned = orders.amount <= 0
    return returned | orders[_SIGN] if _SIGN in orders.columns else returned
