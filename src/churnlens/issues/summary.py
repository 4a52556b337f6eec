"""Which issue comes first, and what are the two sentences of the first page?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from churnlens.results import (
    Z95,
    BookChange,
    DataFinding,
    DateEstimate,
    Issue,
    Lifetime,
    PeriodPoint,
    RemedyResult,
    RowCounts,
    Text,
    money_as_said,
    totals,
)

TWOFOLD = 2.0  # a rise beyond it is said in times, not in percent
MANY_REFUSED = 0.05  # of the order rows, from which the first page says so
MANY_UNPLACED = 0.2  # of the clients, missing from the clients table, likewise
SURE_LIFETIME = 0.01  # p-value up to which a group is said to leave sooner
TIER = "value_tier"  # the attribute whose values are tiers
MOST = 0.5  # beyond which nothing is said of groups of clients


def ranked(issues: Iterable[Issue], remedies: Sequence[RemedyResult] = ()) -> tuple[Issue, ...]:
    """Return the issues by the money they cost a year, the dearest first, with their rank.

    What a remedy has mended comes after all that is left to mend.
    """
    order = sorted(
        issues,
        key=lambda i: (
            any(r.mended(i) for r in remedies),
            -i.revenue_per_year.value,
            -i.departures.attributable.value,
        ),
    )
    return tuple(replace(issue, rank=k) for k, issue in enumerate(order, start=1))


def verdict_sentences(
    issues: Sequence[Issue],
    series: Sequence[PeriodPoint],
    smallest_visible_rise: float | None,
    remedies: Sequence[RemedyResult] = (),
    changes: Sequence[BookChange] = (),
    unplaced: float = 0.0,
    lifetimes: Sequence[Lifetime] = (),
    *,
    until: str,
    per_year: int = 12,
) -> tuple[Text, ...]:
    """Return the two sentences that a manager would say of the review.

    `issues` are ranked; `series` are the departures of the whole book, as its chart shows them;
    `smallest_visible_rise` is a risk ratio; `changes` are those of the whole book, in the order of
    time; `unplaced` is the share of clients of whom no group is known; `lifetimes` are the groups
    that stay for longer or shorter than others; `until` is the last day that the orders cover, ISO;
    `per_year` is the number of periods in a year.
    """
    if not issues:
        blind = smallest_visible_rise is None or smallest_visible_rise > TWOFOLD
        grouped = unplaced <= MOST and not blind
        told = _change(series, changes, grouped, per_year, until)
        calm = told or _as_usual(series, changes, grouped, per_year, until)
        power = _cannot_show if blind and told is None else _power
        return (calm, power(smallest_visible_rise), *_leave_sooner(lifetimes))
    first = issues[0]
    mended = [r for r in remedies if r.mended(first) and r.risk_ratio]
    left = [i for i in issues if not any(r.mended(i) for r in remedies)]
    cost = _mended(mended[-1]) if mended else _cost(left)
    rest = [r for r in remedies if not r.mended(first)]
    assert first.title_text is not None  # every issue is written with its title
    return (first.title_text, cost, *_doubt(first, per_year), *_worked(rest, issues))


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
            "Chance alone would show as much in about 1 of {n} such searches; if it is real, it "
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
            "show as much in about 1 of {n} such searches; if it is real, it began between {low} "
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
    return Text(
        "The remedy begun in {date} has worked: {fall} fewer of them leave than would have.",
        _of_remedy(remedy),
    )


def _worked(remedies: Sequence[RemedyResult], issues: Sequence[Issue]) -> Iterator[Text]:
    """Say of remedies that have worked for whom they did, and which issues they leave open."""
    by_id = {issue.id: issue for issue in issues}
    for remedy in remedies:
        issue = by_id.get(remedy.issue_id or "")
        if issue is None or remedy.verdict != "worked" or remedy.risk_ratio is None:
            continue
        values = {
            **_of_remedy(remedy),
            "segment": {"type": "clients", "value": remedy.segment},
            "rank": {"type": "number", "value": issue.rank},
        }
        if remedy.mended(issue):
            yield Text(
                "The remedy for {segment}, begun in {date}, has worked: {fall} fewer of them leave "
                "than would have.",
                values,
            )
        else:
            yield Text(
                "The remedy for {segment}, begun in {date}, has worked: {fall} fewer of them leave "
                "than would have; for the other clients of issue {rank} it is still open.",
                values,
            )


def _of_remedy(remedy: RemedyResult) -> dict[str, dict[str, object]]:
    ratio = remedy.risk_ratio.value if remedy.risk_ratio else 1.0
    return {
        "date": {"type": "month", "value": remedy.start_date},
        "fall": {"type": "percent", "value": 1 - ratio},
    }


def _change(
    series: Sequence[PeriodPoint],
    changes: Sequence[BookChange],
    grouped: bool,
    per_year: int,
    until: str,
) -> Text | None:
    """Say that more of the whole book leave since a date, or fewer; None where neither is sure."""
    last = changes[-1] if changes else None
    if last is None or not last.sure or not last.dated:
        return None
    year = totals(series[-per_year:])
    since = totals([point for point in series if point.period >= last.date.date])
    if last.ratio > 1 and since["observed"] > since["expected"]:
        return _rose(last, since)
    if last.ratio < 1 and year["observed"] < year["expected"]:
        return _fell(last, year, until, grouped)
    return None


def _as_usual(
    series: Sequence[PeriodPoint],
    changes: Sequence[BookChange],
    grouped: bool,
    per_year: int,
    until: str,
) -> Text:
    """Say how many left and were expected to, and whether that may be chance.

    It may where the page on when tells of a change that is not sure; of a sure one without a date,
    and where counts that far apart are no chance, nothing is said but the numbers.
    """
    year = totals(series[-per_year:])
    last = changes[-1] if changes else None
    how = "not said" if _beyond_chance(year) else "chance"
    if last is not None and _bears_out(last, year):
        how = "may be" if not last.sure else "chance" if last.dated else "not said"
    return replace(_AS_USUAL[how, grouped], values=_year(year, until))


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


def _beyond_chance(year: Mapping[str, int]) -> bool:
    """Whether so many departures would surprise as a count (Poisson), were as many expected."""
    return (year["observed"] - year["expected"]) ** 2 > Z95**2 * max(year["expected"], 1)


_AS_USUAL = {  # by whether chance would do, and whether groups could be looked at
    ("chance", True): Text(
        "{observed} clients left in the year to {until} and {expected} were expected, no further "
        "apart than by chance; no group of clients leaves more than it used to."
    ),
    ("chance", False): Text(
        "{observed} clients left in the year to {until} and {expected} were expected, no further "
        "apart than by chance."
    ),
    ("may be", True): Text(
        "{observed} clients left in the year to {until} and {expected} were expected, which may be "
        "chance; no group of clients leaves more than it used to."
    ),
    ("may be", False): Text(
        "{observed} clients left in the year to {until} and {expected} were expected, which may be "
        "chance."
    ),
    ("not said", True): Text(
        "{observed} clients left in the year to {until} and {expected} were expected; no group of "
        "clients leaves more than it used to."
    ),
    ("not said", False): Text(
        "{observed} clients left in the year to {until} and {expected} were expected."
    ),
}


def _year(counts: Mapping[str, int], until: str) -> dict[str, dict[str, object]]:
    return {"until": {"type": "month", "value": until}, **_numbers(counts)}


def _numbers(counts: Mapping[str, int]) -> dict[str, dict[str, object]]:
    return {name: {"type": "number", "value": count} for name, count in counts.items()}


def _power(rise: float | None) -> Text:
    if rise is None:
        return Text("The data are too few to say how small a rise would have been seen.")
    if rise > TWOFOLD:
        return Text(
            "A rise in the whole book would have been seen, in four of five cases, only if {times} "
            "times as many had left in the year as usually do.",
            {"times": {"type": "number", "value": round(rise, 1)}},
        )
    return Text(
        "A rise of {rise} or more over a year in the whole book would have been seen in four of "
        "five cases.",
        {"rise": {"type": "percent", "value": rise - 1}},
    )


def _cannot_show(rise: float | None) -> Text:
    """Say that no rise was seen where hardly one could have been."""
    if rise is None:
        return Text(
            "These data cannot show whether more clients leave; they are too few to say how small "
            "a rise would have been seen."
        )
    return Text(
        "These data cannot show whether more clients leave: a rise in the whole book would have "
        "been seen, in four of five cases, only if {times} times as many had left in the year as "
        "usually do.",
        {"times": {"type": "number", "value": round(rise, 1)}},
    )


def _leave_sooner(lifetimes: Sequence[Lifetime]) -> tuple[Text, ...]:
    """Name the group that has surely left sooner all along, where it costs most; none: nothing.

    Value tiers are set apart: that those who bring little leave sooner says nothing of why.
    """
    sure = [
        row
        for row in lifetimes
        if row.attribute != TIER and row.lost.low > 0 and row.p_value < SURE_LIFETIME
    ]
    if not sure:
        return ()
    most = max(sure, key=lambda row: row.clients * row.money.value)
    segment = {most.attribute: (most.value,)}
    values = {"segment": {"type": "clients", "value": segment}}
    return (Text("All along, {segment} have left sooner than the others.", values),)


def _cost(issues: Sequence[Issue]) -> Text:
    money = sum(money_as_said(i.revenue_per_year.value) for i in issues)
    gone = sum(round(i.departures.attributable.value) for i in issues)
    values = {
        "gone": {"type": "number", "value": gone},
        "money": {"type": "money", "value": money},
        "issues": {"type": "number", "value": len(issues)},
    }
    if len(issues) == 1 and issues[0].kind == "mix":
        return _cost_of_mix(issues[0]) or Text(
            "It accounts for about {gone} departures in the last year, clients who brought {money} "
            "a year.",
            values,
        )
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


def _cost_of_mix(issue: Issue) -> Text | None:
    """Say what the make-up of the book added beside its size; None where no more left at all."""
    bars = {bar.label: bar.value for bar in issue.waterfall}
    if not {"before", "size", "kinds", "after"} <= set(bars):
        return None
    more, size, kinds = round(bars["after"] - bars["before"]), bars["size"], bars["kinds"]
    if more <= 0:
        return None
    counts = {"more": more, "size": round(size), "kinds": round(kinds)}
    counts["rest"] = more - counts["size"] - counts["kinds"]
    return Text(
        "{more} more clients left than in a year before: {size} because of how many clients there "
        "are, {kinds} because more of them are {segment} ({money} a year), {rest} for other "
        "reasons.",
        {
            **{name: {"type": "number", "value": count} for name, count in counts.items()},
            "segment": {"type": "clients", "value": dict(issue.segment)},
            "money": {"type": "money", "value": issue.revenue_per_year.value},
        },
    )
