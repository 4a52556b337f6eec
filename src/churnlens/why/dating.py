"""When did a driver change in a segment, did that pass, and was it a change at all?

The segment's series, every client's own level taken out, less that of all others: what the whole
book did falls out. A straight line that fits better than a step or a ramp is a drift, which has no
date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.periods import Calendar
from churnlens.results import Z95
from churnlens.when.change import ChangeDate, date_series, ramps_of
from churnlens.why.shifts import BEFORE, LEAST_CLIENTS, SHORTEST

Array = npt.NDArray[Any]

PASSED = 0.3  # part of a change that may be left after its end
ENDS = 10.0  # log-likelihood by which an end must explain a segment's series better than none
PULSE = 4.0  # times as large as any other period's distance from the middle a pulse must be
TOUCHED = 0.1  # of a change, from which a period may have been touched by it
ROUNDS = 25  # of alternating between the means of periods and of clients


@dataclass(frozen=True)
class Dated:
    """When a segment's mean shifted, with its 95 % interval, and how it went over time, float[T].

    `shift` is the change's size; `end` the first period in which it had passed; `earlier` how far
    into the period before `low` the change may reach back, 0 to 1; `gradual` whether the data say
    that it took more than one period to come in.
    """

    start: int
    low: int
    high: int
    ramp: int
    shift: float
    end: int | None
    profile: Array
    earlier: float = 0.0
    gradual: bool = False


def date_shift(mean: Array, heads: Array, cal: Calendar, season: bool) -> Dated | None:
    """Date the shift of a series, float[T], each period weighed by `heads`; None: there is none."""
    t = np.arange(len(mean))
    pulse = _pulse(mean, heads, cal) if season else None
    if pulse is not None:
        return pulse
    end = _end(mean, heads, cal)
    change = date_series(
        mean if end is None else np.where(t < end, mean, np.nan),
        heads,
        rng=np.random.default_rng(0),
        draws=99,
        ramps=ramps_of(cal),
        seasons=cal.season if season else None,
    )
    if not isinstance(change, ChangeDate):
        return None
    profile = change.level() - change.before
    return Dated(
        change.start,
        change.low,
        change.high,
        change.ramp,
        change.after - change.before,
        end,
        profile if end is None else np.where(t < end, profile, 0),
        _earlier(mean, heads, change),
        change.is_gradual and change.ramp > 1,
    )


def _earlier(mean: Array, heads: Array, change: ChangeDate) -> float:
    """How far into the period before a change's earliest one it may reach back, 0 to 1.

    A change in the middle of a month moves that month's mean by half as much, one that begins to
    come in over r months there by an eighth of 1/r. So much of the month is allowed for as its mean
    may have moved at most, by its standard error; from a tenth on the whole of it.
    """
    k, shift = change.low - 1, change.after - change.before
    there = np.isfinite(mean) & (heads > 0)
    if k < 0 or not there[k] or shift == 0:
        return 0.0
    apart = (mean - change.level())[there]
    scatter = np.diff(apart) / np.sqrt(1 / heads[there][1:] + 1 / heads[there][:-1])
    error = 1.4826 * float(np.median(np.abs(scatter))) / np.sqrt(heads[k])  # few large changes
    moved = max(((mean[k] - change.before) + Z95 * np.sign(shift) * error) / shift, 0.0)
    reaches = float(np.sqrt(2 * change.ramp * moved) if change.ramp else moved)
    return 1.0 if reaches >= TOUCHED else reaches


def _pulse(mean: Array, heads: Array, cal: Calendar) -> Dated | None:
    """A change of less than `SHORTEST` months, if nothing else in the series comes near it.

    The periods of it must each be far larger than any other, before or after: not so a step, nor
    a season that comes back, nor the first months of a change that ebbs.
    """
    there = np.flatnonzero(np.isfinite(mean) & (heads > 0))
    first, edge = cal.span(BEFORE), cal.span(SHORTEST)
    if len(there) <= first + edge:
        return None
    away = np.full(len(mean), np.nan)
    away[there] = mean[there] - np.median(mean[there])
    size = np.abs(away[there])
    for lasts in range(1, edge):
        if len(there) <= lasts + first + edge:
            return None
        ranked = np.argsort(-size)
        inside = np.sort(there[ranked[:lasts]])
        start, end = int(inside[0]), int(inside[-1]) + 1
        alone = size[ranked[lasts - 1]] > PULSE * size[ranked[lasts]]
        one = np.all(np.sign(away[inside]) == np.sign(away[start])) and end - start == lasts
        if alone and one and start >= first and end <= len(mean) - edge:
            shift = float(np.average(away[inside], weights=heads[inside]))
            t = np.arange(len(mean))
            profile = np.where((t >= start) & (t < end), shift, 0.0)
            return Dated(start, start, start, 0, shift, end, profile)
    return None


def _end(mean: Array, heads: Array, cal: Calendar) -> int | None:
    """First period in which a segment's change had passed, if its series says that it has.

    A change to the end of the data and one that passes are held against each other by what they
    leave over; a driver that only ebbs has not passed.
    """
    there = np.flatnonzero(np.isfinite(mean) & (heads > 0))
    x, w = mean[there], heads[there]
    n, first, shortest = len(x), cal.span(BEFORE), cal.span(SHORTEST)
    start, end = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = (start >= first) & (end - start >= shortest)
    passing = possible & (end <= n - shortest)
    lasting = possible & (end == n)
    if not passing.any() or not lasting.any():
        return None
    left = _misfit(x, w, start, end)
    place = np.unravel_index(np.where(passing, left, np.inf).argmin(), left.shape)
    began, ended = int(place[0]), int(place[1])
    floor = 1e-9 * float(w @ (x - np.average(x, weights=w)) ** 2)
    if floor <= 0:  # nothing was ever recorded but one value
        return None
    without = float(left[lasting].min()) + floor
    gain = n / 2 * np.log(without / (float(left[place]) + floor)) - np.log(n)
    outside, after = (np.average(x[k], weights=w[k]) for k in (slice(began), slice(ended, n)))
    size = np.average(x[began:ended], weights=w[began:ended]) - outside
    passed = abs(after - outside) < PASSED * abs(size)
    return int(there[ended]) if passed and gain >= ENDS else None


def _misfit(x: Array, w: Array, start: Array, end: Array) -> Array:
    """Weighted squares that a shift of the periods from `start` to before `end` leaves over."""
    mass, pull = (np.concatenate(([0.0], np.cumsum(v))) for v in (w, w * x))
    m1, p1 = mass[end] - mass[start], pull[end] - pull[start]
    m0, p0 = mass[-1] - m1, pull[-1] - p1
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = p1**2 / m1 + p0**2 / m0
    return np.asarray(w @ x**2 - np.where((m1 > 0) & (m0 > 0), explained, 0))


def against_the_rest(values: Array, inside: Array, others: Array) -> tuple[Array, Array]:
    """A segment's series less that of others, and how much each period's difference weighs.

    What drifts for everybody falls out, and the change can be dated by what is left. The segment's
    own series where there are no others.
    """
    series, heads = _segment_series(values, inside)
    rest, beside = _segment_series(values, others)
    if np.median(beside) < LEAST_CLIENTS:
        return series, heads
    weight = heads * beside / np.maximum(heads + beside, 1)
    return series - rest, weight


def _segment_series(values: Array, inside: Array) -> tuple[Array, Array]:
    """A segment's mean by period with every client's own level taken out, and clients behind it.

    Two-way means by alternating projections: clients come and go, and a series of plain means would
    move with who is there.
    """
    there = inside & np.isfinite(values)
    m, v = there.astype(np.float64), np.where(there, values, 0)
    heads, sums = m.sum(axis=0), v.sum(axis=0, dtype=np.float64)
    own = m.sum(axis=1)
    per = np.divide(1, own, out=np.zeros_like(own), where=own > 0)  # one over a client's periods
    level = v.sum(axis=1, dtype=np.float64) * per
    clients = max(int((own > 0).sum()), 1)
    # Clients enter only by these sums, so that a round costs no pass over them.
    shared, lifted, lean = (m * per[:, None]).T @ m, level @ m, per @ m / clients
    of_clients = np.zeros(len(heads))  # own levels of the clients there, summed by period
    for _ in range(ROUNDS):
        series = (sums - of_clients) / np.maximum(heads, 1)
        middle = level.sum() / clients - lean @ series
        of_clients = lifted - shared @ series - middle * heads
    return np.where(heads > 0, series, np.nan), heads


def common_course(series: Array) -> Array:
    """All that a segment's clients have in common over time, float[T]."""
    return np.where(np.isfinite(series), series - np.nanmean(series), 0)


def lead_over_a_line(series: Array, heads: Array, profile: Array) -> float:
    """Log-likelihood by which a change explains a series better than a straight line does."""
    there = np.isfinite(series) & (heads > 0)
    y, w, t = series[there], heads[there], np.flatnonzero(there)

    def misfit(x: Array) -> float:
        design = np.stack([np.ones(len(y)), x], axis=1) * np.sqrt(w)[:, None]
        left = np.linalg.lstsq(design, y * np.sqrt(w), rcond=None)[1].sum()
        return float(left) + 1e-9 * float(w @ (y - np.average(y, weights=w)) ** 2) + 1e-300

    return len(y) / 2 * float(np.log(misfit(t.astype(float)) / misfit(profile[there])))
