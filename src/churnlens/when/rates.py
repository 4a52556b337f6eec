"""Say how often clients leave in a year, and how sure that is.

A rate counts departures over the time that clients were there, and may exceed a hundred a year; how
many of a hundred leave within a year follows from it and may not. Reports say the second.

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


def left_within_a_year(
    found: float, active: float, informed: float = 1.0, *, periods_a_year: int
) -> Estimate:
    """Return of 100 clients how many leave within a year; parameters as of `departure_rate`."""
    rate = departure_rate(found, active, informed, periods_a_year=periods_a_year)
    return Estimate(*(float(within_a_year(v)) for v in (rate.value, rate.low, rate.high)))


def within_a_year(rate: npt.ArrayLike) -> Array:
    """Return of 100 clients how many leave within a year at a steady departure rate.

    `rate` is per 100 clients and year, as `departure_rate` has it: one minus the chance to stay,
    with the rate as the hazard.
    """
    return np.asarray(-100 * np.expm1(-np.asarray(rate, dtype=float) / 100))


def poisson_interval(count: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the exact 95 % interval of a Poisson mean; the count may be fractional."""
    k = np.asarray(count, dtype=float)
    low = np.where(k > 0, special.gammaincinv(np.maximum(k, 1e-12), 0.025), 0.0)
    return low, special.gammaincinv(k + 1, 0.975)


def informed_part(told: float, due: float) -> float:
    """Return the part of departures that the data tell: effective over expected, in (0, 1]."""
    return float(np.clip(told / max(due, 1e-9), 0.02, 1.0))
