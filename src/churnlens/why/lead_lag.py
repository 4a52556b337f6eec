"""Did the driver come before the departure or after it?

For each month (or quarter) from eight months before to six months after an onset, the driver's
level among those who left less that of comparable clients who did not (same period, in and out of
the same segments), in standard deviations. A cause stands out before; a symptom crowds around the
onset and goes on after it. What costs clients all along stood out years before as it does in the
last months; an early sign of leaving comes up in these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import Calendar
from churnlens.results import Z95, Estimate, LagPoint
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]
BEFORE, AFTER = 8, 6  # months
WELL_BEFORE, WELL_AFTER = 3, 5  # months from an onset, of the excess before and after it
CLOSE = 2  # months just before an onset that are left out of `since_z`
LONG_BEFORE = 30, 13  # months from an onset: what leavers had before anything told of leaving
NEARING = 8, 1  # months from an onset within which early signs of leaving show
YEARS = 12, 24  # months since the first order by which clients are told apart by age
LEAST_LEAVERS = 5
SEEN = 2 / 5  # part of the lags that must have leavers for what came first to be seen
LEAST_LONG = 20  # leavers with a past that long
CLEAR = 3.0  # standard errors


@dataclass(frozen=True)
class LeadLag:
    """`points` by lag; mean excess well before the onset and after it, each with its z.

    The points are of more of the driver, as its chart shows them; all else is of the trouble, which
    may be less of it. `since_z` is the z of the excess before the onset in what was lived through
    since the driver changed: until then nobody can stand out. Minus infinity where nobody asked, or
    too few leavers lived through any of it before they left.
    """

    points: tuple[LagPoint, ...]
    before: float
    before_z: float
    after: float
    after_z: float
    since_z: float = -np.inf

    @property
    def is_symptom(self) -> bool:
        """Whether the driver moves for leavers after the onset only."""
        return self.after_z >= CLEAR and self.after > 0 and self.before < 0.5 * self.after


@dataclass(frozen=True)
class Nearing:
    """Leavers' excess of a driver long before their onset and shortly before, in deviations.

    `long_z` is the z of the former. `z` tells how sure it is that most of the latter is new: the
    lesser z of what it gained and of what it gained beyond the former, each leaver held against
    itself. Minus infinity where too few leavers have a past that long.
    """

    long_before: float = 0.0
    long_z: float = 0.0
    late: float = 0.0
    z: float = -np.inf


def nearing(
    baseline: Baseline, exposure: Exposure, scopes: tuple[Array, ...], sign: int
) -> Nearing:
    """Return how leavers' excess of a driver grows as their leaving nears.

    `scopes` and `sign` are as in `lead_lag`. Leavers grow older from the one span to the other, so
    they are held against clients of about their own age.
    """
    panel, cal = baseline.panel, baseline.panel.calendar
    age = np.arange(exposure.values.shape[1]) - panel.activity.first[:, None]
    alike = (*scopes, *(age >= cal.span(months) for months in YEARS))
    excess = sign * _excess(panel, exposure, alike)
    early, late = (
        _each_leaver(excess, panel.onset, range(-_steps(cal, begin), -_steps(cal, end) + 1))
        for begin, end in (LONG_BEFORE, NEARING)
    )
    both = np.isfinite(early) & np.isfinite(late)
    if both.sum() < LEAST_LONG:
        return Nearing()
    early, late = early[both], late[both]
    z = min(_z(late - early), _z(late - 2 * early))
    return Nearing(float(early.mean()), _z(early), float(late.mean()), z)


def lead_lag(
    baseline: Baseline,
    exposure: Exposure,
    scopes: tuple[Array, ...],
    sign: int,
    since: Array | None = None,
) -> LeadLag:
    """Return the driver's excess among leavers by lag from the onset.

    Parameters
    ----------
    scopes
        Client-periods of segments, bool[n, T] each: a leaver is held against those who are in and
        out of the same ones. None: against the whole book.
    sign
        1 where more of the driver is the trouble, −1 where less of it is.
    since
        Client-periods since a change of the driver, bool[n, T], for `since_z`.
    """
    panel = baseline.panel
    excess = _excess(panel, exposure, scopes)
    cal, step = panel.calendar, panel.calendar.span(1)
    points, means, errors, lags = [], [], [], []
    for lag in _lags(cal):
        values = _each_leaver(excess, panel.onset, range(lag, lag + step))
        values = values[np.isfinite(values)]
        if len(values) < LEAST_LEAVERS:
            continue
        mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        points.append(
            LagPoint(lag, Estimate(mean, mean - Z95 * error, mean + Z95 * error), len(values))
        )
        means.append(sign * mean)
        errors.append(max(error, 1e-6))
        lags.append(lag)
    m, e, k = np.array(means), np.array(errors), np.array(lags)
    before, before_z = _pooled(m, e, k <= -_steps(cal, WELL_BEFORE))
    after, after_z = _pooled(m, e, (k >= step) & (k <= _steps(cal, WELL_AFTER)))
    since_z = -np.inf if since is None else _since_z(sign * excess, panel.onset, since, cal)
    return LeadLag(tuple(points), before, before_z, after, after_z, since_z)


def is_seen(timing: LeadLag, cal: Calendar) -> bool:
    """Return whether enough lags have leavers for what came first to be seen."""
    return len(timing.points) >= SEEN * len(_lags(cal))


def _lags(cal: Calendar) -> range:
    """First period of each month (or quarter) that is looked at, from an onset."""
    return range(-_steps(cal, BEFORE), _steps(cal, AFTER) + 1, cal.span(1))


def _steps(cal: Calendar, months: int) -> int:
    """So many months in periods, a whole number of the steps from lag to lag."""
    step = cal.span(1)
    return cal.span(months) // step * step


def _since_z(excess: Array, onset: Array, since: Array, cal: Calendar) -> float:
    """Z of leavers' excess from eight months to two before their onset, in some periods only."""
    lived = np.where(since, excess, np.nan)
    before = _each_leaver(lived, onset, range(-_steps(cal, BEFORE), -_steps(cal, CLOSE) + 1))
    before = before[np.isfinite(before)]
    return _z(before) if len(before) >= LEAST_LEAVERS else -np.inf


def _z(values: Array) -> float:
    """A mean in standard errors."""
    return float(values.mean() / max(values.std(ddof=1) / np.sqrt(len(values)), 1e-9))


def _each_leaver(values: Array, onset: Array, lags: range) -> Array:
    """Each leaver's mean over some lags from its onset; NaN where it has none."""
    leavers = np.flatnonzero(onset >= 0)
    at = onset[leavers, None] + np.array(lags)
    there = (at >= 0) & (at < values.shape[1])
    seen = values[leavers[:, None], at.clip(0, values.shape[1] - 1)]
    there &= np.isfinite(seen)
    counts = there.sum(axis=1)
    sums = np.where(there, seen, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _excess(panel: Panel, exposure: Exposure, scopes: tuple[Array, ...]) -> Array:
    """Each value less the mean of those who stayed in the same period and cell, over their SD.

    Cells are what the scopes cut the book into. That nothing happened to a client before its first
    order, or its return, is no record.
    """
    values, stayed = np.where(panel.own, exposure.values, np.nan), panel.onset < 0
    out = np.full(values.shape, np.nan, np.float32)
    cell = np.zeros(values.shape, np.int64)
    for k, inside in enumerate(scopes):
        cell += inside.astype(np.int64) << k
    peers = np.isfinite(values) & stayed[:, None]
    for code in np.flatnonzero(np.bincount(cell.ravel())):
        side = cell == code
        compared = side & peers
        count = compared.sum(axis=0)
        mean = np.where(compared, values, 0).sum(axis=0) / np.maximum(count, 1)
        np.subtract(values, mean, out=out, where=side & (count >= LEAST_LEAVERS))
    compared = out[stayed]
    spread = np.nanstd(compared) if np.isfinite(compared).any() else 1.0
    return np.asarray(out / (spread if spread > 0 else 1.0))


def _pooled(mean: Array, error: Array, where: Array) -> tuple[float, float]:
    if not where.any():
        return 0.0, 0.0
    value = float(mean[where].mean())
    spread = float(np.sqrt((error[where] ** 2).sum()) / where.sum() * np.sqrt(2))  # lags overlap
    return value, value / spread if spread > 0 else 0.0
