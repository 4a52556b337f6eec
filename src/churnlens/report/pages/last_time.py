"""What became of the last review's issues?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnlens.report import words
from churnlens.report.language import Language
from churnlens.results import Gone, Issue, RegisterEntry, Review, Text

_REVIEWS_SHOWN = 8
_COSTS = Text("{money} a year")


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
