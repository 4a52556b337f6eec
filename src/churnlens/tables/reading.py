"""How does a file or a database table become an Ibis table in the engine?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa

from churnlens.config import TableSettings
from churnlens.errors import ContractError
from churnlens.tables import delimited
from churnlens.tables.delimited import ROW
from churnlens.tables.sources import Place


@dataclass(frozen=True)
class Raw:
    """A table as it was found: its own column names, the column `ROW`, and what did not parse.

    `malformed` has (row, value, reason) for the lines of a CSV file that are no rows at all.
    """

    label: str
    table: ibis.Table
    malformed: ibis.Table | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's own columns."""
        return tuple(name for name in self.table.columns if name != ROW)


def read(connection: Any, place: Place, settings: TableSettings, name: str) -> Raw:
    """Bring one table into the engine.

    Raises
    ------
    ContractError
        When the file or table cannot be read, or is empty.
    """
    path = place.path
    assert path is not None
    lower = path.name.lower()
    if lower.endswith((".csv", ".csv.gz")):
        return _from_csv(connection, place, settings, name)
    if lower.endswith(".parquet"):
        return _from_parquet(connection, place, name)
    raise ContractError(f"{path} cannot be read yet.")


def _from_parquet(connection: Any, place: Place, name: str) -> Raw:
    try:
        table = connection.read_parquet(
            str(place.path), table_name=f"raw_{name}", file_row_number=True
        )
    except Exception as error:
        raise ContractError(
            f"{place.path} cannot be read as Parquet: {_first_line(error)}"
        ) from error
    numbered = table.mutate((table.file_row_number + 1).name(ROW)).drop("file_row_number")
    return Raw(place.label, numbered)


def _from_csv(connection: Any, place: Place, settings: TableSettings, name: str) -> Raw:
    assert place.path is not None
    how = delimited.dialect(place.path, settings.encoding, settings.delimiter)
    malformed = delimited.Malformed()
    reader = delimited.batches(place.path, how, malformed)
    try:
        table = load(connection, f"raw_{name}", reader)
    except Exception as error:
        if malformed.unreadable is None:
            raise
        raise ContractError(malformed.unreadable) from error
    wrong = ibis.memtable(malformed.table()) if malformed.rows else None
    return Raw(place.label, table, wrong)


def load(connection: Any, name: str, rows: pa.RecordBatchReader) -> ibis.Table:
    """Keep a stream of rows as a temporary table of the engine."""
    if connection.name != "duckdb":
        return connection.create_table(name, rows.read_all(), temp=True)
    connection.con.register(f"{name}_stream", rows)
    stream = connection.table(f"{name}_stream")
    return connection.create_table(name, stream, temp=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
