"""The rest of the report: remedies, last time, ruled out, who stays, data, method."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.glossary import GLOSSARY
from churnlens.report.language import Language
from churnlens.report.pages.issue import check
from churnlens.results import (
    Association,
    DefinitionSummary,
    RegisterEntry,
    RemedyResult,
    Review,
    RuledOut,
    Text,
    TierRow,
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
_CHECKED = Text(
    "Tried on {quarters} past quarters that it had not seen, {share} of "
    "its 95% intervals held what "
    "then came."
)
_NOT_CARRIED_OUT = Text("Announced, but what it was to change did not change.")


def ruled_out(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of drivers that were looked at and are not an issue."""
    drivers = [_ruled_out(driver, language) for driver in review.ruled_out]
    skipped = [language.sentence(s.text) or language.name(s.reason, 400) for s in review.skipped]
    return [{"drivers": drivers, "skipped": skipped}] if drivers or skipped else []


def _ruled_out(driver: RuledOut, language: Language) -> dict[str, Any]:
    return {
        "driver": language.capital(language.driver(driver.driver)),
        "verdict": driver.verdict,
        "verdict_name": language.say(words.DRIVER_VERDICTS[driver.verdict]),
        "meaning": language.say(words.DRIVER_VERDICTS_MEANING[driver.verdict]),
        "why": language.sentence(driver.text) or language.name(driver.why, 400),
        "checks": [check(evidence, language) for evidence in driver.evidence],
    }


def stay(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on what marks the loyal, and what each tier brings."""
    book = review.book
    tiers = [_tier(tier, language) for tier in book.tiers]
    marks = [_mark(mark, language) for mark in book.stay]
    known = any(bar.role == "cause" for bar in book.waterfall)
    steps = figures.waterfall(book.waterfall if known else book.mix, language, charts.HALF)
    if not (steps or tiers or marks):
        return []
    shown = {
        "margin": any(tier.margin_share is not None for tier in book.tiers),
        "breadth": any(tier.breadth is not None for tier in book.tiers),
        "trend": any(tier.trend is not None for tier in book.tiers),
    }
    bars = {"steps": steps, "by_cause": known}
    return [{"tiers": tiers, **shown, "marks": marks, **bars}]


def _tier(tier: TierRow, language: Language) -> dict[str, str]:
    return {
        "name": _tier_name(tier.tier, language),
        "clients": language.number(tier.clients),
        "revenue": language.percent(tier.revenue_share),
        "margin": language.percent(tier.margin_share),
        "departures": language.number(tier.departures),
        "breadth": language.number(tier.breadth, 1),
        "trend": language.percent(None if tier.trend is None else tier.trend - 1),
        "rate": language.number(tier.rate_per_year.value, 1),
        "interval": language.interval(tier.rate_per_year),
    }


def _tier_name(tier: str, language: Language) -> str:
    """Name a tier, or several that were joined as too small ("… and …")."""
    named = [words.TIERS.get(part) for part in tier.split(" and ")]
    known = [language.say(name) for name in named if name is not None]
    if len(known) < len(named) or not known:
        return language.driver(tier)
    return functools.reduce(language.both, known)


def _mark(mark: Association, language: Language) -> dict[str, Any]:
    ratio = mark.risk_ratio
    return {
        "sentence": language.sentence(mark.text),
        "feature": language.driver(mark.feature),
        "checks": [check(evidence, language) for evidence in mark.evidence],
        "stayers": language.number(mark.stayers),
        "leavers": language.number(mark.leavers),
        "ratio": language.say(
            _TIMES, n=round(ratio.value, 2), low=round(ratio.low, 2), high=round(ratio.high, 2)
        ),
    }


def remedies(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of remedies under way, their results, and the outlook."""
    results = [_remedy(remedy, language) for remedy in review.remedies]
    titles = {
        i.id: language.sentence(i.title_text) or language.name(i.title, 200) for i in review.issues
    }
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
    page = {
        "results": results,
        "outlook": outlook,
        "checked": language.say(said, quarters=quarters, share=share),
    }
    return [page] if results or outlook else []


def _group(group: str, titles: dict[str, str], language: Language) -> str:
    if group == "all":
        return language.say(_OF_ALL)
    return titles.get(group) or _tier_name(group, language)


def _remedy(remedy: RemedyResult, language: Language) -> dict[str, Any]:
    readable = remedy.readable_from
    moved = remedy.driver_moved
    return {
        "action": language.name(remedy.action, 200),
        "owner": language.name(remedy.owner) if remedy.owner else "",
        "who": language.segment(remedy.segment),
        "start": language.when(remedy.start_date),
        "verdict": remedy.verdict,
        "verdict_name": language.say(words.REMEDY_VERDICTS[remedy.verdict]),
        "readable": language.say(_READABLE, date=language.when(readable)) if readable else "",
        "detail": language.sentence(remedy.detail),
        "not_carried_out": language.say(_NOT_CARRIED_OUT) if moved is False else "",
        "avoided": _whole(remedy.departures_avoided, language),
        "moved": _moved(remedy, language),
        "at_stake": _whole(remedy.still_at_stake, language),
        "plan": language.sentence(remedy.plan.text) if remedy.plan else "",
        "notes": [language.sentence(note) for note in remedy.notes],
        "saved": language.money(remedy.money_saved.value) if remedy.money_saved else "",
        "saved_interval": language.interval(remedy.money_saved, "money"),
        "chart": figures.event_study(remedy.pre_trend, language),
    }


def _moved(remedy: RemedyResult, language: Language) -> str:
    if remedy.driver_change is None:
        return ""
    before, after = (language.number(v) for v in remedy.driver_change)
    return language.say(_MOVED, before=before, after=after)


def _whole(estimate: Any, language: Language) -> str:
    if estimate is None:
        return ""
    low, high = (language.number(round(v)) for v in (estimate.low, estimate.high))
    return f"{language.number(round(estimate.value))} ({language.span(low, high)})"


def past(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on what became of the last review's issues; none without one."""
    shown = timeline(review.register, language)
    if review.previous_as_of is None and shown is None:
        return []
    still = [
        {
            "title": language.sentence(i.title_text) or language.name(i.title, 300),
            "href": f"issue-{i.rank}",
            "status": i.status,
            "status_name": language.say(words.STATUS[i.status]),
        }
        for i in review.issues
        if i.status
    ]
    gone = [
        {
            "title": language.name(g.title, 300),
            "href": "",
            "status": g.reason,
            "status_name": language.say(words.STATUS[g.reason]),
        }
        for g in review.gone
    ]
    return [
        {
            "since": language.day(review.previous_as_of) if review.previous_as_of else "",
            "rows": [*still, *gone],
            "timeline": shown,
        }
    ]


_REVIEWS_SHOWN = 8


def timeline(register: Sequence[RegisterEntry], language: Language) -> dict[str, Any] | None:
    """Return the register as a table: a row an issue, a column a review, oldest first."""
    dates = sorted({entry.as_of for entry in register})[-_REVIEWS_SHOWN:]
    names = {entry.issue_id: entry.text for entry in register if entry.event == "seen"}
    if len(dates) < 2:
        return None
    rows = [
        {
            "title": language.name(title, 200),
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
        if entry.event in ("remedy", "decision"):
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
    found = [
        {
            "severity": f.severity,
            "text": language.sentence(f.text),
            "count": language.number(f.count) if f.count is not None else "",
        }
        for f in sorted(review.data_findings, key=lambda f: f.severity != "warning")
    ]
    book = review.book
    return [
        {
            "rows": rows,
            "findings": found,
            "first": language.day(book.first_date),
            "last": language.day(book.last_date),
            "clients": language.number(book.clients),
            "orders": language.number(book.orders),
            "set_apart": language.number(book.set_apart),
        }
    ]


def method(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on how it was worked out, on what assumptions, and where they may fail."""
    book = review.book
    rise = book.smallest_visible_rise
    return [
        {
            "definition": language.say(review.definition_text)
            or language.name(review.departure_definition.detail, 400),
            "definition_name": language.driver(review.departure_definition.name),
            "definitions": [_definition(d, language) for d in book.definitions],
            "returns": figures.returns(book.returns, language),
            "segments": language.number(book.segments_looked_at),
            "starts": language.number(book.starts_looked_at),
            "looked": bool(book.segments_looked_at),
            "rise": language.percent(rise - 1) if rise is not None else "",
            "change": language.say(words.chance(book.change_p)),
        }
    ]


def _definition(definition: DefinitionSummary, language: Language) -> dict[str, str]:
    counts = ("departures", "lapsed", "shrunk", "closed", "undecided")
    return {
        "name": language.driver(definition.name),
        "detail": language.sentence(definition.detail),
        **{key: language.number(getattr(definition, key)) for key in counts},
    }


def glossary(review: Review, language: Language) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the page of terms."""
    return [{"terms": [(language.say(t), language.say(m)) for t, m in GLOSSARY]}]
