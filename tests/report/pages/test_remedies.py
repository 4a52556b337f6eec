"""The page of remedies: what they avoided, and what is still to be won back."""

from __future__ import annotations

import dataclasses

import pytest
from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import Estimate, Review, Text


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (Estimate(21, 9, 34), "Still to be won back: 21 (9 to 34) departures a year."),
        (Estimate(4, -17, 14), "Still to be won back: none that stands out from chance, 14 dep"),
        (Estimate(-9, -22, -2), "Nothing is left to win back"),
    ],
)
def test_what_is_still_to_be_won_back_is_no_negative_count(review: Review, left, said):
    remedy = dataclasses.replace(review.remedies[0], still_at_stake=left)
    shown = context(masked(dataclasses.replace(review, remedies=(remedy,))), EN)
    assert page(shown, "remedies")["results"][0]["at_stake"].startswith(said)


@pytest.mark.parametrize(
    ("avoided", "verdict", "said"),
    [
        (Estimate(19, 8, 30), "worked", "Departures avoided so far: 19 (8 to 30)."),
        (Estimate(3, -7, 9), "too_early", "Departures avoided so far: 3 (−7 to 9), which may be"),
        (Estimate(3, -7, 9), "worked", "Departures avoided so far: 3 (−7 to 9); how many is not"),
        (Estimate(-5, -9, 2), "did_not", "Departures so far are 5 (−2 to 9) more than"),
    ],
)
def test_what_a_remedy_avoided_is_said_as_its_interval_bears(
    review: Review, avoided, verdict, said
):
    remedy = dataclasses.replace(review.remedies[0], departures_avoided=avoided, verdict=verdict)
    shown = context(masked(dataclasses.replace(review, remedies=(remedy,))), EN)
    assert page(shown, "remedies")["results"][0]["avoided"].startswith(said)


@pytest.mark.parametrize(("avoided", "fewer"), [(19.0, False), (-5.0, True), (None, False)])
def test_a_chart_of_a_remedy_that_did_not_work_is_titled_by_what_it_shows(
    review: Review, avoided: float | None, fewer: bool
):
    """One that was only announced did not work, however many departures there were."""
    found = None if avoided is None else Estimate(avoided, avoided - 4, avoided + 4)
    remedy = dataclasses.replace(
        review.remedies[0], verdict="did_not", departures_avoided=found, driver_moved=False
    )
    shown = context(masked(dataclasses.replace(review, remedies=(remedy,))), EN)
    title = page(shown, "remedies")["results"][0]["chart_title"]
    assert title.startswith("After the start no fewer left") == fewer


def test_what_a_remedy_did_to_its_driver_is_said_once(review: Review):
    values = {"driver": {"type": "driver", "value": "approval_days"}, "before": 3.8, "after": 3.7}
    detail = Text(
        "Announced, but not carried out: {driver} has hardly changed in its scope since it began "
        "(from {before} to {after}).",
        values,
    )
    failed = dataclasses.replace(
        review.remedies[0], driver_moved=False, driver_change=(3.8, 3.7), detail=detail
    )
    shown = context(dataclasses.replace(review, remedies=(failed,)), EN)
    (told,) = page(shown, "remedies")["results"]
    assert (told["not_carried_out"], told["moved"]) == ("", "")
    assert told["detail"].endswith("(from 3.8 to 3.7).")
