"""The first page: what is wrong, since when, and what it costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.language import Language
from churnlens.results import (
    PERIODS_A_YEAR,
    DateEstimate,
    Issue,
    Review,
    Text,
    money_as_said,
    totals,
)

_ALL_ALONG = Text("all along")
_CLIENTS = Text("clients in the book")
_LEFT_YEAR = Text("left in the last year")
_LEFT_YEAR_TO = Text("left in the year to {date}")
_EXPECTED_YEAR = Text("were expected to")
_AT_STAKE = Text("a year lost to issues")
_WAS_LOST = Text("a year lost before the remedy")
_CHART_YEAR = Text("Of the whole book, {observed} left in the last year; {expected} were expected")
_CHART_YEAR_TO = Text(
    "Of the whole book, {observed} left in the year to {date}; {expected} were expected"
)
_CHART_SINCE = Text("Of the whole book, {observed} left since {date}; {expected} were expected")
_CHART_SPAN = Text(
    "Of the whole book, {observed} left from {date} to {end}; {expected} were expected"
)
_OTHERS_FEWER = Text(
    "The issue accounts for {due} and the whole book for {excess} more than expected: all other "
    "clients together left a little less than expected."
)
_LONGEST = {"week": 7, "month": 31, "quarter": 92}  # days
_NO_ISSUE = Text("No issue was found.")


def verdict(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of verdict: its sentences, departures over time, issues by money."""
    return [
        {
            "sentences": _sentences(review, language),
            "figures": _key_figures(review, language),
            "chart_title": _chart_title(review, language),
            "chart": _chart(review, language, charts.WIDE),
            "narrow": _chart(review, language, charts.NARROW),
            "issues": [issue_line(issue, review, language) for issue in review.issues],
        }
    ]


def _sentences(review: Review, language: Language) -> list[str]:
    """Return the review's own sentences; of one saved without any, its first issue's title."""
    if review.verdict:
        return [language.sentence(text) for text in review.verdict]
    first = [language.title(issue.title_text, issue.title) for issue in review.issues[:1]]
    return first or [language.say(_NO_ISSUE)]


def _chart(review: Review, language: Language, size: tuple[int, int]) -> figures.Figure | None:
    onset, until = _marked(review)
    drawn = figures.departures(review.book.series, onset, language, size, until)
    return drawn and {**drawn, "note": _note(review, language)}


def _note(review: Review, language: Language) -> str:
    """Say why the one issue may account for more than the excess of the whole book."""
    onset, until = _marked(review)
    if onset is None or len(review.issues) != 1 or review.issues[0].segment == words.TOO_SMALL:
        return ""
    counts = totals(figures.during(review.book.series, onset, until))
    excess = counts["observed"] - counts["expected"]
    due = round(review.issues[0].departures.attributable.value)
    return language.say(_OTHERS_FEWER, due=due, excess=excess) if due > excess + 1 else ""


def _chart_title(review: Review, language: Language) -> str:
    """Say how many left, and how many were expected, since the date that the chart marks."""
    onset, until = _marked(review)
    points = review.book.series
    if onset is None:
        year = totals(points[-PERIODS_A_YEAR[review.period] :])
        if _is_cut_off(review):
            return language.say(_CHART_YEAR_TO, date=language.month(review.book.last_date), **year)
        return language.say(_CHART_YEAR, **year)
    dates = {"date": language.period_name(onset.date)}
    if until:
        dates["end"] = language.period_name(until.date)
    counts = totals(figures.during(points, onset, until))
    return language.say(_CHART_SPAN if until else _CHART_SINCE, **counts, **dates)


def _marked(review: Review) -> tuple[DateEstimate | None, DateEstimate | None]:
    """Onset and end of the costliest issue that has a date, else the book's last change.

    One that the verdict does not name is not marked. Where the book's make-up changed, what is
    expected rose with what was seen: nothing to mark.
    """
    if review.issues and review.issues[0].kind == "mix":
        return None, None
    dated = [(issue.onset, issue.until) for issue in review.issues if issue.onset]
    if dated:
        return dated[0]
    named = [text.values.get("date") for text in review.verdict]
    for change in review.book.changes[-1:]:
        if {"type": "month", "value": change.date.date} in named:
            return change.date, None
    return None, None


def _key_figures(review: Review, language: Language) -> list[dict[str, str]]:
    """Return up to four figures: the number as written, and what it counts."""
    last = review.book.series[-PERIODS_A_YEAR[review.period] :]
    book = review.book
    # who was set apart is no client, or not yet, and is in none of the other figures
    found = [(language.number(book.clients - book.set_apart), _CLIENTS)]
    if last:
        counts = totals(last)
        to = words.fill(_LEFT_YEAR_TO, date={"type": "month", "value": book.last_date})
        left = to if _is_cut_off(review) else _LEFT_YEAR
        found.append((language.number(counts["observed"]), left))
        found.append((language.number(counts["expected"]), _EXPECTED_YEAR))
    if review.issues:
        unmended = [issue for issue in review.issues if not is_mended(issue, review)]
        costs = (issue.revenue_per_year.value for issue in unmended or review.issues)
        lost = sum(map(money_as_said, costs))  # as it stands issue by issue below
        found.append((language.money(lost), _AT_STAKE if unmended else _WAS_LOST))
    return [{"number": number, "counts": language.say(text)} for number, text in found]


def _is_cut_off(review: Review) -> bool:
    """Say whether the departures end a period or more before the day that the review is of.

    Then the orders do, and the last year is not that of the heading.
    """
    points = review.book.series
    if not points:
        return False
    day, start = (dt.date.fromisoformat(d) for d in (review.as_of, points[-1].period))
    return (day - start).days > _LONGEST[review.period]


def is_mended(issue: Issue, review: Review) -> bool:
    """Say whether a remedy has worked for all clients of an issue."""
    return any(remedy.mended(issue) for remedy in review.remedies)


def _since(issue: Issue, language: Language) -> str:
    if issue.onset:
        since = language.within(issue.onset.date)
        if issue.until is None:
            return since
        end = language.within(issue.until.date)
        return since if since == end else language.span(since, end)
    return language.sentence(_ALL_ALONG) if issue.kind == "standing" else "–"


def issue_line(issue: Issue, review: Review, language: Language) -> dict[str, Any]:
    """Return one line on an issue: who, since when, why, how sure, what it costs."""
    waits = issue.until is None and not is_mended(issue, review)  # else nothing is waited for
    waiting = issue.revenue_per_month_of_waiting if waits else None
    return {
        "id": f"issue-{issue.rank}",
        "rank": issue.rank,
        "kind": issue.kind,
        "who": language.capital(language.segment(issue.segment)),
        "since": _since(issue, language),
        "why": language.say(words.why(issue)),
        "sure": language.say(words.how_sure(issue)),
        "state": issue.status or "",
        "status": language.say(words.STATUS[issue.status]) if issue.status else "",
        "cost": language.money(issue.revenue_per_year.value),
        "interval": language.interval(issue.revenue_per_year, "money"),
        "month": language.money(waiting.value) if waiting else "",
    }
