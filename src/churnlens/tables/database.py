"""How is a database read? Through Ibis, in place when it is the engine, else by streaming."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis
import ibis.expr.types as ir
from ibis.backends import CanListDatabase

from churnlens.config import Settings
from churnlens.errors import ContractError, did_you_mean, first_line
from churnlens.tables.delimited import ROW

_FILE_SCHEMES = ("duckdb", "sqlite")
_SCHEME_OF = {".duckdb": "duckdb", ".ddb": "duckdb", ".db": "sqlite", ".sqlite": "sqlite"}
_OF_THE_SYSTEM = {"information_schema", "pg_catalog"}
IN_MEMORY = "duckdb://"
_ESCAPED = "backslashreplace"  # so that no two differ only in what was lost


@dataclass(frozen=True)
class Database:
    """An open connection to the database that holds the source's tables.

    `tables` are those of its own schema; one of another schema is called `schema.table`.
    """

    url: str
    backend: Any
    tables: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Tell whether there is such a table."""
        schema, _, table = name.rpartition(".")
        return name in self.tables or (
            schema in self._schemas() and table in self.backend.list_tables(database=schema)
        )

    def all_tables(self) -> tuple[str, ...]:
        """Return the tables of all schemas, those of its own first."""
        schemas = sorted(self._schemas() - {self.backend.current_database, *_OF_THE_SYSTEM})
        listed = {schema: self.backend.list_tables(database=schema) for schema in schemas}
        others = [f"{schema}.{table}" for schema, tables in listed.items() for table in tables]
        return (*self.tables, *others)

    def _schemas(self) -> set[str]:
        has_them = isinstance(self.backend, CanListDatabase)
        return set(self.backend.list_databases()) if has_them else set()

    def table(self, name: str, decimal: str) -> ibis.Table:
        """Return a table with `ROW`, its rows numbered as the database gives them.

        `decimal` is the mark that numbers are written with where they are handed over as text.
        """
        schema, _, table = name.rpartition(".")
        whole = name in self.tables  # a name may have a point in it
        found = self.backend.table(name) if whole else self.backend.table(table, database=schema)
        if self.backend.name == "sqlite":
            # SQLite keeps any type in any column; as text, a stray cell is a reject, not a crash
            found = found.select(**{name: _written(found[name], decimal) for name in found.columns})
        elif self.backend.name == "duckdb":
            found = found.mutate(**_plain(found))
        return found.mutate((ibis.row_number() + 1).name(ROW))


def _written(cell: ir.Value, decimal: str) -> ir.StringValue:
    """Return a cell of SQLite as text: a number 42.0 is `42`, as it would be in an integer column.

    Others are written with the decimal mark that those kept as text have.
    """
    written = cell.cast("string")
    whole = written.left(written.length() - 2)
    number = ibis.ifelse(written.endswith(".0"), whole, written.replace(".", decimal))
    return ibis.ifelse(cell.typeof() == "real", number, written)


def _plain(table: ibis.Table) -> dict[str, ir.StringValue]:
    """Return the columns of types that Arrow hands over as others than it says, as plain text.

    To Ibis an ENUM is text already, so that a cast would do nothing; a BIT or UNION is unknown.
    """
    unknown = {n: table[n].cast("string") for n, t in table.schema().items() if t.is_unknown()}
    text = {n: table[n] + "" for n, t in table.schema().items() if t.is_string()}
    return {**unknown, **text}


def open_database(url: str, base: Path | None = None) -> Database:
    """Open a source by its Ibis connection URL; a path in it may be relative to `base`.

    Raises
    ------
    ContractError
        When the database file does not exist or the connection fails.
    """
    resolved = _with_file(url, base or Path())
    try:
        backend = ibis.connect(resolved)
        if backend.name == "sqlite":  # a BLOB may hold bytes that are no text
            backend.con.text_factory = functools.partial(str, encoding="utf-8", errors=_ESCAPED)
        tables = tuple(backend.list_tables())
    except Exception as error:
        said = first_line(error)
        if "missing dependencies" in said:
            kind = urlsplit(url).scheme
            said += f" Install them: pip install 'ibis-framework[{kind}]'."
        raise ContractError(f"{url} cannot be opened: {said}") from error
    return Database(url, backend, tables)


def from_folder(url: str, base: Path) -> str:
    """Return the URL of a database with the file that it names from `base`; that may yet be made.

    `duckdb:///work.db` is meant beside `base`, not at the root of the file system: a path from the
    root is taken as such where the file is there, or a folder for it. Servers and what lies in
    memory have no file, and their URL stays.
    """
    parts = urlsplit(url)
    written = parts.netloc + parts.path
    if parts.scheme not in _FILE_SCHEMES or not written.strip("/") or ":" in written:
        return url
    path = Path(written)
    has_folder = path.parent.is_dir() and path.parent != path.parent.parent
    if not path.is_absolute() or not (path.is_file() or has_folder):
        path = base / written.lstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{path.resolve()}{query}"


def file_of(url: str, base: Path) -> Path | None:
    """Return the file of a source that is a DuckDB or SQLite database; None of any other.

    Raises
    ------
    ContractError
        When the file does not exist.
    """
    parts = urlsplit(_with_file(url, base))
    local = parts.scheme in _FILE_SCHEMES and parts.path.strip("/")
    return Path(parts.path) if local else None


def _with_file(url: str, base: Path) -> str:
    """Find the file that a DuckDB or SQLite URL names; opening it would otherwise create it."""
    if "://" not in url:
        return _with_file(_as_url(url, base), base)
    parts = urlsplit(url)
    if parts.scheme not in _FILE_SCHEMES or url == IN_MEMORY:
        return url
    written = parts.netloc + parts.path
    places = (Path(written), base / written, base / written.lstrip("/"))
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise ContractError(f"{url}: there is no database file {written}.")
    mode = "?read_only=True" if parts.scheme == "duckdb" else ""
    return f"{parts.scheme}://{path.resolve()}{mode}"


def _as_url(written: str, base: Path) -> str:
    """Return the URL of a database file that is named without one."""
    path = base / written
    if not path.is_file():
        raise ContractError(
            f"{path} does not exist: source in churnlens.toml names it. A source is a database, "
            "such as duckdb://shop.duckdb; a data file is named under [orders] file."
        )
    scheme = _SCHEME_OF.get(path.suffix.lower())
    if scheme is None:
        raise ContractError(
            f"{path} is no database file ({', '.join(_SCHEME_OF)}): source in churnlens.toml names "
            "it. A data file is named under [orders] file."
        )
    return f"{scheme}://{path.absolute()}"


def places_in(database: Database, settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """Return which table of the database each of `names` is.

    Raises
    ------
    ContractError
        When a table named in the settings, or the orders, is not there.
    """
    found = {}
    for name in names:
        chosen = getattr(settings, name).table
        table = chosen or name
        if database.holds(table):
            found[name] = table
        elif chosen or name == "orders":
            tables = database.all_tables()
            hint = did_you_mean(table, tables)
            listed = ", ".join(tables) or "none"
            raise ContractError(
                f"{database.url} has no table '{table}'.{hint} Its tables are {listed}; say in "
                f'churnlens.toml which one holds the {name}: [{name}] table = "…".'
            )
    return found
