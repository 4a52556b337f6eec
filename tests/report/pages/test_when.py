"""The pages on time: changes of the book, and how long clients stay."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import BookChange, DateEstimate, Review


def test_changes_of_the_book_say_whether_they_came_at_once(shown):
    rise, fall = page(shown, "when")["changes"]
    assert "rose in September\u00a02023, all at once" in rise
    assert "fell from June\u00a02024 on, step by step" in fall
    assert fall.endswith("about 1 of 33 such searches, with all the looking counted.")


def test_a_change_of_the_book_is_counted_up_to_the_next_as_the_chart_shows_it(review, shown):
    rise, fall = page(shown, "when")["changes"]
    between = [p for p in review.book.series if "2023-09-01" <= p.period < "2024-06-01"]
    left, due = round(sum(p.observed for p in between)), round(sum(p.expected for p in between))
    assert f"then {left} where {due} were" in rise
    assert f": {left} left before it where {due} were expected" in fall


def test_shorter_stays_are_said_in_months_and_money(shown):
    found = page(shown, "shorter")
    assert found["sentences"][0] == (
        "Of the first 36 months a client of size key stays 26.1, other clients 30.1: about €5,210 "
        "less from each."
    )
    assert [row["group"] for row in found["lifetimes"]] == [
        "Size key", "Those that bring least", "Size mid",
    ]  # fmt: skip
    assert found["lifetimes"][2]["lost"] == "3.9 more"


def test_a_change_of_the_book_at_the_time_of_an_issue_is_tied_to_it(review: Review):
    rise, fall = page(context(masked(review), EN), "when")["changes"]
    assert rise.endswith("That is when issue 1 began.")
    assert "issue" not in fall


def test_a_change_of_the_book_without_a_date_is_told_without_one(review: Review):
    wide = BookChange(DateEstimate("2023-09-01", "2022-08-01", "2023-11-01"), 1.4, False, 0.001)
    book = dataclasses.replace(review.book, changes=(wide,))
    (said,) = page(context(dataclasses.replace(review, book=book, issues=()), EN), "when")[
        "changes"
    ]
    assert said == (
        "Departures of the whole book rose; when cannot be told (between August\u00a02022 and "
        "November\u00a02023)."
    )


def test_a_steady_rise_of_the_book_includes_its_dated_issues(review: Review):
    said = page(context(masked(review), EN), "shorter")["cohorts"]
    assert said[1] == "This includes issue 1."


def test_a_shorter_stay_brings_less_than_the_others(review: Review, shown):
    rows = zip(masked(review).book.lifetimes, page(shown, "shorter")["lifetimes"], strict=True)
    assert all(said["money"].startswith("−") == (row.money.value > 0) for row, said in rows)


def test_the_lines_of_how_long_clients_stay_are_those_of_the_table(review: Review):
    def named(book):
        drawn = page(context(dataclasses.replace(review, book=book), EN), "when")["survival"]
        return [name for _, name in drawn["legend"]]

    curves = tuple(
        dataclasses.replace(curve, attribute="value_tier" if curve.attribute else "")
        for curve in review.book.survival
    )
    book = dataclasses.replace(review.book, survival=curves)
    assert named(book) == ["All clients", "Those that bring least"]
    assert named(dataclasses.replace(book, lifetimes=())) == ["All clients"]
