"""Which issue comes first, and what are the two sentences of the first page?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from churnlens.results import (
    BookChange,
    DataFinding,
    DateEstimate,
    Issue,
    PeriodPoint,
    RemedyResult,
    RowCounts,
    Text,
    totals,
)

TWOFOLD = 2.0  # a rise beyond it is said in times, not in percent
MANY_REFUSED = 0.05  # of the order rows, from which the first page says so
MANY_UNPLACED = 0.2  # of the clients, missing from the clients table, likewise
MOST = 0.5  # beyond which nothing is said of groups of clients


def ranked(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """Return the issues by the money they cost a year, the dearest first, with their rank."""
    order = sorted(
        issues, key=lambda i: (-i.revenue_per_year.value, -i.departures.attributable.value)
    )
    return tuple(replace(issue, rank=k) for k, issue in enumerate(order, start=1))


def verdict_sentences(
    issues: Sequence[Issue],
    series: Sequence[PeriodPoint],
    smallest_visible_rise: float | None,
    remedies: Sequence[RemedyResult] = (),
    changes: Sequence[BookChange] = (),
    unplaced: float = 0.0,
    *,
    until: str,
    per_year: int = 12,
) -> tuple[Text, ...]:
    """Return the two sentences that a manager would say of the review.

    `issues` are ranked; `series` are the departures of the whole book, as its chart shows them;
    `smallest_visible_rise` is a risk ratio; `changes` are those of the whole book, in the order of
    time; `unplaced` is the share of clients of whom no group is known; `until` is the last day that
    the orders cover, ISO; `per_year` is the number of periods in a year.
    """
    if not issues:
        calm = _whole_book(series, changes, unplaced <= MOST, per_year, until)
        return (calm, _power(smallest_visible_rise))
    first = issues[0]
    mended = [r for r in remedies if r.mended(first) and r.risk_ratio]
    cost = _mended(mended[-1]) if mended else _cost(issues)
    return (_headline(first), cost, *_doubt(first, per_year))


def _headline(issue: Issue) -> Text:
    """Return the issue's title; of an unexplained rise that may be chance, one that says so."""
    assert issue.title_text is not None  # every issue is written with its title
    if not issue.hint or issue.kind != "unexplained":
        return issue.title_text
    if issue.until is not None:
        return Text(
            "From {date} to {end}, {segment} may have left more often than before and after; "
            "nothing on record explains it, and it has passed.",
            issue.title_text.values,
        )
    return Text(
        "Since {date}, {segment} may leave more often; nothing on record explains it.",
        issue.title_text.values,
    )


def _doubt(issue: Issue, per_year: int) -> tuple[Text, ...]:
    """Say how sure a rise is that no driver explains, where it may be chance.

    When it began is said where that lies in more than one period.
    """
    if issue.kind != "unexplained" or issue.onset is None or not issue.p_value:
        return ()
    if issue.found_again and not issue.hint:
        return ()
    values = {
        "n": {"type": "number", "value": round(1 / issue.p_value)},
        "low": {"type": "within", "value": issue.onset.low},
        "high": {"type": "within", "value": issue.onset.high},
    }
    dated = _days(issue.onset) > 366 / per_year
    if issue.found_again and not dated:
        text = Text("Chance alone would show as much in about 1 of {n} such searches.", values)
    elif issue.found_again:
        text = Text(
            "Chance alone would show as much in about 1 of {n} such searches; if it is more, it "
            "began between {low} and {high}.",
            values,
        )
    elif not dated:
        text = Text(
            "It was not found again on clients left out of the search, and chance alone would show "
            "as much in about 1 of {n} such searches.",
            values,
        )
    else:
        text = Text(
            "It was not found again on clients left out of the search, and chance alone would "
            "show as much in about 1 of {n} such searches; if it is more, it began between {low} "
            "and {high}.",
            values,
        )
    return (text,)


def _days(when: DateEstimate) -> int:
    """Days that a date's interval covers."""
    return (dt.date.fromisoformat(when.high) - dt.date.fromisoformat(when.low)).days


def unplaced_share(findings: Sequence[DataFinding], clients: int) -> float:
    """Return the share of clients with orders that the clients table lacks, by what was found."""
    missing = sum(f.count or 0 for f in findings if f.code == "not_in_clients")
    return min(missing / max(clients, 1), 1.0)


def caveats(orders: RowCounts, unplaced: float) -> tuple[Text, ...]:
    """Return what a reader of the verdict must know of the data it rests on; mostly nothing.

    `orders` are the rows of that table; `unplaced` is the share of clients of whom no group is
    known.
    """
    found = []
    refused = orders.rejected / max(orders.read, 1)
    if refused > MANY_REFUSED:
        found.append(
            Text(
                "{share} of the order rows could not be used; all this rests on the others, and "
                "the page on the data says what was wrong with them.",
                {"share": {"type": "percent", "value": refused}},
            )
        )
    if unplaced > MANY_UNPLACED:
        found.append(
            Text(
                "{share} of the clients are missing from the clients table, so groups of clients "
                "were looked at without them.",
                {"share": {"type": "percent", "value": unplaced}},
            )
            if unplaced <= MOST
            else Text(
                "{share} of the clients are missing from the clients table, so hardly any group "
                "of clients could be looked at.",
                {"share": {"type": "percent", "value": unplaced}},
            )
        )
    return tuple(found)


def too_few(departures: float) -> tuple[Text, ...]:
    """Return what is said of a book in which too few left to search it."""
    said = Text(
        "In all these data {departures} clients left: too few to say when, which or why.",
        {"departures": {"type": "number", "value": round(departures)}},
    )
    return said, _power(None)


def _mended(remedy: RemedyResult) -> Text:
    ratio = remedy.risk_ratio.value if remedy.risk_ratio else 1.0
    return Text(
        "The remedy begun in {date} has worked: {fall} fewer of them leave than would have.",
        {
            "date": {"type": "month", "value": remedy.start_date},
            "fall": {"type": "percent", "value": 1 - ratio},
        },
    )


def _whole_book(
    series: Sequence[PeriodPoint],
    changes: Sequence[BookChange],
    grouped: bool,
    per_year: int,
    until: str,
) -> Text:
    """Say how the whole book does: that more leave since a date, or fewer, or neither."""
    year = totals(series[-per_year:])
    last = changes[-1] if changes else None
    if last is None:
        return _as_expected(year, until, grouped)
    if not last.sure:
        return _as_expected(year, until, grouped, doubtful=_bears_out(last, year))
    since = totals([point for point in series if point.period >= last.date.date])
    if last.ratio > 1 and since["observed"] > since["expected"]:
        return _rose(last, since)
    if last.ratio < 1 and year["observed"] < year["expected"]:
        return _fell(last, year, until, grouped)
    return _as_expected(year, until, grouped)


def _rose(change: BookChange, since: Mapping[str, int]) -> Text:
    values = {"date": {"type": "month", "value": change.date.date}, **_numbers(since)}
    if change.gradual:
        return Text(
            "Departures of the whole book rose step by step from {date} on: {observed} clients "
            "have left since, where {expected} were expected; neither a driver nor a group of "
            "clients stands out.",
            values,
        )
    return Text(
        "Departures of the whole book rose in {date}: {observed} clients have left since, where "
        "{expected} were expected; neither a driver nor a group of clients stands out.",
        values,
    )


def _fell(change: BookChange, year: Mapping[str, int], until: str, grouped: bool) -> Text:
    values = {"date": {"type": "month", "value": change.date.date}, **_year(year, until)}
    if not grouped:
        return Text(
            "{observed} clients left in the year to {until}, fewer than the {expected} expected: "
            "since {date} fewer leave.",
            values,
        )
    return Text(
        "{observed} clients left in the year to {until}, fewer than the {expected} expected: "
        "since {date} fewer leave, and no group of clients leaves more than it used to.",
        values,
    )


def _bears_out(change: BookChange, year: Mapping[str, int]) -> bool:
    """Whether the last year lies to that side of what was expected to which the book changed."""
    return (year["observed"] - year["expected"]) * (change.ratio - 1) > 0


def _as_expected(
    year: Mapping[str, int], until: str, grouped: bool, *, doubtful: bool = False
) -> Text:
    """Say that chance would do; that it may, where the page on when tells of a change."""
    values = _year(year, until)
    if doubtful and not grouped:
        return Text(
            "{observed} clients left in the year to {until} and {expected} were expected, which "
            "may be chance.",
            values,
        )
    if doubtful:
        return Text(
            "{observed} clients left in the year to {until} and {expected} were expected, which "
            "may be chance; no group of clients leaves more than it used to.",
            values,
        )
    if not grouped:
        return Text(
            "{observed} clients left in the year to {until} and {expected} were expected, no "
            "further apart than by chance.",
            values,
        )
    return Text(
        "{observed} clients left in the year to {until} and {expected} were expected, no further "
        "apart than by chance; no group of clients leaves more than it used to.",
        values,
    )


def _year(counts: Mapping[str, int], until: str) -> dict[str, dict[str, object]]:
    return {"until": {"type": "month", "value": until}, **_numbers(counts)}


def _numbers(counts: Mapping[str, int]) -> dict[str, dict[str, object]]:
    return {name: {"type": "number", "value": count} for name, count in counts.items()}


def _power(rise: float | None) -> Text:
    if rise is None:
        return Text("The data are too few to say how small a rise would have been seen.")
    if rise > TWOFOLD:
        return Text(
            "A rise in the whole book would have been seen only if {times} times as many had left "
            "in the year as usually do.",
            {"times": {"type": "number", "value": round(rise, 1)}},
        )
    return Text(
        "A rise of {rise} or more over a year in the whole book would have been seen.",
        {"rise": {"type": "percent", "value": rise - 1}},
    )


def _cost(issues: Sequence[Issue]) -> Text:
    money = sum(i.revenue_per_year.value for i in issues)
    gone = sum(i.departures.attributable.value for i in issues)
    values = {
        "gone": {"type": "number", "value": round(gone)},
        "money": {"type": "money", "value": money},
        "issues": {"type": "number", "value": len(issues)},
    }
    if len(issues) == 1 and issues[0].until is not None:
        return Text(
            "It accounts for about {gone} departures, clients who brought {money} a year; it has "
            "passed.",
            values,
        )
    if len(issues) == 1:
        return Text(
            "It accounts for about {gone} departures so far, clients who brought {money} a year.",
            values,
        )
    return Text(
        "The {issues} issues together account for about {gone} departures so far, clients who "
        "brought {money} a year.",
        values,
    )
