"""Review to plain dict: everything the templates show, already in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churnlens.report.language import Language
from churnlens.report.sections import SECTIONS, Section
from churnlens.results import Review, Text

_TITLE = Text("Why clients leave")


def context(
    review: Review,
    language: Language,
    sections: Sequence[Section] = SECTIONS,
    title: str | None = None,
) -> dict[str, Any]:
    """Return the report as a plain dict of strings, numbers, lists and dicts.

    `review` has been through `privacy.masked`; charts stand in it as specifications.
    """
    pages = [page for section in sections for page in _pages(section, review, language)]
    return {
        "lang": {"en": "en", "zh": "zh-Hans"}[language.code],
        "title": language.name(title, 200) if title else language.say(_TITLE),
        "as_of": language.day(review.as_of),
        "pages": [{**page, "number": n} for n, page in enumerate(pages, start=1)],
    }


def _pages(section: Section, review: Review, language: Language) -> list[dict[str, Any]]:
    built = section.build(review, language)
    several = len(built) > 1 or section.name == "issue"
    name = language.say(section.title)
    return [
        {
            "anchor": f"{section.name}-{n}" if several else section.name,
            "section": section.name,
            "nav": f"{name} {n}" if several else name,
            "template": section.template,
            "plugin": section.plugin,
            **page,
        }
        for n, page in enumerate(built, start=1)
    ]
