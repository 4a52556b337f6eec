"""An issue's one sentence: what changed, when, for whom, and when they began to leave."""

from __future__ import annotations

import pytest

from churnlens.results import (
    DateEstimate,
    DefinitionsAgreeing,
    Departures,
    Estimate,
    Issue,
    RemedyResult,
)
from churnlens.why.titles import as_mended, shift_title

ONSET = DateEstimate("2023-04-01", "2023-03-31", "2023-04-30")
KEY = {"size": ("key",)}


def _title(verdict="cause", until=None, **more) -> str:
    rivals, period = more.pop("rivals", ()), more.pop("period", "month")
    dates = (more.pop("onset", ONSET), until)
    return str(shift_title("lead days", "more", KEY, dates, period, verdict, rivals, **more))


def test_departures_that_followed_at_once_have_the_date_of_the_change():
    assert _title().startswith("Since April 2023")
    assert "on." not in _title()


def test_departures_that_came_later_have_a_date_of_their_own():
    said = _title(followed="2023-09-01")
    assert "lead days rose in April 2023" in said
    assert "from September 2023" in said


@pytest.mark.parametrize(
    ("period", "rose", "since"),
    [
        ("week", "the week of 1 May 2023", "the week of 11 September 2023"),
        ("month", "May 2023", "September 2023"),
        ("quarter", "Q2 2023", "Q3 2023"),
    ],
)
def test_dates_are_named_by_the_period_of_the_review(period, rose, since):
    onset = DateEstimate(*3 * ["2023-05-01"])
    said = _title(period=period, onset=onset, followed="2023-09-11")
    assert said == (
        f"Since lead days rose in {rose}, clients with size key leave more often, from {since} on."
    )
    assert _title("cannot_tell", onset, period=period, onset=onset).startswith(f"In {rose}, ")


def _issue(**more) -> Issue:
    title = shift_title("lead days", "more", KEY, (ONSET, None), "month", "cause", (), **more)
    return Issue(
        id="a",
        rank=1,
        kind="shift",
        title=str(title),
        title_text=title,
        driver="lead_days",
        direction="more",
        verdict="cause",
        segment=KEY,
        onset=ONSET,
        departures=Departures(60, 25.0, Estimate(35.0, 20.0, 50.0)),
        revenue_per_year=Estimate(0, 0, 0),
        effect=None,
        evidence=(),
        definitions_agreeing=DefinitionsAgreeing(1, 1),
        status=None,
        recommendation=(),
    )


def _remedy(left: Estimate | None, verdict="worked") -> RemedyResult:
    return RemedyResult(
        "fewer days", "a", KEY, "2024-10-01", verdict, None, None, None, still_at_stake=left
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "From April 2023 on, clients with size key left more often: lead days had risen."),
        (
            {"followed": "2023-09-01"},
            "From September 2023 on, clients with size key left more often:",
        ),
    ],
)
def test_what_a_remedy_has_ended_is_told_in_the_past(more, said):
    ended = as_mended(_issue(**more), (_remedy(Estimate(-3.0, -20.0, 2.0)),))
    assert ended.title.startswith(said)
    assert ended.title.endswith("Since the remedy of October 2024 they no longer do.")
    assert ended.title == str(ended.title_text)


@pytest.mark.parametrize(
    "remedy",
    [
        _remedy(Estimate(9.0, 2.0, 20.0)),  # fewer than there were, and still more than before
        _remedy(None),
        _remedy(Estimate(-3.0, -20.0, 2.0), "too_early"),
    ],
)
def test_what_may_be_left_of_an_issue_is_told_as_going_on(remedy):
    assert as_mended(_issue(), (remedy,)) == _issue()


def test_what_is_no_cause_or_has_passed_is_told_as_before():
    for more in ({"verdict": "cannot_tell"}, {"until": ONSET}, {"outlasted": True}):
        assert _title(**more, followed="2023-09-01") == _title(**more)
