"""Which issue comes first, and the two sentences of the first page."""

from dataclasses import replace

import issue_samples
import pytest

from churnlens.issues.summary import caveats, ranked, too_few, unplaced_share, verdict_sentences
from churnlens.results import (
    Bar,
    BookChange,
    DataFinding,
    DateEstimate,
    Estimate,
    Evidence,
    Issue,
    Lifetime,
    PeriodPoint,
    RemedyResult,
    RowCounts,
    Text,
)

YEAR = tuple(PeriodPoint(f"2024-{m:02d}-01", 7.3, 7.0, 300) for m in range(1, 13))
TITLE = Text("Since {date}, {segment} leave more often.", {"date": "May", "segment": "all"})


def test_the_dearest_issue_comes_first() -> None:
    cheap = issue_samples.issue("a", revenue=(10.0, 5.0, 15.0))
    dear = issue_samples.issue("b", revenue=(90.0, 50.0, 120.0))
    first, second = ranked((cheap, dear))
    assert (first.driver, first.rank) == ("b", 1)
    assert (second.driver, second.rank) == ("a", 2)


def test_of_two_that_cost_the_same_the_one_with_more_departures_comes_first() -> None:
    few = issue_samples.issue("few", observed=30)
    many = issue_samples.issue("many", observed=80)
    assert [i.driver for i in ranked((few, many))] == ["many", "few"]


def test_no_issue_has_no_rank() -> None:
    assert ranked(()) == ()


def test_one_issue_is_said_with_its_cost() -> None:
    issue = issue_samples.issue(title_text=TITLE, observed=60, expected=25.0)
    title, cost = map(str, verdict_sentences(ranked((issue,)), YEAR, 1.3, until="2024-12-31"))
    assert title == "Since May, all leave more often."
    assert cost == "It accounts for about 35 departures so far, clients who brought 100 a year."


def test_a_trouble_that_has_passed_is_not_said_to_go_on() -> None:
    month = DateEstimate("2023-04-01", "2023-04-01", "2023-04-30")
    issue = replace(issue_samples.issue(title_text=TITLE, observed=60, expected=25.0), until=month)
    cost = str(verdict_sentences(ranked((issue,)), YEAR, 1.3, until="2024-12-31")[1])
    assert "so far" not in cost
    assert cost.endswith("it has passed.")


def unexplained(p_value: float, found_again: bool) -> Issue:
    """A rise that no driver explains, as the scan found it."""
    return replace(
        issue_samples.issue(None, title_text=TITLE),
        kind="unexplained",
        verdict=None,
        onset=DateEstimate("2022-07-01", "2022-03-01", "2024-04-30"),
        p_value=p_value,
        evidence=(Evidence("held_out", "pass" if found_again else "fail", ""),),
    )


def test_a_rise_that_may_be_chance_is_doubted_on_the_first_page() -> None:
    said = [
        str(t)
        for t in verdict_sentences((unexplained(0.03, False),), YEAR, 1.3, until="2024-12-31")
    ]
    assert said[2] == (
        "It was not found again on clients left out of the search, and chance alone would show as "
        "much in about 1 of 33 such searches; if it is real, it began between 2022-03-01 and "
        "2024-04-30."
    )


@pytest.mark.parametrize(
    ("p_value", "found_again", "sentences"), [(0.002, True, 2), (0.002, False, 3), (0.06, True, 3)]
)
def test_a_clearer_rise_is_doubted_less(p_value, found_again, sentences) -> None:
    said = verdict_sentences((unexplained(p_value, found_again),), YEAR, 1.3, until="2024-12-31")
    assert len(said) == sentences


@pytest.mark.parametrize(
    ("low", "high", "per_year", "dated"),
    [
        ("2024-10-01", "2024-10-31", 12, False),
        ("2024-10-01", "2024-12-31", 4, False),
        ("2024-03-04", "2024-03-10", 52, False),
        ("2024-03-04", "2024-03-24", 52, True),
        ("2024-09-01", "2024-10-31", 12, True),
    ],
)
def test_when_a_doubtful_rise_began_is_said_where_that_is_more_than_one_period(
    low, high, per_year, dated
) -> None:
    found = replace(unexplained(0.03, False), onset=DateEstimate(low, low, high))
    said = verdict_sentences((found,), YEAR, 1.3, until="2024-12-31", per_year=per_year)
    assert ("it began between" in str(said[2])) is dated


def test_several_issues_are_added_up_as_each_is_said() -> None:
    """€2.8M and €1.4M are €4.2M, also where they are 2.84 and 1.44."""
    issues = [
        issue_samples.issue(name, title_text=TITLE, revenue=(money, 0.0, 9e6))
        for name, money in (("a", 2.84e6), ("b", 1.44e6))
    ]
    cost = verdict_sentences(ranked(issues), YEAR, 1.3, until="2024-12-31")[1]
    assert cost.values["money"]["value"] == pytest.approx(4.2e6)


def test_several_issues_are_added_up() -> None:
    issues = ranked(
        issue_samples.issue(name, title_text=TITLE, revenue=(money, 0.0, 999.0))
        for name, money in (("a", 300.0), ("b", 200.0))
    )
    cost = str(verdict_sentences(issues, YEAR, 1.3, until="2024-12-31")[1])
    assert cost.startswith("The 2 issues together account for about 70 departures so far")
    assert "500 a year" in cost


def test_a_quiet_book_says_so_and_how_small_a_rise_would_have_shown() -> None:
    calm, power = map(str, verdict_sentences((), YEAR, 1.35, until="2024-12-31"))
    assert calm.startswith(
        "88 clients left in the year to December 2024 and 84 were expected, no further"
    )
    assert power == (
        "A rise of 35 % or more over a year in the whole book would have been seen in four of five "
        "cases."
    )


def book_change(ratio: float, p_value: float, gradual: bool = False) -> BookChange:
    dates = DateEstimate("2024-03-01", "2024-02-01", "2024-03-31")
    return BookChange(dates, ratio, gradual, p_value)


def of_the_book(left: float, change: BookChange) -> str:
    """What is said of a book with so many departures a month where 7 were expected."""
    series = [PeriodPoint(p.period, left, 7.0, 300) for p in YEAR]
    return str(verdict_sentences((), series, 1.35, (), (change,), until="2024-12-31")[0])


def test_a_sure_rise_of_the_whole_book_is_said_as_its_chart_counts_it() -> None:
    said = of_the_book(8.0, book_change(5.8, 0.001))
    assert said.startswith(
        "Departures of the whole book rose in March 2024: 80 clients have left since, where 70 were"
    )
    slow = of_the_book(8.0, book_change(5.8, 0.001, gradual=True))
    assert slow.startswith("Departures of the whole book rose step by step from March 2024 on")


def test_a_sure_fall_of_the_whole_book_is_not_called_as_expected() -> None:
    said = of_the_book(5.0, book_change(0.5, 0.001))
    assert said.startswith(
        "60 clients left in the year to December 2024, fewer than the 84 expected: since"
    )


@pytest.mark.parametrize(("left", "ratio", "p"), [(6.0, 3.0, 0.04), (6.0, 3.0, 0.001)])
def test_no_rise_to_what_is_usual_is_told(left, ratio, p) -> None:
    assert "no further apart than by chance" in of_the_book(left, book_change(ratio, p))


@pytest.mark.parametrize("left", [1.0, 20.0])
def test_a_year_far_from_what_was_expected_is_not_called_chance(left) -> None:
    said = of_the_book(left, book_change(3.0 if left < 7 else 0.3, 0.001))
    assert "expected" in said
    assert "chance" not in said


@pytest.mark.parametrize(("left", "ratio"), [(8.0, 3.0), (6.0, 0.5)])
def test_an_unsure_change_of_the_whole_book_may_be_chance(left, ratio) -> None:
    assert "were expected, which may be chance" in of_the_book(left, book_change(ratio, 0.04))


def test_a_change_that_has_no_date_is_not_said_with_one() -> None:
    wide = BookChange(DateEstimate("2023-03-01", "2022-01-01", "2024-03-31"), 0.5, False, 0.001)
    said = of_the_book(5.0, wide)
    assert "2023" not in said
    assert "may be chance" not in said
    assert said.startswith("60 clients left in the year to December 2024 and 84 were expected")


def test_a_book_that_could_not_be_searched_is_not_called_calm() -> None:
    said = " ".join(map(str, too_few(3.0)))
    assert "3 clients left: too few" in said
    assert "no group" not in said


def test_without_a_figure_for_power_it_says_that() -> None:
    assert "too few" in str(verdict_sentences((), YEAR, None, until="2024-12-31")[1])


@pytest.mark.parametrize("issues", [(), (issue_samples.issue(title_text=TITLE),)])
def test_there_are_two_sentences(issues) -> None:
    assert len(verdict_sentences(issues, YEAR, 1.5, until="2024-12-31")) == 2


def remedy_of(issue: Issue, **more: object) -> RemedyResult:
    """One that has worked for all clients of an issue, but for what `more` says."""
    values = {
        "action": "one step fewer",
        "issue_id": issue.id,
        "segment": {},
        "start_date": "2024-10-01",
        "verdict": "worked",
        "departures_avoided": None,
        "risk_ratio": Estimate(0.4, 0.2, 0.7),
        "readable_from": None,
    }
    return RemedyResult(**(values | more))


def test_what_is_left_to_mend_comes_before_what_is_mended() -> None:
    dear, cheap = (
        issue_samples.issue(name, title_text=TITLE, id=name, revenue=(money, 0.0, 999.0))
        for name, money in (("dear", 90.0), ("cheap", 10.0))
    )
    remedy = remedy_of(dear)
    issues = ranked((dear, cheap), (remedy,))
    assert [i.id for i in issues] == ["cheap", "dear"]
    said = verdict_sentences(issues, YEAR, 1.3, (remedy,), until="2024-12-31")
    assert said[1].values["money"]["value"] == 10.0  # not what is no longer lost
    assert str(said[2]) == (
        "The remedy for all clients, begun in October 2024, has worked: 60 % fewer of them leave "
        "than would have."
    )


def test_a_remedy_that_worked_for_a_part_is_said_beside_what_is_still_open() -> None:
    issue = issue_samples.issue(title_text=TITLE, id="a")
    part = remedy_of(issue, segment={"size": ("key",), "region": ("north",)})
    said = verdict_sentences((issue,), YEAR, 1.3, (part,), until="2024-12-31")
    assert str(said[2]).startswith(
        "The remedy for clients with region north, size key, begun in October 2024, has worked:"
    )
    assert str(said[2]).endswith("for the other clients of issue 1 it is still open.")


def test_what_the_make_up_of_the_book_added_is_said_beside_its_growth() -> None:
    steps = [("before", 300.4), ("size", 107.0), ("kinds", 58.4), ("tenure", 4.4), ("rate", -22.0)]
    bars = tuple(Bar(name, "mix", value) for name, value in (*steps, ("after", 448.2)))
    issue = issue_samples.issue(None, title_text=TITLE, kind="mix", waterfall=bars)
    said = str(verdict_sentences((issue,), YEAR, 1.3, until="2024-12-31")[1])
    assert said == (
        "148 more clients left than in a year before: 107 because of how many clients there are, "
        "58 because more of them are clients with size key (100 a year), -17 for other reasons."
    )


@pytest.mark.parametrize("start", ["2024-10-01", "2024-10-15"])
def test_a_remedy_that_worked_is_said_with_the_month_of_its_beginning(start) -> None:
    issue = issue_samples.issue(title_text=TITLE)
    remedy = remedy_of(issue, start_date=start)
    said = verdict_sentences(ranked((issue,)), YEAR, 1.3, (remedy,), until="2024-12-31")[1]
    assert said.values["date"] == {"type": "month", "value": start}
    assert str(said).startswith("The remedy begun in October 2024 has worked")
    part = replace(remedy, segment={**issue.segment, "region": ("north",)})
    said = verdict_sentences(ranked((issue,)), YEAR, 1.3, (part,), until="2024-12-31")[1]
    assert "It accounts" in str(said)  # the others of them leave as before, and cost as much


@pytest.mark.parametrize("rise", [4.79, None])
def test_where_hardly_a_rise_could_have_been_seen_none_is_said_to_be_absent(rise):
    calm, power = map(str, verdict_sentences((), YEAR, rise, until="2024-12-31"))
    assert "no group of clients" not in calm
    assert power.startswith("These data cannot show whether more clients leave")
    assert ("only if 4.8 times as many had left in the year" in power) == (rise is not None)


def lifetime(attribute: str, lost: float, money: float) -> Lifetime:
    """A group that stays so many periods shorter than others."""
    stay, rest = Estimate(20.0 - lost, 18.0, 22.0), Estimate(20.0, 18.0, 22.0)
    interval = Estimate(lost, lost - 1.0, lost + 1.0)
    cost = Estimate(money, 0.5 * money, 1.5 * money)
    return Lifetime(attribute, "c", 100, 36, stay, rest, interval, cost, 0.001, TITLE)


def test_where_no_issue_is_the_group_that_leaves_sooner_all_along_is_named() -> None:
    rows = (
        lifetime("tier", 4.0, 90.0),
        lifetime("size", 3.0, 10.0),
        lifetime("value_tier", 9, 999),
    )
    said = verdict_sentences((), YEAR, 1.3, lifetimes=rows, until="2024-12-31")
    assert str(said[-1]) == "All along, clients with tier c have left sooner than the others."
    unsure = (lifetime("tier", 0.5, 90.0),)
    assert len(verdict_sentences((), YEAR, 1.3, lifetimes=unsure, until="2024-12-31")) == 2


def test_sound_data_need_no_caveat() -> None:
    assert caveats(RowCounts(1000, 960, 40, 0), 0.1) == ()


def test_many_refused_rows_are_said_beside_the_verdict() -> None:
    (said,) = map(str, caveats(RowCounts(100, 67, 33, 0), 0.0))
    assert said.startswith("33 % of the order rows could not be used")


def test_where_most_clients_have_no_group_nothing_is_said_of_groups() -> None:
    unplaced = unplaced_share((DataFinding("not_in_clients", "warning", TITLE, 90),), 100)
    calm = str(verdict_sentences((), YEAR, 1.3, unplaced=unplaced, until="2024-12-31")[0])
    assert "group" not in calm
    (said,) = map(str, caveats(RowCounts(100, 100, 0, 0), unplaced))
    assert said.startswith("90 % of the clients are missing from the clients table, so hardly any")
    (some,) = map(str, caveats(RowCounts(100, 100, 0, 0), 0.3))
    assert some.endswith("were looked at without them.")
