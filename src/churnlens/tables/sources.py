"""Where do the four tables lie? In a folder, in files a config names, or in a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from churnlens.config import Settings
from churnlens.errors import ContractError, did_you_mean
from churnlens.tables.model import TABLE_NAMES

FORMATS = (".csv", ".csv.gz", ".parquet", ".xlsx")
FORMATS_IN_WORDS = "CSV, CSV.gz, Parquet and XLSX"
# How a file begins: what it then is, and how it can be read.
_BEGINNINGS = {
    b"PK\x03\x04": ("a workbook or a ZIP archive", "Name it .xlsx, or unpack it."),
    b"\x1f\x8b": ("compressed by gzip", "Name it .csv.gz, or unpack it."),
    b"PAR1": ("Parquet", "Name it .parquet."),
    b"\xd0\xcf\x11\xe0": (
        "an Excel workbook of the old kind, or one with a password",
        "Save it as .xlsx without a password.",
    ),
}
_NONE_OF_THESE = ("text, or damaged", "Name text .csv, or save the file again.")
_BEGINS = {".csv.gz": b"\x1f\x8b", ".parquet": b"PAR1", ".xlsx": b"PK\x03\x04"}


@dataclass(frozen=True)
class Located:
    """Where the tables lie: data files by table name, and a database for those without a file.

    Paths written in a config are relative to `base`, the folder of what was given as SOURCE.
    """

    base: Path
    files: Mapping[str, Path]
    url: str | None = None


def is_url(source: Path | str) -> bool:
    """Tell a database connection (`duckdb:///shop.db`) from a path."""
    return isinstance(source, str) and "://" in source


def locate(source: Path | str, settings: Settings) -> Located:
    """Find the data files, or the database, that a SOURCE on the command line means.

    Raises
    ------
    ContractError
        When the source does not exist, has no orders, or has two files for one table.
    """
    if is_url(source):
        return Located(Path(), _chosen_files(Path(), settings), str(source))
    path = Path(source)
    if path.is_dir():
        return Located(path, _with_orders(path, _all_files(path, settings)))
    if not path.is_file():
        raise ContractError(f"{path} does not exist: give a folder, a data file or a config file.")
    base = path.parent
    if path.suffix == ".toml":
        if settings.source is not None:
            return Located(base, _chosen_files(base, settings), settings.source)
        return Located(base, _with_orders(base, _all_files(base, settings)))
    orders = settings.orders.model_copy(update={"file": path.name})  # SOURCE is the orders
    return Located(base, _chosen_files(base, settings.model_copy(update={"orders": orders})))


def _chosen_files(base: Path, settings: Settings) -> dict[str, Path]:
    """Return the files that the settings name."""
    chosen = {name: getattr(settings, name).file for name in TABLE_NAMES}
    return {name: _named_file(base / file, name) for name, file in chosen.items() if file}


def _all_files(folder: Path, settings: Settings) -> dict[str, Path]:
    return {**_standard_files(folder, settings), **_chosen_files(folder, settings)}


def _with_orders(folder: Path, files: dict[str, Path]) -> dict[str, Path]:
    if "orders" not in files:
        raise ContractError(_no_orders(folder))
    return files


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


def check_content(path: Path) -> None:
    """Refuse a file that begins as another format than its name says.

    Raises
    ------
    ContractError
        When it does: what it is, and what to do. An empty file is left to its reader.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ContractError(f"{path} cannot be read: {error.strerror}.") from error
    named = next((start for end, start in _BEGINS.items() if path.name.lower().endswith(end)), None)
    found = next((start for start in _BEGINNINGS if head.startswith(start)), None)
    if head and found != named:
        what, remedy = _BEGINNINGS[found] if found else _NONE_OF_THESE
        raise ContractError(f"{path} is not what its name says: it is {what}. {remedy}")


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
    near += "".join(
        f" {p.name} is a folder or a link to nothing: one file is read for each table."
        for p in sorted(folder.iterdir())
        if p.name.lower().startswith("orders.") and not p.is_file()
    )
    listed = f" It holds {', '.join(names[:8])}." if names else " It holds no file."
    return (
        f"{folder} has no orders: churnlens looks for orders.csv, orders.csv.gz, orders.parquet "
        f"or orders.xlsx, or a file named under [orders] in churnlens.toml.{listed}{near}"
    )
