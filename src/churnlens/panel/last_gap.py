"""Did a whole branch stop ordering at once in the last weeks? Then nobody can tell who has left.

A branch that closes for the holidays, or whose last orders were not loaded, looks at the end of the
data as if all its clients had left together. Once they are back a gap is read as one (`shocks`);
until then a sag of the last two months that all clients of the book, or of one value of an
attribute, share is taken for a gap, and their silence in it says nothing. Clients who leave do so
one by one: even where departures are five times as frequent as usual, a branch orders but a tenth
less within two months.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.panel.cumulative import cumulative
from churnlens.panel.periods import Calendar
from churnlens.panel.shocks import CLEAR, FEWEST, GAP, sums_by_value

Array = npt.NDArray[Any]

LAST = 2  # months at the end in which a sag is a gap
ACTIVE = 3  # months before them in which a client ordered that is expected to order on
BEFORE = 12  # months of earlier ends that say what is usual
FEWEST_ENDS = 3


@dataclass(frozen=True)
class LastGap:
    """The clients who ordered far less from period `since` to the end, and what they placed.

    `attribute` and `value` say who, None: the whole book. `part` is what they placed over what is
    usual.
    """

    attribute: str | None
    value: str | None
    since: int
    part: float


def last_gaps(
    orders: Array, due: Array, cal: Calendar, attributes: pd.DataFrame
) -> tuple[Array, tuple[LastGap, ...]]:
    """Return the part of its usual orders that each client could place, and who shares a gap.

    Parameters
    ----------
    orders, due
        Order days, and those due at each client's mean rate and season had it gone on; n × T, both
        0 before its first order.
    attributes
        n rows, categorical: what a gap may be common to.

    Returns
    -------
    float32[n, T], 1 but in a gap; and the gaps, that of the whole book first.
    """
    part = np.ones(orders.shape, np.float32)
    ends = _ends(cal)
    if len(ends) < FEWEST_ENDS + 1:
        return part, ()
    seen, usual = (_of_the_active(a, orders, ends, cal) for a in (orders, due))
    gaps = []
    whole = np.zeros(len(orders), int)
    common: Array | float = 1.0  # what the book as a whole placed of the usual, gap or none
    for name in (None, *attributes):
        codes = whole if name is None else attributes[name].cat.codes.to_numpy()
        by_value = [sums_by_value(codes, a).reshape(-1, *_shape(ends, cal)) for a in (seen, usual)]
        for code, (placed, expected) in enumerate(zip(*by_value, strict=True)):
            left, placed_part = _left_over(placed, expected, common)
            common = placed_part if name is None else common
            if len(left):
                own, since = codes == code, orders.shape[1] - len(left)
                part[own, since:] = np.minimum(part[own, since:], left)
                value = None if name is None else str(attributes[name].cat.categories[code])
                gaps.append(LastGap(name, value, since, float(left.mean())))
    return part, tuple(gaps)


def _ends(cal: Calendar) -> Array:
    """First periods of the last months as they are, and as they were at earlier ends."""
    last, active = cal.span(LAST), cal.span(ACTIVE)
    end = len(cal.starts) - last
    step = max(cal.span(1), 1)
    earlier = np.arange(end - last, max(end - last - cal.span(BEFORE), active) - 1, -step)
    return np.concatenate([[end], earlier[earlier >= active]]) if end >= active else earlier[:0]


def _shape(ends: Array, cal: Calendar) -> tuple[int, int]:
    return len(ends), cal.span(LAST)


def _of_the_active(values: Array, orders: Array, ends: Array, cal: Calendar) -> Array:
    """What clients who had ordered shortly before each end have in the months from it on."""
    running = cumulative(orders)
    active = running[:, ends] > running[:, ends - cal.span(ACTIVE)]
    months = ends[:, None] + np.arange(cal.span(LAST))
    return np.asarray((values[:, months] * active[:, :, None]).reshape(len(values), -1))


def _left_over(
    placed: Array, expected: Array, common: Array | float
) -> tuple[Array, Array | float]:
    """Part of the usual orders in each period of the gap at the end, float[k]; none: no gap.

    And that part in each of the last periods, 1 at most. `placed` and `expected` are float[ends,
    L], the last end first; a gap must stand out from what the book placed in `common`. What clients
    who were active order in the periods after falls short of their mean rate at any end, as some
    leave; what was low at the end before, too, is a fall that lasts, or clients who leave.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(expected > FEWEST, placed / expected, np.nan)
    if np.isnan(ratio[0]).all() or (~np.isnan(ratio[1:])).sum(axis=0).min() < FEWEST_ENDS:
        return np.zeros(0), 1.0
    latest = np.where(np.isnan(ratio[1]), np.inf, ratio[1])
    usual = np.minimum(np.nanmedian(ratio[1:], axis=0), latest)
    due = usual * expected[0]
    left = np.maximum(placed[0] / np.maximum(due, 1e-9), 0.02)
    due = due * common
    low = (placed[0] < GAP * due) & (due - placed[0] > CLEAR * np.sqrt(due)) & (due > FEWEST)
    count = int(np.logical_and.accumulate(low[::-1]).sum())
    return left[len(low) - count :], np.minimum(left, 1)
