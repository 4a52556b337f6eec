"""How a rise ebbs by itself: those who mind most leave first.

A cause that goes on meets fewer and fewer of those whom it drives away, so the hazard of those who
are left falls without any remedy (selection by frailty: Vaupel, Manton and Stallard 1979; Hernan
2010). Clients whom the same cause reaches and the remedy does not show how much. Where there are
none it is reckoned from how many had to leave already, with a gamma frailty whose variance may be
anything from 0 (all alike) to one half, since damage also builds up while clients thin out; the
middle is taken and the rest is put in the error. See docs/adr/0006-remedy-effects.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from churnlens.remedies.levels import Levels
from churnlens.remedies.rates import Booleans, Floats, client_periods

if TYPE_CHECKING:
    from churnlens.panel import Panel

FRAILTY, SPREAD = 0.25, 0.5 * 12**-0.5  # mean and standard deviation of a variance of 0 to one half


@dataclass(frozen=True)
class Fading:
    """The part of the base's hazard that is excess, its size per period, and who has met it.

    `age` is how long, in periods, those there in the base had met it, `begun` how long those there
    at the start have; newcomers have met it only since they came.
    """

    part: float
    excess: float
    age: float
    begun: float

    @classmethod
    def of(
        cls, own: Levels, panel: Panel, who: Booleans, stretches: Mapping[str, Booleans], start: int
    ) -> Fading:
        """Read the excess of a scope's base over the calm before it; none without one.

        `who` is bool[n], or bool[n, T] where clients come and go.
        """
        base = np.flatnonzero(stretches["base"])
        if "calm" not in stretches:
            return cls(0.0, 0.0, 0.0, 0.0)
        above = max(own.level("base") - own.level("calm"), 0.0)
        usual = own.usual[base].sum() / max(own.active[base].sum(), 1e-9)
        ages = _ages(panel, who, int(base[0]))
        return cls(
            above / own.level("base"),
            float(above * usual),
            float(np.average(ages[base], weights=own.active[base] + 1e-9)),
            float(ages[min(start, len(ages) - 1)]),
        )

    def at(self, since: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the change of log hazard by itself so many periods after the start, and its sd."""
        later = self.begun + np.asarray(since, dtype=float)
        mean, low, high = (
            np.log1p(self.part * (self._thinned(later, v) - 1))
            for v in (FRAILTY, FRAILTY - SPREAD, FRAILTY + SPREAD)
        )
        return mean, (low - high) / 2

    def _thinned(self, later: Floats, variance: float) -> Floats:
        return (1 + variance * self.excess * self.age) / (1 + variance * self.excess * later)


def _ages(panel: Panel, who: Booleans, onset: int) -> Floats:
    """Return how long, on average, those there in each period (T) have lived with a cause."""
    active, met = np.where(client_periods(who), panel.active, 0), np.maximum(panel.entry, onset)
    there = active.sum(axis=0, dtype=np.float64)
    periods = np.arange(active.shape[1])
    since = np.maximum(periods - met[:, None], 0)
    total = np.einsum("it,it->t", active, since.astype(np.float32), dtype=np.float64)
    return np.asarray(total / np.maximum(there, 1e-9))
