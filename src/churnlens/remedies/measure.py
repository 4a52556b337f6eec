"""What a remedy changed: the hazard once it has settled, and the departures since its start.

The scope's level is set against its own base and against how the clients outside moved meanwhile.
That movement is known only as well as they are many; taken as measured, a small comparison group
would add more noise than it takes away. So it is drawn towards none, as by a normal prior whose
spread is that of usual movements or, where more was measured than chance explains, what was
measured (empirical Bayes: Robbins 1956; Efron and Morris 1972). What stays open of it is in the
error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churnlens.remedies.counterfactual import departures_without
from churnlens.remedies.fading import Fading
from churnlens.remedies.levels import Levels
from churnlens.remedies.rates import Change, Floats
from churnlens.remedies.windows import Windows

USUAL_DRIFT = 0.2  # log units by which a group's level usually moves between base and after
HALF = 0.5  # of a departure, where there was none: a ratio needs something
STEP = 1e-2  # of a log level, for derivatives
SINCE = ("settling", "settled")


@dataclass(frozen=True)
class Measured:
    """The change of the settled hazard, and of the departures since the start, for a remedy.

    `observed` are departures from the start to the end of the data, with the remedy.
    """

    hazard: Change
    risk: Change
    observed: float


def measure(
    own: Levels, outside: Levels | None, windows: Windows, fading: Fading | None = None
) -> Measured:
    """Measure a remedy from the levels of its scope and of its comparison.

    Parameters
    ----------
    own, outside : Levels
        With the stretches `base`, `settling` and `settled`; None where nobody can be compared.
    windows : Windows
    fading : Fading, optional
        How the scope's rise would have ebbed by itself, where the comparison does not show it.
    """
    change, variance = own.changes("base", SINCE)
    moved, moved_variance = drift(outside)
    variance = variance + moved_variance
    if fading is not None:
        middles = [np.flatnonzero(part).mean() for part in (windows.settling, windows.settled)]
        ebbed, error = fading.at(np.array(middles) - windows.start)
        moved, variance = moved + ebbed, variance + np.outer(error, error)
    ratio = change - moved
    left, active = own.found[windows.since], own.active[windows.since]
    if left.sum() < HALF:
        left = HALF * active / max(active.sum(), 1e-9)
    settling = windows.settling[windows.since]

    def risk(log_ratios: Floats) -> float:
        by_period = np.exp(np.where(settling, *log_ratios))
        return float(np.log(left.sum() / departures_without(left, active, by_period)))

    slope = [(risk(ratio + step) - risk(ratio - step)) / (2 * STEP) for step in STEP * np.eye(2)]
    return Measured(
        hazard=Change(float(ratio[1]), float(variance[1, 1])),
        risk=Change(risk(ratio), float(slope @ variance @ np.array(slope))),
        observed=float(own.found[windows.since].sum()),
    )


def drift(outside: Levels | None) -> tuple[Floats, Floats]:
    """Return how the comparison's log level moved from the base on, and the covariance of that.

    Without a comparison: not at all, as uncertain as groups usually move.
    """
    if outside is None:
        return np.zeros(2), np.full((2, 2), USUAL_DRIFT**2)
    moved, variance = outside.changes("base", SINCE)
    spread = max(USUAL_DRIFT**2, float(moved[1] ** 2 - variance[1, 1]))
    part = np.diag(spread / (spread + np.diag(variance)))
    rest = np.eye(2) - part
    return part @ moved, part @ variance @ part + spread * rest @ np.ones((2, 2)) @ rest


def drift_variance(variance: Floats) -> Floats:
    """Return how uncertain a usual movement stays that is measured with some variance."""
    return np.asarray(USUAL_DRIFT**2 * variance / (USUAL_DRIFT**2 + variance))
