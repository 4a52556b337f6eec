"""When the effect of a remedy can first be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from churnlens.remedies import rates
from churnlens.remedies.fading import Fading
from churnlens.remedies.levels import Levels, fit_levels
from churnlens.remedies.measure import USUAL_DRIFT, drift_variance
from churnlens.remedies.rates import Booleans, ByClient, Floats
from churnlens.when.power import chance_seen, one_test

if TYPE_CHECKING:
    from churnlens.panel import Panel

FIRST, SURE = 0.8, 0.9  # power when an effect can first be seen, and when not seeing it says much
LONGEST = 5  # years looked ahead


@dataclass(frozen=True)
class Seen:
    """How well the level of a group of clients is known, and will be.

    `levels` hold the stretch `base`. `due` (K) are the departures of each period from the start at
    the base's level, `told` (K) the part of a departure that is told so many periods later, and
    `worth` what one told departure adds to the information on the level (1: all of it).
    """

    levels: Levels
    due: Floats
    told: Floats
    worth: float

    @property
    def variance(self) -> float:
        """Variance of the base's log level."""
        return self.levels.variance("base")

    def counted(self, settling: int) -> Floats:
        """Return settled departures that count, told after each number of periods (K)."""
        due = np.where(np.arange(len(self.due)) < settling, 0.0, self.due)
        return self.worth * np.convolve(due, self.told)[: len(due)]


def look(
    panel: Panel,
    departures: ByClient,
    who: Booleans,
    stretches: Mapping[str, Booleans],
    start: int,
) -> Seen:
    """Return how well some clients are seen from a start on, for five years.

    Parameters
    ----------
    panel : Panel
    departures : ByClient
    who : bool[n], or bool[n, T] where clients come and go
    stretches : mapping of name to bool[T]
        Each with a level of its own; among them `base`.
    start : int
        A period, which may lie after the data; what is not known yet is taken to go on as in the
        last year.
    """
    levels = fit_levels(panel, departures.hazard, who, stretches)
    year = panel.calendar.per_year
    told = levels.variance("base") * levels.found[stretches["base"]].sum()
    return Seen(
        levels=levels,
        due=levels.level("base") * _ahead(levels.usual, start, year),
        told=_told(
            rates.by_period(departures.expected, who),
            rates.due(panel, departures, who),
            LONGEST * year,
        ),
        worth=float(1 / max(told, 1.0)),
    )


def periods_needed(
    seen: Sequence[Seen],
    ratio: float,
    *,
    settling: int,
    power: float,
    inflation: float = 1.0,
    fading: Fading | None = None,
    drift: float = USUAL_DRIFT,
) -> int | None:
    """Return how many periods after the start a risk ratio can be seen with some power.

    The first `settling` periods are not measured, since those already upset still leave.

    Parameters
    ----------
    seen : sequence of Seen
        The scope, and its comparison where there is one.
    ratio : float
        Risk ratio of the effect once it is there.
    settling : int
    power : float
        `FIRST` or `SURE`.
    inflation : float
        Factor on the standard error.
    fading : Fading, optional
        How the scope's rise ebbs by itself, where the comparison does not show it.
    drift : float
        How far a level moves by itself, in log units, where there is no comparison.

    Returns
    -------
    int or None
        None when it could not be seen within K periods.
    """
    own, *outside = seen
    counted = own.counted(settling)
    moved = np.full(len(counted), drift**2)
    for other in outside:
        theirs = 1 / np.maximum(other.counted(settling), 1e-9)
        moved = drift_variance(other.variance + theirs)
    if fading is not None:
        moved = moved + fading.at((settling + np.arange(len(counted))) / 2)[1] ** 2
    compared = 1 / (own.variance + moved)
    critical = one_test(sides=2)
    for k in range(settling, len(counted)):
        chance = chance_seen(
            float(counted[k]),
            ratio,
            compared=float(compared[k]),
            critical=critical,
            dispersion=inflation**2,
        )
        if chance >= power:
            return k + 1
    return None


def _ahead(by_period: Floats, start: int, year: int) -> Floats:
    """Return a by-period figure from `start` on: as it was, then its last year's mean."""
    known, longest = by_period[start:], LONGEST * year
    later = np.full(max(longest - len(known), 0), by_period[-year:].mean())
    return np.concatenate([known, later])[:longest]


def _told(expected: Floats, due: Floats, longest: int) -> Floats:
    """Return the part of a departure that is told 0, 1, 2, … periods later; it never falls."""
    share = np.asarray(expected / np.maximum(due, 1e-12))[::-1]
    usual = float(np.median(share[share > 0])) if (share > 0).any() else 1.0
    rising: npt.NDArray[np.float64] = np.maximum.accumulate(np.minimum(share / usual, 1.0))
    return np.concatenate([rising, np.ones(longest)])[:longest]
