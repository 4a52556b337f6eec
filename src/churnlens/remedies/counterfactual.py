"""How many departures there would have been without the remedy, given who was there to leave."""

from __future__ import annotations

import numpy as np

from churnlens.remedies.rates import Floats


def departures_without(found: Floats, active: Floats, ratio: Floats) -> float:
    """Return the departures of a scope at the hazard it would have had without a remedy.

    A client that stays is still there to leave later, so departures avoided are fewer than the
    hazards alone say: a scope cannot lose more clients than it has.

    Parameters
    ----------
    found, active, ratio : array (K,)
        Departures, clients there, and hazard ratio of the remedy in each period since the start;
        the hazard without it is higher by the ratio's inverse.
    """
    hazard = np.clip(found / np.maximum(active, 1e-9), 0.0, 0.999)
    risk = 1 - (1 - hazard) ** (1 / np.maximum(ratio, 1e-6))
    stayed = active * (1 - hazard)
    came = np.append(np.maximum(active[1:] - stayed[:-1], 0.0), 0.0)
    kept = np.append(np.minimum(active[1:] / np.maximum(stayed[:-1], 1e-9), 1.0), 1.0)
    there, total = float(active[0]), 0.0
    for period in range(len(found)):  # each period's clients are what the one before left
        total += there * risk[period]
        there = there * (1 - risk[period]) * kept[period] + came[period]
    return float(total)
