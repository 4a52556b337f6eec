"""How is an XLSX sheet read? Each cell as the text it shows, with its row in the sheet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import python_calamine

from churnlens.config import TableSettings
from churnlens.errors import ContractError, did_you_mean
from churnlens.tables.delimited import ROW, named


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook as text columns and `ROW`, and the names of the others."""

    name: str
    others: tuple[str, ...]
    rows: pa.Table


def read(path: Path, chosen: TableSettings, table: str) -> Sheet:
    """Return the chosen sheet; without a name the one called as the table, else the first.

    Cells that are numbers or dates are written as the settings say that those kept as text are.

    The first filled row is the header; rows without any filled cell are no rows.

    Raises
    ------
    ContractError
        When the file is no workbook, has no such sheet, or the sheet is empty.
    """
    name, others, cells = _cells(path, chosen.table, table)
    filled = [i for i, row in enumerate(cells) if any(cell != "" for cell in row)]
    if not filled:
        raise ContractError(f"{path} is empty: it needs a header row and at least one row of data.")
    names = named(path, cells[filled[0]])
    rows = [cells[i] for i in filled[1:]]
    columns = {name: [_text(row[k], chosen) for row in rows] for k, name in enumerate(names)}
    numbers = pa.array([i + 1 for i in filled[1:]], pa.int64())
    texts = {name: pa.array(column, pa.string()) for name, column in columns.items()}
    return Sheet(name, others, pa.table({ROW: numbers, **texts}))


def _cells(
    path: Path, sheet: str | None, table: str
) -> tuple[str, tuple[str, ...], list[list[Any]]]:
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
    except (python_calamine.CalamineError, OSError) as error:
        raise ContractError(f"{path} cannot be read as XLSX: {error}.") from error
    with book:
        if sheet is not None and sheet not in book.sheet_names:
            hint = did_you_mean(sheet, book.sheet_names)
            raise ContractError(f"{path} has no sheet '{sheet}'.{hint}")
        alike = [name for name in book.sheet_names if name.strip().lower() == table]
        chosen = sheet or (alike or book.sheet_names)[0]
        others = tuple(name for name in book.sheet_names if name != chosen)
        return chosen, others, book.get_sheet_by_name(chosen).to_python(skip_empty_area=False)


def _text(cell: Any, chosen: TableSettings) -> str:
    """Write a cell as text: 42.0 as 42, a date as ISO 8601, true and false in small letters."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        whole = cell.is_integer() and abs(cell) < 1e15
        return str(int(cell)) if whole else repr(cell).replace(".", chosen.decimal)
    if isinstance(cell, dt.date) and chosen.date_format is not None:
        return cell.strftime(chosen.date_format)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    return str(cell)
