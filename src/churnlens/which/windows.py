"""How much better is a raised rate in a window than one rate all along? For many segments at once.

A window goes from a start to the end of the data (the trouble is still there) or to an end (it has
passed). With O1, E1 departures observed and expected inside it and O0, E0 in the rest of the time,
the log-likelihood gain is O1·log(O1/E1) + O0·log(O0/E0) − (O1+O0)·log((O1+O0)/(E1+E0)) where the
rate was higher inside. A segment is thus held to its own level: a standing difference between
segments is no rise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.periods import Calendar

Array = npt.NDArray[Any]

LEAST_OBSERVED = 5  # departures in a window
LEAST_EXPECTED = 1.0  # expected departures in a window
LEVEL_PRIOR = (
    2.0  # pseudo-departures that hold a segment's level outside a window near the baseline's
)
# Periods kept free at both ends of what can be seen: of counts, not months, for a level and a rise
# must each rest on more than one or two.
FIRST_START, LAST_START = 3, 2
# Lengths of windows that have passed, in months: one between two of them is seen by its neighbour.
LENGTHS = (3, 4, 6, 8, 12, 18)
REACH = 3  # months by which the ends of a window that has passed are moved to fit better
QUIET = 3  # months without it after which a trouble may be said to have passed


@dataclass(frozen=True)
class Times:
    """The windows to look at, in periods.

    Starts run from `first` to before `last`; ends are at most `end`, one past the last period, and
    those of windows that have passed at most `passed`. `lengths` are of the latter, whose ends are
    moved by at most `reach` to fit better.
    """

    first: int
    last: int
    end: int
    passed: int
    lengths: tuple[int, ...]
    reach: int

    @property
    def starts(self) -> int:
        """Number of start periods."""
        return max(self.last - self.first, 0)

    @property
    def closed(self) -> int:
        """Number of windows that have passed."""
        return sum(max(self.passed - length - self.first + 1, 0) for length in self.lengths)


@dataclass(frozen=True)
class Best:
    """The best window of each draw: score, segment (−1: none), start and end, [draws] each."""

    score: Array
    segment: Array
    start: Array
    end: Array

    @staticmethod
    def none(draws: int) -> Best:
        """Return no window for each draw."""
        nowhere = np.full(draws, -1)
        return Best(np.full(draws, -np.inf), nowhere, nowhere, nowhere)

    def or_better(self, other: Best) -> Best:
        """Return the better of two, draw by draw; the first where they are equal."""
        better = other.score > self.score
        return Best(
            np.where(better, other.score, self.score),
            np.where(better, other.segment, self.segment),
            np.where(better, other.start, self.start),
            np.where(better, other.end, self.end),
        )


def times(expected: Array, cal: Calendar) -> Times:
    """Return the windows that what is expected, float[..., T], leaves room for."""
    seen = np.flatnonzero(expected.reshape(-1, expected.shape[-1]).sum(axis=0) > 0)
    if len(seen) < FIRST_START + LAST_START + 2:
        return Times(0, 0, 0, 0, (), 0)
    first, end = int(seen[0]) + FIRST_START, int(seen[-1]) + 1
    passed = end - cal.span(QUIET)
    lengths = sorted({cal.span(m) for m in LENGTHS if cal.span(m) <= (end - first) // 2})
    return Times(first, end - LAST_START, end, passed, tuple(lengths), cal.span(REACH))


def gains(observed: Array, expected: Array) -> Array:
    """Return log-likelihood gains for a rise from each period on: [..., T] counts to [..., T]."""
    o1 = np.cumsum(observed[..., ::-1], axis=-1)[..., ::-1]
    e1 = np.cumsum(expected[..., ::-1], axis=-1)[..., ::-1]
    return gain_of(o1, e1, o1[..., :1] + LEVEL_PRIOR, e1[..., :1] + LEVEL_PRIOR)


def gain_of(o1: Array, e1: Array, o: Array, e: Array) -> Array:
    """Return the gain of windows holding o1, e1 of a segment's o, e (the level's prior in both)."""
    o0, e0 = o - o1, e - e1
    gain = _part(o1, e1)
    gain += _part(o0, e0)
    gain -= _part(o, e)
    rose = (o1 * e0 > o0 * e1) & (o1 >= LEAST_OBSERVED) & (e1 >= LEAST_EXPECTED)
    gain *= rose
    return gain


def gain_of_passed(o1: Array, e1: Array, until: tuple[Any, Any], whole: tuple[Any, Any]) -> Array:
    """Return the gain of windows that have passed, of a segment's o, e until their end and in all.

    Such a one must stand out against what was before it as well as against all the rest: a segment
    that left more from the first day, and less once those who minded were gone, did not begin to
    leave at any time.
    """
    return np.minimum(gain_of(o1, e1, *whole), gain_of(o1, e1, *until))


def _part(o: Array, e: Array) -> Array:
    """o·log(o/e), 0 where nothing was observed; `e` may be smaller and is broadcast."""
    part = np.log(np.maximum(o, 1e-9))
    part -= np.log(np.maximum(e, 1e-9))
    part *= np.maximum(o, 0)
    return np.asarray(part)


def best(
    observed: Array, expected: Array, when: Times, price: Array, passed: float, beat: Array
) -> Best:
    """Return the best window of each draw whose score beats `beat` (float[D]).

    Parameters
    ----------
    observed, expected
        Departures by segment, draw and period, [S, D, T] and [S, D or 1, T].
    price
        What is taken from the gain of a window of each segment, float[S].
    passed
        What is taken besides where the window has passed.

    Notes
    -----
    Only windows of which a quadratic bound says that they may beat are looked at closely, so that
    the search is whole at little cost. With q = O1/O and p = E1/E a gain O·KL(q, p) is at most
    O·(q − p)² / p(1 − p), by log x ≤ x − 1; and at most 0.7 times that while p ≤ 1/2, as the ratio
    of the two then is largest at p = 1/2 and q = 1 (log 2).
    """
    o, e = _running(observed), _running(expected)
    o_all, e_all = o[..., -1:] + np.float32(LEVEL_PRIOR), e[..., -1:] + np.float32(LEVEL_PRIOR)
    level = np.maximum(o_all, 0) / e_all  # what is observed is estimated, and may sum to below 0
    surplus = o - level * e
    found = Best.none(observed.shape[1])
    for length in (0, *when.lengths):
        paid = (price + (passed if length else 0.0)).astype(np.float32)
        low, high = _ends(when, length)
        e1 = e[..., high] - e[..., low]
        share = e1 / e_all
        spread = e1 * (1 - share) / np.where(share <= 0.5, np.float32(0.7), np.float32(1))
        z = surplus[..., high] - surplus[..., low]
        z *= 1 / np.sqrt(np.maximum(spread, np.float32(1e-9)))
        bar = np.maximum(beat, found.score).astype(np.float32) + paid[:, None]
        at = np.flatnonzero(z > np.sqrt(level * np.maximum(bar, 0)[:, :, None]))
        if len(at):
            place = np.unravel_index(at, z.shape)
            found = found.or_better(_exactly(place, length, o, e, when, paid))
    return found


def _ends(when: Times, length: int) -> tuple[slice, slice]:
    """Running sums at the starts and the ends of windows; of no length are those to the end."""
    if not length:
        return slice(when.first, when.last), slice(when.end, when.end + 1)
    starts = max(when.passed - length - when.first + 1, 0)
    return (
        slice(when.first, when.first + starts),
        slice(when.first + length, when.first + length + starts),
    )


def _running(values: Array) -> Array:
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1), np.float32)
    np.cumsum(values, axis=-1, out=out[..., 1:], dtype=np.float32)
    return out


def _exactly(
    at: tuple[Array, ...], length: int, o: Array, e: Array, when: Times, price: Array
) -> Best:
    """The best of some windows of one length (segment, draw, place), draw by draw.

    A window of no length goes on to the end.
    """
    s, d, k = at
    start = k + when.first
    end = start + length if length else np.full_like(start, when.end)
    of_e = d if e.shape[1] > 1 else np.zeros_like(d)
    o1, e1 = o[s, d, end] - o[s, d, start], e[s, of_e, end] - e[s, of_e, start]
    whole = o[s, d, -1] + LEVEL_PRIOR, e[s, of_e, -1] + LEVEL_PRIOR
    until = o[s, d, end] + LEVEL_PRIOR, e[s, of_e, end] + LEVEL_PRIOR
    gain = gain_of_passed(o1, e1, until, whole) if length else gain_of(o1, e1, *whole)
    net = gain - price[s]
    order = np.lexsort((-np.arange(len(d)), net, d))  # of a draw the best comes last
    last = order[np.append(d[order][1:] != d[order][:-1], True)]
    won = last[gain[last] > 0]
    draws = o.shape[1]
    score, nowhere = np.full(draws, -np.inf), np.full(draws, -1)
    segment, begin, stop = nowhere.copy(), nowhere.copy(), nowhere.copy()
    score[d[won]] = net[won]
    segment[d[won]], begin[d[won]], stop[d[won]] = s[won], start[won], end[won]
    return Best(score, segment, begin, stop)
