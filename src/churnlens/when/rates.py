"""Say how often clients leave in a year, and how sure that is.

Departures are partly probable (a recent silence says little), so a rate rests on fewer departures
than it counts. Its interval is the exact Poisson one (Garwood 1936) on the effective number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.results import Estimate

Array = npt.NDArray[Any]


def departure_rate(
    found: float, active: float, informed: float, *, periods_a_year: int
) -> Estimate:
    """Return departures per 100 clients and year.

    Parameters
    ----------
    found, active
        Departures, and client-periods in which there was somebody to leave.
    informed
        Part of those departures that the data really tell, in (0, 1].
    periods_a_year
        Periods in a year.
    """
    scale = 100 * periods_a_year / max(active, 1e-9)
    low, high = poisson_interval(found * informed)
    return Estimate(
        float(scale * found), float(scale * low / informed), float(scale * high / informed)
    )


def poisson_interval(count: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the exact 95 % interval of a Poisson mean; the count may be fractional."""
    k = np.asarray(count, dtype=float)
    low = np.where(k > 0, special.gammaincinv(np.maximum(k, 1e-12), 0.025), 0.0)
    return low, special.gammaincinv(k + 1, 0.975)


def informed_part(told: float, due: float) -> float:
    """Return the part of departures that the data tell: effective over expected, in (0, 1]."""
    return float(np.clip(told / max(due, 1e-9), 0.02, 1.0))
