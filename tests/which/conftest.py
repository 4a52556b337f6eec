"""Small books with a known mix, tiers and drivers, drawn month by month."""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from churnlens.panel import Panel
from churnlens.panel.exposures import Exposure
from churnlens.panel.onsets import OnsetLikelihood, posterior
from churnlens.panel.periods import Calendar
from churnlens.which.baseline import Baseline, fit

MONTHS = 36


def draw_book(
    hazard: np.ndarray,
    *,
    entry: np.ndarray | None = None,
    size: np.ndarray | None = None,
    region: np.ndarray | None = None,
    tier: np.ndarray | None = None,
    drivers: dict[str, np.ndarray] | None = None,
    margin: np.ndarray | None = None,
    usual: np.ndarray | None = None,
    seed: int = 0,
) -> Baseline:
    """Draw departures from a monthly hazard [n, T]; `usual` is the baseline's, the same without."""
    rng = np.random.default_rng(seed)
    n, months = hazard.shape
    t = np.arange(months)
    entry = np.full(n, -30) if entry is None else entry
    leaves = (rng.random((n, months)) < hazard) & (t >= entry[:, None])
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    end = np.where(onset >= 0, onset, months)[:, None]
    there = (t >= entry[:, None]) & (t <= end)
    tiers = np.ones(n) if tier is None else tier
    attributes = {"size": np.full(n, "small") if size is None else size}
    attributes["region"] = rng.choice(["north", "south"], n) if region is None else region
    brings = np.array([10.0, 1.0, 0.5, 0.5, 0.5, 1.0])[tiers.astype(int)]  # by tier
    revenue = np.where(there, 100.0, 0.0) * brings[:, None]
    given = {
        "calendar": Calendar(
            "month", tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in t), np.ones(months)
        ),
        "client": np.arange(n),
        "active": there.astype(np.float32),
        "found": (leaves & (t == onset[:, None])).astype(np.float32),
        "onset": onset,
        "kind": np.where(onset >= 0, "lapsed", ""),
        "kept": np.zeros(n),
        "entry": entry,
        "known_from_start": np.zeros(n, bool),
        "tiers": np.repeat(tiers[:, None], months, axis=1).astype(np.int8),
        "attributes": pd.DataFrame({k: pd.Categorical(v) for k, v in attributes.items()}),
        "exposures": tuple(
            Exposure(name, "mean", "orders", values.astype(np.float32))
            for name, values in (drivers or {}).items()
        ),
        "activity": SimpleNamespace(
            first=np.maximum(entry, 0),
            orders=there.astype(np.float32),
            exposure=there.astype(np.float32),
        ),
        "revenue": revenue.astype(np.float32),
        "margin": margin,
        "definition": "silence",
        "set_apart": 0,
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    panel = Panel(**{name: given.get(name) for name in needed})
    chance = np.asarray(hazard if usual is None else usual, dtype=np.float32)
    return Baseline(panel, chance, chance * panel.active, panel.found)


def fitted_book(hazard: np.ndarray, **given) -> Baseline:
    """Draw a book and fit the baseline to it, as if nothing were known of its hazard.

    Its clients could have ordered once a month all along, so that no order tells when they left.
    """
    panel = draw_book(hazard, **given).panel
    monthly, even = np.ones(hazard.shape, np.float32), np.ones(len(hazard), np.float32)
    activity = SimpleNamespace(orders=monthly, exposure=monthly, order_scatter=even)
    return fit(dataclasses.replace(panel, activity=activity))


def blurred_book(
    raised: float, signal: float, seed: int, clients: int = 300, start: int = 20
) -> Baseline:
    """Draw a book of which the first half (size: key) leave `raised` times as often from `start`.

    Every month of a client shows a normal figure that falls by `signal` at its onset, so that the
    likelihood of every onset is known.
    """
    usual = np.full((clients, MONTHS), 0.015)
    hazard = usual.copy()
    hazard[: clients // 2, start:] *= raised
    size = np.where(np.arange(clients) < clients // 2, "key", "small")
    drawn = draw_book(hazard, usual=usual, size=size, seed=seed)
    t, onset = np.arange(MONTHS), drawn.panel.onset[:, None]
    gone = (onset >= 0) & (t >= onset)
    seen = signal * gone + np.random.default_rng([seed, 1]).normal(size=gone.shape)
    later = (signal * seen - signal**2 / 2)[:, ::-1].cumsum(axis=1)[:, ::-1]
    likelihood = OnsetLikelihood(later.astype(np.float32), np.ones(gone.shape, bool))
    now = posterior(likelihood, usual[0, 0])
    panel = dataclasses.replace(
        drawn.panel, likelihood=likelihood, found=now.found, active=now.active
    )
    due = drawn.hazard * now.active
    return dataclasses.replace(drawn, panel=panel, expected=due, observed=now.found)


@pytest.fixture
def draw():
    return draw_book


@pytest.fixture
def draw_blurred():
    return blurred_book


@pytest.fixture
def draw_and_fit():
    return fitted_book


@pytest.fixture
def months() -> int:
    return MONTHS
