"""How departures in a scope compare, before and after, with those outside it.

Everything works on counts by period: departures seen and departures that a baseline hazard
expects, inside the scope and among comparable clients outside. A change is a ratio of ratios,
(seen / expected after ÷ before, inside) ÷ (the same outside), so that what changes for everybody
(season, prices, detection) cancels, and what the baseline knows (tenure, season) is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from churnlens.panel import Panel

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

STEP_Z = 3.0  # a scanned change of level counts from here: the largest of some thirty tries
CALM = 2.0  # placebo dates or quarters that the belief "no more than chance" is worth
FEWEST = 5.0  # departures a window needs


@dataclass(frozen=True)
class ByClient:
    """Departures observed and expected by client and period, each float[n, T].

    Where an onset is only probable both are effective numbers, so that observed less expected
    varies as a count of the size expected does; where a period can hardly be judged yet both are
    near nothing. `hazard` is the baseline's, per period.
    """

    observed: npt.NDArray[np.floating[Any]]
    expected: npt.NDArray[np.floating[Any]]
    hazard: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Counts:
    """Departures seen and expected by period (T), inside a scope and outside.

    Without comparable clients outside, `outside_seen` is None, and a change is read against the
    scope's own past alone (interrupted time series).
    """

    seen: Floats
    expected: Floats
    outside_seen: Floats | None
    outside_expected: Floats | None

    def alone(self) -> Counts:
        """Return the same scope without its comparison."""
        return Counts(self.seen, self.expected, None, None)

    def level(self, window: Booleans) -> float:
        """Return departures seen over expected in some periods (bool[T]), inside; at least 0."""
        seen, expected = self.seen[window].sum(), self.expected[window].sum()
        return float(max(seen, 0.0) / max(expected, 1e-12))

    def outside(self) -> Counts:
        """Return the comparison as a scope of its own."""
        if self.outside_seen is None or self.outside_expected is None:
            raise ValueError("there are no clients outside")
        return Counts(self.outside_seen, self.outside_expected, None, None)


@dataclass(frozen=True)
class Change:
    """A log risk ratio and its variance by chance."""

    log_ratio: float
    variance: float

    @property
    def z(self) -> float:
        """Size of the change in standard errors."""
        return float(self.log_ratio / np.sqrt(self.variance))

    @property
    def ratio(self) -> float:
        """The risk ratio."""
        return float(np.exp(self.log_ratio))


def client_periods(who: Booleans) -> Booleans:
    """Return clients (bool[n]) as client-periods, bool[n, 1]; client-periods as they are."""
    return who if who.ndim == 2 else who[:, None]


def count(departures: ByClient, inside: Booleans, outside: Booleans) -> Counts:
    """Collapse departures to counts by period, in a scope and in its comparison.

    Each is bool[n], or bool[n, T] where clients come and go.
    """
    return Counts(
        seen=by_period(departures.observed, inside),
        expected=by_period(departures.expected, inside),
        outside_seen=by_period(departures.observed, outside),
        outside_expected=by_period(departures.expected, outside),
    )


def due(panel: Panel, departures: ByClient, who: Booleans) -> Floats:
    """Return all departures, told or not, that the baseline expects of some: float[T].

    They are clients (bool[n]) or client-periods (bool[n, T]).
    """
    there = np.where(client_periods(who), panel.active, 0)
    return np.asarray(np.einsum("it,it->t", departures.hazard, there, dtype=np.float64))


def by_period(values: npt.NDArray[np.floating[Any]], who: Booleans) -> Floats:
    """Sum over some clients (bool[n], or bool[n, T]) by period: float[T] of float[n, T]."""
    return np.asarray(np.where(client_periods(who), values, 0).sum(axis=0, dtype=np.float64))


def change(counts: Counts, before: Booleans, after: Booleans) -> Change:
    """Return the change from one set of periods (bool[T]) to another, against the outside.

    A half is added to each count, so that a window without departures has a finite ratio.
    """
    own = _change(counts.seen, counts.expected, before, after)
    if counts.outside_seen is None or counts.outside_expected is None:
        return own
    theirs = _change(counts.outside_seen, counts.outside_expected, before, after)
    return Change(own.log_ratio - theirs.log_ratio, own.variance + theirs.variance)


def last_step(counts: Counts, end: int, shortest: int) -> int:
    """Return the period since which the level has held, looking at periods before `end` only.

    Zero unless a step up or down stands out (3 standard errors, the best of all dates) that left
    at least `shortest` periods and a few departures on either side.
    """
    seen = np.cumsum(counts.seen[:end])
    dates = [
        date
        for date in range(shortest, end - shortest + 1)
        if seen[date - 1] >= FEWEST and seen[-1] - seen[date - 1] >= FEWEST
    ]
    span = np.arange(len(counts.seen))
    sides = [(span < d, (span >= d) & (span < end)) for d in dates]
    steps = [
        abs(change(counts, *side).z) / quarterly_inflation(counts, side, shortest) for side in sides
    ]
    return dates[int(np.argmax(steps))] if steps and max(steps) >= STEP_Z else 0


def placebo_inflation(counts: Counts, end: int, lengths: tuple[int, int]) -> float:
    """Return how much wider than chance changes are at dates on which nothing was started.

    Every date before `end` (the cause's onset, or the start) plays the start, with windows as long
    as the real ones where the past allows. The mean square is drawn towards 1, more so when the
    past holds few windows. Never below 1.
    """
    before, after = _fit_windows(end, lengths)
    z = np.array([c.z for c in _placebos(counts, end, before, after)])
    if len(z) == 0:
        return 1.0
    worth = end / (before + after)
    return float(np.sqrt(max(1.0, (CALM + worth * np.mean(z**2)) / (CALM + worth))))


def quarterly_inflation(counts: Counts, levels: Sequence[Booleans], quarter: int) -> float:
    """Return how much wider than chance single quarters vary around their level. Never below 1.

    `levels` are sets of periods (bool[T]), each with a level of its own. Neighbouring quarters are
    compared (von Neumann 1941), so that a slow rise as damage builds up is no noise. The
    dispersion is drawn towards 1, as with the placebo dates.
    """
    squares, free = 0.0, 0
    for level in levels:
        seen, mean, variance = _quarters(counts, np.flatnonzero(level), quarter)
        if len(seen) > 1 and variance.min() > 0:
            squares += float((np.diff((seen - mean) / np.sqrt(variance)) ** 2).sum()) / 2
            free += len(seen) - 1
    return float(np.sqrt(max(1.0, (CALM + squares) / (CALM + free))))


def trend(counts: Counts, window: Booleans) -> float:
    """Return the standardised slope of departures over the periods of a window (bool[T]).

    The score statistic of a binomial trend of inside among all departures; of a Poisson trend
    where there is no outside. Negative: the scope was already getting better.
    """
    time = np.flatnonzero(window).astype(float)
    seen, mean, variance = _quarters(counts, np.flatnonzero(window), 1)
    if len(time) < 4 or variance.sum() < FEWEST / 2:
        return 0.0
    away = time - (time @ variance) / variance.sum()
    return float(away @ (seen - mean) / np.sqrt((away**2) @ variance))


def _quarters(counts: Counts, periods: Integers, length: int) -> tuple[Floats, Floats, Floats]:
    """Departures of a constant level in runs of periods: seen, mean, and variance by chance.

    Given all departures of a run, those inside are binomial; Poisson where there is no outside.
    """
    edges = np.arange(0, max(len(periods) - length + 1, min(len(periods), 1)), length)
    if len(edges) == 0:
        return np.empty(0), np.empty(0), np.empty(0)

    def add(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values[periods], edges))

    seen, expected = add(counts.seen), add(counts.expected)
    mean = expected * seen.sum() / max(expected.sum(), 1e-12)
    if counts.outside_seen is None or counts.outside_expected is None:
        return seen, mean, mean
    outside = add(counts.outside_expected)
    outside = outside * add(counts.outside_seen).sum() / max(outside.sum(), 1e-12)
    share = mean / np.maximum(mean + outside, 1e-12)
    total = seen + add(counts.outside_seen)
    return seen, total * share, total * share * (1 - share)


def _change(seen: Floats, expected: Floats, before: Booleans, after: Booleans) -> Change:
    left = np.maximum([seen[before].sum(), seen[after].sum()], 0) + 0.5
    base = np.array([expected[before].sum(), expected[after].sum()])
    if (base <= 0).any():
        return Change(0.0, np.inf)
    return Change(float(np.diff(np.log(left / base))[0]), float((1 / left).sum()))


def _fit_windows(end: int, lengths: tuple[int, int]) -> tuple[int, int]:
    """Shorten the windows to what leaves a few placebo dates in the past."""
    most = max(end // 3, 1)
    return min(lengths[0], most), min(lengths[1], most)


def _placebos(counts: Counts, end: int, before: int, after: int) -> Iterator[Change]:
    span = np.arange(len(counts.seen))
    for date in range(before, end - after + 1):
        early = (span >= date - before) & (span < date)
        late = (span >= date) & (span < date + after)
        if counts.seen[early].sum() + counts.seen[late].sum() >= FEWEST:
            yield change(counts, early, late)
