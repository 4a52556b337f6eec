"""Which remedies are under way, did they work, and what will the next quarter bring?"""

from __future__ import annotations

from typing import Any

from churnlens.report import figures, words
from churnlens.report.language import Language
from churnlens.report.pages.stay import tier_name
from churnlens.report.pages.verdict import is_mended, issue_line
from churnlens.results import Estimate, Issue, RemedyResult, Review, Text

_READABLE = Text("can be read from {date}")
_MOVED = Text("What it was to change went from {before} to {after} on average.")
_DRIVER_MOVED = Text("{driver} went from {before} to {after} on average.")
_AVOIDED = Text("Departures avoided so far: {n}.")
_MAY_BE_CHANCE = Text("Departures avoided so far: {n}, which may be chance.")
_HOW_MANY = Text("Departures avoided so far: {n}; how many is not sure yet.")
_NONE_AVOIDED = Text("Departures so far are {n} more than would be expected without it.")
_STILL = Text("Still to be won back: {n} departures a year.")
_LITTLE_LEFT = Text(
    "Still to be won back: none that stands out from chance, {most} departures a year at the most."
)
_NOTHING_LEFT = Text("Nothing is left to win back: departures are no more than before the cause.")
_TREND_FEWER = Text("After the start fewer left than before it, set against comparable clients")
_TREND_AS_MANY = Text(
    "After the start no fewer left than before it, set against comparable clients"
)
_TREND_UNTOLD = Text("Scope against comparable clients, before and after the start")
_ISSUE = Text("{who} (issue {rank})")
_NEXT_QUARTER = Text("Next quarter")
_IF_NOTHING_IS_DONE = Text("The next quarter, if nothing is done")
_AS_THINGS_STAND = Text("The next quarter, as things stand")
_CHECKED = Text(
    "Tried on {quarters} past quarters that it had not seen: {share} of its 95% intervals held "
    "what then came."
)
_OTHER_PACE = Text(
    "It is read from each client's last months. What a month of waiting costs goes by the pace of "
    "the last year, which may be another."
)
_NOT_CARRIED_OUT = Text("Announced, but what it was to change did not change.")


def remedies(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of remedies under way, their results, and the outlook."""
    drivers = {issue.id: words.measured(issue) for issue in review.issues if issue.driver}
    results = [_remedy(r, drivers.get(r.issue_id or ""), language) for r in review.remedies]
    titles = {i.id: _short_title(i, language) for i in review.issues}
    outlook = [
        {
            "group": _group(row.group, titles, language),
            "departures": language.number(round(row.departures.value)),
            "departures_interval": language.span(
                language.number(round(row.departures.low)),
                language.number(round(row.departures.high)),
            ),
            "revenue": language.money(row.revenue.value),
            "revenue_interval": language.interval(row.revenue, "money"),
        }
        for row in review.book.outlook
    ]
    checked = review.book.outlook_method
    said = _CHECKED if checked else None
    share = {"type": "percent", "value": checked.coverage if checked else 0.0}
    quarters = checked.quarters if checked else 0
    mended = bool(review.issues) and all(is_mended(issue, review) for issue in review.issues)
    page = {
        "results": results,
        "outlook": outlook,
        "outlook_title": language.say(_AS_THINGS_STAND if mended else _IF_NOTHING_IS_DONE),
        "checked": _basis(review, language.say(said, quarters=quarters, share=share), language),
    }
    if not results:
        page["nav"] = language.say(_NEXT_QUARTER)
    return [page] if results or outlook else []


def _basis(review: Review, checked: str, language: Language) -> str:
    """Say how the outlook was tried, and why it need not go with what a month of waiting costs."""
    waits = any(issue_line(issue, review, language)["month"] for issue in review.issues)
    return f"{checked} {language.say(_OTHER_PACE)}" if checked and waits else checked


def _short_title(issue: Issue, language: Language) -> str:
    who = language.capital(language.segment(issue.segment))
    return language.say(_ISSUE, rank=issue.rank, who=who)


def _group(group: str, titles: dict[str, str], language: Language) -> str:
    if group == "all":
        return language.say(figures.EVERYONE)
    return titles.get(group) or tier_name(group, language)


def _remedy(remedy: RemedyResult, driver: Text | None, language: Language) -> dict[str, Any]:
    readable = remedy.readable_from
    moved = remedy.driver_moved
    told = remedy.detail is not None and "driver" in remedy.detail.values  # what it did to it
    saved = remedy.money_saved if remedy.money_saved and remedy.money_saved.low > 0 else None
    return {
        "action": language.capital(language.name(remedy.action, 200)),
        "owner": language.name(remedy.owner) if remedy.owner else "",
        "who": language.clients_of(remedy.segment),
        "start": language.when(remedy.start_date),
        "verdict": remedy.verdict,
        "verdict_name": language.say(words.REMEDY_VERDICTS[remedy.verdict]),
        "readable": language.say(_READABLE, date=language.when(readable)) if readable else "",
        "detail": language.sentence(remedy.detail),
        "not_carried_out": language.say(_NOT_CARRIED_OUT) if moved is False and not told else "",
        "avoided": _avoided(remedy.departures_avoided, remedy.verdict, language),
        "moved": "" if told else _moved(remedy, driver, language),
        "at_stake": _at_stake(remedy.still_at_stake, language),
        "plan": language.sentence(remedy.plan.text) if remedy.plan else "",
        "notes": [language.sentence(note) for note in remedy.notes],
        "saved": language.money(saved.value) if saved else "",
        "saved_interval": language.interval(saved, "money"),
        "chart_title": language.say(_trend_title(remedy)),
        "chart": figures.event_study(remedy.pre_trend, language),
    }


def _trend_title(remedy: RemedyResult) -> Text:
    """Say what the chart shows, where the figures are clear; one only announced says nothing."""
    if remedy.verdict == "worked":
        return _TREND_FEWER
    avoided = remedy.departures_avoided
    none = remedy.verdict == "did_not" and avoided is not None and avoided.value <= 0
    return _TREND_AS_MANY if none else _TREND_UNTOLD


def _moved(remedy: RemedyResult, driver: Text | None, language: Language) -> str:
    if remedy.driver_change is None:
        return ""
    before, after = language.pair(*remedy.driver_change)
    if driver is None:
        return language.say(_MOVED, before=before, after=after)
    name = language.sentence(driver)
    return language.say(_DRIVER_MOVED, driver=name, before=before, after=after)


def _avoided(found: Estimate | None, verdict: str, language: Language) -> str:
    """Say how many departures were avoided, or how many more there were than without it."""
    if found is None:
        return ""
    if found.value >= 0:
        unsure = _HOW_MANY if verdict == "worked" else _MAY_BE_CHANCE  # it worked: not by chance
        return language.say(_AVOIDED if found.low > 0 else unsure, n=_whole(found, language))
    more = Estimate(-found.value, -found.high, -found.low)
    return language.say(_NONE_AVOIDED, n=_whole(more, language))


def _at_stake(found: Estimate | None, language: Language) -> str:
    if found is None:
        return ""
    if found.low > 0:
        return language.say(_STILL, n=_whole(found, language))
    most = round(found.high)
    return language.say(_LITTLE_LEFT, most=most) if most > 0 else language.say(_NOTHING_LEFT)


def _whole(estimate: Estimate, language: Language) -> str:
    low, high = (language.number(round(v)) for v in (estimate.low, estimate.high))
    return f"{language.number(round(estimate.value))} ({language.span(low, high)})"
