"""The page of an issue: what it is, why, how sure, and what would test a remedy."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import (
    Bar,
    DateEstimate,
    Departures,
    Estimate,
    Evidence,
    LagPoint,
    Review,
    Skipped,
    Text,
)

BILLING = {"driver": {"type": "driver", "value": "billing_errors"}}


def test_an_issue_page_holds_every_part(shown):
    issue = page(shown, "issue-1")
    assert [c["size"] for c in issue["charts"]] == ["half", "half", "third", "third", "third"]
    assert [c["outcome"] for c in issue["checks"]].count("pass") == 8
    assert issue["remedies"]
    assert issue["unknown"]
    assert issue["test"][0].startswith("A remedy has begun: Approval under two days")
    assert issue["test"][1].startswith("If approval goes back under two days")


def test_every_chart_has_words_and_a_table(shown):
    for issue in (p for p in shown["pages"] if p["section"] == "issue"):
        for chart in issue["charts"]:
            figure = chart["chart"]
            assert figure["said"].endswith((".", ")."))
            assert all(len(row) == len(figure["head"]) for row in figure["rows"])


def passed_issue(review: Review):
    april = DateEstimate("2024-04-01", "2024-04-01", "2024-04-30")
    return dataclasses.replace(review.issues[0], until=april, test_plan=None)


def test_a_trouble_that_has_passed_is_said_with_its_end_and_no_price_of_waiting(review: Review):
    shown = context(masked(dataclasses.replace(review, issues=(passed_issue(review),))), EN)
    line, issue = page(shown, "verdict")["issues"][0], page(shown, "issue-1")
    assert line["since"] == "September\u00a02023 to April\u00a02024"
    assert line["month"] == ""
    assert "It has passed." in issue["since_more"]
    assert issue["passed"]
    assert "to April\u00a02024; " in page(shown, "verdict")["chart_title"]
    assert issue["charts"][1]["title"].endswith("and back")


def test_charts_are_titled_by_what_they_show(shown):
    assert "left since September\u00a02023" in page(shown, "verdict")["chart_title"]
    titles = [chart["title"] for chart in page(shown, "issue-1")["charts"]]
    assert titles[0].startswith(f"{_left_since(shown)} of these clients left since September")
    assert titles[1] == "Approval days went from 1.1 to 4.9 on average"
    assert titles[4] == (
        "164 departures in the last year, 78 a year before. Changed most: Approval days +68"
    )


def _left_since(shown: dict) -> str:
    """What the table behind the first issue's chart adds up to, from its date on."""
    rows = page(shown, "issue-1")["charts"][0]["chart"]["rows"]
    since = next(n for n, row in enumerate(rows) if row[0] == "September\u00a02023")
    return str(round(sum(float(row[1]) for row in rows[since:])))


def test_drivers_that_cannot_be_told_apart_are_named_together(review: Review):
    bars = (Bar("", "start", 9), Bar("", "cause", 5, Text("{driver}", BILLING)), Bar("", "end", 14))
    twins = dataclasses.replace(review.issues[3], rank=1, waterfall=bars)
    shown = page(context(masked(dataclasses.replace(review, issues=(twins,))), EN), "issue-1")
    assert shown["checks"][0] == {
        "outcome": "fail",
        "answer": "failed",
        "question": "Can it be told from what else moved?",
        "detail": "No: portal logins failed moved with it.",
    }
    steps = shown["charts"][-1]["title"]
    assert steps.endswith("Changed most: billing errors or portal logins failed +5")


def test_a_change_made_for_all_hit_leavers_and_stayers_alike(review: Review):
    flat = tuple(LagPoint(n, Estimate(0.0, -0.1, 0.1), 100) for n in range(-6, 7))
    for outcome, said in (("pass", "It hit leavers and stayers alike"), ("fail", "Before their")):
        timing = (Evidence("lead_lag", outcome, ""),)
        issue = dataclasses.replace(review.issues[0], lead_lag=flat, evidence=timing)
        shown = page(context(dataclasses.replace(review, issues=(issue,)), EN), "issue-1")
        assert shown["charts"][2]["title"].startswith(said)


def test_an_issue_whose_departures_came_later_has_both_dates(review: Review):
    issue = review.issues[0]
    later = {"later": {"type": "date", "value": "2023-12-01"}}
    text = dataclasses.replace(issue.title_text, values={**issue.title_text.values, **later})
    late = dataclasses.replace(issue, title_text=text)
    shown = page(context(dataclasses.replace(review, issues=(late,)), EN), "issue-1")
    assert shown["since"] == "September\u00a02023"
    assert shown["since_more"][:2] == [
        "Approval days: between August\u00a02023 and October\u00a02023.",
        "Departures: from December\u00a02023 on.",
    ]


def test_what_left_with_and_without_an_issue_adds_up(review: Review):
    """389 left, 262.4 would have, 126.4 come from it: not 262 and 126."""
    issue = dataclasses.replace(
        review.issues[0], departures=Departures(389, 262.4, Estimate(126.4, 90.0, 150.0))
    )
    shown = page(context(dataclasses.replace(review, issues=(issue,)), EN), "issue-1")
    assert "389 left, 263 would have without it; 126 (" in shown["cost_more"][0]
    whole = page(context(masked(review), EN), "issue-1")["cost_more"][0]
    assert "214 left, 96 would have without it; 102 (" in whole  # of 16 it is not known


def test_why_an_issue_has_no_test_is_said_on_its_own_page(review: Review):
    issue = passed_issue(review)
    text = Text("It has passed, so there is nothing left that a remedy could be tested by.")
    skipped = (Skipped("trouble_has_passed", f"{issue.id}: {text}", text),)
    changed = dataclasses.replace(review, issues=(issue,), remedies=(), skipped=skipped)
    shown = context(masked(changed), EN)
    assert page(shown, "issue-1")["test"] == [str(text)]
    assert page(shown, "ruled-out")["skipped"] == []


def test_beside_other_issues_it_is_said_without_which_of_them_fewer_would_have_left(review, shown):
    first = page(shown, "issue-1")
    assert first["charts"][0]["title"].endswith(" would have anyway")
    assert "would have without it" in first["cost_more"][0]
    alone = dataclasses.replace(review, issues=review.issues[:1])
    said = page(context(alone, EN), "issue-1")["charts"][0]["title"]
    assert said.endswith("were expected")
