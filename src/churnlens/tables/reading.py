"""How does a file or a database table become an Ibis table? By its own types, or as text."""

from __future__ import annotations

import dataclasses
import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from churnlens.config import Settings, TableSettings
from churnlens.errors import ConfigError, ContractError, first_line
from churnlens.tables import delimited, sheets
from churnlens.tables.database import Database, from_folder, open_database, places_in
from churnlens.tables.delimited import ROW
from churnlens.tables.model import TABLE_NAMES
from churnlens.tables.sources import Located, check_content


@dataclass(frozen=True)
class Raw:
    """A table as it was found: its own column names, the column `ROW`, and what did not parse.

    `malformed` has (row, value, reason) for the lines of a CSV file that are no rows at all.
    """

    label: str
    table: ibis.Table
    malformed: ibis.Table | None = None
    copy: str | None = None  # the temporary table behind `table`, to be dropped after use
    sheet: str | None = None  # of a workbook with several
    other_sheets: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's own columns."""
        return tuple(name for name in self.table.columns if name != ROW)


def read_all(connection: Any, located: Located, settings: Settings) -> dict[str, Raw]:
    """Bring every table of a source into the engine, by its name in the contract.

    Raises
    ------
    ContractError
        When a file or table cannot be read, or has no columns.
    """
    raws = {
        name: read_file(connection, path, getattr(settings, name), name)
        for name, path in located.files.items()
    }
    if located.url is not None:
        database = _database(connection, located, settings)
        wanted = tuple(name for name in TABLE_NAMES if name not in raws)
        for name, table in places_in(database, settings, wanted).items():
            found = Raw(table, database.table(table, getattr(settings, name).decimal))
            raws[name] = _from_database(connection, database, found, name)
    for raw in raws.values():
        delimited.refuse_kept(raw.columns, raw.label)
    return raws


def _database(connection: Any, located: Located, settings: Settings) -> Database:
    url = str(located.url)
    engine = settings.engine and from_folder(settings.engine, located.base)
    if engine == from_folder(url, located.base):
        return Database(url, connection, tuple(connection.list_tables()))
    return open_database(url, located.base)


def _from_database(connection: Any, database: Database, found: Raw, name: str) -> Raw:
    if database.backend is connection:
        return found
    stream = database.backend.to_pyarrow_batches(found.table)
    return _copied(connection, found.label, name, stream)


def read_file(connection: Any, path: Path, chosen: TableSettings, name: str) -> Raw:
    """Bring one data file into the engine; CSV and XLSX as text, Parquet with its own types.

    Raises
    ------
    ContractError
        When the file cannot be read.
    """
    check_content(path)
    _refuse_idle(path, chosen, name)
    lower = path.name.lower()
    if lower.endswith(".parquet"):
        return _from_parquet(connection, path, name)
    if lower.endswith(".xlsx"):
        found = sheets.read(path, chosen, name)
        raw = _copied(connection, path.name, name, found.rows.to_reader())
        if not found.others:
            return raw
        return dataclasses.replace(raw, sheet=found.name, other_sheets=found.others)
    return _from_csv(connection, path, chosen, name)


def _refuse_idle(path: Path, chosen: TableSettings, name: str) -> None:
    """Refuse an option that means nothing for a file of this format, rather than pass it over."""
    text = not path.name.lower().endswith((".parquet", ".xlsx"))
    sheets_only = {"table": chosen.table} if not path.name.lower().endswith(".xlsx") else {}
    text_only = {} if text else {"encoding": chosen.encoding, "delimiter": chosen.delimiter}
    for option, value in {**sheets_only, **text_only}.items():
        if value is not None:
            what = "a sheet of a workbook or a table of a database" if option == "table" else "CSV"
            raise ConfigError(
                f"[{name}] {option} is for {what}, and the {name} are read from {path}: leave it "
                "out."
            )


_NUMBERED = "file_row_number"  # what DuckDB calls the number of a row


def _from_parquet(connection: Any, path: Path, name: str) -> Raw:
    import pyarrow.parquet as pq

    if connection.name != "duckdb":
        table = connection.read_parquet(str(path))
        return Raw(path.name, table.mutate((ibis.row_number() + 2).name(ROW)))
    try:
        written = pq.read_schema(path)
        delimited.named(path, written.names)
        if _NUMBERED in map(str.lower, written.names):
            raise ContractError(f"{path}: a column named '{_NUMBERED}' cannot be read: rename it.")
        table = connection.read_parquet(str(path), table_name=f"raw_{name}", file_row_number=True)
        table = _in_own_zones(table, written)
    except (duckdb.Error, pa.ArrowInvalid) as error:
        raise ContractError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
    numbered = table.mutate((table[_NUMBERED] + 2).name(ROW)).drop(_NUMBERED)
    return Raw(path.name, numbered)


def _in_own_zones(table: ibis.Table, written: pa.Schema) -> ibis.Table:
    """Return a table whose moments are those of its columns' own zones, as a clerk reads them.

    DuckDB reads all as UTC, so that an order after midnight in Shanghai would be of the day before.
    `written` are the columns as they were before DuckDB read them.
    """
    zones = {f.name: f.type.tz for f in written if pa.types.is_timestamp(f.type) and f.type.tz}
    return table.mutate(**{name: _local(table[name], zone) for name, zone in zones.items()})


def _local(moment: ir.Value, zone: str) -> ir.Value:
    """Return a moment as the clocks of a zone show it; of a zone that nobody knows, as UTC."""
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone)
    if offset:
        minutes = int(f"{offset[1]}1") * (60 * int(offset[2]) + int(offset[3]))
        return moment.cast("timestamp") + ibis.interval(minutes=minutes)
    return _timezone(zone, moment) if zone in zoneinfo.available_timezones() else moment


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), "timestamp"))  # type: ignore[untyped-decorator]
def _timezone(zone: str, moment: object) -> None:
    """DuckDB's moment as the clocks of a zone show it."""


def _from_csv(connection: Any, path: Path, chosen: TableSettings, name: str) -> Raw:
    how = delimited.dialect(path, chosen.encoding, chosen.delimiter)
    malformed = delimited.Malformed()
    reader = delimited.batches(path, how, malformed)
    try:
        raw = _copied(connection, path.name, name, reader)
    except (duckdb.Error, pa.ArrowInvalid, ContractError, OSError, ValueError) as error:
        if malformed.unreadable is None:
            raise
        raise ContractError(malformed.unreadable) from error
    if not malformed.rows:
        return raw
    return dataclasses.replace(raw, malformed=ibis.memtable(malformed.table()))


def _copied(connection: Any, label: str, name: str, rows: pa.RecordBatchReader) -> Raw:
    copy = f"raw_{name}"
    return Raw(label, load(connection, copy, rows), copy=copy)


def load(connection: Any, name: str, rows: pa.RecordBatchReader) -> ibis.Table:
    """Keep a stream of rows as a temporary table of the engine."""
    if connection.name != "duckdb":
        return connection.create_table(name, rows.read_all(), temp=True)
    connection.con.register(f"{name}_stream", rows)
    stream = connection.table(f"{name}_stream")
    table = connection.create_table(name, stream, temp=True)
    connection.con.unregister(f"{name}_stream")
    return table
