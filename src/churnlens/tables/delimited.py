"""How is a CSV file read so that no line is lost? As text, each row with its number."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from churnlens.errors import ContractError

ROW = "__row"  # the row's number in the file; the header is row 1
DELIMITERS = ",;\t|"
_HEAD = 1 << 16
_BLOCK = 1 << 22


@dataclass
class Malformed:
    """Rows that do not have the header's number of fields, collected while the file streams."""

    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unreadable: str | None = None  # why the file could not be read to its end

    def __call__(self, row: Any) -> str:
        """Note one row that pyarrow could not place, and let it go on."""
        self.rows.append(row.number)
        self.texts.append(row.text)
        self.reasons.append(f"has {row.actual_columns} fields, not {row.expected_columns}")
        return "skip"

    def table(self) -> pa.Table:
        """Return the malformed rows as (row, value, reason)."""
        return pa.table(
            {
                "row": pa.array(self.rows, pa.int64()),
                "value": pa.array(self.texts, pa.string()),
                "reason": pa.array(self.reasons, pa.string()),
            }
        )


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]


def dialect(path: Path, encoding: str | None, delimiter: str | None) -> Dialect:
    """Read the header: its encoding (from a byte order mark, else UTF-8), delimiter and names.

    Raises
    ------
    ContractError
        When the file is empty, is not text in that encoding, or names a column twice.
    """
    head = _head(path)
    chosen = encoding or _encoding(head)
    text = _decoded(path, head, chosen)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise ContractError(f"{path} is empty: it needs a header row and at least one row of data.")
    delimiter = delimiter or max(DELIMITERS, key=first.count)
    names = tuple(name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter)))
    _check_names(path, names)
    return Dialect(chosen, delimiter, names)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _head(path: Path) -> bytes:
    try:
        with _open(path) as file:
            return file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise ContractError(f"{path} cannot be read: {error}.") from error


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8"


def _decoded(path: Path, head: bytes, encoding: str) -> str:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        return decoder.decode(head).removeprefix("\ufeff")
    except LookupError as error:
        raise ContractError(f"{path}: encoding '{encoding}' is not known.") from error
    except UnicodeDecodeError as error:
        raise ContractError(_not_text(path, encoding)) from error


def _not_text(path: Path, encoding: str) -> str:
    return (
        f"{path} is not {encoding.upper()} text. Save it as UTF-8, or say how it is written in "
        'churnlens.toml, for example encoding = "latin-1".'
    )


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    lowered = [name.lower() for name in names]
    twice = next((n for n, low in zip(names, lowered, strict=True) if lowered.count(low) > 1), None)
    if twice is not None:
        what = f"two columns named '{twice}'" if twice else "two columns without a name"
        raise ContractError(f"{path} has {what}: rename one, or remove it.")


def batches(path: Path, how: Dialect, malformed: Malformed) -> pa.RecordBatchReader:
    """Stream the rows as text columns and their row number.

    Rows with too few or too many fields go to `malformed`. The header is row 1; a field that
    holds line breaks is still one row; blank lines are no rows.

    What stops the stream (a line that is no text) is left in `malformed.unreadable`.

    Raises
    ------
    ContractError
        When the file cannot be opened.
    """
    names = [*how.columns]
    schema = pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in names)])
    reader = _reader(path, how, malformed)
    return pa.RecordBatchReader.from_batches(schema, _numbered(path, how, reader, malformed))


def _reader(path: Path, how: Dialect, malformed: Malformed) -> Any:
    try:
        return pc.open_csv(
            _open(path),
            pc.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                encoding=how.encoding,
                column_names=how.columns,
                skip_rows=1,
            ),
            pc.ParseOptions(
                delimiter=how.delimiter,
                newlines_in_values=True,
                invalid_row_handler=malformed,
            ),
            pc.ConvertOptions(
                column_types=dict.fromkeys(how.columns, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise ContractError(f"{path} cannot be read: {error}.") from error


def _numbered(
    path: Path, how: Dialect, reader: Any, malformed: Malformed
) -> Iterator[pa.RecordBatch]:
    following = 2
    try:
        for batch in reader:
            rows = _row_numbers(following, batch.num_rows, np.array(malformed.rows, np.int64))
            following = int(rows[-1]) + 1 if len(rows) else following
            yield pa.RecordBatch.from_arrays([pa.array(rows), *batch.columns], [ROW, *how.columns])
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        # the engine is reading: it would hide a ContractError, so the reason is left for `load`
        malformed.unreadable = _unreadable(path, how, error)
        raise


def _row_numbers(first: int, count: int, skipped: np.ndarray) -> np.ndarray:
    """Return the next `count` row numbers from `first` on that are not in `skipped`."""
    pending = np.sort(skipped[skipped >= first])
    positions = first + np.arange(count, dtype=np.int64)
    # the k-th pending row pushes on everything from its own place among the kept rows
    return positions + np.searchsorted(pending - np.arange(len(pending)), positions, side="right")


def _unreadable(path: Path, how: Dialect, error: Exception) -> str:
    if "UTF8" in str(error) or isinstance(error, UnicodeDecodeError):
        return _not_text(path, how.encoding)
    return f"{path} cannot be read: {error}."
