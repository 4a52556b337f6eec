"""Ids that stay, statuses that mean something."""

from __future__ import annotations

import dataclasses

import pytest
from issue_samples import KEY, issue, review

from churnlens.issues.identity import (
    Matched,
    Sight,
    issue_id,
    match,
    overlap_of_values,
    sight_of_reviews,
    unseen,
)
from churnlens.results import Book, Issue, PeriodPoint, Segment, Text


def sight(drivers: set[str] | None = None, expected: float | None = None) -> Sight:
    return Sight(
        drivers=None if drivers is None else frozenset(drivers),
        overlap=overlap_of_values,
        expected=lambda i: i.departures.expected if expected is None else expected,
    )


def matched(old: Issue, *new: Issue, view: Sight | None = None) -> Matched:
    return match(review(old), new, view or sight())


def test_an_id_is_readable_and_depends_on_driver_kind_and_segment_alone() -> None:
    first = issue_id("shift", "approval_days", {"size": ("key",), "region": ("north", "south")})
    again = issue_id("shift", "approval_days", {"region": ("south", "north"), "size": ("key",)})
    assert first == again
    assert first.startswith("approval-days-north-south-key-")
    assert first != issue_id("standing", "approval_days", {"size": ("key",)})
    assert issue_id("unexplained", None, {"地区": ("华东",)}).startswith("unexplained-华东-")


def test_without_a_previous_review_there_is_no_status() -> None:
    found = match(None, [issue()], sight())
    assert found.issues[0].status is None
    assert found.issues[0].id.startswith("approval-days-key-")
    assert found.gone == ()


def test_two_rises_of_one_group_have_an_id_each_from_the_first_review_on() -> None:
    early, late = issue(driver=None, onset="2021-03-01"), issue(driver=None, onset="2023-09-01")
    first = match(None, [early, late], sight()).issues
    assert [i.id for i in first] == [first[0].id, f"{first[0].id}-2"]
    last = dataclasses.replace(review(), issues=first)
    now = match(last, [late, early], sight()).issues  # the ranks of the two have changed
    assert [i.id for i in now] == [i.id for i in first][::-1]


@pytest.mark.parametrize(
    "segment",
    [
        {"size": ("key",)},
        {"size": ("key", "large")},
        {"size": ("key",), "region": ("north",)},
        {"size": ("key",), "region": ("north",), "branch": ("food",)},
    ],
)
def test_the_id_stays_when_the_edge_of_the_segment_moves(segment: Segment) -> None:
    old = issue()
    found = matched(old, issue(segment=segment, onset="2023-10-01"))
    assert found.issues[0].id == review(old).issues[0].id
    assert found.issues[0].status == "same"
    assert found.gone == ()


def test_another_segment_or_driver_or_kind_is_another_issue() -> None:
    old = issue()
    for other in (
        issue(segment={"size": ("small",)}),
        issue(driver="late_days"),
        issue(kind="standing", onset=None),
    ):
        found = matched(old, other, view=sight({"approval_days", "late_days"}))
        assert found.issues[0].status == "new"
        assert [g.id for g in found.gone] == [review(old).issues[0].id]


def test_two_issues_of_one_driver_keep_apart() -> None:
    north, south = issue(segment={"region": ("north",)}), issue(segment={"region": ("south",)})
    last = review(north, south)
    found = match(last, [issue(segment={"region": ("south", "west")}), north], sight())
    assert [i.id for i in found.issues] == [last.issues[1].id, last.issues[0].id]


def test_a_driver_mapped_anew_keeps_the_issue() -> None:
    old, new = issue(), issue(driver="genehmigung_tage", onset="2023-10-01")
    found = matched(old, new, view=sight({"genehmigung_tage", "late_days"}))
    assert found.issues[0].id == review(old).issues[0].id
    still_there = matched(old, new, view=sight({"genehmigung_tage", "approval_days"}))
    assert still_there.issues[0].status == "new"


def test_a_rise_that_is_explained_later_keeps_its_id() -> None:
    old, new = issue(driver=None, onset="2023-12-01"), issue()
    found = matched(old, new, view=sight({"approval_days"}))
    assert found.issues[0].id == review(old).issues[0].id
    assert found.gone == ()
    back = matched(new, old, view=sight({"approval_days"}))
    assert back.issues[0].id == review(new).issues[0].id
    for other in (issue(onset="2022-09-01"), issue(segment={"size": ("small",)})):
        assert matched(old, other, view=sight({"approval_days"})).issues[0].status == "new"


def test_overlap_of_members_is_used_where_it_is_given() -> None:
    view = dataclasses.replace(sight(), overlap=lambda a, b: 0.05)
    assert matched(issue(), issue(), view=view).issues[0].status == "new"


def test_what_is_not_found_again_is_gone_or_can_no_longer_be_seen() -> None:
    assert matched(issue()).gone[0].reason == "gone"
    assert matched(issue(), view=sight(expected=3.0)).gone[0].reason == "cannot_be_seen"
    assert matched(issue(), view=sight({"late_days"})).gone[0].reason == "cannot_be_seen"


def test_what_costs_clients_all_along_is_gone_only_where_it_would_have_been_seen() -> None:
    standing = issue(kind="standing", onset=None)
    assert matched(standing).gone[0].reason == "gone"
    assert matched(standing, view=sight(expected=3.0)).gone[0].reason == "cannot_be_seen"


def test_what_is_gone_keeps_its_sentence_as_it_can_be_translated() -> None:
    sentence = Text("All along, {segment} leave.", {"segment": {"type": "clients", "value": KEY}})
    last = issue(title_text=sentence, clients=12)
    for gone in (*matched(last).gone, *unseen(review(last))):
        assert gone.title_text == sentence
        assert gone.clients == 12


def points(late: int) -> tuple[PeriodPoint, ...]:
    """Eight months at 6 departures for 3 expected, then three months of `late` each."""
    months = [f"2023-{m:02d}-01" for m in range(9, 13)] + [f"2024-{m:02d}-01" for m in range(1, 8)]
    return tuple(PeriodPoint(m, late if m > "2024-03-31" else 6, 3.0, 400) for m in months)


@pytest.mark.parametrize(
    ("late", "status"), [(6, "same"), (8, "same"), (20, "worse"), (0, "better")]
)
def test_worse_and_better_mean_more_than_chance(late: int, status: str) -> None:
    found = matched(issue(), issue(series=points(late)))
    assert found.issues[0].status == status


def test_without_a_series_the_intervals_decide() -> None:
    old = issue(revenue=(100.0, 80.0, 120.0))
    assert matched(old, issue(revenue=(150.0, 110.0, 190.0))).issues[0].status == "worse"
    assert matched(old, issue(revenue=(120.0, 80.0, 160.0))).issues[0].status == "same"
    assert matched(old, issue(revenue=(30.0, 10.0, 50.0))).issues[0].status == "better"


def test_two_reviews_alone_tell_that_the_data_got_thin() -> None:
    def book(expected: float) -> Book:
        series = tuple(PeriodPoint(f"2023-{m:02d}-01", 9, expected, 900) for m in range(1, 13))
        return Book(1000, 1, "2021-01-01", "2024-03-31", 0, series=series)

    old = review(issue(), book=book(10.0))
    for expected, reason in ((10.0, "gone"), (0.5, "cannot_be_seen")):
        new = review(as_of="2024-06-30", book=book(expected))
        assert match(old, new.issues, sight_of_reviews(old, new)).gone[0].reason == reason
