"""When could clients not order as they would? Lost records, strikes, and shocks that passed.

Where a whole book, or a trade, orders far less for a while and then as before, nobody has left: a
strike, a recall, a lockdown. Two readings of it. A sag of a period or two stands out against its
neighbours (`calendar_gaps`). A longer one, up to about a year, must be vouched for by clients who
were there before it and after it: they sagged together and came back (`passing_shocks`). Those who
left in it have no say, and those who stayed smaller do not come back, so neither departures of a
cause that has passed nor a lasting fall can be taken for a shock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

from churnlens.panel.periods import Calendar

Array = npt.NDArray[Any]

GAP = 0.6  # part of what its neighbours brought below which a period or two is a gap
FEWEST = 30  # orders due in a period before a gap in it is told from chance
SAG, BACK = 0.8, 0.92  # a shock brings less than `SAG` on average, and less than `BACK` all along
CLEAR = 6.0  # standard deviations by which a shock must be beyond chance
LONGEST, AROUND = 12, 4  # months a shock may last, and months on either side that say what is usual
APART = 4.0  # chi-square per degree of freedom from which a shock differs between values
SHRINK = 30.0  # orders due by which a value's own shock is shrunk to the book's


def ordering_part(orders: Array, due: Array, cal: Calendar, attributes: pd.DataFrame) -> Array:
    """Return the part of its usual orders that each client could place, float32[n, T].

    Parameters
    ----------
    orders, due
        Order days, and those due at each client's mean rate and season; n × T, both 0 before its
        first and after its last order.
    attributes
        n rows, categorical: what a gap or a shock may be common to.
    """
    gaps = _gaps(orders, due, attributes)
    return gaps * passing_shocks(orders, due * gaps, cal, attributes)


# -- a period or two -------------------------------------------------------------------------------


def _gaps(orders: Array, due: Array, attributes: pd.DataFrame) -> Array:
    """Gaps of the whole book, or of one branch, country or sales channel, float32[n, T]."""
    part = np.ones(orders.shape, np.float32)
    part *= calendar_gaps(orders.sum(axis=0), due.sum(axis=0)).astype(np.float32)
    for name in attributes:
        codes = attributes[name].cat.codes.to_numpy()
        by_value = [sums_by_value(codes, a) for a in (orders, due)]
        for code, (seen, usual) in enumerate(zip(*by_value, strict=True)):
            gap = calendar_gaps(seen, usual)
            if (gap < 1).any():
                rows = np.flatnonzero(codes == code)
                part[rows] = np.minimum(part[rows], gap.astype(np.float32))
    return part


def calendar_gaps(seen: Array, due: Array) -> Array:
    """Return the part of each period in which these clients could order, float[T].

    1 but where all of them together sag for a period or two and come back (data lost, a strike, a
    recall): then what it brought over what its neighbours brought. A lasting fall is none.
    """
    ratio = seen / np.maximum(due, 1e-9)
    padded = np.pad(ratio, 3, mode="reflect") if len(ratio) > 3 else np.pad(ratio, 3, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    part = ratio / np.maximum(around, 1e-9)
    part[[0, -1]] = 1.0  # at the edges a gap cannot be told from a change
    return np.where((part < GAP) & (due > FEWEST), part, 1.0)


# -- up to a year ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stayed:
    """Clients who ordered on both sides of a shock: what they placed in it, and what was usual.

    `seen` and `usual` are orders and those that the quieter side's level foretells, float[m, W],
    W periods of the shock; `rows` their m rows.
    """

    rows: Array
    seen: Array
    usual: Array


def passing_shocks(orders: Array, due: Array, cal: Calendar, attributes: pd.DataFrame) -> Array:
    """Return the part of its usual orders each client placed in shocks that passed, float32[n, T].

    Shocks are looked for in the book and in every value of every attribute. The one attribute in
    whose values a shock differed most gives each of them a part of its own.
    """
    part = np.ones(orders.shape, np.float32)
    columns = [attributes[name].cat.codes.to_numpy() for name in attributes]
    shocks: set[tuple[int, int]] = set()
    for codes in (np.zeros(len(orders), int), *columns):
        by_value = [sums_by_value(codes, a) for a in (orders, due)]
        for code, (seen, usual) in enumerate(zip(*by_value, strict=True)):
            valleys = _valleys(seen, usual, cal)
            if valleys:
                rows = np.flatnonzero(codes == code)
                shocks |= _came_back(orders[rows], due[rows], valleys, cal)
    for begin, end in _joined(sorted(shocks)):
        stayed = _stayed(orders, due, begin, end, cal)
        if stayed is not None:
            part[:, begin:end] *= _by_value(stayed, columns)
    return part


def sums_by_value(codes: Array, values: Array) -> Array:
    """Sum float32[n, T] by code, float[codes, T]."""
    count = int(codes.max(initial=0)) + 1
    given = np.flatnonzero(codes >= 0)
    ones = (np.ones(len(given), np.float32), (codes[given], given))
    return np.asarray(csr_matrix(ones, shape=(count, len(codes))) @ values)


def _came_back(
    orders: Array, due: Array, valleys: list[tuple[int, int]], cal: Calendar
) -> set[tuple[int, int]]:
    """Return the valleys that these clients went through and came back from."""
    went = {valley: _stayed(orders, due, *valley, cal) for valley in valleys}
    return {valley for valley, stayed in went.items() if stayed is not None and _sagged(stayed)}


def _sagged(stayed: _Stayed) -> bool:
    """Whether those who stayed ordered clearly less, by more than their own scatter.

    Clients who order in bursts scatter far more than by chance: theirs is read from client to
    client (cluster-robust variance), and is never taken for less than chance.
    """
    seen, usual = (a.sum(axis=1, dtype=np.float64) for a in _both(stayed))
    part = seen.sum() / max(usual.sum(), 1e-9)
    chance = max(float(((seen - part * usual) ** 2).sum()), float(usual.sum()))
    return _less(float(seen.sum()), float(usual.sum()), chance)


def _less(seen: float, usual: float, variance: float | None = None) -> bool:
    """Whether so many orders are clearly less than usual; `variance` is that of chance without."""
    chance = usual if variance is None else variance
    return seen < SAG * usual and usual - seen > CLEAR * chance**0.5


def _valleys(seen: Array, due: Array, cal: Calendar) -> list[tuple[int, int]]:
    """Stretches of at most a year that lie below a level held on both sides.

    The level of a period is the lower of the highest that was held for some months in the year
    before it, and in the year after it.
    """
    held, reach, periods = cal.span(AROUND), cal.span(LONGEST), len(seen)
    if periods <= 2 * held + 1:
        return []
    seen_up_to, due_up_to = (np.concatenate([[0.0], np.cumsum(a)]) for a in (seen, due))
    top, bottom = (a[held:] - a[:-held] for a in (seen_up_to, due_up_to))
    level = np.where(bottom > FEWEST, top / np.maximum(bottom, 1e-9), 0)  # from each start on
    before, after = np.zeros(periods), np.zeros(periods)
    for t in range(periods):
        before[t] = level[max(t - held - reach, 0) : max(t - held + 1, 0)].max(initial=0)
        after[t] = level[t + 1 : t + 1 + reach].max(initial=0)
    usual = np.minimum(before, after)
    low = _smooth(seen, cal) < BACK * usual * _smooth(due, cal)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], low.astype(int), [0]]))).reshape(-1, 2)
    return [
        (int(b), int(e))
        for b, e in runs
        if e - b <= reach and _less(float(seen[b:e].sum()), float((usual * due)[b:e].sum()))
    ]


def _smooth(values: Array, cal: Calendar) -> Array:
    """Moving sum over about a month, centred: a week alone is too short to be judged."""
    return np.convolve(values, np.ones(cal.span(1) // 2 * 2 + 1), "same")


def _stayed(orders: Array, due: Array, begin: int, end: int, cal: Calendar) -> _Stayed | None:
    """Who ordered for some months before a shock and some after it; None where too few did.

    That a client ordered beyond either side says nothing of how much it ordered within.
    """
    held, t = cal.span(AROUND), np.arange(orders.shape[1])
    if begin < held or end + held >= len(t):
        return None
    rows = np.flatnonzero((due[:, begin - held] > 0) & (due[:, end + held] > 0))
    seen, expected = orders[rows], due[rows]
    sides = (slice(begin - held, begin), slice(end, end + held))
    foretold = [expected[:, side].sum() for side in sides]
    if min(foretold, default=0) < FEWEST:
        return None
    level = min(seen[:, s].sum() / f for s, f in zip(sides, foretold, strict=True))
    return _Stayed(rows, seen[:, begin:end], expected[:, begin:end] * level)


def _joined(shocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Shocks in order of time, those that overlap as one."""
    out: list[tuple[int, int]] = []
    for begin, end in shocks:
        if out and begin < out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out


def _by_value(stayed: _Stayed, columns: list[Array]) -> Array:
    """Part of the usual orders placed in a shock, float32[n, W] or [1, W] where all are alike."""
    whole = stayed.seen.sum(axis=0) / np.maximum(stayed.usual.sum(axis=0), 1e-9)
    best, chosen = APART, None
    for codes in columns:
        apart = _apart(stayed, codes[stayed.rows])
        if apart > best:
            best, chosen = apart, codes
    if chosen is None:
        return _placed(whole)[None]
    values, own = int(chosen.max()) + 1, chosen[stayed.rows]
    sums = [np.stack([a[own == v].sum(axis=0) for v in range(values)]) for a in _both(stayed)]
    return _placed((sums[0] + SHRINK * whole) / (sums[1] + SHRINK))[chosen]


def _both(stayed: _Stayed) -> tuple[Array, Array]:
    return stayed.seen, stayed.usual


def _apart(stayed: _Stayed, codes: Array) -> float:
    """Chi-square per degree of freedom of the values' orders in a shock, were it alike in all."""
    seen, usual = (np.bincount(codes, a.sum(axis=1)) for a in _both(stayed))
    usual = usual * (seen.sum() / max(usual.sum(), 1e-9))
    chi2 = float(((seen - usual) ** 2 / np.maximum(usual, 1)).sum())
    return chi2 / max(len(seen) - 1, 1)


def _placed(part: Array) -> Array:
    """A part near the usual one is the usual one; none is quite nothing."""
    return np.where(part > BACK, 1.0, np.maximum(part, 0.02)).astype(np.float32)
