"""What do the charts of how long clients stay say: by tenure, by calendar, by way of leaving."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from churnlens.report import axis, charts, heat
from churnlens.report.figures import Figure, figure, group_name
from churnlens.report.language import Language
from churnlens.results import PERIODS_A_YEAR, ExitCurve, LexisMap, SurvivalCurve, TenureRisk, Text

MOST_LINES = 3  # that can be told apart where they cross, from the back of a room
WIDEST_SHADE = 20.0  # so that the darkest begins below all of 100 clients

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
_SURVIVAL_SAID = Text(
    "Step chart of the share of clients still here by time since the first order."
)
_SURVIVAL_AXES = Text(
    "Upward: share still here, of those there where a line begins. Across: time since the first "
    "order."
)
_EXITS_AXES = Text("Upward: share that has left so. Across: time since the first order.")
_SHARE_HERE, _GROUP = Text("Still here"), Text("Group")
_ONE_YEAR, _SO_MANY_YEARS = Text("1 year"), Text("{n} years")
_SO_MANY_MONTHS = Text("{n} months")

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


def survival(
    curves: Sequence[SurvivalCurve], language: Language, size: tuple[int, int]
) -> Figure | None:
    """Share of clients still here by tenure, a line a group; none that ends within a year.

    In its first months a client has ordered too little to be seen leaving, so that a shorter curve
    would tell of nothing but that.
    """
    a_year = PERIODS_A_YEAR[language.period]
    curves = [curve for curve in curves if curve.tenure and curve.tenure[-1] >= a_year][:MOST_LINES]
    if not curves:
        return None
    longest = max(curve.tenure[-1] for curve in curves)
    named = [
        (
            group_name(curve.attribute, curve.value, language),
            [{"x": x, "y": y} for x, y in zip(curve.tenure, curve.survival, strict=True)],
        )
        for curve in curves
    ]
    return figure(
        charts.steps(named, marks(longest, language), size),
        language.say(_SURVIVAL_SAID),
        [language.say(t) for t in (_GROUP, _TENURE, _SHARE_HERE, _INTERVAL, _CLIENTS)],
        [row for curve in curves for row in _curve_rows(curve, language)],
        legend=[(f"curve{n}", name) for n, (name, _) in enumerate(named)],
        axes=language.say(_SURVIVAL_AXES),
    )


def marks(longest: float, language: Language) -> dict[float, str]:
    """Label an axis of tenure up to `longest` periods: in years, in months where it is short."""
    a_year = PERIODS_A_YEAR[language.period]
    if longest < 2 * a_year:
        months = 12 * longest / a_year
        step = next((n for n in (1, 2, 3) if months <= n * axis.MOST_TICKS), 6)
        return {
            n * a_year / 12: language.say(_SO_MANY_MONTHS, n=n)
            for n in range(0, int(months) + 1, step)
        }
    step = max(1, round(longest / a_year / axis.MOST_TICKS))
    return {n * a_year: years(n, language) for n in range(0, int(longest // a_year) + 1, step)}


def years(count: int, language: Language) -> str:
    """Write a number of years."""
    return language.say(_ONE_YEAR) if count == 1 else language.say(_SO_MANY_YEARS, n=count)


def _curve_rows(curve: SurvivalCurve, language: Language) -> list[list[str]]:
    rows = []
    for count, at in _after_years(curve.tenure, language):
        low, high = (language.percent(v[at]) for v in (curve.low, curve.high))
        rows.append(
            [
                group_name(curve.attribute, curve.value, language),
                years(count, language),
                language.percent(curve.survival[at]),
                language.span(low, high),
                language.number(curve.clients),
            ]
        )
    return rows


def _after_years(tenure: Sequence[float], language: Language) -> list[tuple[int, int]]:
    """Return after how many years a curve is told, and the point of it that is the last by then."""
    a_year = PERIODS_A_YEAR[language.period]
    return [
        (count, max(n for n, at in enumerate(tenure) if at <= count * a_year))
        for count in range(1, int(tenure[-1] // a_year) + 1)
        if tenure[0] <= count * a_year
    ]


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
    a_year = PERIODS_A_YEAR[language.period]
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
    step = min(heat.step_of(rates[int(0.95 * (len(rates) - 1))]), WIDEST_SHADE)
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
        axis.evenly(found.periods, language),
        _band_marks(high, found.width, language),
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


def _band_marks(bands: int, width: int, language: Language) -> dict[int, str]:
    """Label the bands of tenure at which a mark of the axis stands."""
    return {
        int(at // width): label
        for at, label in marks(bands * width, language).items()
        if at % width == 0
    }


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
    longest = max(curve.tenure[-1] for curve in curves)
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
        charts.steps(
            named, marks(longest, language), charts.HALF, top=min(1.0, -(-top // 0.1) * 0.1)
        ),
        language.say(_EXITS_SAID, shares=language.listed(shares)),
        [language.say(t) for t in (_WAY, _TENURE, _SHARE, _INTERVAL, _CLIENTS)],
        [row for curve in curves for row in _exit_rows(curve, language)],
        legend=[(f"curve{n}", name) for n, (name, _) in enumerate(named)],
        axes=language.say(_EXITS_AXES),
    )


def _exit_rows(curve: ExitCurve, language: Language) -> list[list[str]]:
    rows = []
    for count, at in _after_years(curve.tenure, language):
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
