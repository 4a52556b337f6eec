"""The test written beforehand."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
from panels import MONTHS, by_tenure, day, draw, step

from churnlens.panel import Panel
from churnlens.panel.periods import Calendar
from churnlens.panel.products import Changing
from churnlens.panel.tenure import tenure_bands
from churnlens.remedies import Remedy, judge, plan_test
from churnlens.results import (
    DateEstimate,
    DefinitionsAgreeing,
    Departures,
    Estimate,
    Issue,
    PeriodPoint,
    Skipped,
    Text,
)
from churnlens.results import TestPlan as Plan

KEY = {"size": ("key",)}


def issue(
    observed: int = 200, attributable: float = 120.0, driver: str | None = "approval_days"
) -> Issue:
    return Issue(
        id="approval-key",
        rank=1,
        kind="shift",
        title="Key accounts leave",
        driver=driver,
        direction="more",
        verdict="cause",
        segment=KEY,
        onset=DateEstimate(*3 * [day(18).isoformat()]),
        departures=Departures(
            observed, observed - attributable, Estimate(attributable, 0.0, 2 * attributable)
        ),
        revenue_per_year=Estimate(0, 0, 0),
        effect=None,
        evidence=(),
        definitions_agreeing=DefinitionsAgreeing(1, 1),
        status=None,
        recommendation=(),
    )


def planned(panel: Panel, aim: Issue, **more: object) -> Plan | Skipped:
    return plan_test(panel, aim, as_of=day(MONTHS), departures=by_tenure(panel), **more)


def test_the_plan_states_effect_date_and_measure() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    plan = planned(panel, issue())
    assert isinstance(plan, Plan)
    assert plan.risk_ratio_full_reach == pytest.approx(0.4)
    assert day(MONTHS + 3).isoformat() < plan.readable_from < day(MONTHS + 36).isoformat()
    assert "outside" in plan.measure
    for part in ("approval days", "size key", "60 %", plan.readable_from):
        assert part in str(plan.text)


def test_what_a_client_may_change_is_planned_as_a_fixed_attribute_is() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    small = (panel.attributes["size"] == "small").to_numpy(dtype=np.int8)
    main = Changing("main_category", np.repeat(small[:, None], MONTHS, axis=1), ("key", "small"))
    panel = dataclasses.replace(panel, changing=(main,))
    fixed = planned(panel, issue())
    changing = planned(panel, dataclasses.replace(issue(), segment={"main_category": ("key",)}))
    assert isinstance(changing, Plan)
    assert isinstance(fixed, Plan)
    assert changing.readable_from == fixed.readable_from
    assert changing.text.values["now"] == fixed.text.values["now"]


def test_newcomers_are_those_who_were_new_then() -> None:
    panel = draw(np.random.default_rng(0))
    tenure = tenure_bands(panel.calendar, panel.entry, panel.known_from_start)
    panel = dataclasses.replace(panel, changing=(tenure,))
    new = dataclasses.replace(issue(), segment={"tenure_months": ("up to 12",)})
    plan = planned(panel, new)
    assert isinstance(plan, Plan)
    left = panel.found * (panel.tenure < 12) * ~panel.known_from_start[:, None]
    assert plan.text.values["now"] == round(left[:, -12:].sum() / 4)


def test_how_many_leave_now_is_what_the_chart_of_the_issue_shows() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    months = [PeriodPoint(day(m).isoformat(), 3.0 if m < 40 else 9.0, 2.0, 900) for m in range(48)]
    shown = dataclasses.replace(issue(), series=tuple(months))
    assert planned(panel, shown).text.values["now"] == round(3 * (4 * 3 + 8 * 9) / 12)
    lately = DateEstimate(*3 * [day(40).isoformat()])  # what was before it is no level to undo
    assert planned(panel, dataclasses.replace(shown, onset=lately)).text.values["now"] == 27


def test_a_changed_make_up_is_judged_by_whom_the_book_takes_in() -> None:
    panel = draw(np.random.default_rng(0))
    found = planned(panel, dataclasses.replace(issue(driver=None), kind="mix"))
    assert isinstance(found, Skipped)
    assert str(found.text).endswith("share of clients with size key among new clients.")


@pytest.mark.parametrize(("period", "days", "read"), [("week", 7, True), ("quarter", 91, False)])
def test_five_years_are_five_years_whatever_the_period(period: str, days: int, read: bool) -> None:
    panel = draw(np.random.default_rng(0), clients=600, hazard=0.005, relative=step((18, 2.5)))
    starts = tuple(day(0) + dt.timedelta(days=days * t) for t in range(MONTHS))
    panel = dataclasses.replace(panel, calendar=Calendar(period, starts, np.ones(MONTHS)))
    began = DateEstimate(*3 * [starts[18].isoformat()])
    plan = planned(panel, dataclasses.replace(issue(100, 50.0), onset=began))
    assert isinstance(plan, Plan) == read
    if isinstance(plan, Plan):
        ahead = dt.date.fromisoformat(plan.readable_from) - starts[-1]
        assert ahead > dt.timedelta(days=60 * days)  # more periods than five years have months
    else:
        assert plan.code == "never_readable"


def test_a_remedy_that_is_to_begin_within_a_month_is_said_with_that_month() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    later = day(MONTHS) + dt.timedelta(days=16)
    plan = plan_test(panel, issue(), as_of=later, departures=by_tenure(panel))
    assert isinstance(plan, Plan)
    assert f"begun in {later:%B %Y} would" in str(plan.text)


def test_a_weaker_effect_takes_longer_to_read() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    strong, weak = (planned(panel, issue(200, a)) for a in (140.0, 100.0))
    assert isinstance(strong, Plan)
    assert isinstance(weak, Plan)
    assert strong.readable_from < weak.readable_from


def test_what_could_never_be_read_is_said_to_be_so() -> None:
    panel = draw(np.random.default_rng(0), clients=80)
    plan = planned(panel, issue(6, 3.0))
    assert isinstance(plan, Skipped)
    assert plan.code == "never_readable"
    assert str(plan.text).startswith("Too few clients leave here")
    small = planned(panel, issue(200, 2.0))
    assert isinstance(small, Skipped)
    assert small.code == "small_effect"


def test_where_many_leave_and_nobody_is_left_to_compare_with_that_is_the_reason() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    plan = planned(panel, dataclasses.replace(issue(400, 160.0), segment={}))
    assert isinstance(plan, Skipped)
    assert plan.code == "never_readable"
    assert str(plan.text).startswith("There are too few other clients to compare these with")


def test_no_new_test_is_written_where_a_remedy_is_under_way_for_all() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    inside = (panel.attributes["size"] == "key").to_numpy()
    for reached, written in ((inside, False), (inside & (panel.entry > 0), True)):
        mask = np.repeat(reached[:, None], MONTHS, axis=1)
        plan = planned(panel, issue(), remedied=mask)
        assert isinstance(plan, Plan) == written


def test_an_issue_without_a_driver_is_planned_by_its_departures() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    plan = planned(panel, issue(driver=None))
    assert isinstance(plan, Plan)
    assert "None" not in str(plan.text)


def test_a_plan_claims_no_cause_where_the_data_cannot_tell() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    doubtful = dataclasses.replace(issue(), verdict="cannot_tell")
    plan = planned(panel, doubtful)
    assert isinstance(plan, Plan)
    assert "driving clients away" not in str(plan.text)


def test_the_next_review_answers_the_plan_it_quotes() -> None:
    cured = draw(np.random.default_rng(2), relative=step((18, 2.5), (30, 1.0)))
    text = Text("Departures are to fall by {fall}.", {"fall": "60 %"})
    plan = Plan(text, "2023-01-01", 0.4, "departures")
    aim = dataclasses.replace(issue(driver=None), test_plan=plan)
    remedy = Remedy("a", day(30), segment=KEY, issue_id=aim.id)
    result = judge(cured, remedy, as_of=day(MONTHS), departures=by_tenure(cured), aim=aim)
    assert result.plan is not None
    assert result.plan.text == text
    assert result.verdict == "worked"


def test_what_the_plan_asked_for_is_quoted_also_of_a_remedy_carried_out_in_part() -> None:
    """Half of it is hoped for then, which is not what was written down."""
    driver = 10 * step((18, 1.5), (30, 1.25))
    half = draw(np.random.default_rng(2), relative=step((18, 2.5), (30, 1.75)), driver=driver)
    plan = Plan(Text("Departures are to fall."), "2023-01-01", 0.4, "departures")
    aim = dataclasses.replace(issue(), test_plan=plan)
    remedy = Remedy("a", day(30), segment=KEY, issue_id=aim.id)
    result = judge(half, remedy, as_of=day(MONTHS), departures=by_tenure(half), aim=aim)
    assert result.driver_moved
    (answered,) = (note for note in result.notes if "written beforehand" in note.template)
    assert answered.values["asked"] == {"type": "percent", "value": pytest.approx(0.6)}
