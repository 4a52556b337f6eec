"""Who is no longer likely to be a client, by the BG/NBD's P(alive)?

The oldest way to judge a silence without contracts, as one more definition of leaving. The model is
fitted to the book; time is each client's expected ordering (season × share of the period covered),
so that a client who orders at Christmas only does not grow old in March.

Source: Fader, Hardie and Lee (2005); see `btyd`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.activity import Activity
from churnlens.panel.btyd import BetaGeometricNBD, fit_bg_nbd
from churnlens.panel.cumulative import cumulative
from churnlens.panel.onsets import LEARN, LEAST_ORDERS
from churnlens.panel.returns import not_made_up
from churnlens.panel.spells import Departures, spells_after, yes_or_no
from churnlens.results import Skipped, Text

Array = npt.NDArray[Any]
# A client is called gone the moment P(alive) falls to this: where the model holds, one in ten of
# those called gone is still a client.
GONE = 0.1


def p_alive(activity: Activity) -> Departures | Skipped:
    """Fell silent until the BG/NBD gives it one chance in ten to be a client still.

    The onset is the last order's period: in this model clients leave right after an order.
    """
    repeats, last, now = histories(activity)
    if not repeats[:, -1:].any():
        text = Text("P(alive) cannot be fitted: no client ordered a second time.")
        return Skipped("no_repeat_orders", str(text), text)
    gone = _chance(_fitted(repeats, last, now), repeats, last, now) <= GONE
    gone = not_made_up(activity, gone, _period_of_last_order(activity) + 1)
    client, begin, end = spells_after(activity, gone, activity.orders > 0)
    t = np.arange(gone.shape[1])
    count = cumulative(activity.orders)[client]
    past = count[:, 1:] - count[np.arange(len(client)), begin][:, None]
    declared = gone[client] & (past >= LEAST_ORDERS)
    declared &= (t >= begin[:, None]) & (t < end[:, None])
    return yes_or_no(client, begin, end, declared, _period_of_last_order(activity)[client])


def histories(activity: Activity) -> tuple[Array, Array, Array]:
    """Return repeat orders, time of the last, and time watched, as known at each period's end.

    float[n, T] each; times are in expected ordering, from the first order on. Of k orders in a
    period the last is taken to lie at k/(k + 1) of it.
    """
    clock = cumulative(activity.exposure)
    at = np.maximum(_period_of_last_order(activity), 0)
    rows = np.arange(len(at))
    in_first = activity.orders[rows, activity.first]
    origin = clock[rows, activity.first] + activity.exposure[rows, activity.first] / (in_first + 1)
    held = np.take_along_axis(activity.orders, at, axis=1)
    when = np.take_along_axis(clock, at, axis=1)
    when += np.take_along_axis(activity.exposure, at, axis=1) * held / (held + 1)
    repeats = np.maximum(np.cumsum(activity.orders, axis=1) - 1, 0)
    now = np.maximum(clock[:, 1:] - origin[:, None], 0)
    last = np.where(repeats > 0, (when - origin[:, None]).clip(0, now), 0)
    return repeats, last, now


def _period_of_last_order(activity: Activity) -> Array:
    """Return the period of the last order so far, int[n, T]; −1 before the first."""
    t = np.arange(activity.orders.shape[1])
    return np.maximum.accumulate(np.where(activity.orders > 0, t, -1), axis=1)


def _fitted(repeats: Array, last: Array, now: Array) -> BetaGeometricNBD:
    """Return the model of the book, from an even sample of its clients as they stand at the end."""
    few = np.unique(np.linspace(0, len(repeats) - 1, LEARN).astype(int))
    if not repeats[few, -1].any():
        few = np.arange(len(repeats))
    return fit_bg_nbd(repeats[few, -1], last[few, -1], now[few, -1])


def _chance(model: BetaGeometricNBD, repeats: Array, last: Array, now: Array) -> Array:
    """Return P(alive) where a client has ordered again, 1 elsewhere; float32[n, T]."""
    out = np.ones(repeats.shape, np.float32)
    again = repeats > 0
    out[again] = model.p_alive(repeats[again], last[again], now[again])
    return out
