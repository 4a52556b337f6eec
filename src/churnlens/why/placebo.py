"""Does the same change, given to clients drawn at random, explain as much?

A permutation test (Fisher 1935): the clients for whom a driver moved are held against as many drawn
at random, with the same dose by period. It asks nothing of how departures are distributed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.why.candidates import Candidate, gains_as_whole
from churnlens.why.model import gains_alone

Array = npt.NDArray[Any]
DRAWS = 99
MOST_BEATEN = 0.05  # of the draws may show as much
ENOUGH = 10  # draws that show as much, from which it is clear that chance does
SEED = 0


def beaten(baseline: Baseline, inside: Array, dose: Array, expected: Array) -> float | None:
    """Return the part of the draws that explain as much as the change did.

    Parameters
    ----------
    inside, dose
        The clients for whom a driver moved, bool[n, T], and the dose of what explains departures,
        float32[n, T]; its mean by period is what those drawn are given.
    expected
        Departures expected without the change, float32[n, T].

    Returns
    -------
    From 0 to 1; None where everyone was hit, so that there is nobody to draw.
    """
    hit = np.asarray(inside.any(axis=1))
    if hit.all():
        return None
    profile = dose[hit].mean(axis=0)
    seen = np.where(expected > 0, baseline.observed, 0)
    own = gains_alone(_by_period(seen, inside)[None], _by_period(expected, inside)[None], profile)
    drawn = _drawn(hit, DRAWS, np.random.default_rng(SEED))
    return float(np.mean(gains_alone(drawn @ seen, drawn @ expected, profile) >= own))


def chance(baseline: Baseline, candidate: Candidate, expected: Array, level: float) -> float | None:
    """Return the p-value of the rise after a change, its segment taken as a whole.

    Clients are drawn until ten draws show as much in some lag and length, or until it is clear that
    the p-value is at `level` or below (Besag & Clifford 1991): most that is chance is known to be
    within a few dozen draws.

    Parameters
    ----------
    expected
        Departures expected without the change, float32[n, T].
    level
        The p-value from which on it need not be known more closely, above 0.

    Returns
    -------
    From 0 to 1; None where everyone was hit, so that there is nobody to draw.
    """
    inside, move = candidate.inside, candidate.move
    hit = np.asarray(inside.any(axis=1))
    if hit.all():
        return None
    seen = np.where(expected > 0, baseline.observed, 0)
    own = gains_as_whole(
        baseline, move, _by_period(seen, inside)[None], _by_period(expected, inside)[None]
    )
    rng = np.random.default_rng(SEED)
    as_much, draws = 0, 0
    while as_much < ENOUGH and draws < ENOUGH / level:
        drawn = _drawn(hit, DRAWS, rng)
        gains = gains_as_whole(baseline, move, drawn @ seen, drawn @ expected)
        as_much, draws = as_much + int((gains >= own).sum()), draws + DRAWS
    return (as_much + 1) / (draws + 1)


def _drawn(hit: Array, count: int, rng: np.random.Generator) -> Array:
    """As many clients as were hit, drawn at random so many times, float32[count, n]."""
    return np.stack([rng.permutation(hit) for _ in range(count)]).astype(np.float32)


def _by_period(values: Array, where: Array) -> Array:
    """Sums by period over some client-periods (bool[n, T])."""
    return np.asarray(np.where(where, values, 0).sum(axis=0, dtype=np.float64))
