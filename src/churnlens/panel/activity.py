"""How much would each client order if nothing changed? Season, rhythm and scatter of ordering."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from churnlens.panel.last_gap import LastGap, last_gaps
from churnlens.panel.periods import Baskets, Calendar, ClientPeriods
from churnlens.panel.shocks import ordering_part, sums_by_value
from churnlens.panel.threads import over_rows

Array = npt.NDArray[Any]
PRIOR_GAPS = 8.0  # pseudo-gaps by which a client's own regularity is shrunk to the book's
# However even its gaps, where in a period a client's next order falls is open: with less scatter
# than this, one blank period would pass for proof that a clockwork buyer has left.
LEAST_SCATTER, MOST_SCATTER = 1 / 3, 4.0
# Pairs of neighbouring quarters from which slow scatter is read, and the factors of it tried.
FEWEST_PAIRS, MOST_PAIRS = 50, 5_000
SLOW = np.geomspace(1, 4, 25)
NORMAL = special.ndtri((np.arange(49) + 0.5) / 49)
OWN_SEASON = 6.0  # log-likelihood by which a client's other years must foretell each of its years
OWN_PRIOR = 0.5  # pseudo-orders a season by which a client's own season is shrunk to the book's


@dataclass(frozen=True)
class Activity:
    """What departures are read from: n clients × T periods.

    `orders` (order days) and `volume` (capped amount, in units of the client's mean order day)
    are float32[n, T]. `exposure` is the ordering expected of a steady client, in average periods:
    season × share of the period covered, 0 before the first order; float32[n, T].
    `order_scatter` and `volume_scatter` are variance over mean of the two per client
    (quasi-Poisson), float32[n]; 1 is a Poisson buyer, below 1 a regular one. `first` and `last`
    are the periods of the first and the last order; `days` is the number of order days;
    `closing` is the period from which a given closing makes leaving impossible (T: there is none).
    `baskets` are the clients' orders by category; None where no category is recorded. `last_gaps`
    are the groups of clients whose silence at the end says nothing.
    """

    calendar: Calendar
    orders: Array
    volume: Array
    exposure: Array
    order_scatter: Array
    volume_scatter: Array
    first: Array
    last: Array
    days: Array
    closing: Array
    baskets: Baskets | None = None
    last_gaps: tuple[LastGap, ...] = ()

    @cached_property
    def missed(self) -> tuple[Array, Array]:
        """`returns.missed` since each client's first order: several definitions ask for it."""
        from churnlens.panel.returns import missed  # which reads what an activity is

        return missed(self, self.first)

    def rows(self, keep: Array | slice) -> Activity:
        """Return the activity of some clients only (`keep` is an index or mask), baskets left."""
        return replace(
            self,
            orders=self.orders[keep],
            volume=self.volume[keep],
            exposure=self.exposure[keep],
            order_scatter=self.order_scatter[keep],
            volume_scatter=self.volume_scatter[keep],
            first=self.first[keep],
            last=self.last[keep],
            days=self.days[keep],
            closing=self.closing[keep],
            baskets=None,
        )


def measure(data: ClientPeriods, attributes: pd.DataFrame, closed: Array) -> Activity:
    """Return the activity of every client, its season and scatter estimated from the book.

    `attributes` (n rows, categorical columns) lets the season differ by, say, industry: the one
    attribute whose values differ most in season gives each value a season of its own. `closed` is
    the period of each client's closing, T where there is none, int[n].
    """
    cal = data.calendar
    first = cal.indices(data.clients["first"])
    last = cal.indices(data.clients["last"])
    days = data.clients["days"].to_numpy()
    active = (np.arange(len(cal.starts)) >= first[:, None]) & (
        np.arange(len(cal.starts)) <= last[:, None]
    )
    season, covered = _expected(data.orders, active, cal, attributes)
    exposure = season * covered * (np.arange(len(cal.starts)) >= first[:, None])
    open_yet = np.arange(len(cal.starts)) < closed[:, None]
    due = _own_rate(data.orders, exposure * active) * exposure * open_yet
    part, gaps = last_gaps(data.orders, due, cal, attributes)
    exposure = exposure * part
    scatter = _order_scatter(data.clients)
    exposure = exposure * own_season(data.orders, exposure * active, scatter, cal)
    mean_day = data.clients["mean_day"].to_numpy(dtype=float)
    volume = data.volume / np.maximum(mean_day, 1e-9)[:, None].astype(np.float32)
    slow = _slow_scatter(data.orders, exposure, active, scatter, cal)
    cv2 = np.nan_to_num(data.clients["amount_cv2"].to_numpy(dtype=float), nan=1.0).clip(0, 2)
    return Activity(
        calendar=cal,
        orders=data.orders,
        volume=volume,
        exposure=exposure.astype(np.float32),
        order_scatter=(scatter * slow).astype(np.float32),
        volume_scatter=((scatter + cv2) * slow).astype(np.float32),
        first=first,
        last=last,
        days=days,
        # A silence that begins within three months of the closing belongs to the closing.
        closing=np.where(closed < len(cal.starts), np.maximum(closed - cal.span(3), 0), closed),
        baskets=data.baskets,
        last_gaps=gaps,
    )


def _order_scatter(clients: pd.DataFrame) -> Array:
    """Variance over mean of order counts from the local variation of gaps.

    Local variation (Shinomoto et al. 2003) compares neighbouring gaps only, so a client that
    slows down does not pass for an irregular one. For gamma gaps of shape k it is 3/(2k+1), and
    counts have variance over mean 1/k.
    """
    lv = clients["local_variation"].to_numpy(dtype=float)
    pairs = np.maximum(clients["days"].to_numpy(dtype=float) - 2, 0)
    known = np.isfinite(lv) & (pairs > 0)
    book = np.average(lv[known], weights=np.minimum(pairs[known], 20)) if known.any() else 1.0
    shrunk = (PRIOR_GAPS * book + pairs * np.where(known, lv, 0)) / (
        PRIOR_GAPS + np.where(known, pairs, 0)
    )
    shrunk = shrunk.clip(0.0, 2.0)
    return np.asarray((2 * shrunk / (3 - shrunk)).clip(LEAST_SCATTER, MOST_SCATTER))


def _slow_scatter(
    orders: Array, exposure: Array, active: Array, scatter: Array, cal: Calendar
) -> float:
    """Factor by which neighbouring quarters scatter more than the gaps alone would make them.

    Few orders in whole numbers are seldom as near to what is expected as a normal variate, so what
    is seen is held against such numbers drawn with each factor.
    """
    width = cal.span(3)
    blocks = orders.shape[1] // width
    if blocks < 3:
        return 1.0
    cut = blocks * width

    def sums(a: Array) -> Array:
        return np.asarray(a[:, :cut].reshape(len(a), blocks, width).sum(axis=2))

    count, expected, inside = sums(orders), sums(exposure), sums(active.astype(np.float32))
    a, b, ea, eb = count[:, :-1], count[:, 1:], expected[:, :-1], expected[:, 1:]
    steady = (
        (inside[:, :-1] == width) & (inside[:, 1:] == width) & (a + b >= 4) & (ea > 0) & (eb > 0)
    )
    if steady.sum() < FEWEST_PAIRS:
        return 1.0
    some = np.flatnonzero(steady)[:: -(-int(steady.sum()) // MOST_PAIRS)]
    first, total, share = (
        x.ravel()[some] for x in (a, a + b, ea / np.where(ea + eb > 0, ea + eb, 1))
    )
    own = np.repeat(scatter, blocks - 1)[some]
    mean, variance = total * share, total * share * (1 - share) * own
    drawn = [
        _apart((mean[:, None] + np.sqrt(f * variance)[:, None] * NORMAL).round(), mean, variance)
        for f in SLOW
    ]
    return float(np.interp(_apart(first[:, None], mean, variance), drawn, SLOW))


def _apart(counts: Array, mean: Array, variance: Array) -> float:
    """Mean square distance of counts, float[k, draws], in standard deviations, one at the most.

    Real changes sit in the upper tail.
    """
    return float(np.minimum((counts - mean[:, None]) ** 2 / variance[:, None], 1).mean())


def _expected(
    orders: Array, active: Array, cal: Calendar, attributes: pd.DataFrame
) -> tuple[Array, Array]:
    """Return season, and the part of each period in which each client could order: [n, T] each.

    A season read over a shock has something of the shock in it, so it is read again without.
    """
    season = seasonal_index(orders, active, cal, attributes)
    there = active * cal.share
    due = _own_rate(orders, there) * there * season
    part = ordering_part(orders * active, due, cal, attributes)
    if (part == 1).all():
        return season, cal.share * part
    season = seasonal_index(orders, active, cal, attributes, part)
    due = _own_rate(orders, there * part) * there * season
    part = ordering_part(orders * active, due, cal, attributes)
    return season, cal.share * part


def seasonal_index(
    orders: Array,
    active: Array,
    cal: Calendar,
    attributes: pd.DataFrame,
    part: Array | float = 1.0,
) -> Array:
    """Return expected ordering by client and period relative to an average period, float32[n, T].

    Ratio to trend: orders of clients between their first and last order, over what their mean
    rate would bring in the `part` of each period in which it could order ([n, T]), detrended by
    year, averaged by season. Under two years of data a season cannot be told from a trend and all
    is 1.
    """
    seasons = cal.per_year if cal.period != "week" else 12
    if len(cal.starts) < 2 * cal.per_year:
        return np.ones(orders.shape, np.float32)
    there = (active * cal.share * part).astype(np.float32)
    expected = _own_rate(orders, there) * there
    book = season_profile(orders, expected, active, cal, seasons, np.ones(seasons), prior=0.0)
    groups = _season_groups(orders, expected, active, cal, seasons, book, attributes)
    if groups is None:
        return np.broadcast_to(book[cal.season], orders.shape).astype(np.float32)
    profiles = np.stack(
        [
            season_profile(
                orders[groups == g],
                expected[groups == g],
                active[groups == g],
                cal,
                seasons,
                book,
                prior=30.0,
            )
            for g in range(groups.max() + 1)
        ]
    )
    return profiles[groups][:, cal.season].astype(np.float32)


def own_season(orders: Array, exposure: Array, scatter: Array, cal: Calendar) -> Array:
    """Return each client's own season over the book's, float32[n, T]; 1 for nearly everyone.

    A client gets a season of its own (a Christmas trade) where its years, each foretold by the
    season of its other years, are foretold better all in all than by the book's, orders shared out
    within the year; single years may be foretold worse. One fall, or one bad winter, foretells
    nothing. Years count back from the end of the data.
    `exposure` is what is due of each client between its first and its last order.
    """
    years = (len(cal.starts) - 1 - np.arange(len(cal.starts))) // cal.per_year
    if years[0] < 1:
        return np.ones((1, 1), np.float32)
    own = np.empty(orders.shape, np.float32)

    def fill(rows: slice) -> None:
        own[rows] = _own_season(orders[rows], exposure[rows], scatter[rows], years, cal.season)

    over_rows(fill, len(orders))
    return own


def _own_season(
    orders: Array, exposure: Array, scatter: Array, years: Array, season: Array
) -> Array:
    seasons = int(season.max()) + 1
    cell = np.eye(seasons * (years[0] + 1), dtype=np.float32)[years * seasons + season]
    seen = np.einsum("it,tc->ic", orders, cell).reshape(len(orders), -1, seasons)
    due = np.einsum("it,tc->ic", exposure, cell).reshape(seen.shape)
    others = _season_over(seen.sum(1, keepdims=True) - seen, due.sum(1, keepdims=True) - due)
    share = due * others / np.maximum((due * others).sum(axis=2, keepdims=True), 1e-9)
    usual = due / np.maximum(due.sum(axis=2, keepdims=True), 1e-9)
    better = np.log(np.maximum(share, 1e-9) / np.maximum(usual, 1e-9))
    foretold = (seen * better).sum(axis=(1, 2)) / scatter
    factor = _season_over(seen.sum(axis=1), due.sum(axis=1))
    factor = np.where((foretold >= OWN_SEASON)[:, None], factor, 1)
    return np.asarray(factor[:, season], dtype=np.float32)


def _season_over(seen: Array, due: Array) -> Array:
    """Orders seen over orders due by season (last axis) at the client's own rate, shrunk to 1."""
    rate = seen.sum(axis=-1, keepdims=True) / np.maximum(due.sum(axis=-1, keepdims=True), 1e-9)
    return np.asarray((seen + OWN_PRIOR) / (rate * due + OWN_PRIOR))


def _own_rate(orders: Array, there: Array) -> Array:
    """Orders of each client over the part of each period ([n, T]) that it was there, [n, 1]."""
    total = (orders * (there > 0)).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(there.sum(axis=1, keepdims=True), 1e-9), np.float32)


def season_profile(
    orders: Array,
    expected: Array,
    active: Array,
    cal: Calendar,
    seasons: int,
    base: Array,
    prior: float,
) -> Array:
    """Season factors, mean 1, shrunk to `base` by `prior` expected orders a season."""
    seen, due = (orders * active).sum(axis=0), expected.sum(axis=0)
    trend = _trend(seen, due, cal.per_year)
    s = cal.season
    seen_s = np.bincount(s, seen, minlength=seasons)
    due_s = np.bincount(s, due * trend, minlength=seasons)
    factors = (seen_s + prior * base) / np.maximum(due_s + prior, 1e-9)
    factors = np.where(due_s + prior > 0, factors, 1.0)
    return np.asarray(factors / factors.mean()).clip(0.05, 20.0)


def _trend(seen: Array, due: Array, per_year: int) -> Array:
    """Centred moving ratio over one year, the ends held level."""
    kernel = np.ones(per_year + 1)
    kernel[[0, -1]] = 0.5
    top, bottom = np.convolve(seen, kernel, "same"), np.convolve(due, kernel, "same")
    trend = top / np.maximum(bottom, 1e-9)
    half = per_year // 2
    trend[:half], trend[len(trend) - half :] = trend[half], trend[len(trend) - half - 1]
    return np.where(trend > 0, trend, 1.0)


def _season_groups(
    orders: Array,
    expected: Array,
    active: Array,
    cal: Calendar,
    seasons: int,
    book: Array,
    attributes: pd.DataFrame,
) -> Array | None:
    """Return the attribute whose values differ most in season, as codes; None where none does."""
    inside = orders * active
    best, codes = 4.0, None  # mean chi-square per degree of freedom that must be passed
    for name in attributes:
        column = attributes[name].cat.codes.to_numpy()
        values = int(column.max()) + 1
        if values < 2 or values > 40 or (column < 0).any():
            continue
        chi2 = 0.0
        for seen, due in zip(
            sums_by_value(column, inside), sums_by_value(column, expected), strict=True
        ):
            due = due * _trend(seen, due, cal.per_year) * book[cal.season]
            by_season = np.bincount(cal.season, seen - due, minlength=seasons)
            chi2 += float(
                (
                    by_season**2 / np.maximum(np.bincount(cal.season, due, minlength=seasons), 1)
                ).sum()
            )
        gain = chi2 / (values * (seasons - 1))
        if gain > best:
            best, codes = gain, column.astype(int)
    return codes
