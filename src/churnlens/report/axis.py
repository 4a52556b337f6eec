"""Where does a date stand on an axis of periods, and which periods are labelled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from churnlens.report.language import Language
from churnlens.results import DateEstimate, Text

MOST_TICKS = 5  # labels on an axis, at most
_SINCE = Text("since {when}")
_FROM_TO = Text("{when} to {end}")


def ticks(periods: Sequence[str], language: Language) -> dict[int, str]:
    """Label a few periods, on round months (January, July, …) where there are such."""
    for months in (3, 6, 12, 24, 60):
        marks = [n for n, p in enumerate(periods) if _starts(periods, n, months)]
        if len(marks) <= MOST_TICKS:
            break
    if len(marks) < 2:
        marks = list(range(0, len(periods), max(1, len(periods) // 3)))
    return {n: language.short_date(periods[n]) for n in marks}


def evenly(periods: Sequence[str], language: Language) -> dict[int, str]:
    """Label every band of an axis whose bands are of one width, or every second, third, …."""
    step = -(-len(periods) // MOST_TICKS)
    return {n: language.short_date(periods[n]) for n in range(0, len(periods), step)}


def around_nought(low: int, high: int, period: str) -> list[int]:
    """Return round numbers of periods before and after a moment: whole quarters, half-years, …."""
    steps = {"week": (1, 2, 4, 13, 26, 52), "month": (1, 3, 6, 12, 24), "quarter": (1, 2, 4, 8)}
    for step in steps[period]:
        marks = [n for n in range(low, high + 1) if n % step == 0]
        if len(marks) <= MOST_TICKS + 2:
            break
    return marks


def _starts(periods: Sequence[str], n: int, months: int) -> bool:
    """Say whether this is the first period of a block of so many months."""
    if n == 0:
        return dt.date.fromisoformat(periods[0]).day == 1 and _block(periods[0], months)[1] == 0
    return _block(periods[n], months)[0] != _block(periods[n - 1], months)[0]


def _block(iso: str, months: int) -> tuple[int, int]:
    day = dt.date.fromisoformat(iso)
    return divmod(12 * day.year + day.month - 1, months)


def onset_mark(
    onset: DateEstimate | None,
    periods: Sequence[str],
    language: Language,
    until: DateEstimate | None = None,
) -> dict[str, Any] | None:
    """Place an onset and its interval on the axis, with its label; None where there is none.

    `until` is the last period of what has passed.
    """
    if onset is None:
        return None
    at, low, high = (_place(getattr(onset, k), periods) for k in ("date", "low", "high"))
    mark = {"x": at - 0.5, "low": low - 0.5, "high": high + 0.5}
    when = language.short_date(onset.date)
    if until is None:
        return {**mark, "label": language.say(_SINCE, when=when)}
    end = language.short_date(until.date)
    label = when if end == when else language.say(_FROM_TO, when=when, end=end)
    return {**mark, "until": _place(until.date, periods) + 0.5, "label": label}


def _place(iso: str, periods: Sequence[str]) -> int:
    """Return the index of the period that holds a date (the ends for dates outside)."""
    return max(0, sum(period <= iso[:10] for period in periods) - 1)
