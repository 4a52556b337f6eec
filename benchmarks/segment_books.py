"""Books of clients with departures drawn month by month, in some a segment that leaves more.

What departures are is known here, so that the search for segments is judged by itself.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens import bands
from churnlens.panel import Panel
from churnlens.panel.periods import Calendar

Array = npt.NDArray[Any]

CLIENTS, MONTHS = 2400, 36
USUAL = 0.012  # chance of a departure a month
VALUES = {
    "size": ("key", "mid", "small"),
    "region": ("north", "south", "east", "west"),
    "industry": ("foundry", "food", "chemicals", "printing", "building"),
    "channel": ("direct", "web", "partner"),
}
MANAGERS = 12
KINDS = ("one", "two", "three", "number", "managers", "passed")


@dataclass(frozen=True)
class Book:
    """A drawn book: who left when (−1: never), who was hit in which months, and by how much."""

    clients: pd.DataFrame  # text attributes, `manager`, `employees`
    entry: Array
    onset: Array
    hit: Array  # bool[n]
    months: Array  # bool[T]
    ratio: float
    panel: Panel


def draw(kind: str | None, ratio: float, seed: int) -> Book:
    """Draw a book; `kind` is how its segment is made (None: nothing happens)."""
    rng = np.random.default_rng(seed)
    n, t = CLIENTS, np.arange(MONTHS)
    shares = {k: rng.dirichlet(np.full(len(v), 6.0)) for k, v in VALUES.items()}
    clients = pd.DataFrame({k: rng.choice(v, n, p=shares[k]) for k, v in VALUES.items()})
    clients["manager"] = rng.choice([f"M{k:02d}" for k in range(MANAGERS)], n)
    clients["employees"] = np.round(rng.lognormal(3.5, 1.0, n))
    hit = np.zeros(n, bool) if kind is None else _scope(clients, kind, rng)
    begin = int(rng.integers(14, 26))
    end = begin + int(rng.integers(6, 9)) if kind == "passed" else MONTHS
    months = (t >= begin) & (t < end)
    entry = np.where(rng.random(n) < 0.65, -24, rng.integers(0, MONTHS - 4, n))
    own = rng.gamma(4, 0.25, n) * np.where(clients["size"] == "key", 1.4, 1.0)
    season = 1 + 0.2 * np.cos(2 * np.pi * t / 12)
    hazard = USUAL * own[:, None] * season * np.where(hit[:, None] & months, ratio, 1)
    leaves = (rng.random((n, MONTHS)) < hazard) & (t > entry[:, None])
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    return Book(clients, entry, onset, hit, months, ratio, _panel(clients, entry, onset))


def _scope(clients: pd.DataFrame, kind: str, rng: np.random.Generator) -> Array:
    """Members of a segment of a kind, between a tenth and 45 % of all.

    Of three attributes, two values each belong; otherwise one.
    """
    while True:
        inside = np.ones(len(clients), bool)
        if kind == "managers":
            inside &= clients["manager"].isin(rng.choice(clients["manager"].unique(), 3, False))
        elif kind == "number":
            cut = clients["employees"].quantile(rng.uniform(0.1, 0.9))
            inside &= (clients["employees"] > cut) == (rng.random() < 0.5)
        else:
            count = {"one": 1, "two": 2, "three": 3, "passed": 1}[kind]
            for name in rng.choice(list(VALUES), count, replace=False):
                wide = 2 if count == 3 else 1
                inside &= clients[name].isin(rng.choice(VALUES[name], wide, replace=False))
        if 0.1 <= inside.mean() <= 0.45:
            return np.asarray(inside)


def _panel(clients: pd.DataFrame, entry: Array, onset: Array) -> Panel:
    n, t = len(clients), np.arange(MONTHS)
    end = np.where(onset >= 0, onset, MONTHS)[:, None]
    there = (t > entry[:, None]) & (t <= end)
    number = clients["employees"]
    cuts = bands.edges(number.to_numpy(), 10).tolist()
    frame = {c: clients[c].astype("category") for c in (*VALUES, "manager")}
    frame["employees"] = pd.cut(number, [-np.inf, *cuts, np.inf], labels=bands.names(cuts))
    ones = np.ones((n, MONTHS), np.float32)
    given = {
        "calendar": Calendar(
            "month", tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in t), np.ones(MONTHS)
        ),
        "client": np.arange(n),
        "active": there.astype(np.float32),
        "found": (there & (t == onset[:, None])).astype(np.float32),
        "onset": onset,
        "kind": np.where(onset >= 0, "lapsed", ""),
        "kept": np.zeros(n),
        "entry": entry,
        "known_from_start": np.zeros(n, bool),
        "tiers": np.ones((n, MONTHS), np.int8),
        "attributes": pd.DataFrame(frame),
        "exposures": (),
        "activity": SimpleNamespace(
            orders=ones,
            exposure=ones,
            order_scatter=np.ones(n, np.float32),
            first=np.maximum(entry, 0),
        ),
        "revenue": ones,
        "definition": "drawn",
        "set_apart": 0,
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    return Panel(**{name: given.get(name) for name in needed})
