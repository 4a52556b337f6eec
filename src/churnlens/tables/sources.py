"""Where do the four tables lie? In a folder, in files a config names, or in a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from churnlens.config import Settings
from churnlens.errors import ContractError, did_you_mean
from churnlens.tables.model import TABLE_NAMES

FORMATS = (".csv", ".csv.gz", ".parquet", ".xlsx")
FORMATS_IN_WORDS = "CSV, CSV.gz, Parquet and XLSX"


@dataclass(frozen=True)
class Place:
    """Where one table lies: a file (`path`), or a table of the database at `url`.

    `label` is what messages and rejects call it. `table` names the sheet of an XLSX file.
    """

    label: str
    path: Path | None = None
    url: str | None = None
    table: str | None = None


def is_url(source: Path | str) -> bool:
    """Tell a database connection (`duckdb:///shop.db`) from a path."""
    return isinstance(source, str) and "://" in source


def locate(source: Path | str, settings: Settings) -> dict[str, Place]:
    """Return the place of each table that the source has.

    Raises
    ------
    ContractError
        When the source does not exist, has no orders, or has two files for one table.
    """
    if is_url(source):
        return _in_database(str(source), settings)
    path = Path(source)
    if not path.exists():
        raise ContractError(f"{path} does not exist: give a folder, a data file or a config file.")
    if path.is_file() and path.suffix != ".toml":
        return _in_files(path.parent, settings, found={"orders": _checked_format(path)})
    if path.is_file() and settings.source:
        return _in_database(settings.source, settings)
    folder = path.parent if path.is_file() else path
    return _in_files(folder, settings, found=_standard_files(folder, settings))


def _in_database(url: str, settings: Settings) -> dict[str, Place]:
    """List the tables a database may hold; `read` finds out which of them exist."""
    places = {}
    for name in TABLE_NAMES:
        table = getattr(settings, name).table or name
        places[name] = Place(label=table, url=url, table=table)
    return places


def _in_files(folder: Path, settings: Settings, found: dict[str, Path]) -> dict[str, Place]:
    places = {}
    for name in TABLE_NAMES:
        chosen = getattr(settings, name)
        path = found.get(name)
        if path is None and chosen.file:
            path = _named_file(folder / chosen.file, name)
        if path is not None:
            places[name] = Place(label=path.name, path=path, table=chosen.table)
    if "orders" not in places:
        raise ContractError(_no_orders(folder))
    return places


def _named_file(path: Path, name: str) -> Path:
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, beside)
        raise ContractError(f"{path} does not exist: [{name}] file names it.{hint}")
    return _checked_format(path)


def _checked_format(path: Path) -> Path:
    if not path.name.lower().endswith(FORMATS):
        raise ContractError(f"{path} cannot be read: churnlens reads {FORMATS_IN_WORDS} files.")
    return path


def _standard_files(folder: Path, settings: Settings) -> dict[str, Path]:
    """Find `orders.*` and the others by name, unless the settings name another file."""
    found = {}
    for name in TABLE_NAMES:
        if getattr(settings, name).file:
            continue
        matches = sorted(p for p in folder.iterdir() if _is_standard(p, name))
        if len(matches) > 1:
            names = " and ".join(p.name for p in matches)
            raise ContractError(
                f"{folder} holds {names}: two files for one table. Remove one, or name the one "
                f'to read in churnlens.toml ([{name}] file = "{matches[0].name}").'
            )
        if matches:
            found[name] = matches[0]
    return found


def _is_standard(path: Path, name: str) -> bool:
    return path.is_file() and path.name.lower() in {name + suffix for suffix in FORMATS}


def _no_orders(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    near = did_you_mean("orders.csv", [n for n in names if n.lower().endswith(FORMATS)])
    listed = f" It holds {', '.join(names[:8])}." if names else " It is empty."
    return (
        f"{folder} has no orders: churnlens looks for orders.csv, orders.csv.gz, orders.parquet "
        f"or orders.xlsx, or a file named under [orders] in churnlens.toml.{listed}{near}"
    )
