"""Did what moved for a part of a cause's clients move for all of them?

Clients get unequal doses, and where a few of them happen to have got most, the search for a
driver's change may stop at those. Beside a driver that moved at the same moment for a wider group
it would then look as if it explained less. That group is known by now, so one test tells whether
the rest of it moved as well. The same test tells whether others had a change at all (`part_had`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.why.candidates import Candidate, read
from churnlens.why.moves import Move, readable
from churnlens.why.shifts import common_shift, moved_too

Array = npt.NDArray[Any]


def as_wide(baseline: Baseline, narrow: Candidate, wide: Candidate) -> Candidate:
    """Return a change read for all clients of another, where the rest of them moved with it.

    `narrow` moved at the moment of `wide` for some of its clients. The same candidate where the
    rest did not surely move, or where there is no rest.
    """
    move = narrow.move
    hit = np.asarray(wide.inside.any(axis=1))
    rest = hit & ~narrow.inside.any(axis=1)
    if not rest.any() or hit.all():
        return narrow
    values = np.where(readable(baseline), move.exposure.values, np.nan)
    sign = 1 if move.shift > 0 else -1
    if not moved_too(values - _others(values[~hit]), rest, move.start, move.end, sign):
        return narrow
    return read(replace(move, segment=wide.move.segment), baseline, wide.inside)


def part_had(
    baseline: Baseline, move: Move, clients: Array, others: Array
) -> tuple[float, float] | None:
    """Return what part of a change some clients had, held against `others`, and its standard error.

    Both are bool[n]; 1 is as much as those of whom the change is told. None: too few to say.
    """
    values = np.where(readable(baseline), move.exposure.values, np.nan)
    had = common_shift(values - _others(values[others]), clients, move.start, move.end)
    return None if had is None else (had[0] / move.shift, had[1] / abs(move.shift))


def _others(values: Array) -> Array:
    """Mean of those elsewhere by period, float[T]: the season and what else is common to all.

    NaN where none of them has a record: nobody is held against nothing.
    """
    there = np.isfinite(values)
    sums, count = np.where(there, values, 0).sum(axis=0, dtype=np.float64), there.sum(axis=0)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
