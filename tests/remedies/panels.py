"""Small panels with a known remedy, drawn month by month from a hazard."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd

from churnlens.panel import Panel
from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import Calendar
from churnlens.remedies import ByClient

YEAR, MONTHS = 2020, 48


def months(count: int = MONTHS) -> tuple[dt.date, ...]:
    return tuple(dt.date(YEAR + m // 12, m % 12 + 1, 1) for m in range(count))


def day(month: int) -> dt.date:
    """First day of a month counted from the data's first, also beyond the data."""
    return dt.date(YEAR + month // 12, month % 12 + 1, 1)


def draw(
    rng: np.random.Generator,
    *,
    clients: int = 5000,
    share_inside: float = 0.35,
    hazard: float = 0.008,
    relative: np.ndarray | None = None,
    common: np.ndarray | None = None,
    driver: np.ndarray | None = None,
    cells: int = 1,
) -> Panel:
    """Draw a panel: `relative` is the scope's hazard ratio by month, `common` everybody's.

    `driver` is the driver's mean by month in the scope (10 elsewhere). The scope is size "key";
    `cells` splits it, and everybody, in regions "r0", "r1", ….
    """
    periods = MONTHS
    ones = np.ones(periods)
    inside = np.arange(clients) < share_inside * clients
    entry = np.where(rng.random(clients) < 0.5, -rng.integers(1, 60, clients), 0)
    entry = np.where(entry == 0, rng.integers(0, periods - 6, clients), entry)
    scale = np.where(inside[:, None], relative if relative is not None else ones, ones)
    chance = hazard * scale * (common if common is not None else ones)
    leaves = rng.random((clients, periods)) < chance
    month = np.arange(periods)
    leaves &= month >= entry[:, None]
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    end = np.where(onset >= 0, onset, periods)
    at_risk = (month >= entry[:, None]) & (month <= end[:, None])
    level = np.where(inside[:, None], driver if driver is not None else 10 * ones, 10.0)
    values = (level + rng.normal(0, 2, (clients, periods))).astype(np.float32)
    given = {
        "calendar": Calendar("month", months(), ones),
        "client": np.arange(clients),
        "active": at_risk.astype(np.float32),
        "found": (leaves & (month == onset[:, None])).astype(np.float32),
        "onset": onset,
        "kind": np.where(onset >= 0, "lapsed", ""),
        "tiers": np.where(inside, 0, 1)[:, None].repeat(periods, axis=1),
        "kept": np.zeros(clients),
        "entry": entry,
        "known_from_start": entry < 0,
        "attributes": pd.DataFrame(
            {
                "size": pd.Categorical(np.where(inside, "key", "small")),
                "region": pd.Categorical([f"r{i % cells}" for i in range(clients)]),
            }
        ),
        "exposures": (Exposure("approval_days", "mean", "orders", values),),
        "sides": (),
        "revenue": np.where(at_risk, 100.0, 0.0).astype(np.float32),
        "definition": "cadence",
        "set_apart": 0,
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    return Panel(**{name: given.get(name) for name in needed})


def step(*levels: tuple[int, float]) -> np.ndarray:
    """Return a level by month from (month, level) pairs; 1 before the first."""
    values = np.ones(MONTHS)
    for month, level in levels:
        values[month:] = level
    return values


def by_tenure(panel: Panel) -> ByClient:
    """Return the departures found, and those a hazard by tenure alone expects."""
    band = np.searchsorted((6, 12, 24, 48), np.maximum(panel.tenure, 0), side="right")
    band[panel.known_from_start] = 5
    there = np.bincount(band.ravel(), panel.active.ravel(), minlength=6)
    left = np.bincount(band.ravel(), panel.found.ravel(), minlength=6)
    hazard = (left / np.maximum(there, 1e-9))[band]
    return ByClient(panel.found, hazard * panel.active, hazard)
