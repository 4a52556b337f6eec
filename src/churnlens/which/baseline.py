"""How many departures were to be expected of whom, had nothing changed over time?

A Poisson hazard over tenure, season, the client's usual order rate and the segment attributes, with
no calendar trend: what is left over time is what the scan looks at. The chance that a departure can
already be seen enters as an offset. All departures and a weighted sample of the periods at risk are
used (incidence-density sampling), so the cost follows the departures. Coefficients are shrunk a
little (normal prior), so that a value without departures does not run off to minus infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.panel import Panel

Array = npt.NDArray[Any]

PRIOR_SD = 0.7  # of a coefficient, on the log scale
TENURE_BANDS = (6, 12, 24, 48)  # months
RATE_BANDS = 5
SAMPLE = (20_000, 200_000)  # least and most sampled periods at risk
PER_EVENT = 20


@dataclass(frozen=True)
class Baseline:
    """`expected` is float32[n, T], 0 where not at risk; its sum is the number of departures."""

    expected: Array
    departures: int


def fit(panel: Panel, *, seed: int = 0) -> Baseline:
    """Return the departures expected of each client in each period if nothing had changed."""
    rows, cols = panel.events
    factors = _factors(panel)
    expected = np.where(panel.at_risk, np.exp(panel.log_seen), 0).astype(np.float32)
    if len(rows) == 0:
        return Baseline(expected * 0, 0)
    at, weight = _sample(panel, rows, cols, seed)
    y = np.zeros(len(at[0]))
    y[: len(rows)] = 1.0
    coefficients = _coefficients(factors, at, y, weight, panel.log_seen[at])
    log_rate = np.zeros((1, 1), np.float32)
    for (codes, _), coefficient in zip(factors, coefficients, strict=True):
        log_rate = log_rate + coefficient.astype(np.float32)[codes]
    expected *= np.exp(log_rate)
    return Baseline(expected * (len(rows) / expected.sum(dtype=np.float64)), len(rows))


def _factors(panel: Panel) -> list[tuple[Array, int]]:
    """Codes (broadcastable to n × T) and number of levels of every factor of the baseline."""
    cal = panel.calendar
    bands = np.array([cal.span(m) for m in TENURE_BANDS])
    tenure = np.searchsorted(bands, panel.tenure, side="right").astype(np.int8)
    tenure = np.where(panel.known_from_start[:, None], len(bands) + 1, tenure)
    factors = [(tenure, len(bands) + 2), (_rate_band(panel), RATE_BANDS + 1)]
    if len(cal.starts) >= 2 * cal.per_year:
        factors.append((cal.season[None, :], int(cal.season.max()) + 1))
    for name in panel.attributes:
        codes = panel.attributes[name].cat.codes.to_numpy()
        factors.append((codes[:, None], len(panel.attributes[name].cat.categories)))
    return factors


def _rate_band(panel: Panel) -> Array:
    """Band of orders over the past year, by period, from the past alone."""
    year = panel.calendar.per_year
    running = np.cumsum(panel.orders, axis=1, dtype=np.float32)
    past = np.zeros_like(running)
    past[:, 1:] = running[:, :-1]
    past[:, year + 1 :] -= running[:, : -year - 1]
    length = np.clip(panel.tenure, 1, year)
    rate = past / np.where(
        panel.known_from_start[:, None], np.clip(np.arange(running.shape[1]), 1, year), length
    )
    edges = np.quantile(rate[panel.at_risk], np.linspace(0, 1, RATE_BANDS + 1)[1:-1])
    return np.searchsorted(np.unique(edges), rate).astype(np.int8)


def _sample(panel: Panel, rows: Array, cols: Array, seed: int) -> tuple[tuple[Array, Array], Array]:
    """All departures first, then a sample of the periods at risk with its weight."""
    risk = np.flatnonzero(panel.at_risk)
    size = min(len(risk), int(np.clip(PER_EVENT * len(rows), *SAMPLE)))
    pick = risk
    if size < len(risk):
        pick = np.random.default_rng(seed).choice(risk, size, replace=False)
    i, t = np.unravel_index(pick, panel.at_risk.shape)
    weight = np.concatenate([np.zeros(len(rows)), np.full(size, len(risk) / size)])
    return (np.concatenate([rows, i]), np.concatenate([cols, t])), weight


def _coefficients(
    factors: list[tuple[Array, int]],
    at: tuple[Array, Array],
    y: Array,
    weight: Array,
    offset: Array,
) -> list[Array]:
    """Ridge Poisson fit: log-likelihood is Σ over departures of η − Σ over risk of weight·e^η."""
    from glum import GeneralizedLinearRegressor

    events = y > 0
    table = {}
    for k, (codes, levels) in enumerate(factors):
        full = np.broadcast_to(codes, (codes.shape[0], codes.shape[1]))
        i = at[0] if full.shape[0] > 1 else np.zeros_like(at[0])
        t = at[1] if full.shape[1] > 1 else np.zeros_like(at[1])
        table[f"f{k}"] = pd.Categorical.from_codes(full[i, t].astype(int), categories=range(levels))
    # A departure weighs a tiny exposure and carries the whole count, so both sums enter one fit.
    exposure = np.where(events, 1e-6, weight)
    model = GeneralizedLinearRegressor(
        family="poisson",
        alpha=1 / (PRIOR_SD**2 * exposure.sum()),
        l1_ratio=0,
        drop_first=False,
        fit_intercept=True,
    )
    model.fit(pd.DataFrame(table), y / exposure, sample_weight=exposure, offset=offset)
    flat = np.asarray(model.coef_)
    edges = np.cumsum([0, *(levels for _, levels in factors)])
    return [flat[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
