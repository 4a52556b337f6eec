"""What is each client worth, read from the year before each period alone? Value tiers.

By margin where it is given, else by revenue. Set apart from the fifths are three kinds of client
that a rank by money would hide: those that cost more than they bring, large buyers without margin,
and clients loyal only to discounts, who order only when a cut price is given.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.errors import ConfigError, did_you_mean
from churnlens.panel.attributes import SMALLEST
from churnlens.panel.cumulative import cumulative
from churnlens.panel.periods import Calendar, ClientPeriods
from churnlens.panel.threads import over_rows
from churnlens.tables.model import VALUE_TIER, VALUE_TIERS

Array = npt.NDArray[Any]

TIER, TIERS = VALUE_TIER, VALUE_TIERS
TOP, MIDDLE, BOTTOM, COSTLY, LARGE, CUT_ONLY = range(len(TIERS))
PRICE_CUT = re.compile(
    "discount|rebate|markdown|allowance|concession|bonus|promo|price_?cut|reduction|rabatt|remise"
    "|折扣|优惠",
    re.IGNORECASE,
)
OFTEN_CUT = 0.8  # quantile of all records above which a price is cut, where some cut is the rule
PLAIN = 0.5  # share of records without any cut from which every cut counts
ONLY = 0.9  # share of a client's ordering periods at a cut price
FEWEST = 4  # ordering periods of the past year that this is read from
READ = 4_000  # clients, evenly taken, that the usual cut is read from


def value_tiers(data: ClientPeriods, cal: Calendar, price_cut: str | None = None) -> Array:
    """Return each client's value tier at the start of each period, int8[n, T]; −1 without a past.

    Everything is read from the year before the period: what the client brought against all others
    (the top and the bottom fifth), whether it cost more than it brought, whether its revenue is in
    the top fifth and its margin in the bottom fifth, and whether nearly all its orders came at a
    cut price (`price_cut` names the order measure, larger for a deeper cut). Codes index `TIERS`.
    Nothing of the period itself or later is used.
    """
    worth = data.revenue if data.margin is None else data.margin
    brought, ordered = (_past_year(a, cal) for a in (worth, data.orders))
    bought = brought if data.margin is None else _past_year(data.revenue, cal)
    cut = None if price_cut is None else _only_at_a_cut(data.measures[price_cut], cal)
    tiers = np.full(worth.shape, -1, np.int8)
    for t in range(worth.shape[1]):
        known = ordered[:, t] > 0
        if known.sum() < 2 * SMALLEST:
            continue
        tier = _fifths(brought[known, t])
        if data.margin is not None:
            large = bought[known, t] > np.quantile(bought[known, t], 0.8)
            tier = np.where(brought[known, t] < 0, COSTLY, tier)
            tier = np.where(large & np.isin(tier, (BOTTOM, COSTLY)), LARGE, tier)
        if cut is not None:
            tier = np.where(cut[known, t], CUT_ONLY, tier)
        tiers[known, t] = tier
    return tiers


def _fifths(past: Array) -> Array:
    low, high = np.quantile(past, [0.2, 0.8])
    return np.where(past > high, TOP, np.where(past <= low, BOTTOM, MIDDLE))


def _past_year(values: Array, cal: Calendar) -> Array:
    """Sum over the year before each period, float64[n, T]."""
    back = np.maximum(np.arange(values.shape[1]) - cal.per_year, 0)
    past = np.empty(values.shape)

    def fill(rows: slice) -> None:
        running = np.zeros((len(past[rows]), len(back) + 1))
        np.cumsum(values[rows], axis=1, out=running[:, 1:], dtype=np.float64)
        np.subtract(running[:, :-1], running[:, back], out=past[rows])

    over_rows(fill, len(values))
    return past


def _only_at_a_cut(values: Array, cal: Calendar) -> Array:
    """Whether a client ordered almost only at a cut price in the year before, bool[n, T].

    Where most orders carry no cut, any cut counts; where some cut is the rule, one deeper than four
    in five of all records up to then.
    """
    known = np.isfinite(values)
    cut = known & (np.nan_to_num(values) > _usual_cut(values, known))
    recorded, deep = (cumulative(a.astype(np.float32)) for a in (known, cut))
    back = np.maximum(np.arange(values.shape[1]) - cal.per_year, 0)
    records = recorded[:, :-1] - recorded[:, back]
    return np.asarray((records >= FEWEST) & (deep[:, :-1] - deep[:, back] >= ONLY * records))


def _usual_cut(values: Array, known: Array) -> Array:
    """What a cut must exceed in each period, from the records before it and in it, float[T]."""
    out = np.full(values.shape[1], np.inf)
    read = np.unique(np.linspace(0, len(values) - 1, READ).astype(int))
    values, known = values[read], known[read]
    for t in range(values.shape[1]):
        past = values[:, : t + 1][known[:, : t + 1]]
        if len(past):
            plain = (past <= 0).mean() >= PLAIN
            out[t] = 0.0 if plain else np.quantile(past, OFTEN_CUT)
    return out


def find_price_cut(named: str | None, measures: Collection[str]) -> str | None:
    """Return the order measure that says how far a price was cut: as configured, else by its name.

    Raises
    ------
    ConfigError
        When the config names a measure that the orders do not have.
    """
    if named is not None and named not in measures:
        raise ConfigError(
            f"price_cut names '{named}', which is no numeric column of orders."
            f"{did_you_mean(named, measures)} Those it has: {', '.join(measures) or 'none'}."
        )
    guessed = [name for name in measures if PRICE_CUT.search(name)]
    return named if named is not None else (guessed[0] if len(guessed) == 1 else None)
