"""How was it worked out, where may it fail, and what do the terms mean?"""

from __future__ import annotations

from typing import Any

from churnlens.report import figures, words
from churnlens.report.glossary import GLOSSARY
from churnlens.report.language import Language
from churnlens.results import DefinitionSummary, ReturnCurve, Review, Text

_NO_RETURNS = Text(
    "No client ordered again after a silence that told anything, so the chance of a return is not "
    "known from these records; {threshold} times the client’s own rhythm counts as leaving."
)


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
