"""Since when has a client ordered less? Likelihood-ratio detection and dating, for all at once.

A departure is a fall of the order rate (or of volume) by half or more against the client's own
past. Detection is sequential, so that it treats every calendar period alike: at each period u the
likelihood ratio of "fell at some t ≤ u" is read from the data up to u only and from at most a
year before u (generalised likelihood ratio, Lorden 1971; Siegmund & Venkatraman 1995). The
departure is declared at the first u that passes. A detector that reads all later data would see
old departures better than new ones, and a quiet book would seem to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FALL = 0.55  # a rate at or below this part of the past counts as "by half" given its noise
FADES = (0, 1, 2, 3, 4, 6)  # lengths of a fade, in months, that an onset is matched against
KEPT = (0.02, 0.2, 0.4)  # parts of the volume that a departing client keeps


@dataclass(frozen=True)
class Falls:
    """The first fall of each row: `declared` and `start` are periods (int[n], −1 none).

    `evidence` is the likelihood ratio at declaration; `kept` the part of the rate kept after it.
    """

    declared: Array
    start: Array
    evidence: Array
    kept: Array


def cumulative(a: Array) -> Array:
    """Return running sums with a leading 0: float32[n, T] to float32[n, T + 1]."""
    out = np.zeros((a.shape[0], a.shape[1] + 1), np.float32)
    np.cumsum(a, axis=1, out=out[:, 1:], dtype=np.float32)
    return out


def _xlogy(x: Array, ratio: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, x * np.log(ratio), np.float32(0))


def first_fall(
    counts: Array,
    exposure: Array,
    scatter: Array,
    *,
    follow_up: tuple[int, ...],
    threshold: float,
    begin: Array,
    memory: int,
    least_before: float = 3.0,
) -> Falls:
    """Find each row's first fall to half or less.

    Parameters
    ----------
    counts, exposure
        float32[n, T]: what was ordered, and what a steady client would have ordered per unit rate.
    scatter
        float32[n]: variance over mean of the counts.
    follow_up
        Lengths of time (periods) after a start over which a fall is looked for, ascending.
    threshold
        Likelihood ratio (twice the log-likelihood gain over scatter) that declares a fall.
    begin
        int[n]: nothing before this period counts (a client's first order, or a spell's start).
    memory
        Periods of a client's past that its level is read from.
    least_before
        Orders needed before the start.

    Returns
    -------
    Falls
        The earliest declaration of each row, with the start that fits it best.
    """
    n, periods = counts.shape
    live = np.arange(periods) >= begin[:, None]
    x, e = cumulative(counts * live), cumulative(exposure * live)
    best, start = _best_gain(x, e, scatter, follow_up, memory, least_before)
    passed = best >= threshold
    end = np.where(passed.any(axis=1), passed.argmax(axis=1), -1)  # one past the declaring period
    rows = np.arange(n)
    t0 = np.where(end >= 0, start[rows, end], -1)
    return Falls(
        declared=np.where(end >= 0, end - 1, -1),
        start=t0,
        evidence=np.where(end >= 0, best[rows, end], 0),
        kept=kept_part(x, e, t0, np.minimum(end, periods), memory),
    )


def steady_threshold(
    expected: Array,
    *,
    follow_up: tuple[int, ...],
    memory: int,
    false_share: float,
    seed: int,
) -> float:
    """Return the threshold that `false_share` of steady clients would pass at some period.

    `expected` is float32[m, T]: what m typical steady clients order a period, over their scatter;
    Poisson orders are drawn from it (quasi-Poisson counts over their scatter are such).
    """
    rng = np.random.default_rng(seed)
    x = cumulative(rng.poisson(expected).astype(np.float32))
    ones = np.ones(len(expected), np.float32)
    best, _ = _best_gain(x, cumulative(expected), ones, follow_up, memory, 3.0)
    return float(max(np.quantile(best.max(axis=1), 1 - false_share), 5.0))


def _best_gain(
    x: Array, e: Array, scatter: Array, follow_up: tuple[int, ...], memory: int, least: float
) -> tuple[Array, Array]:
    """Best gain over all starts, by row and end of reading (0 … T), and that start."""
    n, width = x.shape
    best, start = np.zeros((n, width), np.float32), np.full((n, width), -1, np.int16)
    inverse = (1 / scatter)[:, None].astype(np.float32)
    for length in follow_up:
        if length >= width - 1:
            continue
        gain = _gain(x, e, length, memory, least) * inverse
        where = gain > best[:, length:]
        best[:, length:][where] = gain[where]
        starts = np.broadcast_to(np.arange(gain.shape[1], dtype=np.int16), gain.shape)
        start[:, length:][where] = starts[where]
    return best, start


def _gain(x: Array, e: Array, length: int, memory: int, least_before: float) -> Array:
    """Likelihood gain of a fall at each start t, read over [t − memory, t + length)."""
    periods = x.shape[1] - 1
    t = np.arange(periods + 1 - length)
    back = np.maximum(t - memory, 0)
    x1, e1 = x[:, t] - x[:, back], e[:, t] - e[:, back]
    x2, e2 = x[:, t + length] - x[:, t], e[:, t + length] - e[:, t]
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = x1 / e1, x2 / e2
        pooled = (x1 + x2) / (e1 + e2)
        gain = 2 * (_xlogy(x1, before / pooled) + _xlogy(x2, after / pooled))
        fell = (x1 >= least_before) & (e2 > 0) & (after <= FALL * before)
    return np.where(fell, gain, np.float32(0))


def kept_part(x: Array, e: Array, start: Array, end: Array, memory: int) -> Array:
    """Rate over [start, end) over the rate before it, by row; NaN where there is no start.

    `x` and `e` are cumulative counts and exposure, float32[n, T + 1].
    """
    rows, s = np.arange(len(x)), np.maximum(start, 0)
    back = np.maximum(s - memory, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        before = (x[rows, s] - x[rows, back]) / (e[rows, s] - e[rows, back])
        after = (x[rows, end] - x[rows, s]) / (e[rows, end] - e[rows, s])
        kept = after / before
    return np.where((start >= 0) & np.isfinite(kept), kept, np.nan).astype(np.float32)


@dataclass(frozen=True)
class Onsets:
    """When ordering first fell: `at` with 95 % interval `low`…`high` (periods, int[n])."""

    at: Array
    low: Array
    high: Array


def date_onset(
    counts: Array,
    exposure: Array,
    scatter: Array,
    *,
    begin: Array,
    end: Array,
    months_per_period: float,
) -> Onsets:
    """Date the onset of a fall that is known to lie in [begin, end).

    Each row is matched against a steady rate that from period t on falls over 0 to 6 months to a
    kept part (0 to 40 %). How common each such course is in this book is read from all rows
    together (empirical Bayes, a mixture fitted by EM), since a single client's orders cannot tell a
    slow fade from a late stop. The posterior over t gives the date (its median) and the interval.
    Every course is two matrix products, whatever the number of clients.
    """
    t = np.arange(counts.shape[1])
    live = (t >= begin[:, None]) & (t < end[:, None])
    first = np.argmax(live, axis=1)[:, None]
    possible = live & (t > first)
    courses = [
        (fade, kept)
        for fade in sorted({round(f / months_per_period) for f in FADES})
        for kept in KEPT
    ]
    fits = _fits(counts * live, exposure * live, scatter, possible, courses)
    cdf = np.cumsum(_posterior(fits), axis=1)
    cdf /= np.maximum(cdf[:, -1:], 1e-12)
    return Onsets(
        at=np.argmax(cdf >= 0.5, axis=1),
        low=np.argmax(cdf >= 0.025, axis=1),
        high=np.argmax(cdf >= 0.975, axis=1),
    )


def _fits(
    x: Array, e: Array, scatter: Array, possible: Array, courses: list[tuple[int, float]]
) -> Array:
    """Likelihood of each course from each start, float32[courses, n, T], best of a row is 1."""
    total = x.sum(axis=1, keepdims=True)
    fits = np.empty((len(courses), *x.shape), np.float32)
    for k, (fade, kept) in enumerate(courses):
        shape = _shape(x.shape[1], fade, kept)
        fits[k] = x @ np.log(shape) - total * np.log(np.maximum(e @ shape, 1e-6))
    fits /= scatter[:, None].astype(np.float32)
    fits[:, ~possible] = -np.inf
    peak = fits.max(axis=(0, 2), keepdims=True)
    fits -= np.where(np.isfinite(peak), peak, 0)
    return np.asarray(np.exp(fits, out=fits))


def _posterior(fits: Array) -> Array:
    """Weight of each start, float[n, T], over courses weighted by how common they are."""
    by_course = fits.sum(axis=2)  # courses × n
    share = np.full(len(fits), 1 / len(fits))
    for _ in range(50):
        member = share[:, None] * by_course
        member /= np.maximum(member.sum(axis=0), 1e-12)
        share = (member.sum(axis=1) + 1) / (member.shape[1] + len(fits))
    return np.asarray(np.tensordot(share.astype(np.float32), fits, axes=1))


def _shape(periods: int, fade: float, kept: float) -> Array:
    """Relative rate at period i (rows) when the fall starts in the middle of period t (columns)."""
    since = np.arange(periods)[:, None] - np.arange(periods)[None, :]
    gone = np.clip(since / fade, 0, 1) if fade else (since > 0).astype(float)
    gone[since == 0] = 0.125 / fade if fade else 0.5
    return np.asarray(1 - (1 - kept) * np.where(since < 0, 0.0, gone), dtype=np.float32)
