"""Which text column of the orders was meant for a number? One whose cells hold a unit or marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import ibis
import pandas as pd

from churnlens.results import DataFinding, Text
from churnlens.tables.cells import MISSING_NUMBER
from churnlens.tables.delimited import ROW
from churnlens.tables.profile import date_formats

_GLANCE = 10_000  # rows
_NEARLY_ALL = 0.95  # of the filled cells
_MOST_UNITS = 3  # "day" and "days"; more are codes
_NUMBER_AND_UNIT = r"[^\w+-]*[+-]?\d[\d.,'’\s]*?\s*(?P<unit>[^\W\d_]{0,8}|%)[^\w]*"


def findings(table: ibis.Table, names: Sequence[str]) -> Iterator[DataFinding]:
    """Return one finding for each of the named text columns whose cells are numbers but for that.

    Such a column is no driver, which nobody would see: `12 days`, `4%`, `1,5` where a point is the
    decimal mark. The example has 0 for each digit: the column may hold numbers of clients.
    """
    asked = [name for name in names if table[name].type().is_string()]
    if not asked:
        return
    sample: pd.DataFrame = table.filter(table[ROW] <= _GLANCE).select(*asked).execute()
    for name in asked:
        cells = sample[name].dropna().str.strip()
        cells = cells[~cells.isin(MISSING_NUMBER)]
        if _are_numbers(cells):
            text = Text(
                "“{column}” is read as text and is no driver, though its cells look like numbers: "
                "“{value}” for example, with 0 for each digit. Write plain numbers, without a unit "
                "and with the decimal mark that churnlens.toml names.",
                {"column": name, "value": re.sub(r"\d", "0", cells.iloc[0])},
            )
            yield DataFinding("number_as_text", "warning", text, len(cells))


def _are_numbers(cells: pd.Series[str]) -> bool:
    """Whether nearly all are numbers with one unit or marks; bare digits are codes, not numbers."""
    if cells.empty:
        return False
    parts = cells.str.extract(rf"^{_NUMBER_AND_UNIT}$")["unit"]
    units = parts.dropna()
    marked = (units != "").any() or cells.str.contains(r"\d[.,]\d").any()
    alike = len(units) >= _NEARLY_ALL * len(cells) and units.nunique() <= _MOST_UNITS
    return bool(alike and marked and not date_formats(cells))
