"""Describe the book as a whole, before any segment or cause.

Departures by period beside those expected, the date from which the whole book changed, how long
clients stay, how small a rise would have been seen, when a silence means that a client has left,
and the money by period.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens import results
from churnlens.panel import Book, Panel
from churnlens.panel.periods import Calendar
from churnlens.panel.returns import silence_threshold
from churnlens.results import BookChange, DateEstimate, PeriodPoint, ReturnCurve, Skipped
from churnlens.when.calendar import period_points
from churnlens.when.change import ChangeDate, date_changes, date_counts, ramps_of
from churnlens.when.power import smallest_rise
from churnlens.when.rates import informed_part
from churnlens.when.tenure import describe_stay

Array = npt.NDArray[Any]

LEVEL = 0.05
TOLD = 0.7  # part of the usual information from which a period's departures can be told by client


@dataclass(frozen=True)
class Described:
    """The book, and what could not be said of it."""

    book: results.Book
    skipped: tuple[Skipped, ...]


def describe(
    book: Book,
    panel: Panel,
    *,
    orders: int,
    usual: Array,
    observed: Array,
    expected: Array,
    mix: tuple[results.Bar, ...] = (),
    tiers: tuple[results.TierRow, ...] = (),
    stay: tuple[results.Association, ...] = (),
    definitions: tuple[results.DefinitionSummary, ...] = (),
    segments_looked_at: int = 0,
    starts_looked_at: int = 0,
    seed: int = 0,
) -> Described:
    """Describe the book of clients as the first page and the method page show it.

    Parameters
    ----------
    book, panel
        Everything known of every client, and its panel under the definition used.
    orders
        How many there are in all.
    usual
        Chance of a departure per client and period had nothing changed, float[n, T].
    observed, expected
        Effective departures and those expected, as far as the data tell them, float[n, T].
    seed
        Of the Monte Carlo draws behind the change date.
    """
    clients, money = book.data.clients, book.data.revenue.sum(axis=0, dtype=np.float64)
    days = [day.isoformat() for day in panel.periods]
    change = book_change(observed, expected, panel.calendar, seed=seed)
    dated = None if isinstance(change, Skipped) else change
    until = told_until(panel, usual, expected)
    due = float((usual * panel.active)[:, :until].sum(dtype=np.float64))
    told = informed_part(float(expected[:, :until].sum(dtype=np.float64)), due)
    stay_view = describe_stay(panel, until, told)
    rise = visible_rise(panel, expected, dated)
    view = results.Book(
        clients=len(clients),
        orders=orders,
        first_date=str(clients["first"].min())[:10],
        last_date=str(clients["last"].max())[:10],
        set_apart=panel.set_apart,
        series=_series(panel, usual),
        change=_change_date(dated, days),
        change_p=dated.p_value if dated else None,
        mix=mix,
        changes=book_changes(observed, expected, panel.calendar, seed=seed),
        survival=stay_view.survival,
        tenure_risk=stay_view.risk,
        lifetimes=stay_view.lifetimes,
        exits=stay_view.exits,
        lexis=stay_view.lexis,
        cohorts=stay_view.cohorts,
        tiers=tiers,
        stay=stay,
        returns=return_curve(book),
        definitions=definitions,
        smallest_visible_rise=rise,
        segments_looked_at=segments_looked_at,
        starts_looked_at=starts_looked_at,
        revenue_last_year=float(money[-panel.calendar.per_year :].sum()),
        revenue_by_period=tuple(zip(days, money.tolist(), strict=True)),
    )
    undated = (change,) if isinstance(change, Skipped) else ()
    return Described(view, (*undated, *stay_view.skipped))


def book_change(
    observed: Array, expected: Array, cal: Calendar, *, seed: int = 0
) -> ChangeDate | Skipped:
    """Date a rise in the departures of the whole book; its p-value says whether there is one.

    `Skipped` under 20 departures or 8 periods.
    """
    seen, due, first = _by_period(observed, expected)
    found = date_counts(seen, due, rng=np.random.default_rng(seed), ramps=ramps_of(cal))
    return found if isinstance(found, Skipped) else _moved(found, first)


def book_changes(
    observed: Array, expected: Array, cal: Calendar, *, seed: int = 0
) -> tuple[BookChange, ...]:
    """Date every change in the departures of the whole book, rises and falls, by date.

    Parameters are those of `book_change`.
    """
    seen, due, first = _by_period(observed, expected)
    rng, days = np.random.default_rng(seed), [day.isoformat() for day in cal.starts]
    found = date_changes(seen, due, rng=rng, level=LEVEL, ramps=ramps_of(cal))
    return tuple(
        BookChange(
            DateEstimate(*(days[first + t] for t in (c.start, c.low, c.high))),
            ratio=c.ratio,
            gradual=c.is_gradual,
            p_value=c.p_value,
        )
        for c in found
    )


def _by_period(observed: Array, expected: Array) -> tuple[Array, Array, int]:
    """Departures and those expected by period, from the first with any expected, and which it is.

    All of them where none are expected in any: there are periods enough then, but no departures.

    float[T − first] both.
    """
    seen = observed.sum(axis=0, dtype=np.float64)
    due = expected.sum(axis=0, dtype=np.float64)
    there = np.flatnonzero(due > 0)
    first = int(there[0]) if len(there) else 0
    return np.maximum(seen[first:], 0.0), due[first:], first


def _moved(change: ChangeDate, periods: int) -> ChangeDate:
    """Count a change's dates from the start of the data."""
    return replace(
        change,
        start=change.start + periods,
        low=change.low + periods,
        high=change.high + periods,
        chances=(0.0,) * periods + change.chances,
    )


def _change_date(change: ChangeDate | None, days: list[str]) -> DateEstimate | None:
    if change is None or change.p_value >= LEVEL:
        return None
    return DateEstimate(days[change.start], days[change.low], days[change.high])


def _series(panel: Panel, usual: Array) -> tuple[PeriodPoint, ...]:
    """Departures and those expected in every period from the first with clients to lose."""
    active = panel.active.sum(axis=0, dtype=np.float64)
    there = np.flatnonzero(active > 0)
    shown = slice(int(there[0]), None) if len(there) else slice(0, 0)
    return period_points(
        [day.isoformat() for day in panel.periods[shown]],
        panel.found.sum(axis=0, dtype=np.float64)[shown],
        (usual * panel.active).sum(axis=0, dtype=np.float64)[shown],
        active[shown],
    )


def visible_rise(panel: Panel, expected: Array, change: ChangeDate | None) -> float | None:
    """Return the smallest risk ratio over the last year that has four chances in five to be seen.

    What is expected rests on the departures of the time before. None where even a rise without
    bound would not be.
    """
    due = expected.sum(axis=0, dtype=np.float64)
    year = panel.calendar.per_year
    return smallest_rise(
        float(due[-year:].sum()),
        compared=float(due[:-year].sum()),
        dispersion=change.dispersion if change else 1.0,
    )


def return_curve(book: Book) -> ReturnCurve:
    """Return the chance of a return by length of silence, and what silence counts as leaving."""
    found = silence_threshold(book.activity)
    return ReturnCurve(
        silence=tuple(found.silence.tolist()),
        chance=tuple(found.chance.tolist()),
        low=tuple(found.low.tolist()),
        high=tuple(found.high.tolist()),
        threshold=found.threshold,
        level=found.level,
    )


def told_until(panel: Panel, usual: Array, expected: Array) -> int:
    """Return one past the last period whose departures can mostly be told client by client.

    A recent silence is undecided: later periods would look as if hardly anybody left.
    """
    due = (usual * panel.active).sum(axis=0, dtype=np.float64)
    told = expected.sum(axis=0, dtype=np.float64) / np.maximum(due, 1e-9)
    usually = np.median(told[due > 0]) if (due > 0).any() else 0.0
    enough = np.flatnonzero((due > 0) & (told >= TOLD * usually))
    return int(enough[-1]) + 1 if len(enough) else 0
