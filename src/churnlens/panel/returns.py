"""How long a silence means that a client has left? Read from who came back.

For every silence in the book, measured in orders missed (the client's own rate × season × time)
over the client's own scatter, a Kaplan–Meier curve of its ending gives the chance that a client
silent for so long still comes back: the part of the curve above its plateau. The limit is the
silence at which that chance drops to a set level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.activity import Activity
from churnlens.panel.cumulative import cumulative
from churnlens.panel.onsets import LEAST_ORDERS
from churnlens.panel.threads import over_rows
from churnlens.results import Z95

Array = npt.NDArray[Any]
LEVEL = 0.25  # one in four; most who return from so long a silence order far less than before
STEP, LONGEST = 0.25, 12.0  # grid of silences, in orders missed over scatter
MADE_UP = 0.7  # of what was bought before a silence, from which it was made up for
SHORT = 6  # months of silence at most, for which stocks may have lasted
SANE = (2.0, 8.0)  # limits between which the threshold is kept


@dataclass(frozen=True)
class Returns:
    """Chance of a return by silence (orders missed over scatter) with its 95 % interval."""

    silence: Array
    chance: Array
    low: Array
    high: Array
    threshold: float
    level: float


def silence_threshold(activity: Activity, level: float = LEVEL) -> Returns:
    """Return the curve of returns and the silence at which the chance of one falls to `level`."""
    ended, open_ = _silences(activity)
    grid = np.arange(STEP, LONGEST + STEP, STEP)
    bins = len(grid)
    done = np.bincount(np.minimum((ended / STEP).astype(int), bins), minlength=bins + 1)
    left = np.bincount(np.minimum((open_ / STEP).astype(int), bins), minlength=bins + 1)
    at_risk = np.cumsum((done + left)[::-1])[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, done / np.maximum(at_risk - left / 2, 1), 0.0)
    survival = np.cumprod(1 - hazard[:bins].clip(0, 1))
    plateau = survival[-1] * (1 - hazard[bins] if at_risk[bins] else 1.0)
    chance = 1 - plateau / np.maximum(survival, 1e-12)
    spread = Z95 * np.sqrt(chance * (1 - chance) / np.maximum(at_risk[1:], 1))
    below = chance <= level
    limit = grid[below.argmax()] if below.any() else SANE[1]
    return Returns(
        silence=grid,
        chance=chance,
        low=np.clip(chance - spread, 0, 1),
        high=np.clip(chance + spread, 0, 1),
        threshold=float(np.clip(limit, *SANE)),
        level=level,
    )


def missed(activity: Activity, begin: Array) -> tuple[Array, Array]:
    """Return the orders missed since the last one, over scatter, and the period after that one.

    With x orders in exposure e before the silence and exposure s since, the chance that nothing
    came although nothing changed is (e / (e + s))^x when the rate is not known but estimated; its
    negative log, x·log(1 + s/e), is the number of orders missed that the past bears out. Both are
    [n, T], read at the end of each period; 0 and 0 before any order since `begin`.
    """
    shape = activity.orders.shape
    due, after = np.empty(shape, np.float32), np.empty(shape, np.int32)

    def fill(rows: slice) -> None:
        due[rows], after[rows] = _missed(activity.rows(rows), begin[rows])

    over_rows(fill, len(begin))
    return due, after


def _missed(activity: Activity, begin: Array) -> tuple[Array, Array]:
    t = np.arange(activity.orders.shape[1])
    live = t >= begin[:, None]
    ordered = (activity.orders > 0) & live
    x, e = cumulative(activity.orders * live), cumulative(activity.exposure * live)
    two_years = activity.calendar.span(24)

    def at_last(values: Array) -> Array:
        """What a figure that never falls was in the period of the last order; 0 before any."""
        return np.asarray(np.maximum.accumulate(np.where(ordered, values, 0), axis=1))

    def before(running: Array) -> Array:
        """Running sums as they stood two years before the end of each period."""
        out = np.zeros_like(running[:, 1:])
        out[:, two_years:] = running[:, 1 : max(len(t) - two_years, 0) + 1]
        return out

    then = at_last(e[:, 1:])
    orders = x[:, 1:] - at_last(before(x))
    past = np.maximum(then - at_last(before(e)), 0.5)
    due = orders * np.log1p((e[:, 1:] - then) / past)
    enough = orders >= LEAST_ORDERS
    after = at_last(np.broadcast_to((t + 1).astype(np.int32), ordered.shape))
    return np.where(enough, due / activity.order_scatter[:, None], 0), after


def not_made_up(activity: Activity, silent: Array, after: Array) -> Array:
    """Return the periods of silence that were not made up for, bool[n, T].

    A client that begins to order a quarter as often and four times as much falls silent by its old
    rhythm, over and over, and buys what it always did. A silence of at most half a year counts as
    made up for where, from its first day until half a year after its end, the client bought most of
    what it had in the two years before. Who had gone elsewhere for a quarter or longer and came
    back has bought two thirds by then at most.

    Parameters
    ----------
    silent
        Where a client is so silent that it counts as gone, bool[n, T], read at each period's end.
    after
        The period after that of the last order, int[n, T].
    """
    ordered = activity.orders > 0
    client, last = np.nonzero(silent[:, :-1] & ordered[:, 1:])
    back, begin = last + 1, after[client, last]
    cal, periods = activity.calendar, silent.shape[1]
    until = np.minimum(back + cal.span(SHORT), periods)
    past = np.maximum(begin - cal.span(24), 0)
    bought, due = (cumulative(a[client]) for a in (activity.volume, activity.exposure))
    each = np.arange(len(client))

    def rate(low: Array, high: Array) -> Array:
        return np.asarray(
            (bought[each, high] - bought[each, low])
            / np.maximum(due[each, high] - due[each, low], 0.5)
        )

    made_up = rate(begin, until) >= MADE_UP * rate(past, begin)
    made_up &= back - begin <= cal.span(SHORT)
    edges = np.zeros((len(silent), periods + 1), np.int16)
    np.add.at(edges, (client[made_up], begin[made_up]), 1)
    np.add.at(edges, (client[made_up], back[made_up]), -1)
    return np.asarray(silent & (np.cumsum(edges[:, :-1], axis=1) == 0))


def _silences(activity: Activity) -> tuple[Array, Array]:
    """Silences that ended in an order, and those still open, in orders missed over scatter.

    Silences shorter than a period do not matter for the limit and are left out.
    """
    due, after = activity.missed
    t = np.arange(due.shape[1])
    ended = (activity.orders[:, 1:] > 0) & (after[:, :-1] < t[1:]) & (due[:, :-1] > 0)
    open_ = due[:, -1]
    return due[:, :-1][ended], open_[open_ > 0]
