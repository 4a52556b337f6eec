"""Where do refused rows go? Each to `rejects/<table>.csv`, with what was wrong and where."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from churnlens.tables.model import Tables


def write(tables: Tables, folder: Path) -> dict[str, int]:
    """Write file, row, column, value and reason of every refused row, streaming from the engine.

    Values are kept to the letter, all of them in quotation marks. A table without refused rows
    gets no file.

    Returns
    -------
    dict
        Rows written, by table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refused = {name: counts.rejected for name, counts in tables.rows.items() if counts.rejected}
    for name in refused:
        rows = tables.rejects[name]
        _stream(rows.order_by("row").to_pyarrow_batches(), folder / f"{name}.csv")
    return refused


def _stream(batches: pa.RecordBatchReader, path: Path) -> None:
    quoted = pc.WriteOptions(quoting_style="all_valid")
    with pc.CSVWriter(path, batches.schema, write_options=quoted) as writer:
        for batch in batches:
            writer.write_batch(batch)
