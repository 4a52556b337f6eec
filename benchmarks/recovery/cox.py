"""A Cox model with time-varying drivers, as lifelines fits it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from benchmarks.recovery.months import Months

LARGEST = 25_000  # client-months; beyond it, of those who stay a sample is taken


def z_values(months: Months, gone: np.ndarray, lag: int) -> pd.Series:
    """Return Wald z by driver, drivers lagged by some months.

    Parameters
    ----------
    months
        The book.
    gone
        Month of departure by client; -1 where it stays.
    lag
        Months between a driver and the departure it may cause.
    """
    from lifelines import CoxTimeVaryingFitter

    frame = _long(months, gone, lag)
    drivers = [c for c in frame.columns if c not in ("id", "start", "stop", "event")]
    frame[drivers] = (frame[drivers] - frame[drivers].mean()) / (frame[drivers].std() + 1e-9)
    fitter = CoxTimeVaryingFitter(penalizer=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(frame, id_col="id", event_col="event", start_col="start", stop_col="stop")
    z = fitter.summary["z"]
    return z.reindex(z.abs().sort_values(ascending=False).index)


def _long(months: Months, gone: np.ndarray, lag: int) -> pd.DataFrame:
    """Client-months at risk, in calendar time (everyone enters late)."""
    span = months.span
    last = np.where(gone >= 0, gone, span - 1)
    grid = np.arange(span)[None, :]
    risk = (grid >= months.first[:, None] + lag) & (grid <= last[:, None]) & (grid >= lag)
    chosen = _sample(risk, gone)
    client, month = np.nonzero(risk & chosen[:, None])
    frame = pd.DataFrame({"id": client, "start": month, "stop": month + 1})
    frame["event"] = gone[client] == month
    for name, level in months.drivers.items():
        frame[name] = level[client, month - lag]
    return frame


def _sample(risk: np.ndarray, gone: np.ndarray) -> np.ndarray:
    chance = min(1.0, LARGEST / max(risk.sum(), 1))
    rng = np.random.default_rng(0)
    return rng.random(len(gone)) < chance
