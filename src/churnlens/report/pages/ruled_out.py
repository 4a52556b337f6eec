"""What was looked at and is no issue, and what could not be asked?"""

from __future__ import annotations

from typing import Any

from churnlens.report import words
from churnlens.report.language import Language
from churnlens.report.pages.data import ALARMS, reason
from churnlens.results import Review, RuledOut, Text

_NOT_ASKED = Text("Not asked")
_EACH = Text("{names} (each)")


def ruled_out(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of drivers that were looked at and are not an issue."""
    drivers = [
        _with_verdict(verdict, found, language)
        for verdict in words.DRIVER_VERDICTS
        if (found := [d for d in review.ruled_out if d.verdict == verdict])
    ]
    skipped = [
        reason(s, language)
        for s in review.skipped
        if s.code not in ALARMS and not any(words.is_about(s, issue) for issue in review.issues)
    ]
    if skipped and not drivers:
        return [{"drivers": [], "skipped": skipped, "nav": language.say(_NOT_ASKED)}]
    return [{"drivers": drivers, "skipped": skipped}] if drivers or skipped else []


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
