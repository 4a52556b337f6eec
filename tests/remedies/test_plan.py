"""The test written beforehand."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
from panels import MONTHS, day, draw, step

from churnlens.remedies import Remedy, judge, plan_test
from churnlens.results import (
    DateEstimate,
    DefinitionsAgreeing,
    Departures,
    Estimate,
    Issue,
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


def test_the_plan_states_effect_date_and_measure() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    plan = plan_test(panel, issue(), as_of=day(MONTHS))
    assert isinstance(plan, Plan)
    assert plan.risk_ratio_full_reach == pytest.approx(0.4)
    assert day(MONTHS + 3).isoformat() < plan.readable_from < day(MONTHS + 36).isoformat()
    assert "outside" in plan.measure
    for part in ("approval days", "size key", "60 %", plan.readable_from):
        assert part in str(plan.text)


def test_a_remedy_that_is_to_begin_within_a_month_is_said_with_that_month() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    later = day(MONTHS) + dt.timedelta(days=16)
    plan = plan_test(panel, issue(), as_of=later)
    assert isinstance(plan, Plan)
    assert f"begun in {later.isoformat()[:7]} would" in str(plan.text)


def test_a_weaker_effect_takes_longer_to_read() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    strong, weak = (plan_test(panel, issue(200, a), as_of=day(MONTHS)) for a in (140.0, 100.0))
    assert isinstance(strong, Plan)
    assert isinstance(weak, Plan)
    assert strong.readable_from < weak.readable_from


def test_what_could_never_be_read_is_said_to_be_so() -> None:
    panel = draw(np.random.default_rng(0), clients=80)
    plan = plan_test(panel, issue(6, 3.0), as_of=day(MONTHS))
    assert isinstance(plan, Skipped)
    assert plan.code == "never_readable"
    small = plan_test(panel, issue(200, 2.0), as_of=day(MONTHS))
    assert isinstance(small, Skipped)
    assert small.code == "small_effect"


def test_no_new_test_is_written_where_a_remedy_is_under_way_for_all() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    inside = (panel.attributes["size"] == "key").to_numpy()
    for reached, planned in ((inside, False), (inside & (panel.entry > 0), True)):
        mask = np.repeat(reached[:, None], MONTHS, axis=1)
        plan = plan_test(panel, issue(), as_of=day(MONTHS), remedied=mask)
        assert isinstance(plan, Plan) == planned


def test_an_issue_without_a_driver_is_planned_by_its_departures() -> None:
    panel = draw(np.random.default_rng(0), relative=step((18, 2.5)))
    plan = plan_test(panel, issue(driver=None), as_of=day(MONTHS))
    assert isinstance(plan, Plan)
    assert "None" not in str(plan.text)


def test_the_next_review_answers_the_plan_it_quotes() -> None:
    cured = draw(np.random.default_rng(2), relative=step((18, 2.5), (30, 1.0)))
    text = Text("Departures are to fall by {fall}.", {"fall": "60 %"})
    plan = Plan(text, "2023-01-01", 0.4, "departures")
    aim = dataclasses.replace(issue(driver=None), test_plan=plan)
    result = judge(
        cured, Remedy("a", day(30), segment=KEY, issue_id=aim.id), as_of=day(MONTHS), aim=aim
    )
    assert result.plan is not None
    assert result.plan.text == text
    assert result.verdict == "worked"
