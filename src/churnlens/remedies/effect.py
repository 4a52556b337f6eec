"""What a treatment changed, where it began at different dates for different units.

Regressing on two-way fixed effects compares late starters with early ones and can turn the sign.
Here each group of starters is compared, period by period, with units that are not treated at
that time, against the last period before its start.

Units may come and go: a client is in a period's mean only while it is at risk, so the outcome is
a rate (departures by clients at risk). With a weight of one everywhere it is the estimator of the
balanced panel without covariates.

Source: Callaway and Sant'Anna (2021), Difference-in-differences with multiple time periods,
Journal of Econometrics 225(2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Comparison = Literal["never", "not_yet"]

NEVER = -1


@dataclass(frozen=True)
class GroupTime:
    """Effects by group of starters and period, K cells, over C clusters.

    `influence` (C x K) is each cluster's share of each estimate's error: the covariance of the
    effects is its cross product.
    """

    groups: Integers
    times: Integers
    effects: Floats
    influence: Floats

    @property
    def errors(self) -> Floats:
        """Standard error of each effect, clustered."""
        return np.asarray(np.sqrt((self.influence**2).sum(axis=0)))


def group_time(
    outcome: npt.ArrayLike,
    weight: npt.ArrayLike,
    start: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    comparison: Comparison = "never",
    anticipation: int = 0,
    base_length: int = 1,
) -> GroupTime:
    """Estimate the effect for each group of starters in each period.

    Parameters
    ----------
    outcome : array (n, T)
        Outcome of each unit and period; ignored where `weight` is zero.
    weight : array (n, T)
        Zero where the unit is not at risk.
    start : array (n,)
        Period in which treatment began; -1 for never.
    clusters : array (n,), optional
        What is drawn as a whole (the client behind several spells); each unit if not given.
    comparison : {"never", "not_yet"}
        Whom to compare with: those never treated, or also those who start later.
    anticipation : int
        Periods before the start that are left out of the base.
    base_length : int
        Periods that make up the base; 1 is the published estimator, more make it steadier where
        a period has few events.

    Returns
    -------
    GroupTime
        Without the cells in which either side has nobody at risk.

    Raises
    ------
    ValueError
        When nothing can be compared at all.
    """
    w = np.asarray(weight, dtype=float)
    y = np.where(w > 0, np.asarray(outcome, dtype=float), 0.0)
    began = np.asarray(start, dtype=np.int64)
    means = _Means(y, w, began, _codes(clusters, len(began)))

    def base(group: int) -> slice:
        end = group - anticipation
        return slice(max(end - base_length, 0), end)

    cells = [
        cell
        for group in np.unique(began[began > anticipation])
        for time in range(w.shape[1])
        if (cell := _cell(means, int(group), time, comparison, base(int(group)))) is not None
    ]
    if not cells:
        raise ValueError("no group of starters has both a base period and units to compare with")
    groups, times, effects, influence = zip(*cells, strict=True)
    return GroupTime(
        groups=np.array(groups),
        times=np.array(times),
        effects=np.array(effects),
        influence=np.column_stack(influence),
    )


@dataclass(frozen=True)
class _Means:
    """Weighted means of a set of units in one period, with their influence on it."""

    y: Floats
    w: Floats
    start: Integers
    codes: Integers

    def of(self, units: Booleans, times: slice) -> tuple[float, Floats] | None:
        weight = self.w[units, times]
        total = weight.sum()
        if total <= 0:
            return None
        y = self.y[units, times]
        mean = float((weight * y).sum() / total)
        error = np.zeros(len(units))
        error[units] = (weight * (y - mean)).sum(axis=1) / total
        return mean, self.by_cluster(error)

    def by_cluster(self, values: Floats) -> Floats:
        most = int(self.codes.max()) + 1
        return np.bincount(self.codes, values, minlength=most).astype(np.float64)


def _cell(
    means: _Means, group: int, time: int, comparison: Comparison, base: slice
) -> tuple[int, int, float, Floats] | None:
    inside = means.start == group
    outside = means.start == NEVER
    if comparison == "not_yet":
        outside |= means.start > max(time + group - base.stop, group)
    now = slice(time, time + 1)
    a, b = means.of(inside, now), means.of(inside, base)
    c, d = means.of(outside, now), means.of(outside, base)
    if a is None or b is None or c is None or d is None:
        return None
    return group, time, a[0] - b[0] - c[0] + d[0], a[1] - b[1] - c[1] + d[1]


def _codes(clusters: npt.ArrayLike | None, n: int) -> Integers:
    if clusters is None:
        return np.arange(n)
    return np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
