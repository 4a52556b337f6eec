"""How is a CSV file read so that no line is lost? As text, each row with its number."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from churnlens.errors import ContractError

ROW = "__row"  # the row's number in the file; the header is row 1
DELIMITERS = ",;\t|"
_QUOTED = re.compile('"[^"]*"')  # a delimiter in there is none
_HEAD = 1 << 16
_BLOCK = 1 << 22
_END = "\x1aend of file\x1a"
_BROKEN = (OSError, EOFError, zlib.error, UnicodeError)


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
    header_lines: int  # lines up to and with the header


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
    if "\0" in first:
        raise ContractError(_zero_bytes(path))
    delimiter = delimiter or max(DELIMITERS, key=_QUOTED.sub("", first).count)
    above = text[: text.index(first)].count("\n")
    rows = csv.reader(text.splitlines(keepends=True)[above:], delimiter=delimiter)
    columns = named(path, next(rows))
    return Dialect(chosen, delimiter, columns, above + rows.line_num)


def _open(path: Path) -> Any:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _head(path: Path) -> bytes:
    try:
        with _open(path) as file:
            head: bytes = file.read(_HEAD)
            return head
    except _BROKEN as error:
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
    except UnicodeError as error:  # UTF-16 without its mark is no UnicodeDecodeError
        raise ContractError(_not_text(path, encoding)) from error


def _not_text(path: Path, encoding: str) -> str:
    return (
        f"{path} is not {encoding.upper()} text. Save it as UTF-8, or say how it is written in "
        'churnlens.toml, for example encoding = "latin-1".'
    )


def _zero_bytes(path: Path) -> str:
    return (
        f"{path} is no plain text: its header holds zero bytes, as UTF-16 without its mark does. "
        'Save it as UTF-8, or say in churnlens.toml: encoding = "utf-16-le".'
    )


def named(path: Path, header: Iterable[str]) -> tuple[str, ...]:
    """Return the column names of a header; a column without a name is called by its place.

    Raises
    ------
    ContractError
        When two columns have the same name (capitals make no difference to an engine), or one
        has a name that is kept.
    """
    stripped = [str(name).strip() for name in header]
    names = tuple(name or f"unnamed_{i}" for i, name in enumerate(stripped, start=1))
    lowered = [name.lower() for name in names]
    twice = next((n for n in names if lowered.count(n.lower()) > 1), None)
    if twice is not None:
        raise ContractError(f"{path} has two columns named '{twice}': rename or remove one.")
    refuse_kept(names, path)
    return names


def refuse_kept(names: Iterable[str], where: object) -> None:
    """Raise a ContractError if a column has a name of those that are used inside."""
    kept = next((name for name in names if name.startswith("__")), None)
    if kept is not None:
        raise ContractError(
            f"{where}: the column '{kept}' begins with two underscores, as only columns of "
            "churnlens itself do: rename or remove it."
        )


def batches(path: Path, how: Dialect, malformed: Malformed) -> pa.RecordBatchReader:
    """Stream the rows as text columns and their row number.

    Rows with too few or too many fields go to `malformed`. The header is row 1; a field that
    holds line breaks is still one row; blank lines are no rows. What stops the stream (a line
    that is no text, a quotation mark never closed) is left in `malformed.unreadable`.

    Raises
    ------
    ContractError
        When the file cannot be opened.
    """
    schema = pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in how.columns)])
    try:
        reader = _reader(path, how, malformed)
    except (*_BROKEN, pa.ArrowInvalid) as error:
        raise ContractError(_unreadable(path, how, error)) from error
    return pa.RecordBatchReader.from_batches(schema, _numbered(path, how, reader, malformed))


def _reader(path: Path, how: Dialect, malformed: Malformed) -> pc.CSVStreamingReader:
    stream = _open(path)
    if how.encoding != "utf-8":
        stream = pa.transcoding_input_stream(pa.PythonFile(stream), how.encoding, "utf-8")
    return pc.open_csv(
        pa.PythonFile(_Ended(stream, how), mode="r"),
        pc.ReadOptions(
            use_threads=False,
            block_size=_BLOCK,
            column_names=how.columns,
            skip_rows=how.header_lines,
        ),
        pc.ParseOptions(
            delimiter=how.delimiter, newlines_in_values=True, invalid_row_handler=malformed
        ),
        pc.ConvertOptions(
            column_types=dict.fromkeys(how.columns, pa.string()), strings_can_be_null=False
        ),
    )


class _Ended(io.RawIOBase):
    """A byte stream with one more row at its end, which only an open quotation mark can hide."""

    def __init__(self, stream: Any, how: Dialect) -> None:
        super().__init__()
        self._stream = stream
        self._last = f"\n{_END}{how.delimiter * (len(how.columns) - 1)}\n".encode()

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        if not data:
            data, self._last = self._last, b""
        return data

    def readable(self) -> bool:
        return True


def _numbered(
    path: Path, how: Dialect, reader: pc.CSVStreamingReader, malformed: Malformed
) -> Iterator[pa.RecordBatch]:
    following, ended = how.header_lines + 1, False
    try:
        for batch in reader:
            rows = _row_numbers(following, batch.num_rows, np.array(malformed.rows, np.int64))
            following = int(rows[-1]) + 1 if len(rows) else following
            ended = batch.num_rows > 0 and batch.column(0)[-1].as_py() == _END
            whole = pa.RecordBatch.from_arrays(
                [pa.array(rows), *batch.columns], [ROW, *how.columns]
            )
            yield whole.slice(0, whole.num_rows - 1) if ended else whole
        if not ended:
            raise ContractError(_unclosed(path, malformed, following - 1))
    except (*_BROKEN, pa.ArrowInvalid, ContractError) as error:
        # the engine is reading and would hide a ContractError: its words are left for `read`
        malformed.unreadable = _unreadable(path, how, error)
        raise


def _row_numbers(first: int, count: int, skipped: np.ndarray) -> np.ndarray:
    """Return the next `count` row numbers from `first` on that are not in `skipped`."""
    pending = np.sort(skipped[skipped >= first])
    positions = first + np.arange(count, dtype=np.int64)
    # the k-th pending row pushes on everything from its own place among the kept rows
    return positions + np.searchsorted(pending - np.arange(len(pending)), positions, side="right")


def _unclosed(path: Path, malformed: Malformed, last: int) -> str:
    if malformed.texts and _END in malformed.texts[-1]:
        last = malformed.rows[-1]
    return (
        f"{path}: a quotation mark opened in row {last} is never closed, so all that follows it "
        "would be lost. Close it, or write it twice inside a quoted text."
    )


def _unreadable(path: Path, how: Dialect, error: Exception) -> str:
    if isinstance(error, ContractError):
        return str(error)
    if "UTF8" in str(error) or isinstance(error, UnicodeError):
        return _not_text(path, how.encoding)
    if "straddl" in str(error):
        return (
            f"{path}: a row is longer than {_BLOCK >> 20} MB; a quotation mark in it may never be "
            "closed. Close it, or write it twice inside a quoted text."
        )
    return f"{path} cannot be read: {error}."
