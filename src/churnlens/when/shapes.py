"""Say how likely each start date and each length of ramp is, for counts and for means.

A change has a shape over the periods: 0 before its start, 1 once it is complete, and in between
equal steps if it comes in gradually. A ramp of 0 periods is a step; one of `r` periods reaches
share j / (r + 1) in its j-th. The functions here return, for every ramp and start at once, the
log of the likelihood with the size of the change integrated out, so that starts can be weighed
against each other. `change` turns them into a date with an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

_FARTHEST = 4.0  # a ratio beyond e^4 = 55 is not told from 55
_LARGEST_STEP = 1.0
_NEWTON_STEPS = 6
_SHIFT_VARIANCE = 10.0  # prior variance of a mean's shift, in residual variances


@dataclass(frozen=True)
class Weighed:
    """Each ramp × start: log evidence, and the size of the change that fits it best."""

    log_evidence: Floats
    size: Floats  # counts: log ratio after to before; means: the shift


@dataclass(frozen=True)
class Season:
    """The season each period falls in, int[T], and the variance of its effects over the noise's."""

    codes: npt.NDArray[np.int_]
    variance: float


def whitening(weights: Floats, season: Season | None, carried: float = 0.0) -> Floats:
    """Return the T × T matrix, lower triangular, that makes a series' noise and season even.

    `carried` is the first autocorrelation of the noise in units of its standard deviation.
    """
    even = np.diag(np.sqrt(weights))
    seasonal = season is not None and season.variance > 0
    if not seasonal and carried == 0:
        return even
    t = np.arange(len(weights))
    covariance = carried ** np.abs(t[:, None] - t) if carried else np.eye(len(weights))
    if season is not None and seasonal:
        shared = even @ np.eye(int(season.codes.max()) + 1)[season.codes]
        covariance = covariance + season.variance * shared @ shared.T
    return np.asarray(np.linalg.solve(np.linalg.cholesky(covariance), even))


def season_effects(rest: Floats, weights: Floats, season: Season) -> Floats:
    """Return the season's effect on each period, float[T], read from what a change leaves over."""
    member = np.eye(int(season.codes.max()) + 1)[season.codes]
    from_mean = rest - np.average(rest, weights=weights)
    precision = member.T @ (weights[:, None] * member)
    known = precision * season.variance + np.eye(len(precision))
    return np.asarray(
        member @ np.linalg.solve(known, season.variance * member.T @ (weights * from_mean))
    )


@lru_cache(maxsize=32)
def shape(periods: int, ramps: tuple[int, ...]) -> Floats:
    """Return ramps × starts × periods: the share of the change that is in at each period."""
    elapsed = np.arange(periods)[None, :] - np.arange(periods)[:, None] + 1.0
    made = [np.clip(elapsed / (ramp + 1), 0.0, 1.0) for ramp in ramps]
    result = np.stack(made)
    result.setflags(write=False)
    return result


def weigh_counts(
    observed: Floats,
    expected: Floats,
    ramps: tuple[int, ...],
    *,
    direction: str = "rise",
    dispersion: float = 1.0,
    precision: float = 1.0,
) -> Weighed:
    """Weigh starts and ramps of a change in the ratio of observed to expected counts.

    The total is held fixed (multinomial), so the expected counts need only be right in
    proportion. The log ratio has a normal prior of this precision around 0 (precision 1: a ratio
    between 1/7 and 7 in 95 % of cases); it is integrated out by Laplace's method, over rises only
    with `direction="rise"`.
    """
    share = shape(len(observed), ramps)
    size = np.zeros(share.shape[:2])
    for _ in range(_NEWTON_STEPS):
        _, slope, bend = _count_fit(observed, expected, share, size, dispersion, precision)
        step = np.clip(slope / np.maximum(bend, 1e-9), -_LARGEST_STEP, _LARGEST_STEP)
        size = np.clip(size + step, -_FARTHEST, _FARTHEST)
    height, _, bend = _count_fit(observed, expected, share, size, dispersion, precision)
    evidence = height - 0.5 * np.log(np.maximum(bend, 1e-9))
    if direction == "rise":
        evidence = evidence + special.log_ndtr(size * np.sqrt(np.maximum(bend, 1e-9)))
    return Weighed(evidence, size)


def _count_fit(
    observed: Floats,
    expected: Floats,
    share: Floats,
    size: Floats,
    dispersion: float,
    precision: float,
) -> tuple[Floats, Floats, Floats]:
    """Log posterior of the log ratio, its slope, and minus its curvature."""
    ratio, total = np.exp(size), float(observed.sum())
    level = 1.0 + (ratio - 1.0)[..., None] * share
    pull = share / level
    moved, whole = share @ expected, level @ expected
    height = np.log(level) @ observed - total * np.log(whole / expected.sum())
    first = ratio * (pull @ observed - total * moved / whole)
    second = ratio**2 * ((pull * pull) @ observed - total * (moved / whole) ** 2) - first
    return (
        height / dispersion - precision * size**2 / 2,
        first / dispersion - precision * size,
        second / dispersion + precision,
    )


def weigh_means(
    values: Floats,
    weights: Floats,
    ramps: tuple[int, ...],
    *,
    carried: float = 0.0,
    season: Season | None = None,
) -> Weighed:
    """Weigh starts and ramps of a shift in the mean of a series.

    The noise has variance σ² / weight with σ unknown; the shift has a normal prior of variance
    10 σ². `carried` is the noise's first autocorrelation: what drifts slowly can hide a small
    shift, but no jump. With a `season` its effects are integrated out with the shift's size, so
    that a step is not taken for the season of the year it came in; evidence of different seasons
    may be compared.
    """
    even = whitening(weights, season, carried)
    one, x = even.sum(axis=1), even @ values
    share = shape(len(values), ramps) @ even.T
    mass = one @ one
    from_mean = x - one * (x @ one) / mass
    spread = (share * share).sum(axis=-1) - (share @ one) ** 2 / mass
    shift = (share @ from_mean) / np.maximum(spread, 1e-12)
    shrunk = _SHIFT_VARIANCE * spread / (1.0 + _SHIFT_VARIANCE * spread)
    total = float(from_mean @ from_mean)
    left = np.maximum(total - shrunk * shift**2 * spread, 1e-12 * max(total, 1e-300))
    degrees = (len(values) - 1) / 2
    # What the noise's shape and the level, of which nothing is known, take: seasons differ in both.
    noise = float(np.log(np.diag(even)).sum()) - 0.5 * np.log(mass)
    evidence = noise - degrees * np.log(left) - 0.5 * np.log1p(_SHIFT_VARIANCE * spread)
    return Weighed(evidence, shift)
