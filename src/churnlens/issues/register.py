"""What became of what was decided: the history of every issue, review after review.

The register is one JSON file beside the reports, or one table of a database. Entries are only ever
added: a review that is made again adds what differs, and the last word of each date counts. The
file is replaced whole under a lock, so that two runs at once both get in and a run that is killed
leaves the file as it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from churnlens.errors import ReviewError, first_fault, first_line
from churnlens.results import RegisterEntry, Review

VERSION = "1"
TABLE = "churnlens_register"
COLUMNS = ("added", "as_of", "event", "issue_id", "entry")  # entry: the whole of it as JSON
FILE = "register.json"
LAST_DIGITS = 0.01  # figures that differ by less, of each other, say the same


def entries_of(review: Review) -> tuple[RegisterEntry, ...]:
    """Return what a review adds to the register: its issues, those gone, and its remedies."""
    seen = [
        RegisterEntry(
            as_of=review.as_of,
            event="seen",
            issue_id=issue.id,
            text=issue.title,
            status=issue.status,
            rank=issue.rank,
            departures=issue.departures.attributable.value,
            revenue_per_year=issue.revenue_per_year.value,
            title_text=issue.title_text,
            clients=issue.clients,
        )
        for issue in review.issues
    ]
    gone = [
        RegisterEntry(
            as_of=review.as_of,
            event=g.reason,
            issue_id=g.id,
            text=g.title,
            title_text=g.title_text,
            clients=g.clients,
        )
        for g in review.gone
    ]
    remedies = [
        RegisterEntry(
            as_of=review.as_of,
            event="remedy",
            issue_id=remedy.issue_id,
            text=remedy.action,
            status=remedy.verdict,
            owner=remedy.owner,
            start_date=remedy.start_date,
            departures=remedy.departures_avoided.value if remedy.departures_avoided else None,
            segment=remedy.segment,
        )
        for remedy in review.remedies
    ]
    return (*seen, *gone, *remedies)


def record(place: Path | str, entries: Iterable[RegisterEntry]) -> tuple[RegisterEntry, ...]:
    """Add entries to a register and return its whole history, oldest first.

    An entry that says what the register last said of the matter at that date is not added again,
    so a run can be repeated, with other last digits too (another machine, another version).

    Parameters
    ----------
    place : Path or str
        A JSON file (made when it is not there), or an Ibis connection URL (`postgres://…`).
    entries : iterable of RegisterEntry

    Raises
    ------
    ReviewError
        When the register cannot be read or written.
    """
    if is_url(place):
        return _record_in_table(str(place), entries)
    path = Path(place)
    with _locked(path):
        history = read(path) if path.exists() else ()
        added = (*history, *_news(history, entries))
        if added != history or not path.exists():
            _replace(path, _to_json(added))
    return added


def check(place: Path | str) -> None:
    """Find out before a long run whether a register, where there is one already, can be read.

    Raises
    ------
    ReviewError
        When it cannot.
    """
    if is_url(place) or Path(place).exists():
        read(place)


def read(place: Path | str) -> tuple[RegisterEntry, ...]:
    """Return a register's history, oldest first.

    Raises
    ------
    ReviewError
        When it cannot be read; names the file and the entry.
    """
    if is_url(place):
        return _read_table(_connect(str(place)))
    path = Path(place)
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        if raw["schema_version"] != VERSION:
            raise ReviewError(f"{path} is a register of another version ({raw['schema_version']}).")
        return _entries(raw["entries"], str(path))
    except OSError as error:
        raise ReviewError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ReviewError(f"{path} is not a register of churnlens: {error}.") from error


def last_words(history: Sequence[RegisterEntry]) -> tuple[RegisterEntry, ...]:
    """Return the last word on each issue and remedy at each date, sorted by date."""
    last = {_about(entry): entry for entry in _scoped(history)}
    return tuple(sorted(last.values(), key=lambda entry: entry.as_of))


def _about(entry: RegisterEntry) -> tuple[Hashable, ...]:
    """What an entry speaks of: a later one that speaks of the same takes its place.

    One action may begin in several groups, or more than once: each is a remedy of its own.
    """
    if entry.event != "remedy":
        return entry.as_of, entry.issue_id
    scope = frozenset((name, frozenset(values)) for name, values in entry.segment.items())
    return entry.as_of, entry.issue_id, entry.text, entry.start_date, scope


def _scoped(history: Sequence[RegisterEntry]) -> tuple[RegisterEntry, ...]:
    """Return entries with whom a remedy reached, from a later one where an older has it not yet."""
    known = {_about(replace(e, segment={})): e.segment for e in history if e.segment}
    return tuple(
        e if e.segment else replace(e, segment=known.get(_about(e), e.segment)) for e in history
    )


def _news(
    history: Sequence[RegisterEntry], entries: Iterable[RegisterEntry]
) -> list[RegisterEntry]:
    """Return the entries that say something else than the last word on their matter."""
    said = tuple(entries)
    last = {_about(entry): entry for entry in _scoped((*history, *said))[: len(history)]}
    once = (entry for number, entry in enumerate(said) if entry not in said[:number])
    return [e for e in once if not _says_the_same(last.get(_about(e)), e)]


def _says_the_same(before: RegisterEntry | None, now: RegisterEntry) -> bool:
    return (
        before is not None
        and _in_words(now) == _in_words(before)
        and _alike(before.departures, now.departures)
        and _alike(before.revenue_per_year, now.revenue_per_year)
    )


def _in_words(entry: RegisterEntry) -> RegisterEntry:
    """An entry without its figures, and without its title a second time."""
    return replace(entry, departures=None, revenue_per_year=None, title_text=None, clients=0)


def _alike(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return math.isclose(before, now, rel_tol=LAST_DIGITS, abs_tol=LAST_DIGITS)


def is_url(place: Path | str) -> bool:
    """Tell a connection URL from a file."""
    return isinstance(place, str) and "://" in place


def _entries(rows: Iterable[dict[str, Any]], origin: str) -> tuple[RegisterEntry, ...]:
    from pydantic import TypeAdapter, ValidationError  # slow to import; only readers pay

    try:
        return TypeAdapter(tuple[RegisterEntry, ...]).validate_python(tuple(rows))
    except ValidationError as error:
        raise ReviewError(f"{origin}: entry {first_fault(error)}") from error


def _to_json(entries: Sequence[RegisterEntry]) -> str:
    rows = [dataclasses.asdict(entry) for entry in entries]
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{{\n  "schema_version": "{VERSION}",\n  "entries": [\n{lines}\n  ]\n}}\n'


def _replace(path: Path, text: str) -> None:
    """Put a new text in place of a file at once, on disk before it takes the name."""
    fresh = path.with_name(f".{path.name}.new")  # one a register: only the lock's holder writes
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ReviewError(f"{path}: cannot be written ({error.strerror}).") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a register's lock; the system lets go of it when the process ends, however it does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("a+")
    except OSError as error:
        raise ReviewError(f"{path}: cannot be locked ({error.strerror}).") from error
    with file:
        _lock(file)
        yield


def _lock(file: IO[str]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _connect(url: str) -> Any:
    import ibis

    try:
        return ibis.connect(url)
    except Exception as error:
        raise ReviewError(f"the register {url} cannot be opened: {first_line(error)}") from error


def _record_in_table(url: str, entries: Iterable[RegisterEntry]) -> tuple[RegisterEntry, ...]:
    """Insert what is new in one statement; what two runs both insert is told apart on reading."""
    import pandas as pd

    connection = _connect(url)
    _make_table(connection, url)
    history = _read_table(connection)
    new = _news(history, entries)
    if new:
        rows = [_row(entry, len(history) + number) for number, entry in enumerate(new)]
        connection.insert(TABLE, pd.DataFrame(rows, columns=list(COLUMNS)))
    return _read_table(connection)


def _make_table(connection: Any, url: str) -> None:
    """Create the register's table, unless it is there or another run creates it meanwhile."""
    import ibis

    if TABLE in connection.list_tables():
        return
    try:
        connection.create_table(TABLE, schema=ibis.schema(dict.fromkeys(COLUMNS, "string")))
    except Exception as error:  # every backend has its own for a table that exists already
        if TABLE not in connection.list_tables():
            raise ReviewError(f"the register {url} cannot be made: {first_line(error)}") from error


def _row(entry: RegisterEntry, number: int) -> tuple[str | None, ...]:
    text = json.dumps(dataclasses.asdict(entry), ensure_ascii=False)
    return f"{number:09d}", entry.as_of, entry.event, entry.issue_id, text


def _read_table(connection: Any) -> tuple[RegisterEntry, ...]:
    """Return a register table's entries in the order they were added, each once."""
    if TABLE not in connection.list_tables():
        return ()
    rows = connection.table(TABLE).order_by("added").to_pandas()["entry"]
    return _entries(map(json.loads, dict.fromkeys(rows)), TABLE)
