"""The rest of the report: remedies, last time, ruled out, who stays, data, method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.glossary import GLOSSARY
from churnlens.report.language import Language
from churnlens.report.pages.issue import check
from churnlens.report.pages.verdict import is_mended, issue_line
from churnlens.results import (
    Association,
    Book,
    DefinitionSummary,
    Estimate,
    Gone,
    Issue,
    RegisterEntry,
    RemedyResult,
    ReturnCurve,
    Review,
    RuledOut,
    Skipped,
    Text,
    TierRow,
)

MOST_TREND = 10.0  # a tier of new clients brought next to nothing in the year before
_TENFOLD = Text("more than tenfold")
_MARGIN_TREND = Text("Margin of the same clients, against their year before (leavers included)")
_REVENUE_TREND = Text("Revenue of the same clients, against their year before (leavers included)")
_WHO_IS_IN = Text(
    "Of the {all} clients in the book, {there} were still there in the last year or came in it, "
    "each counted by how likely that is. They are ranked once, by what each brought a month before "
    "the year or, if it came later, before it could first leave: the fifth that brought most, the "
    "fifth that brought least, and the rest."
)
_REGRESSION = Text(
    "Clients ranked by a good year tend to bring less in the next, and those ranked by a poor one "
    "more."
)
_RATE_NOTE = Text(
    "The rate is of clients there for a whole year, and allows for departures that do not show "
    "yet; so it may be above the share of those clients that is counted as having left."
)
_TABLES = {
    "orders": Text("orders"),
    "clients": Text("clients"),
    "events": Text("events"),
    "remedies": Text("remedies"),
}
_TIMES = Text("{n} times as likely to leave ({low} to {high})")
_COSTS = Text("{money} a year")
_OF_ALL = Text("All clients")
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
_EACH = Text("{names} (each)")
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
_COVERS = Text("{orders} orders of {clients} buyers, from {first} to {last}.")
_COVERS_A_DAY = Text("{orders} orders of {clients} buyers, all on {first}.")
_SET_APART = Text(
    "Set apart, because they are no clients, or not yet: {n} buyers with fewer than three orders, "
    "or with all of them within two months."
)
_NOT_ASKED = Text("Not asked")
_ALARMS = ("last_gap",)  # left out of the analysis because the data look wrong: a thing to mend
_NO_RETURNS = Text(
    "No client ordered again after a silence that told anything, so the chance of a return is not "
    "known from these records; {threshold} times the client’s own rhythm counts as leaving."
)
_NOT_CARRIED_OUT = Text("Announced, but what it was to change did not change.")


def ruled_out(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of drivers that were looked at and are not an issue."""
    drivers = [
        _with_verdict(verdict, found, language)
        for verdict in words.DRIVER_VERDICTS
        if (found := [d for d in review.ruled_out if d.verdict == verdict])
    ]
    skipped = [
        _reason(s, language)
        for s in review.skipped
        if s.code not in _ALARMS and not any(words.is_about(s, issue) for issue in review.issues)
    ]
    if skipped and not drivers:
        return [{"drivers": [], "skipped": skipped, "nav": language.say(_NOT_ASKED)}]
    return [{"drivers": drivers, "skipped": skipped}] if drivers or skipped else []


def _reason(skipped: Skipped, language: Language) -> str:
    return language.sentence(skipped.text) or language.name(skipped.reason, 400)


def _with_verdict(verdict: str, drivers: list[RuledOut], language: Language) -> dict[str, Any]:
    """Return the drivers of one verdict, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for driver in drivers:
        why = language.sentence(driver.text) or language.name(driver.why, 400)
        reasons.setdefault(why, []).append(language.capital(language.driver(driver.driver)))
    return {
        "verdict": verdict,
        "verdict_name": language.sentence(words.DRIVER_VERDICTS[verdict]),
        "meaning": language.say(words.DRIVER_VERDICTS_MEANING[verdict]),
        "reasons": [
            {"why": why, "names": _names(named, language)} for why, named in reasons.items()
        ],
    }


def _names(named: list[str], language: Language) -> str:
    """Name drivers of which one sentence is said; it speaks of each of them by itself."""
    names = language.listed(named)
    return language.say(_EACH, names=names) if len(named) > 1 else names


def stay(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on what marks the loyal, and what each tier brings."""
    book = review.book
    tiers = [_tier(tier, language) for tier in book.tiers]
    if len(tiers) == 1:  # too few clients to part: all of them are in the one row
        tiers[0]["name"] = language.say(_OF_ALL)
    marks = [_mark(mark, language) for mark in book.stay]
    known = any(bar.role == "cause" for bar in book.waterfall)
    bridge = words.by_either(book.waterfall, review.issues) if known else book.mix
    steps = figures.waterfall(bridge, language, charts.HALF)
    if not (steps or tiers or marks):
        return []
    shown = {
        "margin": any(tier.margin_share is not None for tier in book.tiers),
        "breadth": any(tier.breadth is not None for tier in book.tiers),
        "trend": _trend_of(book, language),
        "notes": _tier_notes(book, language),
    }
    bars = {"steps": steps, "steps_title": figures.waterfall_title(bridge, language)}
    return [{"tiers": tiers, **shown, "marks": marks, **bars}]


def _trend_of(book: Book, language: Language) -> str:
    """Say what the column of trends compares; empty where there is none."""
    if all(tier.trend is None for tier in book.tiers):
        return ""
    margin = any(tier.margin_share is not None for tier in book.tiers)
    return language.say(_MARGIN_TREND if margin else _REVENUE_TREND)


def _tier_notes(book: Book, language: Language) -> list[str]:
    """Say who is in the table of tiers, and why its rate is not one number over the other."""
    if len(book.tiers) < 2:  # nobody was ranked
        return [language.say(_RATE_NOTE)] if book.tiers else []
    there, known = sum(tier.clients for tier in book.tiers), book.clients - book.set_apart
    notes = [language.say(_WHO_IS_IN, all=known, there=there), language.say(_RATE_NOTE)]
    return [*notes, language.say(_REGRESSION)] if _trend_of(book, language) else notes


def _tier(tier: TierRow, language: Language) -> dict[str, str]:
    return {
        "name": _tier_name(tier.tier, language),
        "clients": language.number(tier.clients),
        "revenue": language.percent(tier.revenue_share),
        "margin": language.percent(tier.margin_share),
        "departures": language.number(tier.departures),
        "breadth": language.number(tier.breadth, 1),
        "trend": _trend(tier.trend, language),
        "rate": language.number(tier.rate_per_year.value, 0),
        "interval": language.of_hundred(tier.rate_per_year),
    }


def _trend(ratio: float | None, language: Language) -> str:
    """Say how a year compares with the year before; beyond a bound the percentage says nothing."""
    if ratio is not None and ratio > MOST_TREND:
        return language.say(_TENFOLD)
    return language.percent(None if ratio is None else ratio - 1, signed=True)


def _tier_name(tier: str, language: Language) -> str:
    """Name a tier, or several that were joined as too small ("… and …")."""
    parts = tier.split(" and ")
    if not all(part in words.TIERS for part in parts):
        return language.driver(tier)
    *others, last = [language.tier(part) for part in parts]
    return language.capital(language.both(language.listed(others), last) if others else last)


def _mark(mark: Association, language: Language) -> dict[str, Any]:
    ratio = mark.risk_ratio
    low, high = language.pair(ratio.low, ratio.high)
    if "segment" in mark.text.values:  # a client has a value of an attribute or has it not
        stayers, leavers = language.percent(mark.stayers), language.percent(mark.leavers)
    else:
        stayers, leavers = language.pair(mark.stayers, mark.leavers)
    return {
        "sentence": language.sentence(mark.text),
        "checks": [check(evidence, language, mark.feature) for evidence in mark.evidence],
        "stayers": stayers,
        "leavers": leavers,
        "ratio": language.say(_TIMES, n=language.number(ratio.value, 1), low=low, high=high),
    }


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
        return language.say(_OF_ALL)
    return titles.get(group) or _tier_name(group, language)


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


def past(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on what became of the last review's issues; none without one."""
    known: tuple[Issue | Gone, ...] = (*review.issues, *review.gone)
    titles: dict[str | None, str] = {i.id: language.title(i.title_text, i.title) for i in known}
    shown = timeline(review.register, titles, language)
    if review.previous_as_of is None and shown is None:
        return []
    places = {issue.id: f"issue-{issue.rank}" for issue in review.issues}
    told = [row["id"] for row in shown["rows"] if row["cells"][-1]] if shown else []
    states: list[tuple[str, str]] = [(i.id, i.status) for i in review.issues if i.status]
    states += [(g.id, g.reason) for g in review.gone]
    return [
        {
            "since": language.day(review.previous_as_of) if review.previous_as_of else "",
            "rows": [
                {
                    "title": titles[identity],
                    "href": places.get(identity, ""),
                    "status": state,
                    "status_name": language.say(words.STATUS[state]),
                }
                for identity, state in states
                if identity not in told
            ],
            "timeline": shown,
            "places": places,
        }
    ]


_REVIEWS_SHOWN = 8


def timeline(
    register: Sequence[RegisterEntry], titles: Mapping[str | None, str], language: Language
) -> dict[str, Any] | None:
    """Return the register as a table: a row an issue, a column a review, oldest first.

    `titles` are those of today's issues and of those gone since, by id, in the reader's language.
    """
    dates = sorted({entry.as_of for entry in register})[-_REVIEWS_SHOWN:]
    names = {
        e.issue_id: titles.get(e.issue_id) or language.title(e.title_text, e.text)
        for e in register
        if e.event == "seen"
    }
    if len(dates) < 2:
        return None
    rows = [
        {
            "id": identity,
            "title": title,
            "cells": [_cell(register, identity, date, language) for date in dates],
        }
        for identity, title in names.items()
    ]
    return {"dates": [language.day(date) for date in dates], "rows": rows}


def _cell(
    register: Sequence[RegisterEntry], identity: str | None, date: str, language: Language
) -> list[str]:
    """Return the lines on one issue in one review: its state, its cost, its remedies."""
    lines = []
    for entry in register:
        if (entry.issue_id, entry.as_of) != (identity, date):
            continue
        state = entry.status or entry.event
        if entry.event == "seen" and entry.revenue_per_year is not None:
            lines.append(language.say(_COSTS, money=language.money(entry.revenue_per_year)))
        if entry.event == "remedy":
            lines.append(language.name(entry.text, 80))
        known = words.STATUS.get(state) or words.REMEDY_VERDICTS.get(state)
        if known:
            lines.append(language.say(known))
    return lines


def data(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of data findings with the sum of rows, table by table."""
    rows = [
        {
            "table": language.say(_TABLES[t]) if t in _TABLES else language.name(t),
            **{
                key: language.number(getattr(count, key))
                for key in ("read", "accepted", "rejected", "after_as_of")
            },
        }
        for t, count in review.rows.items()
    ]
    alarms = [_reason(s, language) for s in review.skipped if s.code in _ALARMS]
    found = [{"severity": "warning", "text": text} for text in alarms]
    found += [
        {
            "severity": f.severity,
            "text": language.sentence(f.text),
        }
        for f in sorted(review.data_findings, key=lambda f: f.severity != "warning")
    ]
    book = review.book
    return [
        {
            "rows": rows,
            "rejected": any(count.rejected for count in review.rows.values()),
            "findings": found,
            "covers": _covers(book, language),
        }
    ]


def _covers(book: Book, language: Language) -> list[str]:
    """Say how many orders there are, of how many buyers, of which days; who is set apart."""
    days = {"first": language.day(book.first_date), "last": language.day(book.last_date)}
    text = _COVERS if book.first_date != book.last_date else _COVERS_A_DAY
    said = [language.say(text, orders=book.orders, clients=book.clients, **days)]
    return [*said, language.say(_SET_APART, n=book.set_apart)] if book.set_apart else said


def method(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on how it was worked out, on what assumptions, and where they may fail."""
    book = review.book
    rise = book.smallest_visible_rise
    return [
        {
            "definition": language.say(review.definition_text)
            or language.name(review.departure_definition.detail, 400),
            "definitions": [_definition(d, language) for d in book.definitions],
            "returns": figures.returns(book.returns, language),
            "no_returns": _no_returns(book.returns, language),
            "segments": language.number(book.segments_looked_at),
            "starts": language.number(book.starts_looked_at),
            "looked": bool(book.segments_looked_at),
            "power": language.say(words.power(rise)) if rise is not None else "",
            # The page "When" says it of a change that is sure.
            "change": "" if book.changes else language.say(words.chance(book.change_p)),
        }
    ]


def _no_returns(curve: ReturnCurve | None, language: Language) -> str:
    """Say why there is no curve of returns, and what silence is taken for leaving all the same."""
    if curve is None or any(curve.chance):
        return ""
    return language.say(_NO_RETURNS, threshold=language.number(curve.threshold, 1))


def _definition(definition: DefinitionSummary, language: Language) -> dict[str, str]:
    counts = ("departures", "lapsed", "shrunk", "closed", "undecided")
    return {
        "name": _definition_name(definition.name, language),
        "detail": language.sentence(definition.detail),
        **{key: language.number(getattr(definition, key)) for key in counts},
    }


def _definition_name(name: str, language: Language) -> str:
    known = words.DEFINITIONS.get(name)
    return language.say(known) if known else language.driver(name)


def glossary(review: Review, language: Language) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the page of terms."""
    return [{"terms": [(language.say(t), language.say(m)) for t, m in GLOSSARY]}]
