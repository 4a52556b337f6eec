"""How likely is it that a departure at this moment would have been seen? By its delay.

A departure shows only after some orders were missed, so recent ones are undercounted, and more so
for clients who order seldom. This is the reporting delay of epidemiology. The delay is counted in
units of the client's own clock: one period plus the time in which it would order four times (over
its scatter). Its distribution is read from departures with the reverse-time hazard (Lagakos,
Barraj & De Gruttola 1988), which is right although long delays of recent departures are cut off.
What is expected is then multiplied by the chance of being seen, and a period where that chance is
small is not counted at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.activity import Activity
from churnlens.panel.cumulative import cumulative
from churnlens.panel.spells import Departures

Array = npt.NDArray[Any]
LEAST_CHANCE = 0.35  # below this a period does not count: too little of it can be seen
FOLLOW_UP = 18  # months after an onset in which a departure must show
MISSED = 4.0  # orders on a client's clock, besides one period
LONGEST = 4.0  # clock units after which every departure that will show has shown
POINTS = 200  # quantiles of the delay at which its distribution is told


def chance_of_being_seen(activity: Activity, spells: Departures) -> Array:
    """Return the chance that a departure of each spell in each period is seen by the end.

    float[m, T]; 0 where it is so small that the period does not count.
    """
    left, clock = _time_left(activity, spells)
    gone = np.flatnonzero(spells.onset >= 0)
    e = cumulative(activity.exposure)
    c, onset = spells.client[gone], spells.onset[gone]
    delay = (e[c, spells.declared[gone] + 1] - e[c, onset]) / clock[gone, onset]
    grid, chance = delay_distribution(
        np.minimum(delay, LONGEST), np.minimum(np.maximum(left[gone, onset], delay), LONGEST)
    )
    seen = np.interp(left, grid, chance, left=0.0)
    return np.where(seen >= LEAST_CHANCE, seen, 0.0)


def _time_left(activity: Activity, spells: Departures) -> tuple[Array, Array]:
    """Time left to see a departure in, on the client's clock, and that clock in periods."""
    cal, c = activity.calendar, spells.client
    periods = len(cal.starts)
    t = np.arange(periods)
    x, e = cumulative(activity.orders)[c], cumulative(activity.exposure)[c]
    rows = np.arange(len(c))[:, None]
    back = np.minimum(np.maximum(np.maximum(t - cal.span(24), 0), spells.begin[:, None]), t)
    past = (x[:, :-1] - x[rows, back]) / np.maximum(e[:, :-1] - e[rows, back], 1.0)
    clock = 1 + MISSED * activity.order_scatter[c][:, None] / np.maximum(past, 1e-3)
    end = np.minimum(t + cal.span(FOLLOW_UP), periods)
    return np.asarray((e[:, end] - e[:, :-1]) / clock), np.asarray(clock)


def delay_distribution(delay: Array, limit: Array) -> tuple[Array, Array]:
    """Return the distribution of delays that were seen only because delay ≤ limit, float[n] both.

    Reverse-time product limit: F(x) is the product over delays y > x of 1 − d(y)/n(y), where n(y)
    counts delays ≤ y whose limit reaches y. Returns (grid, F on it), float arrays.
    """
    if len(delay) < 20:  # too few to learn from: four orders missed show a departure
        return np.array([0.0, 2.0, 4.0, 6.0]), np.array([0.0, 0.3, 0.8, 1.0])
    at, d = np.unique(delay, return_counts=True)
    n = np.cumsum(d) - np.searchsorted(np.sort(limit), at, side="left")
    above = np.append(np.cumprod((1 - d / n)[::-1])[::-1][1:], 1.0)
    # Counted at every delay, told at some: a delay rounded past its own limit would count as one
    # among none.
    told = np.quantile(delay, np.linspace(0, 1, POINTS), method="nearest")
    place = np.unique(np.searchsorted(at, told))
    return np.append(0.0, at[place]), np.append(0.0, above[place])
