"""Why were rows refused? Counted by table, column and reason, as sentences to act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from churnlens.results import DataFinding, Text
from churnlens.tables.columns import A_SCOPE, AFTER_START, NO_CLIENT
from churnlens.tables.model import Tables

# A cell that was meant for a number; others may have slipped in from a column that names a client.
_NUMBER_LIKE = re.compile(r"([A-Z]{3}\b)?[^A-Za-z]*\d[^A-Za-z]*(\b[A-Z]{3})?")


def findings(tables: Tables) -> Iterator[DataFinding]:
    """Return one finding for each table, column and kind of reason, the commonest first."""
    for name, counts in tables.rows.items():
        if counts.rejected:
            seen = _counted(tables, name)
            for (kind, column), (rows, first, value) in sorted(
                seen.items(), key=lambda s: (-s[1][0], s[0])
            ):
                values = {
                    "table": name,
                    "column": column,
                    "rows": rows,
                    "read": counts.read,
                    "share": percent(rows, counts.read),
                    "first": first,
                }
                if kind == "number" and _NUMBER_LIKE.fullmatch(value):
                    kind, values = "written", {**values, "value": value}
                code = "no_client" if kind == "no_client" and name == "orders" else "refused"
                yield DataFinding(code, "warning", _text(kind, name, values), rows)


def percent(part: float, whole: float) -> dict[str, Any]:
    """Return a share that the locale writes."""
    return {"type": "percent", "value": part / whole if whole else 0.0}


def _counted(tables: Tables, name: str) -> dict[tuple[str, str], tuple[int, int, str]]:
    """Count refused rows by kind and column, with the first row of each and what stood there."""
    refused = tables.rejects[name]
    by_reason = refused.group_by("column", "reason").aggregate(
        rows=refused.count(), first=refused.row.min(), value=refused.value.argmin(refused.row)
    )
    seen: dict[tuple[str, str], tuple[int, int, str]] = {}
    for one in by_reason.to_pyarrow().to_pylist():
        key = _kind(one["reason"]), one["column"]
        found = one["rows"], one["first"], one["value"] or ""
        before = seen.get(key, found)
        rows = found[0] + (before[0] if key in seen else 0)
        seen[key] = (rows, *min(found[1:], before[1:]))
    return seen


def _kind(reason: str) -> str:
    """Tell the kind of a reason by the words that `contract` and `delimited` give it."""
    words = {
        NO_CLIENT: "no_client",
        " is blank": "blank",
        " is not a number": "number",
        " is not a date": "date",
        f" is not {AFTER_START}": "ends early",
        f" is not {A_SCOPE}": "scope",
        " fields, not ": "fields",
        " earlier row": "again",
    }
    return next(kind for said, kind in words.items() if said in reason)


def _text(kind: str, table: str, values: dict[str, Any]) -> Text:
    if kind == "no_client" and table == "orders":
        return Text(
            "{rows} of {read} order lines ({share}) name no client and are left out; the first is "
            "row {first}. If these are cash sales that is fine; if not, the export loses the "
            "client.",
            values,
        )
    if kind in ("no_client", "blank"):
        return Text(
            "“{column}” is blank in {rows} of {read} rows of {table} ({share}), which are left "
            "out; the first is row {first}.",
            values,
        )
    if kind in ("ends early", "scope"):
        return _wrong_remedy(kind, values)
    return _wrong(kind, values)


def _wrong_remedy(kind: str, values: dict[str, Any]) -> Text:
    if kind == "ends early":
        return Text(
            "“{column}” lies before the start in {rows} of {read} rows of {table} ({share}), which "
            "are left out; the first is row {first}.",
            values,
        )
    return Text(
        "“{column}” holds separators and no value in {rows} of {read} rows of {table} ({share}), "
        "which are left out; the first is row {first}. Leave it blank where everyone is meant.",
        values,
    )


def _wrong(kind: str, values: dict[str, Any]) -> Text:
    if kind == "date":
        return Text(
            "“{column}” is no date, or not one of the format expected, in {rows} of {read} rows of "
            "{table} ({share}), which are left out; the first is row {first}. A date_format in "
            "churnlens.toml may mend it.",
            values,
        )
    if kind == "number":
        return Text(
            "“{column}” is no number, or one of more than 15 digits, in {rows} of {read} rows of "
            "{table} ({share}), which are left out; the first is row {first}. Decimals are parted "
            "as decimal in churnlens.toml says; a number has no currency sign and no mark of "
            "thousands.",
            values,
        )
    if kind == "written":
        return Text(
            "“{column}” is no number, or one of more than 15 digits, in {rows} of {read} rows of "
            "{table} ({share}), which are left out; the first is “{value}” in row {first}. "
            "Decimals are parted as decimal in churnlens.toml says; a number has no currency sign "
            "and no mark of thousands.",
            values,
        )
    if kind == "again":
        return Text(
            "{rows} of {read} rows of {table} ({share}) name a “{column}” that an earlier row "
            "names already; the earlier row stands. The first is row {first}.",
            values,
        )
    return Text(
        "{rows} of {read} rows of {table} ({share}) have more or fewer fields than the header and "
        "are left out; the first is row {first}. A field that holds the delimiter needs quotation "
        "marks.",
        values,
    )
