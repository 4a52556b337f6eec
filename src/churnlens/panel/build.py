"""The client-period panel: who was at risk of leaving when, who left, what they lived through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.config import Settings
from churnlens.panel import periods
from churnlens.panel.activity import Activity, measure
from churnlens.panel.attributes import client_attributes
from churnlens.panel.cumulative import cumulative
from churnlens.panel.departures import definition
from churnlens.panel.exposures import Exposure, exposures, further_sides, recorded
from churnlens.panel.onsets import OnsetLikelihood, established, posterior
from churnlens.panel.periods import Calendar, ClientPeriods
from churnlens.panel.products import Changing, Products, products
from churnlens.panel.spells import Departures
from churnlens.panel.tenure import tenure_bands
from churnlens.panel.threads import beside
from churnlens.panel.visibility import chance_of_being_seen
from churnlens.panel.worth import find_price_cut, value_tiers
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
    tiers: Array  # int8[n, T], codes of worth.TIERS, −1 unknown
    exposures: tuple[Exposure, ...]
    sides: tuple[Exposure, ...]  # further ones of the same drivers, read for changes alone
    signup: Array  # period of signup, may be negative; int[n], first order where unknown
    dated: Array  # whether that is a signup on record, bool[n]
    closed: Array  # period of closing, T where none; int[n]
    skipped: tuple[Skipped, ...]
    products: Products | None = None


@dataclass(frozen=True)
class Panel:
    """One row a spell (a client from its first order, or from its return, until it leaves).

    `found[i, t]` is how much of a departure began in period t (a probability under `cadence`, 0 or
    1 under a yes-or-no definition) and `active[i, t]` how much of the client was there to leave and
    be seen leaving; float32[n, T]. Expected departures are hazard × active. `onset` is the period
    of departure where one is counted (int[n], −1 none) with its interval; `kind` is lapsed, shrunk,
    closed or empty; `kept` the part of its volume that stayed. `client` is the row in the book.
    `entry` is the period of the first order or signup (negative: before the data);
    `known_from_start` that it ordered from the start and no signup is on record: its age is not
    known.
    """

    calendar: Calendar
    client: Array
    found: Array
    active: Array
    onset: Array
    onset_low: Array
    onset_high: Array
    kind: Array
    kept: Array
    entry: Array
    known_from_start: Array
    attributes: pd.DataFrame
    tiers: Array
    exposures: tuple[Exposure, ...]
    sides: tuple[Exposure, ...]
    activity: Activity
    revenue: Array
    margin: Array | None
    likelihood: OnsetLikelihood | None
    definition: str
    set_apart: int  # buyers who are no clients (yet): too few orders, or all within two months
    changing: tuple[Changing, ...] = ()  # attributes that a client may change
    breadth: Array | None = None  # categories bought in the year before, int8[n, T]

    @property
    def periods(self) -> tuple[Any, ...]:
        """First day of each period."""
        return self.calendar.starts

    @property
    def at_risk(self) -> Array:
        """Client-periods in which a departure is possible, bool[n, T]."""
        return np.asarray(self.active > 0)

    @property
    def tenure(self) -> Array:
        """Periods since entry, int[n, T]."""
        return np.asarray(np.arange(self.active.shape[1]) - self.entry[:, None])

    @property
    def begin(self) -> Array:
        """Period of the first order of each spell, int[n]."""
        return np.maximum(self.entry, self.activity.first)  # a signup comes before any order

    @property
    def until(self) -> Array:
        """Period in which the client's next spell begins, int[n]; T where it is its last."""
        periods = self.active.shape[1]
        goes_on = np.append(self.client[1:] == self.client[:-1], False)
        return np.where(goes_on, np.append(self.begin[1:], periods), periods)

    @property
    def own(self) -> Array:
        """Client-periods that belong to a spell, from its first order on, bool[n, T].

        What a client lived through before it came back is its earlier spell's.
        """
        t = np.arange(self.active.shape[1])
        return np.asarray((t >= self.begin[:, None]) & (t < self.until[:, None]))

    @property
    def before_onset(self) -> Array:
        """Client-periods before any departure that is counted, bool[n, T]."""
        t = np.arange(self.active.shape[1])
        return np.asarray(t < np.where(self.onset >= 0, self.onset, len(t))[:, None])

    def by_client(self, values: Array) -> Array:
        """Sum what each spell has (float[n]) over the spells of a client, by its row in the book.

        Ends with the last client that has a spell.
        """
        return np.bincount(self.client, weights=values)

    def clients(self, spells: Array) -> int:
        """Return how many clients some spells (their numbers, or bool[n]) are of."""
        return len(np.unique(self.client[spells]))

    def weigh(self, hazard: Array) -> Panel:
        """Return the panel with departures weighed again under a prior hazard, float[n, T]."""
        if self.likelihood is None:
            return self
        now = posterior(self.likelihood, hazard)
        return replace(self, found=now.found, active=now.active)

    def yearly(self, values: Array) -> Array:
        """Return what each spell brought in the year before its onset (else its last year).

        A spell shorter than that is taken to go on as it did; what its client brought before it had
        left and came back is no part of it.
        """
        count = values.shape[1]
        t = np.arange(count)
        end = np.where(self.onset >= 0, self.onset, count)[:, None]
        year = self.calendar.per_year
        window = (t < end) & (t >= np.maximum(end - year, self.entry[:, None]))
        covered = window * self.calendar.share
        share = np.maximum(covered.sum(axis=1) / year, 1 / year)
        return np.asarray((values * window).sum(axis=1) / share)


def open_book(tables: Tables, settings: Settings) -> Book:
    """Aggregate the order book in the engine and measure every client's activity and exposures."""
    cal = periods.calendar(settings.period, tables.first_date, tables.ends_on or tables.as_of)
    data = periods.aggregate(tables, cal)
    attributes, skipped = client_attributes(tables, data.clients)
    signup, dated, closed = _dates(tables, data.clients, cal)
    if tables.renumbered is not None:
        moved = data.clients["client_id"].isin(tables.renumbered.clients).to_numpy()
        at = cal.index(tables.renumbered.moved_on.date())
        closed = np.where(moved, np.minimum(closed, at), closed)
    cut = find_price_cut(settings.price_cut, data.measures)
    (bought, events), (activity, tiers) = beside(
        lambda: (products(data), periods.events(tables, data)),  # what the engine is asked for
        lambda: (measure(data, attributes, closed), value_tiers(data, cal, cut)),
    )
    if isinstance(bought, Skipped):
        skipped, bought = (*skipped, bought), None
    plain, unrecorded = recorded(exposures(data, events, settings))
    return Book(
        calendar=cal,
        data=data,
        activity=activity,
        attributes=attributes,
        tiers=tiers,
        exposures=plain,
        sides=further_sides(data, plain),
        signup=signup,
        dated=dated,
        closed=closed,
        skipped=(*skipped, *unrecorded),
        products=bought,
    )


def _dates(tables: Tables, clients: pd.DataFrame, cal: Calendar) -> tuple[Array, Array, Array]:
    """Period of signup by client, whether that is on record, and the period of closing.

    The first order, and T, where not given. Who ordered before it signed up was a client by then.
    """
    first = cal.indices(clients["first"])
    dated, closed = np.zeros(len(clients), bool), np.full(len(clients), len(cal.starts))
    if tables.clients is None:
        return first, dated, closed
    names = [n for n in ("signup_date", "closed_on") if n in tables.clients.columns]
    known = clients[["client_id"]].merge(
        tables.clients.select("client_id", *names).to_pandas(), on="client_id", how="left"
    )
    signup = first
    if "signup_date" in names:
        given = _where_given(known["signup_date"], cal, first)
        signup = np.minimum(given, first)
        dated = known["signup_date"].notna().to_numpy() & (given <= first)
    if "closed_on" in names:
        closed = np.clip(_where_given(known["closed_on"], cal, closed), 0, len(cal.starts))
    return signup, dated, closed


def _where_given(dates: pd.Series[Any], cal: Calendar, default: Array) -> Array:
    out = default.copy()
    given = dates.notna().to_numpy()
    if given.any():
        out[given] = cal.indices(dates[given])
    return out


def build(book: Book, name: str) -> Panel | Skipped:
    """Return the panel of a book under one churn definition; `Skipped` where it bears none.

    Raises
    ------
    ConfigError
        When there is no such definition.
    """
    spells = definition(name)(book.activity)
    if isinstance(spells, Skipped):
        return spells
    likelihood, found, active = _weights(book.activity, spells)
    keep = np.flatnonzero(active.any(axis=1))
    c, begin = spells.client[keep], spells.begin[keep]
    activity = book.activity.rows(c)
    onset = np.where(activity.closing <= spells.onset[keep], -1, spells.onset[keep])
    first = begin == activity.first
    known_from_start = first & ~book.dated[c] & (begin < book.calendar.span(3))
    kept, silent = _what_stayed(activity, onset, spells.end[keep])
    kind = np.where(onset < 0, "", np.where(silent, "lapsed", "shrunk"))
    closed = (onset < 0) & (activity.closing < len(book.calendar.starts))
    closed &= activity.closing <= spells.end[keep]
    return Panel(
        calendar=book.calendar,
        client=c,
        found=found[keep],
        active=active[keep],
        onset=onset,
        onset_low=spells.low[keep],
        onset_high=spells.high[keep],
        kind=np.where(closed, "closed", kind),
        kept=kept,
        entry=np.where(first, book.signup[c], begin),
        known_from_start=known_from_start,
        attributes=book.attributes.iloc[c].reset_index(drop=True),
        tiers=book.tiers[c],
        exposures=tuple(e.rows(c) for e in book.exposures),
        sides=tuple(e.rows(c) for e in book.sides),
        activity=activity,
        revenue=book.data.revenue[c],
        margin=None if book.data.margin is None else book.data.margin[c],
        likelihood=None
        if likelihood is None
        else OnsetLikelihood(likelihood.log_ratio[keep], likelihood.possible[keep]),
        definition=name,
        set_apart=int((~established(book.activity, book.activity.first)[:, -1]).sum()),
        changing=_changing(book, c, np.where(first, book.signup[c], begin), known_from_start),
        breadth=None if book.products is None else book.products.breadth[c],
    )


def _changing(
    book: Book, client: Array, entry: Array, known_from_start: Array
) -> tuple[Changing, ...]:
    """What a client may change: how long it has been one, and its main category.

    An attribute of the clients table that has the name of one of them stands in its place.
    """
    main = () if book.products is None else (book.products.main.rows(client),)
    found = (*main, tenure_bands(book.calendar, entry, known_from_start))
    return tuple(change for change in found if change.name not in book.attributes)


def _weights(activity: Activity, spells: Departures) -> tuple[OnsetLikelihood | None, Array, Array]:
    """Departures found and clients there to leave, by spell and period."""
    if spells.likelihood is not None:
        now = spells.likelihood.by_book
        return spells.likelihood, now.found, now.active
    t = np.arange(activity.orders.shape[1])
    known = established(activity.rows(spells.client), spells.begin)
    end = np.minimum(spells.end, activity.closing[spells.client])
    end = np.where(spells.onset >= 0, np.minimum(spells.onset + 1, end), end)
    there = (t > spells.begin[:, None]) & (t < end[:, None])
    there[:, 1:] &= known[:, :-1]
    there = there if spells.watched is None else there & spells.watched
    active = np.where(there, chance_of_being_seen(activity, spells), 0).astype(np.float32)
    found = ((t == spells.onset[:, None]) & (active > 0)).astype(np.float32)
    return None, found, active


def _what_stayed(activity: Activity, onset: Array, end: Array) -> tuple[Array, Array]:
    """Part of the volume kept after each onset (NaN without one), and whether ordering stopped."""
    gone = np.flatnonzero(onset >= 0)
    kept, silent = np.full(len(onset), np.nan, np.float32), np.zeros(len(onset), bool)
    kept[gone], silent[gone] = _what_leavers_kept(activity.rows(gone), onset[gone], end[gone])
    return kept, silent


def _what_leavers_kept(activity: Activity, at: Array, end: Array) -> tuple[Array, Array]:
    cal, rows = activity.calendar, np.arange(len(at))
    v, x, e = (cumulative(a) for a in (activity.volume, activity.orders, activity.exposure))
    settled = np.minimum(at + cal.span(4), end - 1)  # past most of a fade
    back = np.maximum(at - cal.span(24), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        before = (v[rows, at] - v[rows, back]) / (e[rows, at] - e[rows, back])
        after = (v[rows, end] - v[rows, settled]) / (e[rows, end] - e[rows, settled])
        kept = np.nan_to_num(after / before).clip(0, 1)
    return kept, x[rows, end] - x[rows, settled] == 0


__all__ = ["Book", "Panel", "build", "open_book"]
