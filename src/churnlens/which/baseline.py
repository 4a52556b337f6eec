"""How many departures were to be expected of whom, had nothing changed over time?

A Poisson hazard with a factor for tenure, season, the client's usual order rate, the time left to see
a departure in, and every segment attribute, but no calendar trend: what is left over time is what
the scan looks at. With factors only, the likelihood equations say that observed and expected agree
in every margin, and iterative proportional fitting (Deming & Stephan 1940) solves them from sums, so
the cost is a few passes over the panel whatever the number of factors. Factors are shrunk to 1 by a
gamma prior, so that a value without departures does not run off to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.cumulative import cumulative

Array = npt.NDArray[Any]

PRIOR = 3.0  # pseudo-departures by which every factor is shrunk to 1
TENURE_BANDS = (6, 12, 24, 48)  # months
RATE_BANDS = 5
CLOCK_BANDS = (0.5, 1.0, 1.5, 2.5)  # time left, in the time the client takes to order four times
SWEEPS, ROUNDS = 4, 2


@dataclass(frozen=True)
class Baseline:
    """What was to be expected, and how much of it the data can tell.

    `panel` has its departures weighed under `hazard` (per period, float32[n, T]). `expected` and
    `observed` are effective departures, float32[n, T]: where a departure can be told for sure they
    are hazard × active and what was found; where little can be told both are near nothing
    and their difference is what was found less what was expected.
    """

    panel: Panel
    hazard: Array
    expected: Array
    observed: Array

    @property
    def departures(self) -> float:
        """Departures in the panel, certain and probable together."""
        return float(self.panel.found.sum(dtype=np.float64))


def fit(panel: Panel) -> Baseline:
    """Fit the baseline hazard and weigh the panel's departures under it."""
    factors = _factors(panel)
    hazard = np.zeros_like(panel.active)
    for _ in range(ROUNDS if panel.likelihood is not None else 1):
        hazard = _proportional(panel, factors)
        panel = panel.weigh(hazard)
    return weighed(panel, hazard)


def weighed(panel: Panel, hazard: Array) -> Baseline:
    """Return a panel's effective departures under a hazard (float32[n, T])."""
    expected = hazard * panel.active
    if panel.likelihood is None:
        return Baseline(panel, hazard, expected, panel.found)
    surprise = panel.found - expected
    informed = _information(panel, expected, surprise)
    effective = (expected * informed).astype(np.float32)
    return Baseline(panel, hazard, effective, effective + surprise)


def _information(panel: Panel, expected: Array, surprise: Array) -> Array:
    """Part of the full information on departures that is there, by rate and time left.

    For departures known for sure, the variance of found less expected is the expected number; what
    is uncertain varies less. Neighbouring periods of a client are summed, since an onset that cannot
    be dated to the period is shared among them.
    """
    band = _clock_band(panel) * (RATE_BANDS + 1) + _rate_band(panel)
    width = panel.calendar.span(4)
    running = cumulative(surprise)
    periods = surprise.shape[1]
    t = np.arange(periods)
    around = running[:, np.minimum(t + width + 1, periods)] - running[:, np.maximum(t - width, 0)]
    size = int(band.max()) + 1
    variance = np.bincount(band.ravel(), (surprise * around).ravel(), minlength=size)
    full = np.bincount(band.ravel(), expected.ravel(), minlength=size)
    overall = variance.sum() / max(full.sum(), 1e-9)
    part = (variance + 10 * overall) / (full + 10)  # ten departures' worth of shrinkage
    return part.clip(0.02, 1.0)[band].astype(np.float32)


def _proportional(panel: Panel, factors: list[tuple[Array, int]]) -> Array:
    found, active = panel.found, panel.active
    total = found.sum(dtype=np.float64)
    hazard = np.full(active.shape, total / max(active.sum(dtype=np.float64), 1e-9), np.float32)
    for _ in range(SWEEPS):
        for codes, levels in factors:
            seen, due = _margin(found, codes, levels), _margin(hazard * active, codes, levels)
            hazard *= ((seen + PRIOR) / (due + PRIOR)).astype(np.float32)[codes]
    return np.asarray(
        hazard * np.float32(total / max((hazard * active).sum(dtype=np.float64), 1e-9))
    )


def _margin(values: Array, codes: Array, levels: int) -> Array:
    """Sum of values [n, T] by code; codes are [n, 1], [1, T] or [n, T]."""
    if codes.shape[1] == 1:
        return np.bincount(codes[:, 0], values.sum(axis=1), minlength=levels)
    if codes.shape[0] == 1:
        return np.bincount(codes[0], values.sum(axis=0), minlength=levels)
    return np.bincount(codes.ravel(), values.ravel(), minlength=levels)


def _factors(panel: Panel) -> list[tuple[Array, int]]:
    """Codes (broadcastable to n × T) and number of levels of every factor of the baseline."""
    cal = panel.calendar
    bands = np.array([cal.span(m) for m in TENURE_BANDS])
    tenure = np.searchsorted(bands, panel.tenure, side="right")
    tenure = np.where(panel.known_from_start[:, None], len(bands) + 1, tenure)
    factors = [
        (tenure, len(bands) + 2),
        (_rate_band(panel), RATE_BANDS + 1),
        (_clock_band(panel), len(CLOCK_BANDS) + 1),
    ]
    if len(cal.starts) >= 2 * cal.per_year:
        factors.append((cal.season[None, :], int(cal.season.max()) + 1))
    for name in panel.attributes:
        column = panel.attributes[name].cat
        factors.append((column.codes.to_numpy()[:, None].astype(int), len(column.categories)))
    return factors


def _past_rate(panel: Panel) -> Array:
    """Orders a period over the past year, from the past alone, float32[n, T]."""
    year, periods = panel.calendar.per_year, panel.active.shape[1]
    t = np.arange(periods)
    back = np.maximum(t - year, 0)
    x, e = cumulative(panel.activity.orders), cumulative(panel.activity.exposure)
    return np.asarray((x[:, t] - x[:, back] + 0.5) / (e[:, t] - e[:, back] + 0.5))


def _rate_band(panel: Panel) -> Array:
    rate = _past_rate(panel)
    there = rate[panel.at_risk]
    edges = np.quantile(there, np.linspace(0, 1, RATE_BANDS + 1)[1:-1]) if there.size else []
    return np.searchsorted(np.unique(edges), rate)


def _clock_band(panel: Panel) -> Array:
    e = cumulative(panel.activity.exposure)
    left = e[:, -1:] - e[:, :-1]
    clock = 1 + 4 * panel.activity.order_scatter[:, None] / _past_rate(panel)
    return np.searchsorted(CLOCK_BANDS, left / clock)
