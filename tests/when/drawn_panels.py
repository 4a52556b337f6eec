"""Panels of yes-or-no departures, drawn from a hazard."""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd

from churnlens.panel import Panel
from churnlens.panel.periods import Calendar

MONTHS = 40


def panel(hazard: np.ndarray, entry: np.ndarray, *, size: np.ndarray | None = None, seed=0):
    """Draw a panel of yes-or-no departures from a monthly hazard [n, T]."""
    rng = np.random.default_rng(seed)
    n, t = len(hazard), np.arange(MONTHS)
    leaves = (rng.random((n, MONTHS)) < hazard) & (t >= entry[:, None])
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    last = np.where(onset >= 0, onset, MONTHS)[:, None]
    given = {
        "calendar": Calendar(
            "month",
            tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in range(MONTHS)),
            np.ones(MONTHS),
        ),
        "active": ((t >= entry[:, None]) & (t <= last)).astype(np.float32),
        "found": (leaves & (t == onset[:, None])).astype(np.float32),
        "onset": onset,
        "kind": np.where(onset >= 0, "lapsed", ""),
        "activity": SimpleNamespace(first=np.maximum(entry, 0)),
        "revenue": np.full((n, MONTHS), 100.0),
        "entry": entry,
        "known_from_start": np.zeros(n, bool),
        "tiers": np.ones((n, MONTHS), np.int8),
        "attributes": pd.DataFrame(
            {"size": pd.Categorical(np.full(n, "key") if size is None else size)}
        ),
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    return Panel(**{name: given.get(name) for name in needed})
