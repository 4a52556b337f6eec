"""Run every contestant on one world, and sum up over worlds."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from benchmarks.recovery import analyst, dating, months, notebook, oracle
from benchmarks.recovery.answers import Answer

from churnlens.simulate import Members, Score, Truth, play, read_members, score, write_world

CHURNLENS = "churnlens"
ANALYST = "able analyst"
Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One world to be run; `share` is that of the clients it would have."""

    world: str
    seed: int
    clients: int | None
    strength: float
    share: float = 1.0


def run(task: Task) -> list[Row]:
    """Return one row a contestant, the oracle and the dating of departures among them."""
    if task.share != 1:
        whole = play(task.world, task.clients, task.seed, task.strength).truth.clients
        task = dataclasses.replace(task, clients=round(task.share * whole))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = write_world(folder, task.world, task.clients, task.seed, strength=task.strength)
        rows = [_rival(name, answer, folder, truth) for name, answer in _rivals().items()]
        if importlib.util.find_spec("churnlens.pipeline") is not None:
            rows += _churnlens(folder, truth)
        rows += _oracle(task)
    return [{**dataclasses.asdict(task), "clients": truth.clients, **row} for row in rows]


def _rivals() -> dict[str, Callable[[months.Months, pd.DataFrame | None], Answer]]:
    return {
        "notebook, boosting": lambda book, _: notebook.boosting(book),
        "notebook, Cox z": lambda book, _: notebook.ranked_by_z(book),
        ANALYST: analyst.answer,
    }


def _rival(
    name: str,
    answer: Callable[[months.Months, pd.DataFrame | None], Answer],
    folder: Path,
    truth: Truth,
) -> Row:
    begin = time.perf_counter()
    remedies = pd.read_csv(folder / "remedies.csv") if truth.remedies else None
    try:
        said = answer(months.read(folder), remedies)
    except Exception as error:  # noqa: BLE001  one contestant's failure is a result, and shown
        return {"who": name, "failed": repr(error)[:200]}
    members = read_members(folder / "clients.csv")
    row = _scored(score(said.review(), truth, members), begin)
    row["first_right"] = score(said.ranking(), truth, members).first_right
    for key in [k for k in row if k.endswith("covered")]:
        row[key] = None  # they give no interval
    if not said.remedies:
        row["remedy_right"] = row["remedy_read"] = row["remedy_praised"] = None
    return {"who": name, **row}


def _churnlens(folder: Path, truth: Truth) -> list[Row]:
    from churnlens.config import Settings
    from churnlens.pipeline import investigate

    begin = time.perf_counter()
    members: Members | None = read_members(folder / "clients.csv")
    try:
        outcome = investigate(folder, Settings())
    except Exception as error:  # noqa: BLE001  a failure is a result, and shown
        return [{"who": CHURNLENS, "failed": repr(error)[:200]}]
    row = _scored(score(outcome.review, truth, members), begin)
    said = dating.departures_of(outcome.tables, Settings())
    return [
        {"who": CHURNLENS, **row},
        {"who": "dating", **dataclasses.asdict(dating.compare(folder, said))},
    ]


def _scored(found: Score, begin: float) -> Row:
    row = dataclasses.asdict(found)
    row["false_blame"] = bool(found.blamed)
    row["seconds"] = round(time.perf_counter() - begin, 2)
    return row


def _oracle(task: Task) -> list[Row]:
    seen = oracle.look(play(task.world, task.clients, task.seed, task.strength))
    return [] if seen is None else [{"who": "oracle", **dataclasses.asdict(seen)}]


# -- summing up ------------------------------------------------------------------------------------

COLUMNS = {  # key of a row -> heading, whether it is a share
    "first_right": ("cause first", True),
    "first_named": ("and named", True),
    "recall": ("recall", True),
    "false_blame": ("false blame", True),
    "false_alarm": ("false alarm", True),
    "segment_f1": ("segment F1", False),
    "onset_error_abs": ("onset off, months", False),
    "onset_covered": ("onset held", True),
    "departures_off": ("departures off", True),
    "departures_covered": ("departures held", True),
    "revenue_covered": ("money held", True),
    "remedy_right": ("remedy right", True),
    "remedy_read": ("remedy right once readable", True),
    "remedy_praised": ("remedy praised wrongly", True),
    "remedy_covered": ("remedy held", True),
    "seconds": ("seconds", False),
}


def summary(rows: Iterable[Row], keys: Iterable[str] = COLUMNS) -> dict[str, tuple[float, float]]:
    """Mean and Monte Carlo error of each figure over worlds in which it arises."""
    frame = pd.DataFrame(list(rows))
    made = {}
    for key in keys:
        values = _values(frame, key)
        if len(values):
            error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
            made[key] = (float(values.mean()), float(error))
    return made


def _values(frame: pd.DataFrame, key: str) -> pd.Series:
    if key == "departures_off":
        return _values(frame, "departures_error").abs()
    if key not in frame:
        return pd.Series(dtype=float)
    return frame[key].dropna().astype(float)


def cell(key: str, figures: dict[str, tuple[float, float]]) -> str:
    """Write one figure with its Monte Carlo error."""
    if key not in figures:
        return "–"
    mean, error = figures[key]
    if COLUMNS[key][1]:
        mean, error = 100 * mean, 100 * error
        return f"{mean:.0f} %" + ("" if math.isnan(error) else f" ± {error:.0f}")
    return f"{mean:.2f}" + ("" if math.isnan(error) else f" ± {error:.2f}")
