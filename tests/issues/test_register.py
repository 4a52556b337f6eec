"""The register: append-only, repeatable, safe against two runs and a kill."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from churnlens.errors import ReviewError
from churnlens.issues.register import FILE, last_words, read, record
from churnlens.results import RegisterEntry, Text

WRITER = """
import sys
from pathlib import Path
from churnlens.issues.register import record
from churnlens.results import RegisterEntry
place, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
place = place if "://" in place else Path(place)
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    record(place, [RegisterEntry("2024-01-31", "seen", f"{who}-{n}", "x" * 400)])
"""


def entry(as_of: str, issue: str = "a", **more: object) -> RegisterEntry:
    return RegisterEntry(
        as_of=as_of, event="seen", issue_id=issue, text="Key accounts leave", **more
    )


def writer(place: Path | str, who: str, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place), who, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def places(tmp_path: Path) -> list[Path | str]:
    return [tmp_path / FILE, f"sqlite://{tmp_path}/register.db"]


@pytest.mark.parametrize("kind", [0, 1], ids=["file", "table"])
def test_entries_are_added_once_and_come_back_as_they_were(tmp_path: Path, kind: int) -> None:
    place = places(tmp_path)[kind]
    first = entry("2024-03-31", status="new", rank=1, departures=12.5, revenue_per_year=3e5)
    second = entry("2024-06-30", owner="销售部", status="same")
    assert record(place, [first]) == (first,)
    assert record(place, [first, second]) == (first, second)
    assert record(place, [first, second]) == (first, second)
    assert read(place) == (first, second)


@pytest.mark.parametrize("kind", [0, 1], ids=["file", "table"])
def test_a_title_that_can_be_translated_comes_back_and_makes_no_new_line(
    tmp_path: Path, kind: int
) -> None:
    place = places(tmp_path)[kind]
    sentence = Text("{who} leave.", {"who": {"type": "clients", "value": {"size": ("key",)}}})
    told = entry("2024-03-31", title_text=sentence, clients=12)
    record(place, [told, told])
    assert str(read(place)[0].title_text) == "clients with size key leave."
    assert record(place, [told, entry("2024-03-31")]) == read(place)
    assert len(read(place)) == 1


@pytest.mark.parametrize(("kind", "count"), [(0, 40), (1, 10)], ids=["file", "table"])
def test_two_runs_at_once_both_get_in(tmp_path: Path, kind: int, count: int) -> None:
    place = places(tmp_path)[kind]
    runs = [writer(place, who, count) for who in ("left", "right")]
    for run in runs:
        go(run)
    assert [run.wait(60) for run in runs] == [0, 0]
    history = read(place)
    assert len(history) == len({e.issue_id for e in history}) == 2 * count


def test_a_database_that_takes_no_table_is_told(tmp_path: Path) -> None:
    place = tmp_path / "shut.db"
    duckdb.connect(str(place)).close()
    with pytest.raises(ReviewError, match="cannot be made: "):
        record(f"duckdb://{place}?read_only=True", [entry("2024-03-31")])


def test_a_kill_leaves_a_whole_register_and_no_stale_lock(tmp_path: Path) -> None:
    place = tmp_path / FILE
    record(place, [entry("2023-12-31", f"old-{n}") for n in range(2000)])
    for pause in (0.05, 0.11, 0.17):
        run = writer(place, f"killed-{pause}", 10_000)
        go(run)
        time.sleep(pause)
        os.kill(run.pid, signal.SIGKILL)
        run.wait(10)
        history = read(place)
        assert len(history) >= 2000
        assert record(place, [entry("2024-01-31", f"after-{pause}")])[: len(history)] == history
    json.loads(place.read_text())


def test_the_last_word_of_each_date_is_kept() -> None:
    first, again = entry("2024-03-31", departures=10.0), entry("2024-03-31", departures=12.0)
    later = entry("2024-09-30", departures=3.0)
    remedy = RegisterEntry("2024-03-31", "remedy", "a", "Two approvals only", owner="COO")
    assert last_words((first, later, again, remedy)) == (again, remedy, later)
    gone = dataclasses.replace(later, event="gone")
    assert last_words((first, later, gone)) == (first, gone)


@pytest.mark.parametrize("kind", [0, 1], ids=["file", "table"])
def test_one_action_in_several_groups_and_twice_is_so_many_remedies(
    tmp_path: Path, kind: int
) -> None:
    place = places(tmp_path)[kind]
    remedies = tuple(
        RegisterEntry("2024-12-31", "remedy", "a", "training", status, None, start, segment=scope)
        for status, start, scope in (
            ("worked", "2024-03-01", {"size": ("mid",)}),
            ("did_not", "2024-03-01", {"size": ("small",)}),
            ("too_early", "2024-09-01", {"size": ("mid",)}),
        )
    )
    for _ in range(3):
        assert record(place, remedies) == remedies
    assert last_words(read(place)) == remedies


def test_a_remedy_noted_before_registers_held_its_scope_is_the_same_one(tmp_path: Path) -> None:
    old = RegisterEntry("2024-12-31", "remedy", "a", "training", "worked", None, "2024-03-01")
    new = dataclasses.replace(old, segment={"size": ("mid",)})
    place = tmp_path / FILE
    assert record(place, (old,)) == (old,)
    assert len(record(place, (new,))) == 1
    assert last_words((old, new)) == (new,)


def test_a_file_that_is_no_register_is_named_and_left_alone(tmp_path: Path) -> None:
    place = tmp_path / FILE
    place.write_text("[1, 2", encoding="utf-8")
    with pytest.raises(ReviewError, match=r"register\.json"):
        record(place, [entry("2024-03-31")])
    assert place.read_text(encoding="utf-8") == "[1, 2"
    place.write_text('{"schema_version": "1", "entries": [{"as_of": 3}]}', encoding="utf-8")
    with pytest.raises(ReviewError, match=r"entry 0\.as_of"):
        read(place)


@pytest.mark.parametrize("kind", [0, 1], ids=["file", "table"])
def test_other_last_digits_add_nothing_and_other_figures_do(tmp_path: Path, kind: int) -> None:
    place = places(tmp_path)[kind]
    first = entry("2024-03-31", status="new", rank=1, departures=12.5, revenue_per_year=3e5)
    again = dataclasses.replace(first, departures=12.5001, revenue_per_year=300_120.0)
    other = dataclasses.replace(first, departures=19.0)
    record(place, [first])
    assert record(place, [again]) == (first,)
    assert record(place, [other]) == (first, other)
    assert last_words(read(place)) == (other,)
