"""All pages together: in which order they stand, and that they are plain."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import Review


def plain(value) -> bool:
    if isinstance(value, dict):
        return all(plain(v) for v in value.values())
    if isinstance(value, list | tuple):
        return all(plain(v) for v in value)
    return value is None or isinstance(value, str | int | float | bool)


def test_the_context_is_plain(shown):
    assert plain(shown)


def test_pages_stand_in_reading_order(shown):
    assert [p["anchor"] for p in shown["pages"]] == [
        "verdict", "issue-1", "issue-2", "issue-3", "issue-4", "issue-5",
        "past", "remedies", "ruled-out", "when", "shorter", "stay", "data", "method",
        "glossary",
    ]  # fmt: skip


def test_a_bare_review_still_makes_a_report(quiet: Review):
    bare = dataclasses.replace(
        quiet,
        ruled_out=(),
        skipped=(),
        data_findings=(),
        book=type(quiet.book)(10, 20, "2024-01-01", "2024-02-01", 0),
    )
    anchors = [p["anchor"] for p in context(masked(bare), EN)["pages"]]
    assert anchors == ["verdict", "data", "method", "glossary"]


def test_a_book_in_which_nobody_left_has_no_chart_of_nothing(review: Review):
    calm = tuple(dataclasses.replace(p, observed=0.0, expected=1e-15) for p in review.book.series)
    nobody = dataclasses.replace(
        review.book.returns, chance=(0.0,) * len(review.book.returns.silence)
    )
    book = dataclasses.replace(
        review.book, series=calm, returns=nobody, tiers=review.book.tiers[:1]
    )
    shown = context(dataclasses.replace(review, book=book, issues=()), EN)
    assert page(shown, "verdict")["chart"] is None
    assert page(shown, "method")["returns"] is None
    assert page(shown, "method")["no_returns"].startswith("No client ordered again")
    assert page(shown, "stay")["tiers"][0]["name"] == "All clients"
