"""When the effect of a remedy can first be seen."""

from __future__ import annotations

import numpy as np

from churnlens.remedies.rates import Booleans, Counts, Floats
from churnlens.when import power

POWER = 0.8
LONGEST = 60  # periods looked ahead


def periods_needed(
    counts: Counts,
    base: Booleans,
    expected_ahead: Floats,
    outside_ahead: Floats | None,
    ratio: float,
    *,
    settling: int,
    inflation: float = 1.0,
) -> int | None:
    """Return after how many periods a risk ratio could be seen with 80 % power.

    The first `settling` periods are not measured, since those already upset still leave.

    Parameters
    ----------
    counts : Counts
    base : bool[T]
        Periods that make the level before.
    expected_ahead, outside_ahead : array (K,)
        Baseline departures of the scope, and of the comparison, in each period from the start.
    ratio : float
        Risk ratio of the effect once it is there.
    settling : int
    inflation : float
        Factor on the standard error.

    Returns
    -------
    int or None
        None when it could not be seen within K periods.
    """
    due = _level(counts.seen, counts.expected, base) * np.cumsum(expected_ahead[settling:])
    rest = 1 / (counts.seen[base].sum() + 0.5)
    if counts.outside_seen is not None and counts.outside_expected is not None:
        level = _level(counts.outside_seen, counts.outside_expected, base)
        outside = np.zeros(len(due))
        if outside_ahead is not None:
            outside = level * np.cumsum(outside_ahead[settling:])
        rest = rest + 1 / (counts.outside_seen[base].sum() + 0.5) + 1 / (outside + 0.5)
    compared = np.broadcast_to(1 / np.asarray(rest), due.shape)
    critical, dispersion = power.one_test(sides=2), inflation**2
    for k in range(len(due)):
        seen = power.chance_seen(
            float(due[k]),
            ratio,
            compared=float(compared[k]),
            critical=critical,
            dispersion=dispersion,
        )
        if seen >= POWER:
            return settling + k + 1
    return None


def ahead(by_period: Floats, start: int, last: int, length: int) -> Floats:
    """Return a by-period figure from `start` on: as it was up to `last`, then its last year's mean.

    The year is the last twelve periods that can be counted; where the start lies after `last`, all
    of it is projected.
    """
    known = by_period[start : last + 1]
    recent = by_period[max(last - 11, 0) : last + 1]
    later = np.full(max(length - len(known), 0), recent.mean() if len(recent) else 0.0)
    return np.concatenate([known, later])[:length]


def _level(seen: Floats, expected: Floats, base: Booleans) -> float:
    return float((seen[base].sum() + 0.5) / max(expected[base].sum(), 1e-12))
