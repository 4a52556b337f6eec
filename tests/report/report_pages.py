"""How a test finds its page of a report."""

from __future__ import annotations

from churnlens.report.language import Language

EN = Language("en", "EUR", "month")


def page(shown: dict, anchor: str) -> dict:
    return next(p for p in shown["pages"] if p["anchor"] == anchor)
