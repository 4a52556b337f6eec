"""The client-period panel: who was at risk of leaving when, who left, and what they lived through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.config import Settings
from churnlens.panel import periods
from churnlens.panel.activity import Activity, measure
from churnlens.panel.attributes import TIER, TIERS, client_attributes, value_tiers
from churnlens.panel.departures import LEAST_ORDERS, Departures, definition
from churnlens.panel.detect import cumulative
from churnlens.panel.exposures import Exposure, exposures
from churnlens.panel.periods import Calendar, ClientPeriods
from churnlens.panel.visibility import Visibility, visibility
from churnlens.results import Skipped
from churnlens.tables import Tables

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Book:
    """Everything known of every client, before any definition of leaving: n clients × T periods."""

    calendar: Calendar
    data: ClientPeriods
    activity: Activity
    attributes: pd.DataFrame  # n rows, categorical
    tiers: Array  # int8[n, T], codes of attributes.TIERS, −1 unknown
    exposures: tuple[Exposure, ...]
    signup: Array  # period of signup, may be negative; int[n], first order where unknown
    closed: Array  # period of closing, T where none; int[n]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Panel:
    """One row a spell (a client from its first order, or from its return, until it leaves).

    `at_risk` is bool[n, T]: the client is established, has not begun to leave, and a departure
    now could still be seen; `log_seen` is the log of that chance, float32[n, T], the offset of
    every expectation. `onset` is the period of departure (int[n], −1 none) with its interval
    `onset_low`, `onset_high`; `kind` is lapsed, shrunk, closed or empty; `kept` the part of its
    volume that stayed. `client` is the row in the book. `entry` is the period of the first order
    or signup (negative: before the data), `known_from_start` that it ordered before the data began
    and its age is not known.
    """

    calendar: Calendar
    client: Array
    at_risk: Array
    log_seen: Array
    onset: Array
    onset_low: Array
    onset_high: Array
    declared: Array
    kind: Array
    kept: Array
    entry: Array
    known_from_start: Array
    attributes: pd.DataFrame
    tiers: Array
    exposures: tuple[Exposure, ...]
    orders: Array
    revenue: Array
    margin: Array | None
    definition: str
    undecided: int  # clients whose recent silence cannot be judged yet
    set_apart: int  # clients who never came to three orders
    visibility: Visibility

    @property
    def periods(self) -> tuple[Any, ...]:
        """First day of each period."""
        return self.calendar.starts

    @property
    def events(self) -> tuple[Array, Array]:
        """Row and period of every departure in the risk set."""
        rows = np.flatnonzero(self.onset >= 0)
        return rows, self.onset[rows]

    @property
    def tenure(self) -> Array:
        """Periods since entry, int[n, T]."""
        return np.asarray(np.arange(self.at_risk.shape[1]) - self.entry[:, None])

    def yearly_revenue(self) -> Array:
        """Return what each spell brought a year before its onset (or over its last year seen)."""
        return _yearly(self, self.revenue)

    def yearly_margin(self) -> Array | None:
        """Return the same in margin; None where no margin is recorded."""
        return None if self.margin is None else _yearly(self, self.margin)


def _yearly(panel: Panel, values: Array) -> Array:
    periods = values.shape[1]
    t = np.arange(periods)
    end = np.where(panel.onset >= 0, panel.onset, periods)[:, None]
    year = panel.calendar.per_year
    window = (t < end) & (t >= end - year)
    covered = window * panel.calendar.share * (t >= np.maximum(panel.entry, 0)[:, None])
    share = np.maximum(covered.sum(axis=1) / year, 1 / year)
    return np.asarray((values * window).sum(axis=1) / share)


def open_book(tables: Tables, settings: Settings) -> Book:
    """Aggregate the order book in the engine and measure every client's activity and exposures."""
    cal = periods.calendar(settings.period, tables.first_date, tables.as_of)
    data = periods.aggregate(tables, cal)
    attributes, skipped = client_attributes(tables, data.clients)
    activity = measure(data, attributes)
    signup, closed = _dates(tables, data.clients, cal, activity.first)
    return Book(
        calendar=cal,
        data=data,
        activity=activity,
        attributes=attributes,
        tiers=value_tiers(data, cal),
        exposures=exposures(data, periods.events(tables, data), settings),
        signup=signup,
        closed=closed,
        skipped=skipped,
    )


def _dates(
    tables: Tables, clients: pd.DataFrame, cal: Calendar, first: Array
) -> tuple[Array, Array]:
    """Period of signup and of closing by client; the first order, and T, where not given."""
    periods_count = len(cal.starts)
    closed = np.full(len(clients), periods_count)
    if tables.clients is None:
        return first, closed
    names = [n for n in ("signup_date", "closed_on") if n in tables.clients.columns]
    known = clients[["client_id"]].merge(
        tables.clients.select("client_id", *names).to_pandas(), on="client_id", how="left"
    )
    signup = first
    if "signup_date" in names:
        signup = np.minimum(_indices(known["signup_date"], cal, first), first)
    if "closed_on" in names:
        closed = _indices(known["closed_on"], cal, closed)
    return signup, closed


def _indices(dates: pd.Series[Any], cal: Calendar, default: Array) -> Array:
    stamps = pd.to_datetime(dates)
    days = sorted(stamps.dropna().unique())
    index = {day: cal.index(pd.Timestamp(day).date()) for day in days}
    return np.asarray(stamps.map(index).fillna(pd.Series(default, index=stamps.index)).astype(int))


def build(book: Book, name: str) -> Panel:
    """Return the panel of a book under one churn definition.

    Raises
    ------
    ConfigError
        When there is no such definition.
    """
    activity, cal = book.activity, book.calendar
    spells = definition(name)(activity)
    spells, closed = _closed(spells, book)
    seen = visibility(activity, spells)
    at_risk = _at_risk(book, spells, seen, closed)
    onset = np.where(closed[:, 0] | (spells.onset < 0), -1, spells.onset)
    rows = np.arange(len(onset))
    onset = np.where((onset >= 0) & at_risk[rows, np.maximum(onset, 0)], onset, -1)
    keep = at_risk.any(axis=1)
    c = spells.client[keep]
    kind = np.where(closed[:, 0], "closed", np.where(onset >= 0, spells.kind, ""))
    unknown_age = (
        (book.signup[c] >= 0)
        & (book.activity.first[c] < cal.span(3))
        & (spells.begin[keep] == book.activity.first[c])
    )
    return Panel(
        calendar=cal,
        client=c,
        at_risk=at_risk[keep],
        log_seen=seen.log_seen[keep],
        onset=onset[keep],
        onset_low=spells.low[keep],
        onset_high=spells.high[keep],
        declared=spells.declared[keep],
        kind=kind[keep],
        kept=spells.kept[keep],
        entry=np.where(
            spells.begin == activity.first[spells.client], book.signup[spells.client], spells.begin
        )[keep],
        known_from_start=unknown_age,
        attributes=book.attributes.iloc[c].reset_index(drop=True),
        tiers=book.tiers[c],
        exposures=tuple(e.rows(c) for e in book.exposures),
        orders=activity.orders[c],
        revenue=book.data.revenue[c],
        margin=None if book.data.margin is None else book.data.margin[c],
        definition=name,
        undecided=_undecided(activity, spells, seen),
        set_apart=int((activity.days < LEAST_ORDERS).sum()),
        visibility=seen,
    )


def _closed(spells: Departures, book: Book) -> tuple[Departures, Array]:
    """Mark spells that end by a given closing: bool[m, 1]; their silence is no departure."""
    at = book.closed[spells.client]
    periods_count = len(book.calendar.starts)
    ended = (at < periods_count) & (at >= spells.begin) & (at <= spells.until)
    near = spells.onset >= at - book.calendar.span(3)  # silence that began with the closing
    return spells, (ended & ((spells.onset < 0) | near))[:, None]


def _at_risk(book: Book, spells: Departures, seen: Visibility, closed: Array) -> Array:
    t = np.arange(len(book.calendar.starts))
    x = cumulative(book.activity.orders)[spells.client]
    before = x[:, :-1] - x[np.arange(len(x)), spells.begin][:, None]
    end = np.where(closed[:, 0], book.closed[spells.client], spells.until)
    end = np.where((spells.onset >= 0) & ~closed[:, 0], spells.onset + 1, end)
    inside = (t >= spells.begin[:, None]) & (
        t < np.minimum(end, book.closed[spells.client])[:, None]
    )
    return np.asarray(inside & (before >= LEAST_ORDERS) & seen.seen)


def _undecided(activity: Activity, spells: Departures, seen: Visibility) -> int:
    """Clients silent now whose silence cannot be judged yet."""
    last = len(activity.calendar.starts) - 1
    open_ = (spells.onset < 0) & (activity.last[spells.client] < last) & ~seen.seen[:, last]
    return int((open_ & (activity.days[spells.client] >= LEAST_ORDERS)).sum())


def tier_names(codes: Array) -> Array:
    """Return tier names of codes, "unknown" for −1."""
    return np.asarray([*TIERS, "unknown"])[codes]


__all__ = ["TIER", "Book", "Panel", "build", "open_book", "tier_names"]
