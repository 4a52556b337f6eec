"""The page on time: since when the whole book changed, and how long its clients stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churnlens.report import charts, figures, tenure, words
from churnlens.report.language import Language
from churnlens.results import (
    PERIODS_A_YEAR,
    Book,
    BookChange,
    CohortSplit,
    ExitCurve,
    Lifetime,
    Review,
    SurvivalCurve,
    TenureRisk,
    Text,
    totals,
)

_ROSE = Text(
    "Departures of the whole book rose in {date}, all at once (the "
    "date lies between {low} and {high}): {seen} left before it "
    "where {due} were expected, then {observed} where {expected} were."
)
_ROSE_SLOWLY = Text(
    "Departures of the whole book rose from {date} on, step by step "
    "(the start lies between {low} and {high}): {seen} left before it "
    "where {due} were expected, then {observed} where {expected} were."
)
_FELL = Text(
    "Departures of the whole book fell in {date}, all at once (the "
    "date lies between {low} and {high}): {seen} left before it "
    "where {due} were expected, then {observed} where {expected} were."
)
_FELL_SLOWLY = Text(
    "Departures of the whole book fell from {date} on, step by step "
    "(the start lies between {low} and {high}): {seen} left before it "
    "where {due} were expected, then {observed} where {expected} were."
)
_ROSE_SOMETIME = Text(
    "Departures of the whole book rose; when cannot be told (between {low} and {high})."
)
_FELL_SOMETIME = Text(
    "Departures of the whole book fell; when cannot be told (between {low} and {high})."
)
_IS_ISSUE = Text("That is when issue {rank} began.")
_INCLUDES_ISSUE = Text("This includes issue {rank}.")
_UNCHANGED = Text("No change in the departures of the whole book stands out from chance.")
_SURVIVAL = Text("Share of clients still here, by time since the first order")
_COHORT = Text("Clients won at some times leave more often than those won before and after them.")
_NO_COHORT = Text("No year of winning stands out from those before and after it.")
_RARE, _ONE_OF = Text("fewer than 1 of 1,000"), Text("1 of {n}")
_HALF_GONE = Text("Half of the clients have left about {span} after their first order")
_HALF_GONE_OF = Text(
    "Of the clients still there after {begin}, half have left about {span} after their first order"
)
_STILL_HERE_OF = Text(
    "Of the clients still there after {begin}, {share} are still here {span} after their first "
    "order"
)
_STILL_HERE = Text("{share} of the clients are still here {span} after their first order")
_RISKIEST = Text("Most leave in the band {band} after the first order: {rate} of 100 a year")
_ENDED = Text("How clients left in the end: {shares}")
_ENDED_SHARE = Text("{way} {share}")
_YEARS_ABOUT = Text("{n} years")
_MONTHS = Text("{n} months")
_FEWER, _MORE = Text("{n} fewer"), Text("{n} more")
MOST_SENTENCES = 3


def when(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on since when and how long; none where nothing can be said of either."""
    book = review.book
    whole = [c for c in book.survival if not c.attribute]
    listed = [(row.attribute, row.value) for row in book.lifetimes]  # in the table "Length of stay"
    parts = [c for key in listed for c in book.survival if (c.attribute, c.value) == key]
    drawn = {
        "survival": tenure.survival([*whole[:1], *parts], language, charts.HALF),
        "risk": tenure.risk(book.tenure_risk, language),
        "lexis": tenure.lexis(book.lexis, language),
        "exits": tenure.exits(book.exits, language),
    }
    if not any(drawn.values()) and not book.changes:
        return []
    titles = {
        "survival_title": _survival_title(whole[:1], language),
        "risk_title": _risk_title(book.tenure_risk, language),
        "exits_title": _exits_title(book.exits, language),
    }
    said = [_change(change, review, language) for change in book.changes]
    return [
        {**drawn, **titles, "changes": said or _unchanged(book.smallest_visible_rise, language)}
    ]


def _survival_title(whole: Sequence[SurvivalCurve], language: Language) -> str:
    """Say when half of the clients have left, or how many are still here at the end."""
    if not whole or not whole[0].tenure:
        return language.say(_SURVIVAL)
    curve, a_year = whole[0], PERIODS_A_YEAR[language.period]
    gone = [at for at, here in zip(curve.tenure, curve.survival, strict=True) if here <= 0.5]
    at = gone[0] if gone else curve.tenure[-1]
    begin, span = (_time(tenure, a_year, language) for tenure in (curve.tenure[0], at))
    late = curve.tenure[0] > 0
    if gone:
        return language.say(_HALF_GONE_OF if late else _HALF_GONE, begin=begin, span=span)
    share = language.percent(curve.survival[-1])
    told = _STILL_HERE_OF if late else _STILL_HERE
    return language.say(told, begin=begin, share=share, span=span)


def _time(periods: float, a_year: int, language: Language) -> str:
    """Say a tenure in months, from two years on in years."""
    if periods >= 2 * a_year:
        return language.say(_YEARS_ABOUT, n=language.number(periods / a_year, 1))
    return language.say(_MONTHS, n=language.number(periods / (a_year / 12)))


def _risk_title(bands: Sequence[TenureRisk], language: Language) -> str:
    if not bands:
        return ""
    worst = max(bands, key=lambda band: band.rate.value)
    band = tenure.band_name(worst.low, worst.high, language)
    return language.say(_RISKIEST, band=band, rate=round(worst.rate.value))


def _exits_title(curves: Sequence[ExitCurve], language: Language) -> str:
    shares = [
        language.say(
            _ENDED_SHARE,
            way=tenure.way_of(curve.kind, language),
            share=language.percent(curve.share[-1]),
        )
        for curve in curves
        if curve.share
    ]
    return language.say(_ENDED, shares=language.listed(shares)) if shares else ""


def shorter(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page on which groups stay shorter, what that costs, and what cohorts do."""
    book = review.book
    if not book.lifetimes and book.cohorts is None:
        return []
    return [
        {
            "cohorts": _cohorts(book.cohorts, review, language),
            "sentences": [language.sentence(row.text) for row in _telling(book.lifetimes)],
            "lifetimes": [_lifetime(row, language) for row in book.lifetimes],
        }
    ]


def _unchanged(rise: float | None, language: Language) -> list[str]:
    said = [language.say(_UNCHANGED)]
    if rise is None:
        return said
    return [*said, language.say(words.power(rise))]


def _change(change: BookChange, review: Review, language: Language) -> str:
    """Say when and how a change came, how many left before and after it, and which issue it is.

    Before it: since the change before; after it: up to the next.
    """
    chance = None if change.sure else words.chance(change.p_value)
    parts = [_came(change, review.book, language), language.say(chance)]
    if change.ratio >= 1:
        within = change.date.low, change.date.high
        same = (i for i in review.issues if i.onset and within[0] <= i.onset.date <= within[1])
        parts += [language.say(_IS_ISSUE, rank=issue.rank) for issue in same]
    return " ".join(filter(None, parts))


def _came(change: BookChange, book: Book, language: Language) -> str:
    """Say when and how a change came; not when, and not how many left since, without a date."""
    rose = change.ratio >= 1
    text = (_ROSE_SLOWLY if rose else _FELL_SLOWLY) if change.gradual else _ROSE if rose else _FELL
    ends = {k: language.within(getattr(change.date, k)) for k in ("low", "high")}
    if not change.dated:
        return language.say(_ROSE_SOMETIME if rose else _FELL_SOMETIME, **ends)
    day, dates = change.date.date, [other.date.date for other in book.changes]
    start = max((other for other in dates if other < day), default="")
    end = min((other for other in dates if other > day), default="9999")
    before = totals([point for point in book.series if start <= point.period < day])
    return language.say(
        text,
        seen=before["observed"],
        due=before["expected"],
        **totals([point for point in book.series if day <= point.period < end]),
        date=language.period_name(day),
        **ends,
    )


def _cohorts(split: CohortSplit | None, review: Review, language: Language) -> list[str]:
    if split is None:
        return []
    rising = "share" in split.text.values and split.drift.low > 1
    dated = [issue for issue in review.issues if issue.onset] if rising else []
    return [
        language.sentence(split.text),
        *(language.say(_INCLUDES_ISSUE, rank=issue.rank) for issue in dated),
        language.say(_COHORT if split.cohort_p < 0.05 else _NO_COHORT),
    ]


def _telling(rows: tuple[Lifetime, ...]) -> list[Lifetime]:
    """Return the groups whose shorter stay costs most in all, and surely costs something."""
    sure = [row for row in rows if row.lost.low > 0 and row.money.value > 0]
    return sorted(sure, key=lambda row: -row.clients * row.money.value)[:MOST_SENTENCES]


def _lifetime(row: Lifetime, language: Language) -> dict[str, str]:
    months = 12 / PERIODS_A_YEAR[language.period]
    return {
        "group": figures.group_name(row.attribute, row.value, language),
        "clients": language.number(row.clients),
        "horizon": language.say(_MONTHS, n=round(row.horizon * months)),
        "stay": language.number(row.stay.value * months, 1),
        "others": language.number(row.others.value * months, 1),
        "lost": _signed(row.lost.value * months, language),
        "interval": _interval(row, months, language),
        "money": language.money(
            -row.money.value, signed=True
        ),  # shown as a difference, like the months
        "chance": _chance(row.p_value, language),
    }


def _signed(lost: float, language: Language) -> str:
    return language.say(_FEWER if lost >= 0 else _MORE, n=language.number(abs(lost), 1))


def _interval(row: Lifetime, months: float, language: Language) -> str:
    ends = (row.lost.low, row.lost.high) if row.lost.value >= 0 else (-row.lost.high, -row.lost.low)
    low, high = (language.number(v * months, 1) for v in ends)
    return language.span(low, high)


def _chance(p_value: float, language: Language) -> str:
    return language.say(_RARE if p_value < 0.001 else _ONE_OF, n=round(1 / max(p_value, 1e-9)))
