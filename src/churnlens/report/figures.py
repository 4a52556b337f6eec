"""What does each chart say: its data, its title, its description in words, its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churnlens.report import axis, charts
from churnlens.report.language import Language, telling
from churnlens.results import (
    Bar,
    DateEstimate,
    DosePoint,
    DriverPoint,
    LagPoint,
    PeriodPoint,
    ReturnCurve,
    Text,
    totals,
)

Figure = dict[str, Any]

_PERIOD = {"week": Text("Week"), "month": Text("Month"), "quarter": Text("Quarter")}
_LEFT, _EXPECTED, _BAND = Text("Left"), Text("Expected"), Text("Chance alone")
_BETWEEN = Text("Chance gives, low to high")
_LEFT_BY = Text("Left, by {period}")
_BEGAN = Text("Start (95%)")
_AT_RISK = Text("Clients")
_OVER_TIME = Text(
    "Line chart of departures by {period}. {observed} clients left in all where {expected} were "
    "expected."
)
_PERIOD_WORD = {"week": Text("week"), "month": Text("month"), "quarter": Text("quarter")}
_UNTIL_SAID = Text("It had passed after {date}; its end lies between {low} and {high} (95%).")
_ONSET_SAID = Text("The change is dated {date}; it lies between {low} and {high} (95%).")

_INSIDE, _OUTSIDE = Text("These clients"), Text("All others")
_DRIVER_SAID = Text(
    "Line chart of {driver}, mean by {period}, for these clients and for all others."
)

_DRIVER_AXES = Text("Mean by {period}")

_DOSE_BAND, _DOSE_RATE = Text("Band"), Text("Leave in a year, of 100")
_DOSE_CLIENTS, _DOSE_LEFT = Text("Clients"), Text("Left")
_DOSE_INTERVAL = Text("95% interval")
_DOSE_SAID = Text(
    "Dot chart: of 100 clients, {first} leave in a year at {low} of {driver} and {last} at {high}."
)

_LAG, _LAG_EXCESS = Text("Periods from the start of leaving"), Text("Above comparable clients")
_LAG_SAID = Text(
    "Line chart of how far leavers stood above comparable clients in {driver}, by periods before "
    "and after their ordering first fell, in standard deviations."
)
_LAG_ZERO = Text("ordering falls")
_LAG_NOTE = {
    "week": Text(
        "Weeks before and after. Above 0: they had more of it than comparable clients, in "
        "standard deviations."
    ),
    "month": Text(
        "Months before and after. Above 0: they had more of it than comparable clients, in "
        "standard deviations."
    ),
    "quarter": Text(
        "Quarters before and after. Above 0: they had more of it than comparable clients, in "
        "standard deviations."
    ),
}
_TREND_NOTE = {
    "week": Text(
        "Departures per 100 clients a quarter against comparable clients, by weeks before and "
        "after. 0 is the level before the start; below 0, fewer left."
    ),
    "month": Text(
        "Departures per 100 clients a quarter against comparable clients, by months before and "
        "after. 0 is the level before the start; below 0, fewer left."
    ),
    "quarter": Text(
        "Departures per 100 clients a quarter against comparable clients, by quarters before and "
        "after. 0 is the level before the start; below 0, fewer left."
    ),
}
_DOSE_NOTE = Text("Upright lines are 95% intervals. A client stands in every band it was in.")
_START_ZERO = Text("remedy starts")
_TREND_SAID = Text(
    "Line chart of the difference in departures between clients in the remedy's scope and "
    "comparable clients outside it, by periods before and after its start."
)
_TREND_LAG, _TREND_VALUE = Text("Periods from the start"), Text("Difference")

_STEP, _AMOUNT = Text("Step"), Text("Departures")
_BAR_LABELS = {
    "start": Text("Before"),
    "end": Text("Now"),
    "mix": Text("Who we serve"),
    "season": Text("Season"),
    "unexplained": Text("Unexplained"),
}
_WATERFALL_SAID = Text("Waterfall from {start} departures to {end}: {steps}.")
_STEP_SAID = Text("{label} {amount}")
_WATERFALL_TITLE = Text(
    "{end} departures in the last year, {start} a year before. Changed most: {part}"
)
_WATERFALL_OLDER = Text(
    "{part} of the {n} in the last year are put down to what began before both years; the steps "
    "show only what changed."
)
_WATERFALL_TITLE_SHORT = Text("From the departures before to those now")

EVERYONE = Text("All clients")

_SILENCE, _CHANCE = (
    Text("Silence, in multiples of the client’s own rhythm"),
    Text("Chance of a return"),
)
_RETURNS_SAID = Text(
    "Line chart of the chance that a client orders again, by length of silence. At {threshold} "
    "times the client’s own rhythm it falls to {level}."
)
_RETURNS_NOTE = Text(
    "Across: silence, in multiples of the client’s own rhythm. Beyond the upright line, "
    "{threshold} times, it counts as leaving: {level} of those silent so long came back."
)
_TIMES_RHYTHM = Text("{n}×")


def figure(
    spec: charts.Spec, said: str, head: list[str], rows: list[list[str]], **more: Any
) -> Figure:
    """Return a chart, what it says in words, and its figures as a table."""
    return {
        "spec": spec,
        "said": said,
        "head": head,
        "rows": rows,
        "legend": [],
        "note": "",
        "axes": "",  # what is measured: said in a meeting, too, where notes are not
        **more,
    }


def departures(
    points: Sequence[PeriodPoint],
    onset: DateEstimate | None,
    language: Language,
    size: tuple[int, int],
    until: DateEstimate | None = None,
) -> Figure | None:
    """Departures seen against expected, period by period, with the onset and its band.

    `until` is the last period of what has passed. None where nobody left and nobody was expected
    to: a line along nought shows nothing that the sentence beside it does not say.
    """
    if len(points) < 2 or not any(totals(points).values()):
        return None
    say = language.say
    rows = [
        {"x": n, "observed": p.observed, "expected": p.expected, "low": p.low, "high": p.high}
        for n, p in enumerate(points)
    ]
    periods = [p.period for p in points]
    spec = charts.over_time(
        rows, axis.ticks(periods, language), axis.onset_mark(onset, periods, language, until), size
    )
    said = say(
        _OVER_TIME,
        period=_PERIOD_WORD[language.period],
        **totals(points),
    )
    banded = points[0].low is not None
    left = say(_LEFT_BY, period=_PERIOD_WORD[language.period])
    legend = [("line", left), ("dash", say(_EXPECTED))]
    head = [say(_PERIOD[language.period]), say(_LEFT), say(_EXPECTED)]
    head += [say(_BETWEEN)] * banded + [say(_AT_RISK)]
    return figure(
        spec,
        f"{said} {_onset_said(onset, language)} {_until_said(until, language)}".strip(),
        head,
        [_period_row(p, banded, language) for p in points],
        legend=legend + [("band", say(_BAND))] * banded + [("onset", say(_BEGAN))] * bool(onset),
    )


def during(
    points: Sequence[PeriodPoint], onset: DateEstimate, until: DateEstimate | None
) -> tuple[PeriodPoint, ...]:
    """Return the periods from an onset on, up to its last one where it has passed."""
    end = until.date if until else points[-1].period if points else ""
    return tuple(p for p in points if onset.date <= p.period <= end)


def _period_row(point: PeriodPoint, banded: bool, language: Language) -> list[str]:
    seen, due = (language.number(n, 1) for n in (point.observed, point.expected))
    row = [language.period_name(point.period), seen, due]
    if banded:
        low, high = (language.number(v, 1) for v in (point.low, point.high))
        row.append(language.span(low, high))
    return [*row, language.number(point.at_risk)]


def _onset_said(onset: DateEstimate | None, language: Language) -> str:
    if onset is None:
        return ""
    when = {name: language.within(getattr(onset, name)) for name in ("date", "low", "high")}
    return language.say(_ONSET_SAID, **when)


def _until_said(until: DateEstimate | None, language: Language) -> str:
    if until is None:
        return ""
    when = {name: language.within(getattr(until, name)) for name in ("date", "low", "high")}
    return language.say(_UNTIL_SAID, **when)


def driver(
    points: Sequence[DriverPoint],
    name: str,
    onset: DateEstimate | None,
    language: Language,
    size: tuple[int, int],
    until: DateEstimate | None = None,
) -> Figure | None:
    """Compare a driver's mean inside the segment and outside, period by period."""
    if len(points) < 2:
        return None
    say = language.say
    rows = [{"x": n, "inside": p.inside, "outside": p.outside} for n, p in enumerate(points)]
    periods = [p.period for p in points]
    others = any(p.outside is not None for p in points)
    spec = charts.inside_outside(
        rows, axis.ticks(periods, language), axis.onset_mark(onset, periods, language, until), size
    )
    words = {"driver": name, "period": _PERIOD_WORD[language.period]}
    return figure(
        spec,
        f"{say(_DRIVER_SAID, **words)} {_onset_said(onset, language)}".strip(),
        [say(_PERIOD[language.period]), say(_INSIDE), say(_OUTSIDE)],
        [
            [language.period_name(p.period), language.number(p.inside), language.number(p.outside)]
            for p in points
        ],
        legend=[("ink", say(_INSIDE)), ("dash", say(_OUTSIDE))] if others else [],
        axes=say(_DRIVER_AXES, **words),
    )


def dose(
    points: Sequence[DosePoint], name: str, language: Language, size: tuple[int, int]
) -> Figure | None:
    """Departures of 100 clients a year by band of the driver."""
    if len(points) < 2:
        return None
    say, number = language.say, language.number
    bands = _bands(points, language)
    rows = [
        {
            "band": band,
            "rate": p.rate.value,
            "low": p.rate.low,
            "high": p.rate.high,
            "label": number(p.rate.value, 0),
        }
        for band, p in zip(bands, points, strict=True)
    ]
    said = say(
        _DOSE_SAID,
        first=round(points[0].rate.value),
        last=round(points[-1].rate.value),
        low=bands[0],
        high=bands[-1],
        driver=name,
    )
    return figure(
        charts.dose(rows, size),
        said,
        [say(t) for t in (_DOSE_BAND, _DOSE_CLIENTS, _DOSE_LEFT, _DOSE_RATE, _DOSE_INTERVAL)],
        [
            [
                band,
                number(p.clients),
                number(p.departures),
                number(p.rate.value, 1),
                language.of_hundred(p.rate),
            ]
            for band, p in zip(bands, points, strict=True)
        ],
        note=say(_DOSE_NOTE),
    )


def _bands(points: Sequence[DosePoint], language: Language) -> list[str]:
    """Name bands by their edges, with the decimals that tell the narrowest one's apart."""
    narrow = min(points, key=lambda p: p.high - p.low)
    digits = telling(0.0, (narrow.high - narrow.low) / 2, figures=1)
    return [f"{language.number(p.low, digits)}–{language.number(p.high, digits)}" for p in points]


def lead_lag(
    points: Sequence[LagPoint], name: str, language: Language, size: tuple[int, int]
) -> Figure | None:
    """How far leavers stood above comparable clients before and after their ordering fell."""
    note = language.say(_LAG_NOTE[language.period])
    words = (language.say(_LAG_SAID, driver=name), language.say(_LAG_ZERO), note)
    return _around(points, words, (_LAG, _LAG_EXCESS), language, size)


def event_study(points: Sequence[LagPoint], language: Language) -> Figure | None:
    """Compare the remedy's scope with comparable clients outside it, before and after its start."""
    note = language.say(_TREND_NOTE[language.period])
    words = (language.say(_TREND_SAID), language.say(_START_ZERO), note)
    return _around(points, words, (_TREND_LAG, _TREND_VALUE), language, charts.THIRD)


def _around(
    points: Sequence[LagPoint],
    words: tuple[str, str, str],
    head: tuple[Text, Text],
    language: Language,
    size: tuple[int, int],
) -> Figure | None:
    if len(points) < 2:
        return None
    rows = [
        {"lag": p.lag, "value": p.excess.value, "low": p.excess.low, "high": p.excess.high}
        for p in points
    ]
    lags = [p.lag for p in points]
    ticks: dict[float, str] = {
        lag: language.number(lag) if lag <= 0 else f"+{language.number(lag)}"
        for lag in axis.around_nought(min(lags), max(lags), language.period)
    }
    return figure(
        charts.around(rows, ticks, size, words[1]),
        words[0],
        [language.say(t) for t in (*head, _DOSE_INTERVAL, _AT_RISK)],
        [
            [
                language.number(p.lag),
                language.number(p.excess.value, 2),
                language.interval(p.excess),
                language.number(p.clients),
            ]
            for p in points
        ],
        axes=words[2],
    )


def waterfall(bars: Sequence[Bar], language: Language, size: tuple[int, int]) -> Figure | None:
    """From one year's departures to the next, step by step, with what is unexplained."""
    if len(bars) < 2:
        return None
    rows: list[dict[str, Any]] = []
    level = 0.0
    for bar, amount in zip(bars, _adding_up(bars), strict=True):
        total = bar.role in ("start", "end")
        start = 0.0 if total else level
        level = start + bar.value
        rows.append(
            {
                "label": _bar_label(bar, language),
                "role": bar.role if total or bar.value >= 0 else f"less {bar.role}",
                "from": start,
                "to": level,
                "amount": language.number(amount, 0) if total else _signed(amount, language),
            }
        )
    steps = language.listed(
        [language.say(_STEP_SAID, label=r["label"], amount=r["amount"]) for r in rows[1:-1]]
        or ["–"]
    )
    said = language.say(
        _WATERFALL_SAID, start=rows[0]["amount"], end=rows[-1]["amount"], steps=steps
    )
    return figure(
        charts.waterfall(rows, size[0]),
        said,
        [language.say(_STEP), language.say(_AMOUNT)],
        [[row["label"], row["amount"]] for row in rows],
        axes=_older(bars[-1], language),
    )


def _older(last: Bar, language: Language) -> str:
    """Say how many departures of the last year the steps do not show, as what made them is old."""
    if last.older is None:
        return ""
    return language.say(_WATERFALL_OLDER, n=round(last.value), part=round(last.older))


def waterfall_title(bars: Sequence[Bar], language: Language) -> str:
    """Say from where to where the departures went, and what made the largest part of it."""
    parts = [bar for bar in bars if bar.role not in ("start", "end")]
    ends = {bar.role: language.number(bar.value, 0) for bar in bars}
    if not parts or not {"start", "end"} <= set(ends):
        return language.say(_WATERFALL_TITLE_SHORT)
    largest, size = max(
        zip(bars, _adding_up(bars), strict=True),
        key=lambda step: abs(step[0].value) if step[0] in parts else -1,
    )
    label, amount = _bar_label(largest, language), _signed(size, language)
    if largest.role == "cause" and largest.text is not None:
        label = language.say(largest.text)  # within a sentence
    part = language.say(_STEP_SAID, label=label, amount=amount)
    return language.say(_WATERFALL_TITLE, start=ends["start"], end=ends["end"], part=part)


def _adding_up(bars: Sequence[Bar]) -> list[float]:
    """Round totals and steps so that what is printed adds up: a step is between rounded levels."""
    amounts, level = [], 0.0
    for bar in bars:
        if bar.role in ("start", "end"):
            level = bar.value
            amounts.append(float(round(level)))
        else:
            amounts.append(float(round(level + bar.value) - round(level)))
            level += bar.value
    return amounts


def _bar_label(bar: Bar, language: Language) -> str:
    if bar.text is not None:
        return language.sentence(bar.text)
    if bar.role == "cause":
        return language.capital(language.driver(bar.label, 40))
    return language.say(_BAR_LABELS[bar.role])


def _signed(value: float, language: Language) -> str:
    written = language.number(abs(value), 0)
    return written if value == 0 else f"+{written}" if value > 0 else f"−{written}"


def group_name(attribute: str, value: str, language: Language) -> str:
    """Name a group of clients by an attribute's value; all clients without."""
    if not attribute:
        return language.say(EVERYONE)
    return language.capital(language.segment({attribute: (value,)}))


def returns(curve: ReturnCurve | None, language: Language) -> Figure | None:
    """Chance that a silent client orders again, by length of silence; None if none ever did."""
    if curve is None or len(curve.silence) < 2 or not any(curve.chance):
        return None
    points = [
        {"x": x, "y": y, "low": low, "high": high}
        for x, y, low, high in zip(curve.silence, curve.chance, curve.low, curve.high, strict=True)
    ]
    whole = range(0, int(curve.silence[-1]) + 1, max(1, int(curve.silence[-1]) // axis.MOST_TICKS))
    ticks: dict[float, str] = {n: language.say(_TIMES_RHYTHM, n=n) for n in whole}
    nearest = min(range(len(curve.silence)), key=lambda n: abs(curve.silence[n] - curve.threshold))
    # the threshold is kept within bounds: what the curve says there need not be what was aimed at
    level = {"type": "percent", "value": curve.chance[nearest]}
    threshold = language.number(curve.threshold, 1)
    said = language.say(_RETURNS_SAID, threshold=threshold, level=level)
    return figure(
        charts.falling(points, ticks, curve.threshold, charts.HALF),
        said,
        [language.say(t) for t in (_SILENCE, _CHANCE, _DOSE_INTERVAL)],
        [
            [
                language.number(x),
                language.percent(y),
                language.span(language.percent(low), language.percent(high)),
            ]
            for x, y, low, high in zip(
                curve.silence, curve.chance, curve.low, curve.high, strict=True
            )
        ],
        note=language.say(_RETURNS_NOTE, threshold=threshold, level=level),
    )
