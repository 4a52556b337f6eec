"""Verdicts on remedies whose effect is known, over many small drawn panels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from panels import MONTHS, by_tenure, day, draw, step

from churnlens.panel import Panel
from churnlens.remedies import Remedy, judge, judge_remedies
from churnlens.results import (
    Book,
    DateEstimate,
    DefinitionsAgreeing,
    DefinitionUsed,
    Departures,
    Estimate,
    Issue,
    RemedyResult,
    Review,
    Text,
)
from churnlens.results import TestPlan as Plan  # not a test

KEY = {"size": ("key",)}
ONSET, START = 18, 30
RAISED = 10 * step((ONSET, 1.5))
UNDONE = 10 * step((ONSET, 1.5), (START, 1.0))
CAUSE, CURED = step((ONSET, 2.5)), step((ONSET, 2.5), (START, 1.0))


def issue(onset: int | None = ONSET, driver: str | None = "approval_days") -> Issue:
    none = Estimate(0, 0, 0)
    return Issue(
        id="approval-key",
        rank=1,
        kind="shift" if driver else "unexplained",
        title="Key accounts leave",
        driver=driver,
        direction="more" if driver else None,
        verdict="cause",
        segment=KEY,
        onset=None if onset is None else DateEstimate(*3 * [day(onset).isoformat()]),
        departures=Departures(100, 50.0, Estimate(50.0, 30.0, 70.0)),
        revenue_per_year=none,
        effect=None,
        evidence=(),
        definitions_agreeing=DefinitionsAgreeing(1, 1),
        status=None,
        recommendation=(),
    )


def verdict(panel: Panel, aim: Issue | None = None, **more: object) -> RemedyResult:
    remedy = Remedy(
        "Two approvals only",
        more.get("start", day(START)),
        more.get("end"),
        segment=more.get("scope", KEY),
        issue_id=aim.id if aim else None,
    )
    return judge(
        panel, remedy, as_of=more.get("as_of", day(MONTHS)), departures=by_tenure(panel), aim=aim
    )


def verdicts(
    make: Callable[[np.random.Generator], RemedyResult], times: int, truth: float
) -> tuple[Counter[str], float]:
    """Count verdicts over seeds, and how often the interval holds the truth."""
    found = [make(np.random.default_rng(seed)) for seed in range(times)]
    ratios = [r.risk_ratio for r in found if r.risk_ratio]
    held = np.mean([r.low <= truth <= r.high for r in ratios])
    return Counter(r.verdict for r in found), float(held)


def test_a_working_remedy_is_called_so() -> None:
    found, held = verdicts(
        lambda g: verdict(draw(g, relative=CURED, driver=UNDONE), issue()), 40, 0.44
    )
    assert found["worked"] >= 36
    assert held >= 0.87


def test_a_working_remedy_without_an_issue_is_measured_from_the_last_step() -> None:
    found, held = verdicts(lambda g: verdict(draw(g, relative=CURED)), 30, 0.44)
    assert found["worked"] >= 26
    assert held >= 0.85


def test_an_announced_remedy_did_not_work_and_the_driver_says_why() -> None:
    results = []

    def make(g: np.random.Generator) -> RemedyResult:
        results.append(verdict(draw(g, relative=CAUSE, driver=RAISED), issue()))
        return results[-1]

    found, held = verdicts(make, 30, 1.0)
    assert found["worked"] == 0
    assert found["did_not"] >= 27
    assert held >= 0.87
    assert results[0].driver_moved is False
    assert "not carried out" in str(results[0].detail)
    assert results[0].driver_change == pytest.approx((15.0, 15.0), abs=0.2)


def test_an_announced_remedy_whose_driver_is_not_recorded_is_not_praised() -> None:
    found, _ = verdicts(lambda g: verdict(draw(g, relative=CAUSE), issue(driver=None)), 60, 1.0)
    assert found["worked"] <= 3
    assert found["did_not"] >= 50


def worst_quarter(panel: Panel) -> int:
    """Month after the quarter in which the scope's departures were worst."""
    inside = (panel.attributes["size"] == "key").to_numpy()
    left = np.bincount(panel.onset[inside & (panel.onset >= 0)], minlength=MONTHS)
    window = np.ones(3)
    risk = np.convolve(panel.at_risk[inside].sum(axis=0), window)[:MONTHS]
    rate = np.convolve(left, window)[:MONTHS] / np.maximum(risk, 1)
    return 20 + int(np.argmax(rate[20:34])) + 1


@pytest.mark.parametrize(
    ("relative", "aim"),
    [(None, None), (step((12, 2.0)), issue(12, None))],
    ids=["calm", "raised"],
)
def test_a_remedy_started_at_the_trough_is_not_praised(
    relative: np.ndarray | None, aim: Issue | None
) -> None:
    def make(g: np.random.Generator) -> RemedyResult:
        panel = draw(g, relative=relative)
        return verdict(panel, aim, start=day(worst_quarter(panel)))

    found, held = verdicts(make, 60, 1.0)
    assert found["worked"] <= 3
    assert held >= 0.87


def test_a_bad_spell_that_passes_by_itself_is_not_praised() -> None:
    spell = step((25, 2.0), (START, 1.0))
    alone, _ = verdicts(lambda g: verdict(draw(g, relative=spell)), 40, 1.0)
    assert alone["worked"] <= 2
    named, _ = verdicts(lambda g: verdict(draw(g, relative=spell), issue(25, None)), 20, 1.0)
    assert named["worked"] == 0


def test_a_fall_for_everybody_is_not_the_remedy() -> None:
    common = step((START, 0.5))
    found, _ = verdicts(
        lambda g: verdict(draw(g, relative=CAUSE, common=common), issue(18, None)), 30, 1.0
    )
    assert found["worked"] <= 2


def test_everybody_treated_at_once_is_read_against_the_past_and_says_so() -> None:
    def make(g: np.random.Generator) -> RemedyResult:
        return verdict(draw(g, share_inside=1.0, relative=CURED, driver=UNDONE), issue(), scope={})

    found, _ = verdicts(make, 20, 0.44)
    assert found["worked"] >= 17
    result = make(np.random.default_rng(0))
    assert any("nothing else changed" in str(note) for note in result.notes)
    assert result.pre_trend == ()


def test_it_is_too_early_until_the_effect_could_be_seen() -> None:
    panel = draw(np.random.default_rng(0), relative=CURED, driver=UNDONE)
    result = verdict(panel, issue(), start=day(MONTHS - 2))
    assert result.verdict == "too_early"
    assert result.readable_from is not None
    assert result.readable_from > day(MONTHS).isoformat()


def test_too_few_departures_are_cannot_tell() -> None:
    result = verdict(draw(np.random.default_rng(0), clients=60))
    assert (result.verdict, result.readable_from) == ("cannot_tell", None)


def test_a_scope_that_nobody_is_in_is_cannot_tell() -> None:
    panel = draw(np.random.default_rng(0), clients=60)
    result = verdict(panel, scope={"size": ("keyy",)})
    assert (result.verdict, result.risk_ratio) == ("cannot_tell", None)


def test_departures_and_money_saved_follow_the_ratio() -> None:
    panel = draw(np.random.default_rng(3), relative=CURED, driver=UNDONE)
    result = verdict(panel, issue())
    assert result.observed is not None
    assert result.risk_ratio is not None
    assert result.departures_avoided is not None
    assert result.money_saved is not None
    avoided, ratio = result.departures_avoided, result.risk_ratio
    assert avoided.value == pytest.approx(result.observed * (1 / ratio.value - 1))
    assert avoided.low < avoided.value < avoided.high
    assert result.money_saved.value == pytest.approx(avoided.value * 1200, rel=0.1)


def test_departures_are_counted_as_the_charts_of_the_review_count_them() -> None:
    panel = draw(np.random.default_rng(3), relative=CURED, driver=UNDONE)
    first = {"as_of": day(MONTHS), "departures": by_tenure(panel), "aim": issue()}
    remedy = Remedy("a", day(START), segment=KEY, issue_id="approval-key")
    plain = judge(panel, remedy, **first)
    shown = judge(panel, remedy, **first, shown=2 * panel.found)
    assert shown.observed == 2 * plain.observed
    assert shown.risk_ratio == plain.risk_ratio
    assert shown.departures_avoided.value == pytest.approx(2 * plain.departures_avoided.value)
    assert shown.still_at_stake.value == pytest.approx(2 * plain.still_at_stake.value)


def test_the_interval_of_money_holds_it_where_clients_send_back_more_than_they_buy() -> None:
    panel = draw(np.random.default_rng(3), relative=CURED, driver=UNDONE)
    result = verdict(dataclasses.replace(panel, revenue=-panel.revenue), issue())
    assert result.money_saved is not None
    assert result.money_saved.low < result.money_saved.value < result.money_saved.high


def test_the_event_study_is_flat_before_and_falls_after() -> None:
    panel = draw(np.random.default_rng(5), relative=CURED, driver=UNDONE)
    points = {p.lag: p.excess for p in verdict(panel, issue()).pre_trend}
    assert min(points) < -12
    assert max(points) >= 12
    before = [points[lag] for lag in (-12, -9, -6)]
    after = [points[lag] for lag in (3, 6, 9, 12)]
    assert all(p.low < 0.6 and p.high > -0.6 for p in before)
    assert np.mean([p.value for p in after]) < -1.5


def test_the_remedies_table_is_judged_row_by_row_and_reached_clients_are_no_comparison() -> None:
    relative = np.where(np.arange(MONTHS) >= START, 1.0, CAUSE)
    panel = draw(
        np.random.default_rng(1), share_inside=0.6, relative=relative, driver=UNDONE, cells=2
    )
    table = pd.DataFrame(
        {
            "action": ["Simplify", "Simplify", "Simplify"],
            "start_date": pd.to_datetime([day(START), day(START), day(START)]),
            "size": ["key", "key", "key|small"],
            "region": ["r0", "r1", None],
            "owner": ["COO", None, " "],
        }
    )
    found = judge_remedies(
        panel, table.iloc[:2], [issue()], as_of=day(MONTHS), departures=by_tenure(panel)
    )
    assert [r.segment for r in found] == [
        {"size": ("key",), "region": ("r0",)},
        {"size": ("key",), "region": ("r1",)},
    ]
    assert [r.verdict for r in found] == ["worked", "worked"]
    assert [r.issue_id for r in found] == ["approval-key", "approval-key"]
    assert [r.owner for r in found] == ["COO", None]
    third = judge_remedies(panel, table, [issue()], as_of=day(MONTHS), departures=by_tenure(panel))[
        2
    ]
    assert third.segment == {"size": ("key", "small")}
    assert any("Another remedy" in str(note) for note in third.notes)


def test_each_of_two_remedies_of_one_name_is_answered_by_its_own_test() -> None:
    panel = draw(np.random.default_rng(1), relative=CURED, driver=UNDONE, cells=2)
    table = pd.DataFrame(
        {
            "action": ["Simplify", "Simplify"],
            "start_date": pd.to_datetime([day(START), day(START)]),
            "size": ["key|small", "key"],
            "region": [None, "r1"],
            "issue_id": ["approval-key", "approval-key"],
        }
    )
    plans = [Plan(Text(name), "2023-01-01", 0.4, "departures") for name in ("all", "r1")]
    dates = {"as_of": day(MONTHS), "departures": by_tenure(panel)}
    first = judge_remedies(panel, table, [issue()], **dates)
    before = Review(
        as_of=day(START + 3).isoformat(),
        period="month",
        currency="EUR",
        rows={},
        departure_definition=DefinitionUsed("cadence", ""),
        issues=(),
        book=Book(len(panel.attributes), 1, "2019-01-01", "2023-01-01", 0),
        remedies=tuple(dataclasses.replace(r, plan=p) for r, p in zip(first, plans, strict=True)),
    )
    table["size"] = ["small|key", "key"]
    again = judge_remedies(panel, table, [issue()], previous=before, **dates)
    assert [r.plan for r in again] == plans
    backwards = judge_remedies(panel, table[::-1], [issue()], previous=before, **dates)
    assert [r.plan for r in backwards] == plans[::-1]


@pytest.mark.parametrize(("column", "says"), [("value_tier", "worked"), ("city", "cannot_tell")])
def test_a_remedy_for_some_is_never_read_as_one_for_all(column: str, says: str) -> None:
    """The tiers are worked out, and an attribute may be refused: neither stands in the panel's."""
    panel = draw(np.random.default_rng(1), relative=CURED)
    row = {"action": ["Visit"], "start_date": [pd.Timestamp(day(START))], column: ["top fifth"]}
    (result,) = judge_remedies(
        panel, pd.DataFrame(row), [], as_of=day(MONTHS), departures=by_tenure(panel)
    )
    assert result.segment == {column: ("top fifth",)}
    assert result.verdict == says
    assert ("not used to tell clients apart" in str(result.detail)) == (column == "city")


def test_a_remedy_that_does_not_name_its_issue_is_not_condemned_by_a_guessed_driver() -> None:
    panel = draw(np.random.default_rng(1), relative=CURED, driver=RAISED)
    remedy = Remedy("Two approvals only", day(START), segment=KEY)
    assert (
        judge(panel, remedy, as_of=day(MONTHS), departures=by_tenure(panel), aim=issue()).verdict
        == "cannot_tell"
    )


def test_no_departure_at_all_since_the_start_still_has_a_ratio() -> None:
    ended = step((ONSET, 2.5), (START, 0.0))
    result = verdict(draw(np.random.default_rng(4), relative=ended, driver=UNDONE), issue())
    assert result.verdict == "worked"
    assert result.observed == 0
    assert result.risk_ratio is not None
    assert 0 < result.risk_ratio.high < 0.2


def test_a_remedy_that_has_not_begun_is_too_early() -> None:
    panel = draw(np.random.default_rng(0), relative=CAUSE, driver=RAISED)
    result = verdict(panel, issue(), start=day(MONTHS + 2))
    assert (result.verdict, result.risk_ratio, result.driver_moved) == ("too_early", None, None)


def test_a_remedy_that_ended_at_once_or_before_it_began_is_not_judged() -> None:
    panel = draw(np.random.default_rng(0), relative=CURED, driver=UNDONE)
    for end in (day(START + 2), day(START - 6)):
        result = verdict(panel, issue(), end=end)
        assert (result.verdict, result.risk_ratio) == ("cannot_tell", None)
        assert "ended within a quarter" in str(result.detail)
    planned = verdict(panel, issue(), start=day(MONTHS - 2), end=day(MONTHS + 3))
    assert planned.verdict == "too_early"


def test_a_remedy_that_ended_is_judged_by_the_time_it_was_on() -> None:
    came_back = step((ONSET, 2.5), (START, 1.0), (START + 12, 2.5))
    raised_again = 10 * step((ONSET, 1.5), (START, 1.0), (START + 12, 1.5))
    found, held = verdicts(
        lambda g: verdict(
            draw(g, relative=came_back, driver=raised_again), issue(), end=day(START + 12)
        ),
        20,
        0.44,
    )
    assert found["worked"] >= 17
    assert held >= 0.8


def test_a_remedy_that_works_late_is_not_said_to_have_failed() -> None:
    late = step((ONSET, 2.5), (START + 6, 1.0))
    found, _ = verdicts(lambda g: verdict(draw(g, relative=late, driver=UNDONE), issue()), 20, 0.44)
    assert found["did_not"] <= 1
    assert found["worked"] >= 14


def test_a_driver_that_moved_while_departures_did_not_fall_did_not_work() -> None:
    found, held = verdicts(
        lambda g: verdict(draw(g, relative=CAUSE, driver=UNDONE), issue()), 20, 1.0
    )
    assert found["did_not"] >= 18
    assert found["worked"] == 0
    assert held >= 0.85


def test_a_remedy_for_everybody_at_the_same_time_does_not_take_the_comparison_away() -> None:
    panel = draw(np.random.default_rng(1), relative=CURED, driver=UNDONE)
    mine = Remedy("Two approvals only", day(START), segment=KEY)
    theirs = Remedy("A new web shop", day(START))
    both = judge(
        panel, mine, as_of=day(MONTHS), departures=by_tenure(panel), aim=issue(), others=[theirs]
    )
    alone = judge(panel, mine, as_of=day(MONTHS), departures=by_tenure(panel), aim=issue())
    assert both.risk_ratio == alone.risk_ratio
    assert any("A new web shop" in str(note.values) for note in both.notes)


def test_an_issue_that_is_not_known_is_said_and_departures_alone_are_read() -> None:
    panel = draw(np.random.default_rng(1), relative=CURED, driver=UNDONE)
    table = pd.DataFrame(
        {
            "action": ["Simplify"],
            "start_date": pd.to_datetime([day(START)]),
            "size": ["key|gigantic"],
            "issue_id": ["no-such-issue"],
        }
    )
    (found,) = judge_remedies(
        panel, table, [issue()], as_of=day(MONTHS), departures=by_tenure(panel)
    )
    assert (found.issue_id, found.driver_moved) == ("no-such-issue", None)
    assert found.verdict == "worked"
    assert "no-such-issue" in str(found.notes[0])
