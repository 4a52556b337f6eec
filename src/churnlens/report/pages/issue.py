"""One page an issue: who, since when, why, how sure, what it costs, what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.language import Language
from churnlens.report.pages.verdict import is_mended, issue_line
from churnlens.results import DateEstimate, Evidence, Issue, Review, Text, totals

_BETWEEN = Text("It began between {low} and {high}.")
_CHANGED_IN = Text("{driver}: {low}.")
_CHANGED_BETWEEN = Text("{driver}: between {low} and {high}.")
_DEPARTURES_FROM = Text("Departures: from {later} on.")
_ALL_ALONG = Text("In every period looked at")
_PASSED = Text("It has passed.")
_PASSED_BETWEEN = Text("It has passed; its end lies between {low} and {high}.")
_RAMP = Text("It came on step by step, not at once.")
_STEP = Text("It came at once, not step by step.")
_DRIVER_MOVED = Text("{driver}: from {before} to {after} on average, changed in {date}.")
_DRIVER_CHANGED = Text("{driver}: from {before} to {after} on average.")
_ONE_LATER = {
    "week": Text("Departures followed about a week later."),
    "month": Text("Departures followed about a month later."),
    "quarter": Text("Departures followed about a quarter later."),
}
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
_WENT_ON = Text("The change has passed since; departures went on longer than it did.")
_EXCESS = Text(
    "{observed} left, {expected} would have without it; {excess} ({interval}) come from this."
)
# A driver need not reach all of its segment, nor at once; the chart beside it counts everyone.
_EXCESS_REACHED = Text(
    "Of those it reached, {observed} left, {expected} would have without it; {excess} ({interval}) "
    "come from this."
)
_CLIENTS = Text("{n} clients")
_RIVALS = Text("Cannot be told apart from {drivers}: both moved for these clients.")
_TOLD_APART = Text("Can it be told from what else moved?")
_MOVED_WITH = Text("No: {drivers} moved with it.")
_ALSO = Text("Nearly the same: {segments}.")
_MARGIN = Text("Margin: {money} a year ({interval}).")
_NOT_WRITTEN = Text("No test has been written down: no record says yet what a remedy would undo.")
_UNDER_WAY = Text("A remedy has begun: {action}, from {date}. {verdict}.")
_DEPARTURES = Text("{observed} of these clients left where {expected} were expected")
_DEPARTURES_SINCE = Text("{observed} of these clients left since {date}; {expected} were expected")
_DEPARTURES_SPAN = Text(
    "{observed} of these clients left from {date} to {end}; {expected} were expected"
)
# What is expected in a chart is what would be without any of the issues.
_WITHOUT_ISSUES = Text("{observed} of these clients left; {expected} would have anyway")
_WITHOUT_ISSUES_SINCE = Text(
    "{observed} of these clients left since {date}; {expected} would have anyway"
)
_WITHOUT_ISSUES_SPAN = Text(
    "{observed} of these clients left from {date} to {end}; {expected} would have anyway"
)
_DRIVER = Text("{driver}, on average")
_DRIVER_WENT = Text("{driver} went from {before} to {after} on average")
_DRIVER_BACK = Text("{driver} went from {before} to {after} on average, and back")
_LEAD_LAG = Text("Leavers against comparable clients, before and after their ordering fell")
_LEAD_LAG_MORE = Text("Before their ordering fell, leavers had more of it than comparable clients")
_LEAD_LAG_LESS = Text("Before their ordering fell, leavers had less of it than comparable clients")
_LEAD_LAG_ALIKE = Text("Before their ordering fell, leavers had as much of it as others like them")
_LEAD_LAG_FOR_ALL = Text("It hit leavers and stayers alike, as a change made for all of them does")
_DOSE = Text(
    "Of 100 clients, {first} leave in a year at the lowest {driver} and {last} at the highest"
)
_SIZES = {"half": charts.HALF, "third": charts.THIRD}
_ROWS: Mapping[int, tuple[str, ...]] = {  # so many charts stand in rows of these widths
    0: (),
    1: ("half",),
    2: ("half", "half"),
    3: ("third", "third", "third"),
    4: ("half", "half", "half", "half"),
    5: ("half", "half", "third", "third", "third"),
}


def issues(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return one page an issue, in the order of their rank."""
    return [issue_page(issue, review, language) for issue in review.issues]


def issue_page(issue: Issue, review: Review, language: Language) -> dict[str, Any]:
    """Return all that one issue's page shows."""
    line, mended = issue_line(issue, review, language), is_mended(issue, review)
    return {
        **line,
        "anchor": line["id"],
        "nav": f"{issue.rank}  {language.name(line['who'], 34)}",
        "title": language.title(issue.title_text, issue.title),
        "kind_name": language.say(words.KINDS[issue.kind]),
        "members": [
            {"attribute": language.driver(a), "values": [language.name(v, 200) for v in values]}
            for a, values in sorted(issue.segment.items())
        ],
        "who_more": _who_more(issue, language),
        "since_more": _since_more(issue, language),
        "why_more": _why_more(issue, mended, language),
        "sure_more": [language.say(text) for text in _sure_more(issue)],
        "cost_more": _cost_more(issue, language),
        "charts": _charts(issue, language, several=len(review.issues) > 1),
        "checks": _checks(issue, language),
        "unknown": [language.sentence(text) for text in issue.unknown],
        "clients": [language.name(client, 200) for client in issue.named_clients],
        "remedies": [
            language.name(language.gettext(action), 300) for action in issue.recommendation
        ],
        "passed": mended or issue.until is not None,
        "test": _test(issue, review, language),
    }


def _checks(issue: Issue, language: Language) -> list[dict[str, str]]:
    """Return the checks of an issue, first whether it can be told from what moved with it."""
    found = [check(evidence, language, issue.driver) for evidence in issue.evidence]
    if not issue.rivals:
        return found
    rivals = language.listed([language.driver(name) for name in issue.rivals])
    untold = {
        "outcome": "fail",
        "answer": language.say(words.OUTCOMES["fail"]),
        "question": language.say(_TOLD_APART),
        "detail": language.say(_MOVED_WITH, drivers=rivals),
    }
    return [untold, *found]


def check(evidence: Evidence, language: Language, driver: str | None) -> dict[str, str]:
    """Return one check of a driver (or of a rise without): its question, answer and sentence."""
    label = words.question(evidence.check, driver)
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


def _followed(issue: Issue) -> str | None:
    """First period of the departures, where the title gives it beside that of the change."""
    later = issue.title_text.values.get("later") if issue.title_text else None
    return later["value"] if isinstance(later, Mapping) else None


def _since_more(issue: Issue, language: Language) -> list[str]:
    if issue.onset is None:
        return [language.say(_ALL_ALONG)] if issue.kind == "standing" else []
    ends = {k: language.within(getattr(issue.onset, k)) for k in ("low", "high")}
    one, later = ends["low"] == ends["high"], _followed(issue)
    found = [] if one else [language.say(_BETWEEN, **ends)]
    if later is not None:
        driver = language.capital(language.say(words.measured(issue)))
        changed = _CHANGED_IN if one else _CHANGED_BETWEEN
        found = [
            language.say(changed, driver=driver, **ends),
            language.say(_DEPARTURES_FROM, later=language.within(later)),
        ]
    if issue.until is not None:
        ends = {k: language.within(getattr(issue.until, k)) for k in ("low", "high")}
        text = _PASSED if ends["low"] == ends["high"] else _PASSED_BETWEEN
        found.append(language.say(text, **ends))
    if issue.gradual is None:
        return found
    return [*found, language.say(_RAMP if issue.gradual else _STEP)]


def _why_more(issue: Issue, mended: bool, language: Language) -> list[str]:
    driver = language.say(words.measured(issue)) if issue.driver else ""
    found = []
    if issue.driver_change:
        before, after = language.pair(*issue.driver_change)
        values: dict[str, Any] = {
            "driver": language.capital(driver),
            "before": before,
            "after": after,
        }
        if issue.driver_onset:
            values["date"] = language.period_name(issue.driver_onset.date)
        found.append(
            language.say(_DRIVER_MOVED if issue.driver_onset else _DRIVER_CHANGED, **values)
        )
    if issue.lag_periods is not None:
        lag = round(issue.lag_periods)
        text = _LAG if lag > 1 else _ONE_LATER if lag else _AT_ONCE
        found.append(language.say(text[language.period], n=lag))
    if issue.outlasted:
        found.append(language.say(_WENT_ON))
    if issue.rivals:
        rivals = language.listed([language.driver(name) for name in issue.rivals])
        found.append(language.say(_RIVALS, drivers=rivals))
    effect = words.effect(issue, mended)
    return [*found, language.say(effect)] if effect else found


def _sure_more(issue: Issue) -> list[Text]:
    chance = words.chance(issue.p_value)
    if issue.kind == "mix":  # counted, not tested: its one line stands under the checks
        return []
    return [*words.grounds(issue), *([chance] if chance else [])]


def _cost_more(issue: Issue, language: Language) -> list[str]:
    departures = issue.departures
    excess, expected = round(departures.attributable.value), departures.expected
    rest = departures.observed - excess  # what is printed as a sum adds up
    values = {
        "observed": departures.observed,
        "expected": rest if abs(rest - expected) <= 1 else round(expected),
        "excess": excess,
        "interval": language.span(
            language.number(round(departures.attributable.low)),
            language.number(round(departures.attributable.high)),
        ),
    }
    found = []
    if issue.segment != words.TOO_SMALL:
        found.append(language.say(_EXCESS_REACHED if issue.driver else _EXCESS, **values))
    if issue.margin_per_year:
        money = language.money(issue.margin_per_year.value)
        interval = language.interval(issue.margin_per_year, "money")
        found.append(language.say(_MARGIN, money=money, interval=interval))
    return found


def _charts(issue: Issue, language: Language, several: bool) -> list[dict[str, Any]]:
    """Return the charts that the issue has data for, in reading order, sized to fill rows."""
    name = language.name(language.say(words.measured(issue)), 80) if issue.driver else ""
    moved = issue.driver_onset or issue.onset
    steps = words.by_either(issue.waterfall, (issue,))
    draw: list[tuple[bool, str, Callable[[tuple[int, int]], figures.Figure | None]]] = [
        (
            len(issue.series) > 1,
            _departures_title(issue, language, several),
            lambda size: figures.departures(issue.series, issue.onset, language, size, issue.until),
        ),
        (
            len(issue.driver_series) > 1,
            _driver_title(issue, language.capital(name), language),
            lambda size: figures.driver(
                issue.driver_series, name, moved, language, size, _back(issue)
            ),
        ),
        (
            len(issue.lead_lag) > 1,
            language.say(_lead_lag_title(issue)),
            lambda size: figures.lead_lag(issue.lead_lag, name, language, size),
        ),
        (
            len(issue.dose) > 1,
            _dose_title(issue, name, language),
            lambda size: figures.dose(issue.dose, name, language, size),
        ),
        (
            len(steps) > 1,
            figures.waterfall_title(steps, language),
            lambda size: figures.waterfall(steps, language, size),
        ),
    ]
    present = [(title, drawn) for there, title, drawn in draw if there]
    return [
        {"size": width, "title": title, "chart": drawn(_SIZES[width])}
        for width, (title, drawn) in zip(_ROWS[len(present)], present, strict=True)
    ]


def _departures_title(issue: Issue, language: Language, several: bool) -> str:
    """Say how many left and were expected in the periods that the chart marks, as its table has.

    Beside `several` issues, that what was expected is without any of them.
    """
    if issue.onset is None:
        text = _WITHOUT_ISSUES if several else _DEPARTURES
        return language.say(text, **totals(issue.series))
    dates = {"date": language.period_name(issue.onset.date)}
    if issue.until:
        dates["end"] = language.period_name(issue.until.date)
    counts = totals(figures.during(issue.series, issue.onset, issue.until))
    if several:
        text = _WITHOUT_ISSUES_SPAN if issue.until else _WITHOUT_ISSUES_SINCE
    else:
        text = _DEPARTURES_SPAN if issue.until else _DEPARTURES_SINCE
    return language.say(text, **counts, **dates)


def _driver_title(issue: Issue, name: str, language: Language) -> str:
    if issue.driver_change is None:
        return language.say(_DRIVER, driver=name)
    before, after = language.pair(*issue.driver_change)
    said = _DRIVER_WENT if _back(issue) is None else _DRIVER_BACK
    return language.say(said, driver=name, before=before, after=after)


def _back(issue: Issue) -> DateEstimate | None:
    """Last period of the driver's change; reviews of before told of the departures' end only."""
    return issue.driver_until or issue.until


def _lead_lag_title(issue: Issue) -> Text:
    """Say whether leavers stood out before their ordering fell, where the intervals agree."""
    before = [point.excess for point in issue.lead_lag if point.lag < 0]
    more = sum(excess.low > 0 for excess in before)
    less = sum(excess.high < 0 for excess in before)
    if not before or (more and less):
        return _LEAD_LAG
    if 2 * max(more, less) >= len(before):
        return _LEAD_LAG_MORE if more else _LEAD_LAG_LESS
    if more or less:
        return _LEAD_LAG
    ahead = any(e.check == "lead_lag" and e.outcome == "pass" for e in issue.evidence)
    return _LEAD_LAG_FOR_ALL if ahead else _LEAD_LAG_ALIKE


def _dose_title(issue: Issue, name: str, language: Language) -> str:
    if not issue.dose:
        return ""
    first, last = (round(issue.dose[n].rate.value) for n in (0, -1))
    return language.say(_DOSE, driver=name, first=first, last=last)


def _test(issue: Issue, review: Review, language: Language) -> list[str]:
    """Say what was written down beforehand, or which remedy is under way, or why there is none."""
    begun = [
        language.say(
            _UNDER_WAY,
            action=language.name(remedy.action, 200),
            date=language.when(remedy.start_date),
            verdict=language.say(words.REMEDY_VERDICTS[remedy.verdict]),
        )
        for remedy in review.remedies
        if remedy.issue_id == issue.id
    ]
    if issue.test_plan:
        return [*begun, language.sentence(issue.test_plan.text)]
    why = [language.sentence(s.text) for s in review.skipped if words.is_about(s, issue)]
    return [*begun, *filter(None, why)] or [language.say(_NOT_WRITTEN)]
