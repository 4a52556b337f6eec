"""From last year's departures to this year's, step by step: what made the difference?

A cause at work in both years shows as its change alone; so what began before both is said beside
the total of the last year.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.periods import Calendar
from churnlens.results import Bar, Text
from churnlens.why.attribution import Settled

Array = npt.NDArray[Any]
LEAST = 0.5  # departures below which another issue's part in a segment is left with the unexplained


def waterfall(
    settled: Settled, drivers: tuple[str | None, ...], inside: Array, own: int | None = None
) -> tuple[Bar, ...]:
    """Return the steps from the departures of the year before to those of the last year.

    Clients there to leave (how many, and who), season, each explanation, and what is left; their
    sum is the difference. The last step holds how many of its departures are put down to what
    began before both years. Nothing with less than two years in which departures can be seen.

    Parameters
    ----------
    drivers
        The driver of each part of `settled`; None for a rise that no driver explains.
    inside
        Client-periods to count, bool[n, T] (may be broadcast).
    own
        The part whose issue it is: it comes first, whatever its size.
    """
    panel, year = settled.panel, settled.panel.calendar.per_year
    periods = panel.active.shape[1]

    def by_period(values: Array) -> Array:
        return np.asarray((values * inside).sum(axis=0, dtype=np.float64))

    there = by_period(panel.active)
    if periods < 2 * year or not there[-2 * year :].all():
        return ()
    spans = (slice(periods - 2 * year, periods - year), slice(periods - year, periods))
    start, end = (float(by_period(panel.found)[span].sum()) for span in spans)
    due = by_period(settled.usual * panel.active)
    season = season_step(due, there, panel.calendar, spans)
    mix = float(due[spans[1]].sum() - due[spans[0]].sum()) - season
    causes = [by_period(panel.found * part.share) for part in settled.parts]
    moved = [float(c[spans[1]].sum() - c[spans[0]].sum()) for c in causes]
    shown = [k for k in range(len(moved)) if k == own or abs(moved[k]) >= LEAST]
    shown.sort(key=lambda k: (k != own, -abs(moved[k])))
    steps = [_cause(drivers[k], moved[k]) for k in shown]
    open_ended = any(drivers[k] is None for k in shown)  # nothing recorded explains that step
    rest = end - start - season - mix - sum(moved[k] for k in shown)
    return (
        _bar("start", start, Text("Departures in the year before")),
        _bar("mix", mix, Text("Clients there to leave")),
        _bar("season", season, Text("Season")),
        *steps,
        _bar("unexplained", rest, Text("Rest") if open_ended else Text("Unexplained")),
        replace(
            _bar("end", end, Text("Departures in the last year")),
            older=_older(causes, range(len(causes)) if own is None else (own,), spans),
        ),
    )


def _older(causes: list[Array], asked: Iterable[int], spans: tuple[slice, slice]) -> float | None:
    """Departures of the last year put down to what had begun before both; None: nothing had."""
    began = [causes[k] for k in asked if causes[k][: spans[0].start].sum() >= LEAST]
    return float(sum(c[spans[1]].sum() for c in began)) if began else None


def season_step(due: Array, there: Array, cal: Calendar, spans: tuple[slice, slice]) -> float:
    """Return the departures more in the second span because clients were there at worse seasons.

    Each season's usual rate over both spans less that of the whole year, times the clients that are
    there more in it (`due` departures, `there` client-periods; float[T] each).
    """
    seasons = cal.season
    many = int(seasons.max()) + 1
    clients = [np.bincount(seasons[s], there[s], minlength=many) for s in spans]
    both = slice(spans[0].start, spans[1].stop)
    left = np.bincount(seasons[both], due[both], minlength=many)
    total = clients[0] + clients[1]
    rate = left / np.maximum(total, 1e-9)
    overall = left.sum() / max(total.sum(), 1e-9)
    more = clients[1] - clients[0] * clients[1].sum() / max(clients[0].sum(), 1e-9)
    return float((more * (rate - overall)).sum())


def _cause(driver: str | None, value: float) -> Bar:
    if driver is None:
        return _bar("unexplained", value, Text("Rise without a recorded cause"))
    text = Text("{driver}", {"driver": {"type": "driver", "value": driver}})
    return _bar("cause", value, text)


def _bar(role: Any, value: float, text: Text) -> Bar:
    return Bar(str(text), role, value, text)
