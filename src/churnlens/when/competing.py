"""Say what share of clients will have left by each tenure, and in which way.

A client that is closed (insolvency, merger) can no longer lapse. One minus Kaplan–Meier with
closings censored is the share that would have lapsed had nobody ever closed, which is more than
the share that does. The Aalen–Johansen estimate is the latter: the shares of all ways of leaving
and of those still there sum to one.

Sources: Aalen and Johansen (1978); variance after Marubini and Valsecchi (1995); delayed entry
as in `survival`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.results import Z95
from churnlens.when.survival import risk_table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Incidence:
    """Share that has left in each way after each time: `value`, `low`, `high` are causes × times.

    `staying` is the share still there: one minus the sum over causes.
    """

    causes: tuple[str, ...]
    times: Floats
    value: Floats
    low: Floats
    high: Floats
    staying: Floats
    events: tuple[int, ...]

    def of(self, cause: str) -> Floats:
        """Return the curve of one cause."""
        return np.asarray(self.value[self.causes.index(cause)])


def cumulative_incidence(
    entry: npt.ArrayLike, leaving: npt.ArrayLike, cause: npt.NDArray[Any]
) -> Incidence:
    """Estimate the cumulative incidence of each way of leaving.

    Parameters
    ----------
    entry, leaving
        Tenure at which each spell came under observation, and at which it left or was last seen.
    cause
        Way of leaving as text; an empty string for those who have not left.
    """
    start, end = np.asarray(entry, dtype=float), np.asarray(leaving, dtype=float)
    used = end > start
    start, end, ways = start[used], end[used], np.asarray(cause).astype(str)[used]
    left = ways != ""
    table = risk_table(start, end, left)
    names, codes = np.unique(ways[left], return_inverse=True)
    place = codes * len(table.times) + np.searchsorted(table.times, end[left])
    cells = np.bincount(place, minlength=len(names) * len(table.times))
    events = cells.reshape(len(names), len(table.times)).astype(float)
    at_risk, lost = table.at_risk[0], table.events[0]
    after = np.cumprod(1.0 - lost / np.maximum(at_risk, 1.0))
    before = np.concatenate(([1.0], after[:-1])) if len(after) else after
    value = np.cumsum(before * events / np.maximum(at_risk, 1.0), axis=1)
    low, high = _interval(value, _variance(value, before, at_risk, lost, events))
    return Incidence(
        causes=tuple(names.tolist()),
        times=table.times,
        value=value,
        low=low,
        high=high,
        staying=after,
        events=tuple(int(n) for n in events.sum(axis=1)),
    )


def _variance(
    value: Floats, before: Floats, at_risk: Floats, lost: Floats, events: Floats
) -> Floats:
    """Delta-method variance; its sums over earlier times are expanded into running sums."""
    left = at_risk * (at_risk - lost)
    overall = np.where(left > 0, lost / np.where(left > 0, left, 1.0), 0.0)
    n = np.maximum(at_risk, 1.0)
    squares = (
        value**2 * np.cumsum(overall)
        - 2 * value * np.cumsum(value * overall, axis=1)
        + np.cumsum(value**2 * overall, axis=1)
    )
    own = np.cumsum(before**2 * (n - events) / n**3 * events, axis=1)
    joint = before * events / n**2
    crossed = value * np.cumsum(joint, axis=1) - np.cumsum(value * joint, axis=1)
    return np.asarray(np.maximum(squares + own - 2 * crossed, 0.0))


def _interval(value: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Bounds on the log-log scale, so that they stay between 0 and 1."""
    inside = (value > 0) & (value < 1)
    safe = np.where(inside, value, 0.5)
    width = np.where(inside, Z95 * np.sqrt(variance) / (safe * -np.log(safe)), 0.0)
    width = np.minimum(width, 50.0)  # the bound is 0 or 1 to every digit long before
    return value ** np.exp(width), value ** np.exp(-width)
