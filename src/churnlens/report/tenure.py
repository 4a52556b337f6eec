"""What do the charts of how long clients stay say: by tenure, by calendar, by way of leaving."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from churnlens.report import axis, charts, heat
from churnlens.report.figures import Figure, figure, years
from churnlens.report.language import Language
from churnlens.results import ExitCurve, LexisMap, TenureRisk, Text

A_YEAR = {"week": 52, "month": 12, "quarter": 4}

_TENURE, _CLIENTS, _LEFT = Text("Time since the first order"), Text("Clients"), Text("Left")
_RATE, _INTERVAL = Text("Leave in a year, of 100"), Text("95% interval")
_MOST_CLIENTS = Text("Clients, at most")
_RISK_SAID = Text(
    "Dot chart: of 100 clients, {first} leave in a year in the first band of their time with us, "
    "and {last} in the last."
)
_RISK_NOTE = Text("Across: time since the first order. Upright lines are 95% intervals.")
_MONTHS, _YEARS = Text("{low}–{high} mo"), Text("{low}–{high} yr")
_SINCE_MONTHS, _SINCE_YEARS = Text("{low} mo on"), Text("{low} yr on")

_MAP_SAID = Text(
    "Heat map of how often clients leave, by date and by time since the first order. From {least} "
    "to {most} of 100 clients in a year."
)
_MAP_NOTE = Text(
    "Upward: time since the first order. Darker: more of 100 clients leave in a year. Along a "
    "rising diagonal stand the clients won at one time. Blank: too few clients."
)
_BAND_FROM = Text("Date, from")
_UNDER, _BETWEEN, _OVER = Text("under {high}"), Text("{low} to {high}"), Text("{low} or more")

_WAY, _SHARE = Text("Way of leaving"), Text("Share gone")
_WAYS = {
    "lapsed": Text("Fell silent"),
    "shrunk": Text("Shrank"),
    "closed": Text("Closed"),
}
_EXITS_SAID = Text(
    "Step chart of the share of clients that has left in each way by time since the first order: "
    "{shares} at the end."
)
_SHARE_SAID = Text("{way} {share}")


def risk(bands: Sequence[TenureRisk], language: Language) -> Figure | None:
    """How many of 100 clients leave in a year, by how long they have been with us."""
    if len(bands) < 2:
        return None
    number = language.number
    names = [band_name(band.low, band.high, language) for band in bands]
    rows = [
        {
            "band": name,
            "rate": band.rate.value,
            "low": band.rate.low,
            "high": band.rate.high,
            "label": number(band.rate.value, 0),
        }
        for name, band in zip(names, bands, strict=True)
    ]
    said = language.say(
        _RISK_SAID, first=round(bands[0].rate.value), last=round(bands[-1].rate.value)
    )
    return figure(
        charts.dose(rows, charts.HALF),
        said,
        [language.say(t) for t in (_TENURE, _CLIENTS, _LEFT, _RATE, _INTERVAL)],
        [
            [
                name,
                number(band.clients),
                number(band.departures),
                number(band.rate.value, 1),
                language.of_hundred(band.rate),
            ]
            for name, band in zip(names, bands, strict=True)
        ],
        note=language.say(_RISK_NOTE),
    )


def band_name(low: int, high: int | None, language: Language) -> str:
    """Name a band of tenure (periods) in months or, where both ends are whole, in years."""
    a_year = A_YEAR[language.period]
    in_years = low % a_year == 0 and (high or 0) % a_year == 0 and low > 0
    unit = a_year if in_years else a_year / 12
    first = round(low / unit)
    if high is None:
        return language.say(_SINCE_YEARS if in_years else _SINCE_MONTHS, low=first)
    return language.say(_YEARS if in_years else _MONTHS, low=first, high=round(high / unit))


def lexis(found: LexisMap | None, language: Language) -> Figure | None:
    """How often clients leave, by the calendar and by how long they have been with us."""
    if found is None:
        return None
    column = {period: n for n, period in enumerate(found.periods)}
    rates = sorted(cell.rate for cell in found.cells)
    step = heat.step_of(rates[int(0.95 * (len(rates) - 1))])
    cells = [
        {
            "x": column[cell.period],
            "y": cell.tenure // found.width,
            "shade": heat.shade_of(cell.rate, step),
        }
        for cell in found.cells
    ]
    high = max(cell["y"] for cell in cells) + 1
    drawn = heat.heat(
        cells,
        axis.ticks(found.periods, language),
        _year_marks(high, found.width, language),
        (len(found.periods), high),
        charts.HALF,
    )
    return figure(
        drawn,
        language.say(_MAP_SAID, least=round(rates[0]), most=round(rates[-1])),
        [language.say(t) for t in (_TENURE, _BAND_FROM, _MOST_CLIENTS, _LEFT, _RATE)],
        [
            [
                _cell_tenure(cell.tenure, found, language),
                language.period_name(cell.period),
                language.number(cell.clients),
                language.number(cell.departures),
                language.number(cell.rate, 0),
            ]
            for cell in found.cells
        ],
        legend=_shades(step, language),
        note=language.say(_MAP_NOTE),
    )


def _cell_tenure(tenure: int, found: LexisMap, language: Language) -> str:
    high = None if tenure >= found.open_from else tenure + found.width
    return band_name(tenure, high, language)


def _year_marks(bands: int, width: int, language: Language) -> dict[int, str]:
    """Label the bands at which a year of tenure begins, every other year where there are many."""
    a_year = A_YEAR[language.period] // width
    step = max(1, -(-bands // a_year // axis.MOST_TICKS))
    return {n * a_year: years(n, language) for n in range(0, bands // a_year + 1, step)}


def _shades(step: float, language: Language) -> list[tuple[str, str]]:
    edges = [language.number(n * step) for n in range(len(heat.SHADES))]
    names = [language.say(_UNDER, high=edges[1])]
    names += [language.say(_BETWEEN, low=low, high=high) for low, high in pairwise(edges[1:])]
    names.append(language.say(_OVER, low=edges[-1]))
    return [(f"heat{n}", name) for n, name in enumerate(names)]


def way_of(kind: str, language: Language) -> str:
    """Name a way of leaving."""
    return language.say(_WAYS[kind])


def exits(curves: Sequence[ExitCurve], language: Language) -> Figure | None:
    """What share has left in each way, by how long they have been with us."""
    curves = [curve for curve in curves if len(curve.tenure) > 1]
    if len(curves) < 2:
        return None
    a_year = A_YEAR[language.period]
    longest = max(curve.tenure[-1] for curve in curves)
    step = max(1, round(longest / a_year / axis.MOST_TICKS))
    ticks: dict[float, str] = {
        n * a_year: years(n, language) for n in range(0, int(longest // a_year) + 1, step)
    }
    named = [
        (
            language.say(_WAYS[curve.kind]),
            [{"x": x, "y": y} for x, y in zip(curve.tenure, curve.share, strict=True)],
        )
        for curve in curves
    ]
    top = max(max(curve.share) for curve in curves)
    shares = [
        language.say(_SHARE_SAID, way=name, share=language.percent(curve.share[-1]))
        for (name, _), curve in zip(named, curves, strict=True)
    ]
    return figure(
        charts.steps(named, ticks, charts.HALF, top=min(1.0, -(-top // 0.1) * 0.1)),
        language.say(_EXITS_SAID, shares=language.listed(shares)),
        [language.say(t) for t in (_WAY, _TENURE, _SHARE, _INTERVAL, _CLIENTS)],
        [row for curve in curves for row in _exit_rows(curve, a_year, language)],
        legend=[(f"curve{n}", name) for n, (name, _) in enumerate(named)],
    )


def _exit_rows(curve: ExitCurve, a_year: int, language: Language) -> list[list[str]]:
    rows = []
    for count in range(1, int(curve.tenure[-1] // a_year) + 1):
        at = max(n for n, tenure in enumerate(curve.tenure) if tenure <= count * a_year)
        low, high = (language.percent(v[at]) for v in (curve.low, curve.high))
        rows.append(
            [
                language.say(_WAYS[curve.kind]),
                years(count, language),
                language.percent(curve.share[at]),
                language.span(low, high),
                language.number(curve.clients),
            ]
        )
    return rows
