"""How is an XLSX sheet read? Each cell as the text it shows, with its row in the sheet."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import python_calamine

from churnlens.errors import ContractError, did_you_mean
from churnlens.tables.delimited import ROW, named


def read(path: Path, sheet: str | None) -> pa.Table:
    """Return the first sheet, or the named one, as text columns and `ROW`.

    The first filled row is the header; rows without any filled cell are no rows.

    Raises
    ------
    ContractError
        When the file is no workbook, has no such sheet, or the sheet is empty.
    """
    cells = _cells(path, sheet)
    filled = [i for i, row in enumerate(cells) if any(cell != "" for cell in row)]
    if not filled:
        raise ContractError(f"{path} is empty: it needs a header row and at least one row of data.")
    names = named(path, cells[filled[0]])
    rows = [cells[i] for i in filled[1:]]
    columns = {name: [_text(row[k]) for row in rows] for k, name in enumerate(names)}
    numbers = pa.array([i + 1 for i in filled[1:]], pa.int64())
    return pa.table(
        {ROW: numbers, **{name: pa.array(column, pa.string()) for name, column in columns.items()}}
    )


def _cells(path: Path, sheet: str | None) -> list[list[Any]]:
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
    except (python_calamine.CalamineError, OSError) as error:
        raise ContractError(f"{path} cannot be read as XLSX: {error}.") from error
    with book:
        if sheet is not None and sheet not in book.sheet_names:
            hint = did_you_mean(sheet, book.sheet_names)
            raise ContractError(f"{path} has no sheet '{sheet}'.{hint}")
        found = book.get_sheet_by_name(sheet or book.sheet_names[0])
        rows: list[list[Any]] = found.to_python(skip_empty_area=False)
        return rows


def _text(cell: Any) -> str:
    """Write a cell as text: 42.0 as 42, a date as ISO 8601, true and false in small letters."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    return str(cell)
