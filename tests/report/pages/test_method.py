"""The page on the method."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.results import Review


def test_the_curve_of_returns_says_what_it_shows_at_its_threshold(review: Review):
    never = dataclasses.replace(review.book.returns, level=0.25)
    book = dataclasses.replace(review.book, returns=never)
    note = page(context(dataclasses.replace(review, book=book), EN), "method")["returns"]["note"]
    assert "10% of those silent so long" in note  # exp(-5.5 / 2.4), not the 25% aimed at
