"""Who stays: what each tier brings, and what marks the loyal?"""

from __future__ import annotations

from typing import Any

from churnlens.report import charts, figures, words
from churnlens.report.language import Language
from churnlens.report.pages.issue import check
from churnlens.results import Association, Book, Review, Text, TierRow

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
_TIMES = Text("{n} times as likely to leave ({low} to {high})")


def stay(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on what marks the loyal, and what each tier brings."""
    book = review.book
    tiers = [_tier(tier, language) for tier in book.tiers]
    if len(tiers) == 1:  # too few clients to part: all of them are in the one row
        tiers[0]["name"] = language.say(figures.EVERYONE)
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
        "name": tier_name(tier.tier, language),
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


def tier_name(tier: str, language: Language) -> str:
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
