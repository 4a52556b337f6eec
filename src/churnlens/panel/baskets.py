"""Which categories has a client given up, even though it may order others still?

Part of a client's custom often goes elsewhere category by category. Each category that a client
buys is read like a client of its own: silent for longer than its rhythm there allows, the limit
taken from the categories that clients came back to. A category's rhythm is the client's, thinned;
its season is the client's times its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from churnlens.panel.activity import Activity, season_profile
from churnlens.panel.cumulative import cumulative
from churnlens.panel.periods import BASKET_DAYS, Baskets
from churnlens.panel.returns import silence_threshold
from churnlens.panel.spells import Departures, spells_after, yes_or_no
from churnlens.results import Skipped, Text

Array = npt.NDArray[Any]
GIVEN_UP = (
    0.5  # share of what it bought that lay in categories it has given up: half, as volume has
)
SHRUNK = 30.0  # expected orders a season by which a category's own season is shrunk to none


def basket(activity: Activity) -> Departures | Skipped:
    """Gave up the categories that half or more of its money went to, all at once or one by one.

    The client may order other categories still. The onset is the last order in the largest of
    those given up; who takes them up again starts a new spell.
    """
    held = activity.baskets
    if held is None or len(np.unique(held.category)) < 2:
        text = Text(
            "Leaving by basket cannot be told: the orders name no category, or clients come back "
            "to one alone."
        )
        return Skipped("no_baskets", str(text), text)
    lines = by_category(activity, held)
    due, after = lines.missed
    often = np.cumsum(held.orders, axis=1) >= BASKET_DAYS
    silent = often & (due >= silence_threshold(lines).threshold)
    share = np.where(silent, _share(activity, held, after), np.float32(0))
    lost, start = _by_client(held.client, share, after, len(activity.orders))
    gone = lost >= GIVEN_UP
    client, begin, end = spells_after(activity, gone, ~gone & (activity.orders > 0))
    t = np.arange(gone.shape[1])
    declared = gone[client] & (t >= begin[:, None]) & (t < end[:, None])
    return yes_or_no(client, begin, end, declared, np.maximum(start[client], begin[:, None]))


def by_category(activity: Activity, held: Baskets) -> Activity:
    """Return the ordering of every client in each of its categories, a row each.

    A category that a client buys on a share p of its order days has the scatter of a thinned
    renewal process, 1 + p (scatter − 1) (Cox & Isham 1980).
    """
    t = np.arange(held.orders.shape[1])
    ordered = held.orders > 0
    first = ordered.argmax(axis=1)
    last = len(t) - 1 - ordered[:, ::-1].argmax(axis=1)
    own = activity.rows(held.client)
    exposure = own.exposure * (t >= first[:, None])
    exposure = exposure * _season_of_categories(held, exposure * (t <= last[:, None]), activity)
    days = held.orders.sum(axis=1)
    part = np.minimum(days / np.maximum(own.days, 1), 1)
    return replace(
        own,
        orders=held.orders,
        exposure=exposure.astype(np.float32),
        order_scatter=(1 + part * (own.order_scatter - 1)).astype(np.float32),
        first=first,
        last=last,
        days=days,
    )


def _season_of_categories(held: Baskets, exposure: Array, activity: Activity) -> Array:
    """Return each category's season over that of the clients who buy it, float[rows, T]."""
    cal = activity.calendar
    if len(cal.starts) < 2 * cal.per_year:
        return np.ones((1, 1), np.float32)
    rate = held.orders.sum(axis=1) / np.maximum(exposure.sum(axis=1), 1e-9)
    seen = _summed(held.category, held.orders)
    due = _summed(held.category, rate[:, None] * exposure)
    seasons = int(cal.season.max()) + 1
    flat, there = np.ones(seasons), np.ones((1, 1))
    profiles = [
        season_profile(x[None], e[None], there, cal, seasons, flat, SHRUNK)
        for x, e in zip(seen, due, strict=True)
    ]
    return np.asarray(np.stack(profiles)[:, cal.season][held.category])


def _share(activity: Activity, held: Baskets, after: Array) -> Array:
    """Return each category's share of the client's money in the two years up to its last order."""
    rows = np.arange(len(after))[:, None]
    back = np.maximum(after - activity.calendar.span(24), 0)
    spent, whole = cumulative(held.amount), cumulative(held.whole)[held.client]
    own = spent[rows, after] - spent[rows, back]
    return np.asarray(own / np.maximum(whole[rows, after] - whole[rows, back], 1e-9))


def _by_client(client: Array, share: Array, after: Array, count: int) -> tuple[Array, Array]:
    """Return the share given up by each client, and the last order in the largest part of it.

    float32[n, T] and int[n, T]; rows of `client` are in its order.
    """
    lost = np.zeros((count, share.shape[1]), np.float32)
    start = np.zeros(lost.shape, int)
    whose, first = np.unique(client, return_index=True)
    lost[whose] = np.add.reduceat(share, first, axis=0)
    largest = np.zeros_like(lost)
    largest[whose] = np.maximum.reduceat(share, first, axis=0)
    since = np.where(share >= largest[client], after - 1, -1)
    start[whose] = np.maximum(np.maximum.reduceat(since, first, axis=0), 0)
    return lost, start


def _summed(codes: Array, values: Array) -> Array:
    """Return sums of rows by code, float[codes, T]."""
    rows = np.arange(len(codes))
    chosen = sparse.csr_array((np.ones(len(codes)), (codes, rows)))
    return np.asarray(chosen @ values)
