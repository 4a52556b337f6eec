"""Who left, in which way and since when? The churn definitions and their registry.

A definition is one function `Activity -> Departures` and one line in `DEFINITIONS` (or a
`"my_module:name"` string in the config). It may read the data up to a period to declare a
departure in that period, never what comes after; the onset is then dated before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.errors import ConfigError, did_you_mean
from churnlens.panel.activity import Activity
from churnlens.panel.detect import cumulative, date_onset, first_fall, kept_part, steady_threshold
from churnlens.plugins import load_plugin
from churnlens.panel.returns import LEAST_ORDERS, missed, silence_threshold

Array = npt.NDArray[Any]
FALSE_A_YEAR = 0.01  # share of steady clients that a definition may wrongly call gone in a year
SPELLS = 3  # a client who comes back starts a new spell, at most this many


@dataclass(frozen=True)
class Departures:
    """One row a spell of a client, m rows.

    `client` is the client's code, `begin` the spell's first period; `onset` is the period in which
    ordering first fell (−1: it did not), `low` and `high` its 95 % interval, `declared` the
    period in which the data first showed it; `kept` is the part of the rate kept; `silent` tells
    that nothing was ordered after the declaration; `until` is the first period after the spell
    (T, or where the client came back).
    """

    client: Array
    begin: Array
    onset: Array
    low: Array
    high: Array
    declared: Array
    kept: Array
    silent: Array
    until: Array

    @property
    def kind(self) -> Array:
        """`lapsed`, `shrunk` or empty, by spell."""
        return np.where(self.onset < 0, "", np.where(self.silent, "lapsed", "shrunk"))


Definition = Callable[[Activity], Departures]


def cadence(activity: Activity) -> Departures:
    """Fell silent for longer than its own rhythm allows, or ordered half as much and stayed there.

    Silence is counted in orders missed, over the client's own scatter, so that a buyer who comes
    every thirty days is judged sooner than an irregular one; the limit is where the observed
    chance of a return drops to one in ten. A fall of order days or of volume by half is declared
    by a likelihood ratio that one steady client in a hundred would pass in a year.
    """
    limit = silence_threshold(activity).threshold
    return _spells(
        activity, lambda a, begin: _earliest([_silences(a, begin, limit), *_falls(a, begin)])
    )


def silence(activity: Activity) -> Departures:
    """Ordered nothing for a fixed time, the same for all: three times the book's usual gap."""
    cal = activity.calendar
    active = activity.days >= LEAST_ORDERS
    span = (activity.last - activity.first + 1)[active] / np.maximum(activity.days[active] - 1, 1)
    usual = float(np.quantile(span, 0.75)) if active.any() else cal.span(3)
    limit = int(np.clip(np.ceil(3 * usual), cal.span(3), cal.span(12)))
    return _spells(activity, lambda a, begin: _silent_for(a, begin, limit))


def volume(activity: Activity) -> Departures:
    """Bought half as much over half a year as over the year before, season allowed for."""
    window = activity.calendar.span(6)
    return _spells(activity, lambda a, begin: _volume_halved(a, begin, window))


DEFINITIONS: dict[str, Definition] = {"cadence": cadence, "silence": silence, "volume": volume}


def definition(name: str) -> Definition:
    """Return a registered definition, or an analyst's own named as `"my_module:name"`.

    Raises
    ------
    ConfigError
        When there is no such definition.
    """
    if name in DEFINITIONS:
        return DEFINITIONS[name]
    if ":" in name:
        found: Definition = load_plugin(name, "definition")
        return found
    raise ConfigError(
        f"there is no churn definition '{name}'.{did_you_mean(name, DEFINITIONS)} "
        f"Known: {', '.join(DEFINITIONS)}, or 'my_module:name'."
    )


@dataclass(frozen=True)
class _Declared:
    """Declaration and a first guess at the start, by row (−1: none)."""

    at: Array
    start: Array


def _earliest(found: list[_Declared]) -> _Declared:
    at = np.stack([np.where(d.at < 0, 10**6, d.at) for d in found])
    which = at.argmin(axis=0)
    rows = np.arange(at.shape[1])
    first = at[which, rows]
    start = np.stack([d.start for d in found])[which, rows]
    return _Declared(np.where(first < 10**6, first, -1), np.where(first < 10**6, start, -1))


def _falls(activity: Activity, begin: Array) -> list[_Declared]:
    """Falls of order days and of volume, each by its own calibrated likelihood ratio."""
    cal = activity.calendar
    follow_up = tuple(sorted({cal.span(m) for m in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18)}))
    years = len(cal.starts) / cal.per_year
    out = []
    for counts, scatter in (
        (activity.orders, activity.order_scatter),
        (activity.volume, activity.volume_scatter),
    ):
        threshold = steady_threshold(
            _typical(activity, counts, scatter),
            follow_up=follow_up,
            memory=cal.span(24),
            false_share=FALSE_A_YEAR * years / 2,
            seed=1,
        )
        fall = first_fall(
            counts,
            activity.exposure,
            scatter,
            follow_up=follow_up,
            threshold=threshold,
            begin=begin,
            memory=cal.span(24),
            least_before=LEAST_ORDERS,
        )
        out.append(_Declared(fall.declared, fall.start))
    return out


def _typical(activity: Activity, counts: Array, scatter: Array) -> Array:
    """What a sample of this book's clients would order if each stayed as it was."""
    established = np.flatnonzero(activity.days >= 2 * LEAST_ORDERS)
    if len(established) == 0:
        return np.zeros((1, counts.shape[1]), np.float32)
    pick = established[np.linspace(0, len(established) - 1, 3000).astype(int)]
    t = np.arange(counts.shape[1])
    active = (t >= activity.first[pick, None]) & (t <= activity.last[pick, None])
    exposure = activity.exposure[pick]
    rate = (counts[pick] * active).sum(axis=1) / np.maximum((exposure * active).sum(axis=1), 0.5)
    return np.asarray(exposure * (rate / scatter[pick])[:, None], dtype=np.float32)


def _silences(activity: Activity, begin: Array, limit: float) -> _Declared:
    """Declared when the orders missed since the last one, over scatter, reach the limit."""
    due, after = missed(activity, begin)
    return _first(due >= limit, after)


def _first(passed: Array, start: Array) -> _Declared:
    found = passed.any(axis=1)
    at = passed.argmax(axis=1)
    rows = np.arange(len(at))
    return _Declared(np.where(found, at, -1), np.where(found, start[rows, at], -1))


def _silent_for(activity: Activity, begin: Array, limit: int) -> _Declared:
    t = np.arange(activity.orders.shape[1])
    live = t >= begin[:, None]
    last = np.maximum.accumulate(np.where((activity.orders > 0) & live, t, -1), axis=1)
    enough = np.cumsum(activity.orders * live, axis=1) >= LEAST_ORDERS
    # A gap in the data is nobody's silence: only periods in which the book could order count.
    open_ = np.cumsum(activity.exposure > 0.05, axis=1)
    silent = open_ - np.take_along_axis(open_, np.maximum(last, 0), axis=1)
    return _first((silent >= limit) & enough & (last >= 0), last + 1)


def _volume_halved(activity: Activity, begin: Array, window: int) -> _Declared:
    t = np.arange(activity.orders.shape[1])
    live = t >= begin[:, None]
    x, e = cumulative(activity.volume * live), cumulative(activity.exposure * live)
    orders = cumulative(activity.orders * live)
    end = t + 1
    start, back = np.maximum(end - window, 0), np.maximum(end - 3 * window, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        after = (x[:, end] - x[:, start]) / (e[:, end] - e[:, start])
        before = (x[:, start] - x[:, back]) / (e[:, start] - e[:, back])
    enough = (orders[:, start] - orders[:, back] >= 2 * LEAST_ORDERS) & (
        start - begin[:, None] >= window
    )
    return _first(enough & (after <= 0.5 * before), np.broadcast_to(start, after.shape))


def _spells(activity: Activity, find: Callable[[Activity, Array], _Declared]) -> Departures:
    """Run a rule over every client, again from where a client came back."""
    parts, codes, begin = [], np.arange(len(activity.first)), activity.first
    periods = activity.orders.shape[1]
    for _ in range(SPELLS):
        part = activity.rows(codes)
        found = find(part, begin)
        spell = _dated(part, begin, found)
        parts.append(_with_clients(spell, codes))
        back = spell.until < periods
        if not back.any():
            break
        codes, begin = codes[back], spell.until[back]
    return Departures(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Departures))
    )


def _with_clients(spell: Departures, codes: Array) -> Departures:
    values = {f.name: getattr(spell, f.name) for f in fields(Departures)}
    return Departures(**(values | {"client": codes[spell.client]}))


def _dated(activity: Activity, begin: Array, found: _Declared) -> Departures:
    """Date the onset of what was declared, and find where a client came back."""
    n, periods = activity.orders.shape
    out = {name: np.full(n, -1) for name in ("onset", "low", "high")}
    kept, silent, until = np.full(n, np.nan, np.float32), np.zeros(n, bool), np.full(n, periods)
    gone = np.flatnonzero(found.at >= 0)
    if len(gone):
        part, start, at = activity.rows(gone), begin[gone], found.at[gone]
        until[gone] = _came_back(part, start, at)
        settled = np.minimum(at + 1 + activity.calendar.span(2), until[gone])
        steadier = _steadier(part, start, at)
        onset = date_onset(
            *steadier, begin=start, end=settled, months_per_period=12 / activity.calendar.per_year
        )
        at_most = np.minimum(onset.at, at)
        out["onset"][gone] = at_most
        out["low"][gone], out["high"][gone] = (
            np.minimum(onset.low, at_most),
            np.maximum(onset.high, at_most),
        )
        v, e = cumulative(part.volume), cumulative(part.exposure)
        kept[gone] = np.nan_to_num(
            kept_part(v, e, at_most, np.maximum(until[gone], at_most + 1), periods)
        ).clip(0, 1)
        t = np.arange(periods)
        after = (t > at[:, None]) & (t < until[gone][:, None])
        silent[gone] = (part.orders * after).sum(axis=1) == 0
        silent[gone] &= part.orders[np.arange(len(gone)), at] == 0
    return Departures(
        np.arange(n), begin, out["onset"], out["low"], out["high"], found.at, kept, silent, until
    )


def _steadier(activity: Activity, begin: Array, at: Array) -> tuple[Array, Array, Array]:
    """Counts, exposure and scatter to date with: order days, or volume where only volume fell."""
    t = np.arange(activity.orders.shape[1])
    live = t >= begin[:, None]
    recent = (t <= at[:, None]) & (t > at[:, None] - activity.calendar.span(4))
    earlier = live & (t <= at[:, None] - activity.calendar.span(4))
    e_now = np.maximum((activity.exposure * recent).sum(axis=1), 1e-6)
    e_then = np.maximum((activity.exposure * earlier).sum(axis=1), 1e-6)

    def fall(counts: Array) -> Array:
        now, then = (counts * recent).sum(axis=1) / e_now, (counts * earlier).sum(axis=1) / e_then
        return np.asarray(now / np.maximum(then, 1e-9))

    by_volume = fall(activity.orders) > 0.7
    counts = np.where(by_volume[:, None], activity.volume, activity.orders)
    scatter = np.where(by_volume, activity.volume_scatter, activity.order_scatter)
    return counts, activity.exposure, scatter


def _came_back(activity: Activity, begin: Array, at: Array) -> Array:
    """First period after the declaration from which half a year again brings 70 % of before."""
    periods = activity.orders.shape[1]
    t = np.arange(periods)
    before = (t >= begin[:, None]) & (t < at[:, None] - activity.calendar.span(6))
    before |= (t >= begin[:, None]) & (t < at[:, None]) & ~before.any(axis=1, keepdims=True)
    rate = (activity.orders * before).sum(axis=1) / np.maximum(
        (activity.exposure * before).sum(axis=1), 0.5
    )
    window = activity.calendar.span(6)
    x, e = cumulative(activity.orders), cumulative(activity.exposure)
    end = np.minimum(t + window, periods)
    due = rate[:, None] * (e[:, end] - e[:, t])
    again = (x[:, end] - x[:, t] >= 0.7 * due) & (due >= 2) & (activity.orders > 0)
    again &= (end - t == window) & (t > at[:, None])
    return np.where(again.any(axis=1), again.argmax(axis=1), periods)
