"""Where does a run's output go? Into one folder, which appears whole or not at all.

A run is written to a hidden folder beside its target and then renamed onto it, so that a reader
never finds half a run, also when the process is killed. What a killed process leaves behind is
removed by the next run. One folder a run: `OUT/<as-of>/`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from churnlens.errors import OutputError, without_password

if sys.platform != "win32":
    import fcntl

REPORT, REVIEW, REJECTS, MANIFEST = "report.html", "review.json", "rejects", "manifest.json"
_OURS = {REPORT, REVIEW, REJECTS, MANIFEST}

_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # linux/fcntl.h
_CALLERS_FAULT = {
    errno.EACCES,
    errno.ENOENT,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


def check_writable(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Find out before a long run whether its output can be written; nothing is created.

    Raises
    ------
    OutputError
        When `out`, or the folder it would be made in, is a file or may not be written to, or an
        input lies where a run's own folder would be.
    """
    nearest = next(folder for folder in (out, *out.absolute().parents) if _exists(folder))
    if not nearest.is_dir():
        raise OutputError(f"--out {out}: {nearest} is a file, not a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"--out {out}: no permission to write in {nearest}.")
    for path in inputs:
        if _in_a_run(path.resolve(), out.resolve()):
            raise OutputError(
                f"--out {out}: {path} lies where a run would be written; name another folder."
            )


def check_no_others(folder: Path, made_here: str) -> None:
    """Find out whether a folder may be written into: it is empty, or `made_here` lies in it.

    Raises
    ------
    OutputError
        When it holds files of the user's, which might be taken for those written or replaced.
    """
    with explaining(folder):
        if not folder.is_dir() or (folder / made_here).exists():
            return
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    if names:
        raise OutputError(
            f"{folder} holds {names[0]} and no {made_here}, so it was not written by churnlens; "
            "name a new or an empty folder."
        )


def _in_a_run(path: Path, out: Path) -> bool:
    if not path.is_relative_to(out):
        return False
    name = path.relative_to(out).parts[0]
    return path != out / name and re.fullmatch(r"\d{4}-\d\d-\d\d", name) is not None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise _explained(error, path) from error


def write_run(
    target: Path,
    *,
    report: str,
    review: str,
    manifest: Mapping[str, Any],
    rejects: Callable[[Path], object],
) -> None:
    """Write one run's folder; it appears whole or not at all.

    Parameters
    ----------
    target
        `OUT/<as-of>`; a run already there is replaced in one step. What others have put beside its
        files (the minutes of a meeting) stays.
    report, review
        The texts of `report.html` and `review.json`.
    manifest
        What the run was made from (see `describe_run`).
    rejects
        Writes the rejected rows, one file a table, into the (empty) folder it is given.

    Raises
    ------
    OutputError
        When the folder cannot be written for a reason the caller can mend, or `target` is
        something else than a run. A full disk stays an `OSError`.
    """
    with explaining(target):
        check_is_run(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent)
        with _folder_beside(target) as fresh:
            (fresh / REJECTS).mkdir()
            rejects(fresh / REJECTS)
            (fresh / REPORT).write_text(report, encoding="utf-8")
            (fresh / REVIEW).write_text(review, encoding="utf-8")
            (fresh / MANIFEST).write_text(_json(manifest), encoding="utf-8")
            _keep_others(target, fresh)
            _flush(fresh)
            _put_in_place(fresh, target)


def check_is_run(target: Path) -> None:
    """Find out whether a run's own folder is free, or holds an earlier run.

    Raises
    ------
    OutputError
        When it holds anything else.
    """
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST).is_file()):
        raise OutputError(f"{target} exists and is no run of churnlens; name another --out.")


def _keep_others(target: Path, fresh: Path) -> None:
    """Copy what no run has written from the old folder into the new one."""
    if target.is_dir():
        shutil.copytree(
            target,
            fresh,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=lambda folder, names: _OURS & set(names) if Path(folder) == target else set(),
        )


def write_file(path: Path, text: str) -> None:
    """Write one text file; it appears whole or not at all.

    Raises
    ------
    OutputError
        When the file cannot be written for a reason the caller can mend.
    """
    with explaining(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder: name a file, such as {path / REPORT}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(fresh, 0o666 & ~_umask())
            os.replace(fresh, path)
        finally:
            Path(fresh).unlink(missing_ok=True)


def describe_run(
    source: Path | str,
    inputs: tuple[Path, ...],
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    previous: Path | None = None,
) -> dict[str, Any]:
    """Say what a run was made from, for `manifest.json`.

    Parameters
    ----------
    source
        What was given on the command line: a path or a database URL.
    inputs
        The files that were read.
    settings
        The settings in force, the command line's included.
    versions
        Name of a package to its version.
    previous
        The review of an earlier quarter that issues were matched against.

    Returns
    -------
    dict
        `source`, `inputs` (path, bytes and SHA-256 of each file), `previous` (the same of that
        review, or None), `versions`, `seed` and `settings`; passwords in URLs are left out. No
        clock: the same run gives the same manifest.
    """
    return {
        "source": without_password(str(source)),
        "inputs": [_fingerprint(path) for path in inputs],
        "previous": _fingerprint(previous) if previous else None,
        "versions": dict(sorted(versions.items())),
        "seed": settings.get("seed"),
        "settings": {
            key: without_password(value) if isinstance(value, str) else value
            for key, value in settings.items()
        },
    }


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": str(path), "bytes": path.stat().st_size, "sha256": digest}


def remove_leftovers(out: Path) -> None:
    """Remove what killed runs left in `out`; a run still being written keeps its folder.

    Where there is no one-step exchange, a kill may have fallen between moving the old run aside
    and moving the new one in: then the old one is put back.
    """
    for folder in sorted(out.glob(".churnlens-*")):
        if not _abandoned(folder):
            continue
        name, role = folder.name.removeprefix(".churnlens-").rsplit(".", 2)[:2]
        if role == "old" and not (out / name).exists():
            folder.rename(out / name)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Tell whether no process holds the folder; the kernel drops a dead process's lock."""
    if sys.platform == "win32":
        return False  # no such lock there: nothing is removed rather than something in use
    with contextlib.suppress(FileNotFoundError), _opened(folder) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    return False  # gone meanwhile


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """Make a locked, hidden folder beside `target`; whatever stands there at the end is removed."""
    fresh = _beside(target, "new")
    fresh.mkdir()
    try:
        with _locked(fresh):
            yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _beside(target: Path, role: str) -> Path:
    return target.parent / f".churnlens-{target.name}.{role}.{secrets.token_hex(4)}"


def _put_in_place(fresh: Path, target: Path) -> None:
    """Move `fresh` to `target`; a folder already there ends up under the name of `fresh`."""
    if not target.exists():
        fresh.rename(target)
    elif not _exchange(fresh, target):
        old = _beside(target, "old")
        target.rename(old)
        fresh.rename(target)
        old.rename(fresh)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot (not Linux, or NFS)."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _LINUX else None
    if renameat2 is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    failed = renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return not failed


_LINUX = sys.platform == "linux"


def _flush(folder: Path) -> None:
    """Bring a folder's files to the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextlib.contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Say of an error in writing to `path` that the caller can mend it, where it is one."""
    try:
        yield
    except OSError as error:
        raise _explained(error, path) from error


def _explained(error: OSError, path: Path) -> Exception:
    """Return an `OutputError` where the named place will not do, else the error itself."""
    if error.errno in _CALLERS_FAULT:
        return OutputError(f"{path}: cannot be written ({error.strerror}: {error.filename}).")
    return error
