"""One page an issue: who, since when, why, how sure, what it costs, what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.language import Language
from churnlens.report.pages.verdict import issue_line
from churnlens.results import Evidence, Issue, Review, Text

_BETWEEN = Text("between {low} and {high}")
_ALL_ALONG = Text("In every period looked at")
_PASSED = Text("It has passed; its end lies between {low} and {high}.")
_RAMP = Text("It came on step by step, not at once.")
_STEP = Text("It came at once, not step by step.")
_DRIVER_MOVED = Text("{driver}: from {before} to {after} on average, changed in {date}.")
_DRIVER_CHANGED = Text("{driver}: from {before} to {after} on average.")
_LAG = {
    "week": Text("Departures followed about {n} weeks later."),
    "month": Text("Departures followed about {n} months later."),
    "quarter": Text("Departures followed about {n} quarters later."),
}
_AT_ONCE = {
    "week": Text("Departures followed within a week."),
    "month": Text("Departures followed within a month."),
    "quarter": Text("Departures followed within a quarter."),
}
_EXCESS = Text(
    "{observed} left where {expected} were expected; {excess} ({interval}) come from this."
)
_CLIENTS = Text("{n} clients")
_RIVALS = Text("Cannot be told apart from {drivers}: they moved together.")
_ALSO = Text("Nearly the same: {segments}.")
_MARGIN = Text("Margin: {money} a year ({interval}).")
_NOT_WRITTEN = Text(
    "No test has been written down, because nothing could yet be measured against a cause."
)
_DEPARTURES = Text("Departures of these clients, {period} by {period}")
_DRIVER = Text("{driver}, on average")
_LEAD_LAG = Text("Leavers against others, before and after")
_DOSE = Text("Of 100 clients, how many leave in a year, by {driver}")
_WATERFALL = Text("From the departures before to those now")
_SIZES = {"half": charts.HALF, "third": charts.THIRD}
_ROWS: Mapping[int, tuple[str, ...]] = {  # so many charts stand in rows of these widths
    0: (),
    1: ("half",),
    2: ("half", "half"),
    3: ("third", "third", "third"),
    4: ("half", "half", "half", "half"),
    5: ("half", "half", "third", "third", "third"),
}
_PERIOD = {"week": Text("week"), "month": Text("month"), "quarter": Text("quarter")}


def issues(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return one page an issue, in the order of their rank."""
    return [issue_page(issue, language) for issue in review.issues]


def issue_page(issue: Issue, language: Language) -> dict[str, Any]:
    """Return all that one issue's page shows."""
    line = issue_line(issue, language)
    return {
        **line,
        "anchor": line["id"],
        "nav": f"{issue.rank}  {language.name(line['who'], 34)}",
        "title": language.sentence(issue.title_text) or language.name(issue.title, 300),
        "kind_name": language.say(words.KINDS[issue.kind]),
        "members": [
            {"attribute": language.driver(a), "values": [language.name(v, 200) for v in values]}
            for a, values in sorted(issue.segment.items())
        ],
        "who_more": _who_more(issue, language),
        "since_more": _since_more(issue, language),
        "why_more": _why_more(issue, language),
        "sure_more": [language.say(text) for text in _sure_more(issue)],
        "cost_more": _cost_more(issue, language),
        "charts": _charts(issue, language),
        "checks": [check(evidence, language) for evidence in issue.evidence],
        "unknown": [language.sentence(text) for text in issue.unknown],
        "clients": [language.name(client, 200) for client in issue.named_clients],
        "remedies": [
            language.name(language.gettext(action), 300) for action in issue.recommendation
        ],
        "test": _test(issue, language),
    }


def check(evidence: Evidence, language: Language) -> dict[str, str]:
    """Return one check: its question, its answer in a word, its sentence."""
    label = words.CHECKS.get(evidence.check)
    name = language.driver(evidence.check)
    return {
        "outcome": evidence.outcome,
        "answer": language.say(words.OUTCOMES[evidence.outcome]),
        "question": language.say(label) if label else language.capital(name),
        "detail": language.say(evidence.text) or language.name(evidence.detail, 400),
    }


def _who_more(issue: Issue, language: Language) -> list[str]:
    found = [language.say(_CLIENTS, n=issue.clients)] if issue.clients else []
    if issue.also_matches:
        parts = language.listed([language.segment(s) for s in issue.also_matches[:3]])
        found.append(language.say(_ALSO, segments=parts))
    return found


def _since_more(issue: Issue, language: Language) -> list[str]:
    if issue.onset is None:
        return [language.say(_ALL_ALONG)] if issue.kind == "standing" else []
    low, high = language.within(issue.onset.low), language.within(issue.onset.high)
    found = [language.say(_BETWEEN, low=low, high=high)] if low != high else []
    if issue.until is not None:
        ends = {k: language.within(getattr(issue.until, k)) for k in ("low", "high")}
        found.append(language.say(_PASSED, **ends))
    if issue.gradual is None:
        return found
    return [*found, language.say(_RAMP if issue.gradual else _STEP)]


def _why_more(issue: Issue, language: Language) -> list[str]:
    driver = language.say(words.measured(issue)) if issue.driver else ""
    found = []
    if issue.driver_change:
        before, after = issue.driver_change
        values = {"driver": language.capital(driver), "before": before, "after": after}
        if issue.driver_onset:
            values["date"] = {"type": "date", "value": issue.driver_onset.date}
        found.append(
            language.say(_DRIVER_MOVED if issue.driver_onset else _DRIVER_CHANGED, **values)
        )
    if issue.lag_periods is not None:
        text = _LAG if issue.lag_periods else _AT_ONCE
        found.append(language.say(text[language.period], n=round(issue.lag_periods, 1)))
    if issue.rivals:
        rivals = language.listed([language.driver(name) for name in issue.rivals])
        found.append(language.say(_RIVALS, drivers=rivals))
    return [*found, language.say(words.effect(issue))] if issue.effect else found


def _sure_more(issue: Issue) -> list[Text]:
    chance = words.chance(issue.p_value)
    return [*words.grounds(issue), *([chance] if chance else [])]


def _cost_more(issue: Issue, language: Language) -> list[str]:
    departures = issue.departures
    values = {
        "observed": departures.observed,
        "expected": round(departures.expected),
        "excess": round(departures.attributable.value),
        "interval": language.span(
            language.number(round(departures.attributable.low)),
            language.number(round(departures.attributable.high)),
        ),
    }
    found = [language.say(_EXCESS, **values)]
    if issue.margin_per_year:
        money = language.money(issue.margin_per_year.value)
        interval = language.interval(issue.margin_per_year, "money")
        found.append(language.say(_MARGIN, money=money, interval=interval))
    return found


def _charts(issue: Issue, language: Language) -> list[dict[str, Any]]:
    """Return the charts that the issue has data for, in reading order, sized to fill rows."""
    name = language.name(language.say(words.measured(issue)), 80) if issue.driver else ""
    moved = issue.driver_onset or issue.onset
    period = _PERIOD[language.period]
    draw: list[tuple[bool, str, Callable[[tuple[int, int]], figures.Figure | None]]] = [
        (
            len(issue.series) > 1,
            language.say(_DEPARTURES, period=period),
            lambda size: figures.departures(issue.series, issue.onset, language, size, issue.until),
        ),
        (
            len(issue.driver_series) > 1,
            language.say(_DRIVER, driver=language.capital(name)),
            lambda size: figures.driver(issue.driver_series, name, moved, language, size),
        ),
        (
            len(issue.lead_lag) > 1,
            language.say(_LEAD_LAG),
            lambda size: figures.lead_lag(issue.lead_lag, name, language, size),
        ),
        (
            len(issue.dose) > 1,
            language.say(_DOSE, driver=name),
            lambda size: figures.dose(issue.dose, name, language, size),
        ),
        (
            len(issue.waterfall) > 1,
            language.say(_WATERFALL),
            lambda size: figures.waterfall(issue.waterfall, language, size),
        ),
    ]
    present = [(title, drawn) for there, title, drawn in draw if there]
    return [
        {"size": width, "title": title, "chart": drawn(_SIZES[width])}
        for width, (title, drawn) in zip(_ROWS[len(present)], present, strict=True)
    ]


def _test(issue: Issue, language: Language) -> list[str]:
    plan = issue.test_plan
    return [language.sentence(plan.text if plan else _NOT_WRITTEN)]
