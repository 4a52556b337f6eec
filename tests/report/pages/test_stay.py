"""The page on who stays: the tiers, and what marks the loyal."""

from __future__ import annotations

import dataclasses

import pytest
from report_pages import EN, page

from churnlens.report.context import context
from churnlens.results import Review, Text


@pytest.mark.parametrize(
    ("trend", "said"), [(1.2, "+20%"), (0.83, "−17%"), (134.82, "more than tenfold"), (None, "–")]
)
def test_growth_beyond_a_bound_is_no_percentage(review: Review, trend, said):
    first = dataclasses.replace(review.book.tiers[0], trend=trend)
    book = dataclasses.replace(review.book, tiers=(first, *review.book.tiers[1:]))
    stay = page(context(dataclasses.replace(review, book=book), EN), "stay")
    assert stay["tiers"][0]["trend"] == said


def test_tiers_joined_as_too_small_are_named_together(review: Review):
    tiers = (
        dataclasses.replace(review.book.tiers[0], tier="top fifth and middle"),
        dataclasses.replace(review.book.tiers[1], tier="bottom fifth"),
    )
    book = dataclasses.replace(review.book, tiers=tiers)
    shown = page(context(dataclasses.replace(review, book=book), EN), "stay")["tiers"]
    assert shown[0]["name"] == "Those that bring most and the middle"


def test_who_is_in_the_table_of_tiers_and_what_its_trend_compares_is_said(review: Review):
    tiers = tuple(dataclasses.replace(t, trend=0.9) for t in review.book.tiers)
    for margin, money in ((0.2, "Margin"), (None, "Revenue")):
        rows = tuple(dataclasses.replace(t, margin_share=margin) for t in tiers)
        book = dataclasses.replace(review.book, tiers=rows)
        stay = page(context(dataclasses.replace(review, book=book), EN), "stay")
        assert stay["trend"].startswith(f"{money} of the same clients")
        assert "Of the 3,049 clients in the book, 3,120 were still there" in stay["notes"][0]


def test_having_an_attribute_is_a_share_not_a_mean(review: Review):
    text = Text(
        "Among the best clients, {segment} left less often.",
        {"segment": {"type": "clients", "value": {"region": ("north",)}}},
    )
    mark = dataclasses.replace(review.book.stay[0], text=text, stayers=0.19, leavers=0.36)
    book = dataclasses.replace(review.book, stay=(mark,))
    (told,) = page(context(dataclasses.replace(review, book=book), EN), "stay")["marks"]
    assert (told["stayers"], told["leavers"]) == ("19%", "36%")
