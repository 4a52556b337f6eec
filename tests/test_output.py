import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from churnlens import output
from churnlens.errors import OutputError


def write(target, report="<p>new</p>", rejects=lambda folder: None):
    output.write_run(target, report=report, review="{}\n", manifest={"seed": 0}, rejects=rejects)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_is_one_folder_and_nothing_else(tmp_path):
    target = tmp_path / "reports" / "2024-12-31"
    write(target, rejects=lambda folder: (folder / "orders.csv").write_text("file,row\n"))
    assert names(target) == ["manifest.json", "rejects", "report.html", "review.json"]
    assert names(target / "rejects") == ["orders.csv"]
    assert names(target.parent) == ["2024-12-31"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_run_replaces_the_one_before_as_a_whole(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(output, "_exchange", lambda one, other: False)
    target = tmp_path / "2024-12-31"
    write(target, "old", lambda folder: (folder / "events.csv").write_text("x"))
    write(target, "new")
    assert (target / "report.html").read_text() == "new"
    assert names(target / "rejects") == []
    assert names(tmp_path) == ["2024-12-31"]


@pytest.mark.skipif(sys.platform != "linux", reason="folders are swapped in one step on Linux only")
def test_a_reader_never_finds_the_folder_missing(tmp_path):
    target = tmp_path / "2024-12-31"
    write(target, "run 0")
    watch = subprocess.Popen(
        [sys.executable, "-c", _WATCH, str(target / "report.html")], stdout=subprocess.PIPE
    )
    assert watch.stdout.readline() == b"watching\n"
    for n in range(60):
        write(target, f"run {n}")
    watch.send_signal(signal.SIGTERM)
    assert watch.communicate()[0] == b"missing 0\n"


_WATCH = """
import pathlib, signal, sys
missing, stop = 0, False
def end(*_):
    global stop
    stop = True
signal.signal(signal.SIGTERM, end)
path = pathlib.Path(sys.argv[1])
print("watching", flush=True)
while not stop:
    try:
        missing += not path.read_text().startswith("run ")
    except FileNotFoundError:
        missing += 1
print("missing", missing)
"""


def test_a_failure_leaves_the_old_run_and_no_litter(tmp_path):
    def full(folder: Path) -> None:
        (folder / "orders.csv").write_text("half a fi")
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "2024-12-31"
    write(target, "old")
    with pytest.raises(OSError, match="No space left"):
        write(target, "new", full)
    assert (target / "report.html").read_text() == "old"
    assert names(tmp_path) == ["2024-12-31"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "2024-09-30")])
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    assert names(tmp_path)[0].startswith(".churnlens-2024-09-30")
    write(tmp_path / "2024-12-31")
    assert names(tmp_path) == ["2024-12-31"]


_KILLED = """
import os, pathlib, signal, sys
from churnlens import output
kill = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
output.write_run(pathlib.Path(sys.argv[1]), report="", review="", manifest={}, rejects=kill)
"""


def test_a_run_still_being_written_keeps_its_folder(tmp_path):
    seen = []

    def other_run(folder: Path) -> None:
        write(tmp_path / "2024-12-31", "the other")
        seen.append(folder.exists())

    write(tmp_path / "2024-09-30", "this one", other_run)
    assert seen == [True]
    assert names(tmp_path) == ["2024-09-30", "2024-12-31"]


def test_an_old_run_moved_aside_by_a_killed_process_is_put_back(tmp_path):
    write(tmp_path / "2024-09-30", "old")
    (tmp_path / "2024-09-30").rename(tmp_path / ".churnlens-2024-09-30.old.0123abcd")
    output.remove_leftovers(tmp_path)
    assert (tmp_path / "2024-09-30" / "report.html").read_text() == "old"


def test_what_others_put_beside_a_run_stays(tmp_path):
    target = tmp_path / "2024-12-31"
    write(target, "old")
    (target / "minutes.docx").write_text("what the meeting decided")
    (target / "slides").mkdir()
    (target / "slides" / "review.json").write_text("theirs")
    write(target, "new")
    assert (target / "report.html").read_text() == "new"
    assert (target / "minutes.docx").read_text() == "what the meeting decided"
    assert (target / "slides" / "review.json").read_text() == "theirs"


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path):
    target = tmp_path / "2024-12-31"
    target.mkdir()
    (target / "orders.csv").write_text("client_id\n")
    with pytest.raises(OutputError, match="no run of churnlens"):
        write(target)
    assert names(target) == ["orders.csv"]


def test_an_input_where_a_run_would_be_written_is_refused_beforehand(tmp_path):
    data = tmp_path / "2024-12-31" / "orders.csv"
    data.parent.mkdir()
    data.write_text("client_id\n")
    with pytest.raises(OutputError, match="another folder"):
        output.check_writable(tmp_path, (data,))


def test_output_inside_the_source_folder_is_allowed(tmp_path):
    (tmp_path / "orders.csv").write_text("client_id\n")
    output.check_writable(tmp_path / "reports", (tmp_path / "orders.csv",))
    output.check_writable(tmp_path, (tmp_path / "orders.csv",))


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "reports").write_text("not a folder")
    with pytest.raises(OutputError, match="is a file"):
        output.check_writable(tmp_path / "reports")
    with pytest.raises(OutputError, match="is a file"):
        output.check_writable(tmp_path / "reports" / "2024")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "reports" / "2024-12-31")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"):
        output.check_writable(tmp_path / "reports")


def test_nothing_is_made_by_looking(tmp_path):
    output.check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_a_folder_where_a_file_is_wanted_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"is a folder: name a file, such as .*report\.html\.$"):
        output.write_file(tmp_path, "new")
    assert names(tmp_path) == []


def test_one_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    output.write_file(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["report.html"]
    assert path.stat().st_mode & 0o044  # others may read it, as any file one writes


def test_the_manifest_says_what_the_run_was_made_from(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"abc")
    manifest = output.describe_run(tmp_path, (path,), {"seed": 7}, {"b": "2", "a": "1"})
    assert json.loads(json.dumps(manifest)) == {
        "source": str(tmp_path),
        "inputs": [
            {
                "file": str(path),
                "bytes": 3,
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            }
        ],
        "previous": None,
        "versions": {"a": "1", "b": "2"},
        "seed": 7,
        "settings": {"seed": 7},
    }


def test_no_password_is_written():
    url = "postgres://reader:s3cret@db.example/shop"
    manifest = output.describe_run(url, (), {"source": url, "seed": 0}, {})
    assert "s3cret" not in json.dumps(manifest)
    assert manifest["source"] == "postgres://reader:***@db.example/shop"
