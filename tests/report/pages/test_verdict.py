"""The first page: what is lost, to which issues, and since when."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import BookChange, DateEstimate, Departures, Estimate, Review, Text


def test_an_issue_is_one_line_with_who_since_why_how_sure_and_cost(shown):
    line = page(shown, "verdict")["issues"][0]
    assert line["who"] == "Size key"
    assert line["since"] == "September\u00a02023"
    assert line["why"] == "Caused by a rise in approval days"
    assert line["sure"] == "Fairly sure"
    assert (line["cost"], line["interval"], line["month"]) == ("€4.2M", "€3.3M to €5M", "€260K")


def test_who_never_was_a_client_is_not_counted_in_the_book(review: Review, shown):
    first = page(shown, "verdict")["figures"][0]
    assert first["counts"] == "clients in the book"
    assert first["number"] == EN.number(review.book.clients - review.book.set_apart)


def test_a_quiet_book_has_no_issue_pages_and_says_so(quiet: Review):
    shown = context(masked(quiet), EN)
    assert not [p for p in shown["pages"] if p["section"] in ("issue", "past")]
    assert "no group of clients leaves more" in page(shown, "verdict")["sentences"][0]


def test_a_saved_review_without_sentences_of_its_own_shows_its_first_issue(
    review: Review, quiet: Review
):
    older, calm = (dataclasses.replace(r, verdict=()) for r in (review, quiet))
    shown = context(older, EN)
    assert page(shown, "verdict")["sentences"] == [page(shown, "issue-1")["title"]]
    assert page(context(calm, EN), "verdict")["sentences"] == ["No issue was found."]


def test_what_is_said_beside_a_chart_is_the_sum_of_its_table(review: Review):
    series = tuple(dataclasses.replace(p, observed=0.4) for p in review.book.series)
    issues = tuple(dataclasses.replace(i, onset=None) for i in review.issues)
    book = dataclasses.replace(review.book, series=series, change=None)
    first = page(context(dataclasses.replace(review, book=book, issues=issues), EN), "verdict")
    assert first["figures"][1]["number"] == "5"  # 12 × 0.4
    assert "5 left in the last year" in first["chart_title"]
    assert {row[1] for row in first["chart"]["rows"]} == {"0.4"}


def test_a_changed_make_up_marks_no_date_on_the_chart_of_the_book(review: Review):
    mix = next(issue for issue in review.issues if issue.kind == "mix")
    shown = context(masked(dataclasses.replace(review, issues=(mix,))), EN)
    assert "in the last year" in page(shown, "verdict")["chart_title"]
    looks = [look for look, _ in page(shown, "verdict")["chart"]["legend"]]
    assert "onset" not in looks


def test_nothing_is_waited_for_once_a_remedy_for_all_of_an_issue_has_worked(review: Review):
    first = dataclasses.replace(review.remedies[0], segment=review.issues[0].segment)
    mended = context(masked(dataclasses.replace(review, remedies=(first,))), EN)
    assert page(mended, "verdict")["issues"][0]["month"] == ""
    assert page(context(masked(review), EN), "verdict")["issues"][0]["month"] == "€260K"


def test_what_a_remedy_has_mended_is_no_longer_lost(review: Review):
    """The figure of the first page, and what the outlook is called, are those of what is open."""
    first = dataclasses.replace(review.remedies[0], segment=review.issues[0].segment)
    both = dataclasses.replace(review, remedies=(first,), issues=review.issues[:2])
    alone = dataclasses.replace(both, issues=review.issues[:1])
    for mended, lost, outlook in (
        (both, ("€930K", "a year lost to issues"), "The next quarter, if nothing is done"),
        (alone, ("€4.2M", "a year lost before the remedy"), "The next quarter, as things stand"),
    ):
        shown = context(masked(mended), EN)
        figure = page(shown, "verdict")["figures"][-1]
        assert (figure["number"], figure["counts"]) == lost
        assert page(shown, "remedies")["outlook_title"] == outlook


def test_what_is_lost_adds_up_as_it_is_printed(review: Review):
    costs = (2_840_000, 1_440_000)
    issues = tuple(
        dataclasses.replace(i, revenue_per_year=Estimate(cost, 0, 5_000_000))
        for i, cost in zip(review.issues, costs, strict=False)
    )
    shown = page(context(dataclasses.replace(review, issues=issues), EN), "verdict")
    assert [line["cost"] for line in shown["issues"]] == ["€2.8M", "€1.4M"]
    assert shown["figures"][-1]["number"] == "€4.2M"


def test_an_issue_that_accounts_for_more_than_the_excess_of_the_book_says_why(review: Review):
    series = tuple(dataclasses.replace(p, observed=30.0, expected=27.0) for p in review.book.series)
    book = dataclasses.replace(review.book, series=series)  # 16 months since the onset
    alone = dataclasses.replace(review, book=book, issues=review.issues[:1])
    note = page(context(alone, EN), "verdict")["chart"]["note"]
    assert note.startswith("The issue accounts for 102 and the whole book for 48 more than")
    fewer = dataclasses.replace(
        alone.issues[0], departures=Departures(70, 25.0, Estimate(45.0, 30.0, 60.0))
    )
    part = dataclasses.replace(alone, issues=(fewer,))
    assert page(context(part, EN), "verdict")["chart"]["note"] == ""


def test_a_change_of_the_book_that_no_sentence_names_is_not_marked(quiet: Review):
    fall = BookChange(DateEstimate("2023-09-01", "2023-08-01", "2023-11-01"), 0.6, False, 0.001)
    book = dataclasses.replace(quiet.book, changes=(fall,))
    unnamed = dataclasses.replace(quiet, book=book)
    told = Text("Fewer since {date}.", {"date": {"type": "month", "value": "2023-09-01"}})
    for review, marked in ((unnamed, False), (dataclasses.replace(unnamed, verdict=(told,)), True)):
        shown = page(context(review, EN), "verdict")
        assert ("left since September" in shown["chart_title"]) is marked


def test_where_the_orders_end_early_the_last_year_is_that_of_the_orders(review):
    later = dataclasses.replace(review, as_of="2030-01-01")
    labels = [f["counts"] for f in page(context(later, EN), "verdict")["figures"]]
    assert "left in the year to December\u00a02024" in labels
    assert "left in the last year" not in labels
