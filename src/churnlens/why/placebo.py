"""Does the same change, given to clients drawn at random, explain as much?

A permutation test (Fisher 1935): the clients for whom a driver moved are held against as many drawn
at random, with the same dose by period. It asks nothing of how departures are distributed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.why.model import gains_alone

Array = npt.NDArray[Any]
DRAWS = 99
MOST_BEATEN = 0.05  # of the draws may show as much
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
    hit = inside.any(axis=1)
    if hit.all():
        return None
    profile = dose[hit].mean(axis=0)
    seen = np.where(expected > 0, baseline.observed, 0)
    own = gains_alone(_by_period(seen, inside)[None], _by_period(expected, inside)[None], profile)
    rng = np.random.default_rng(SEED)
    drawn = np.stack([rng.permutation(hit) for _ in range(DRAWS)]).astype(np.float32)
    return float(np.mean(gains_alone(drawn @ seen, drawn @ expected, profile) >= own))


def _by_period(values: Array, where: Array) -> Array:
    """Sums by period over some client-periods (bool[n, T])."""
    return np.asarray(np.where(where, values, 0).sum(axis=0, dtype=np.float64))
