from __future__ import annotations

import dataclasses

import pytest

from churnlens.report import render
from churnlens.report.context import context
from churnlens.report.language import Language
from churnlens.report.privacy import masked
from churnlens.results import (
    Bar,
    BookChange,
    DateEstimate,
    Departures,
    Estimate,
    Evidence,
    Gone,
    LagPoint,
    RegisterEntry,
    Review,
    RuledOut,
    Skipped,
    Text,
)

EN = Language("en", "EUR", "month")
BILLING = {"driver": {"type": "driver", "value": "billing_errors"}}


@pytest.fixture(scope="module")
def shown(review: Review) -> dict:
    return context(masked(review), EN)


def page(shown: dict, anchor: str) -> dict:
    return next(p for p in shown["pages"] if p["anchor"] == anchor)


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


def test_the_sum_of_rows_is_printed(shown):
    row = page(shown, "data")["rows"][0]
    assert row == {
        "table": "orders", "read": "541,909", "accepted": "398,201",
        "rejected": "135,080", "after_as_of": "8,628",
    }  # fmt: skip


def test_what_became_of_last_time_names_the_gone_and_the_unseen(shown):
    said = {row["title"]: row["status_name"] for row in page(shown, "past")["rows"]}
    assert said["Stock-outs cost clients in the south since May 2023."] == "gone"
    assert said["Fewer visits cost mid-size clients since January 2023."] == "can no longer be seen"


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


def test_whoever_may_yet_become_a_client_is_not_called_a_one_off_buyer(review: Review):
    some = dataclasses.replace(review, book=dataclasses.replace(review.book, set_apart=34))
    (said,) = (s for s in page(context(masked(some), EN), "data")["covers"] if "Set apart" in s)
    assert "34 buyers" in said
    assert "not yet" in said
    assert "one-off" not in said


def test_an_alarm_about_the_data_stands_with_the_data_to_mend(review: Review):
    text = Text("Was the business closed, or are orders not loaded yet?")
    alarm = Skipped("last_gap", str(text), text)
    shown = context(dataclasses.replace(review, skipped=(alarm,)), EN)
    first = page(shown, "data")["findings"][0]
    assert first == {"severity": "warning", "text": str(text)}
    assert page(shown, "ruled-out")["skipped"] == []
    alone = context(dataclasses.replace(review, skipped=(alarm,), ruled_out=()), EN)
    assert not [p for p in alone["pages"] if p["section"] == "ruled-out"]


def test_where_nothing_was_ruled_out_the_page_is_called_by_what_it_holds(review: Review):
    text = Text("The data cover less than two years.")
    asked = (Skipped("no_season", str(text), text),)
    bare = dataclasses.replace(review, ruled_out=(), skipped=asked)
    assert page(context(bare, EN), "ruled-out")["nav"] == "Not asked"
    assert "Looked at and ruled out" not in render(bare)


def test_drivers_ruled_out_for_one_reason_stand_together(review: Review):
    why = "It did not change for any group of clients."
    alike = tuple(RuledOut(name, "no_effect", why) for name in ("freight_eur", "lines_short_pct"))
    shown = context(masked(dataclasses.replace(review, ruled_out=alike)), EN)
    (group,) = page(shown, "ruled-out")["drivers"]
    assert group["verdict_name"] == "No effect"
    assert [(r["names"], r["why"]) for r in group["reasons"]] == [
        ("Freight (EUR), Lines short (%) (each)", why)
    ]


def test_why_an_issue_has_no_test_is_said_on_its_own_page(review: Review):
    issue = passed_issue(review)
    text = Text("It has passed, so there is nothing left that a remedy could be tested by.")
    skipped = (Skipped("trouble_has_passed", f"{issue.id}: {text}", text),)
    changed = dataclasses.replace(review, issues=(issue,), remedies=(), skipped=skipped)
    shown = context(masked(changed), EN)
    assert page(shown, "issue-1")["test"] == [str(text)]
    assert page(shown, "ruled-out")["skipped"] == []


def test_past_issues_are_called_by_their_name_of_today(shown, review: Review):
    rows = page(shown, "past")["timeline"]["rows"]
    titles = [row["title"] for row in rows]
    assert EN.sentence(review.issues[0].title_text) in titles


def test_an_issue_no_longer_open_is_said_in_the_readers_language(review: Review):
    values = {"segment": {"type": "clients", "value": {"size": ("key",)}}}
    values |= {"date": {"type": "date", "value": "2023-05-01"}}
    text = Text(
        "Since {date}, {segment} leave more often, and nothing on record explains it.", values
    )
    told = {"title_text": text}
    older = dataclasses.replace(
        review,
        gone=(Gone("z1", str(text), **told),),
        register=(
            RegisterEntry("2024-06-30", "seen", "z0", str(text), **told),
            RegisterEntry("2024-09-30", "seen", "z1", str(text), **told),
            RegisterEntry("2024-12-31", "gone", "z1", str(text)),
        ),
    )
    shown = page(context(older, Language("zh", "EUR", "month")), "past")
    named = "自2023年5月起，size 为 key 的客户更常流失，现有记录无法解释。"
    assert [row["title"] for row in shown["timeline"]["rows"]] == [named, named]
    assert named not in [row["title"] for row in shown["rows"]]  # it is said once


@pytest.mark.parametrize(
    ("trend", "said"), [(1.2, "+20%"), (0.83, "−17%"), (134.82, "more than tenfold"), (None, "–")]
)
def test_growth_beyond_a_bound_is_no_percentage(review: Review, trend, said):
    first = dataclasses.replace(review.book.tiers[0], trend=trend)
    book = dataclasses.replace(review.book, tiers=(first, *review.book.tiers[1:]))
    stay = page(context(dataclasses.replace(review, book=book), EN), "stay")
    assert stay["tiers"][0]["trend"] == said


def test_a_shorter_stay_brings_less_than_the_others(review: Review, shown):
    rows = zip(masked(review).book.lifetimes, page(shown, "shorter")["lifetimes"], strict=True)
    assert all(said["money"].startswith("−") == (row.money.value > 0) for row, said in rows)


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


def test_the_curve_of_returns_says_what_it_shows_at_its_threshold(review: Review):
    never = dataclasses.replace(review.book.returns, level=0.25)
    book = dataclasses.replace(review.book, returns=never)
    note = page(context(dataclasses.replace(review, book=book), EN), "method")["returns"]["note"]
    assert "10% of those silent so long" in note  # exp(-5.5 / 2.4), not the 25% aimed at


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


def test_beside_other_issues_it_is_said_without_which_of_them_fewer_would_have_left(review, shown):
    first = page(shown, "issue-1")
    assert first["charts"][0]["title"].endswith(" would have anyway")
    assert "would have without it" in first["cost_more"][0]
    alone = dataclasses.replace(review, issues=review.issues[:1])
    said = page(context(alone, EN), "issue-1")["charts"][0]["title"]
    assert said.endswith("were expected")


def test_where_the_orders_end_early_the_last_year_is_that_of_the_orders(review):
    later = dataclasses.replace(review, as_of="2030-01-01")
    labels = [f["counts"] for f in page(context(later, EN), "verdict")["figures"]]
    assert "left in the year to December\u00a02024" in labels
    assert "left in the last year" not in labels
