"""Scoring of reviews made by hand: perfect, empty, wrong."""

import dataclasses
import json

import numpy as np
import pytest

from churnlens import results
from churnlens.errors import ReviewError
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
)
from churnlens.simulate import Score, Truth, score, score_files
from churnlens.simulate.truth import TrueCause, TrueRemedy, from_json

MEMBERS = {
    "size": np.array(["key"] * 4 + ["small"] * 6, dtype=object),
    "region": np.array(["north", "south"] * 5, dtype=object),
}
CAUSE = TrueCause(
    driver="approval_days",
    scope={"size": ("key",)},
    onset="2023-09-01",
    caused_departures=40.0,
    revenue_lost_per_year=1000.0,
)
TRUTH = Truth(
    scenario="made",
    seed=1,
    causes=(CAUSE,),
    caused_departures=40.0,
    departures=100,
    symptoms=("discount_pct",),
    innocent=("pallets",),
)
QUIET = dataclasses.replace(TRUTH, causes=(), caused_departures=0.0)
PERFECT = Issue(
    id="a",
    rank=1,
    kind="shift",
    title="",
    driver="approval_days",
    direction="more",
    verdict="cause",
    segment={"size": ("key",)},
    onset=DateEstimate("2023-09-01", "2023-08-01", "2023-10-01"),
    departures=Departures(60, 20.0, Estimate(40.0, 30.0, 50.0)),
    revenue_per_year=Estimate(1000.0, 800.0, 1200.0),
    effect=None,
    evidence=(),
    definitions_agreeing=DefinitionsAgreeing(3, 3),
    status=None,
    recommendation=(),
)


def review(*issues: Issue, remedies: tuple[RemedyResult, ...] = ()) -> Review:
    return Review(
        as_of="2024-12-31",
        period="month",
        currency="EUR",
        rows={},
        departure_definition=DefinitionUsed("cadence", ""),
        issues=issues,
        book=Book(10, 100, "2022-01-01", "2024-12-31", 0),
        remedies=remedies,
    )


def altered(**changes: object) -> Issue:
    return dataclasses.replace(PERFECT, **changes)


def of(*issues: Issue, truth: Truth = TRUTH) -> Score:
    return score(review(*issues), truth, MEMBERS)


def test_a_perfect_review() -> None:
    found = of(PERFECT)
    assert found.first_right is found.first_named is True
    assert found.recall == found.segment_f1 == 1.0
    assert found.blamed == ()
    assert found.false_alarm is None
    assert found.onset_error == 0.0
    assert found.onset_covered == found.departures_covered == found.revenue_covered == 1.0
    assert found.departures_error == found.revenue_error == 0.0


def test_an_empty_review_finds_nothing_and_blames_nobody() -> None:
    found = of()
    assert found.first_right is found.first_named is False
    assert found.recall == 0.0
    assert found.segment_f1 is None
    assert found.blamed == ()


def test_an_empty_review_is_right_in_a_quiet_world() -> None:
    found = of(truth=QUIET)
    assert found.quiet
    assert found.false_alarm is False
    assert found.first_right is None


def test_anything_said_in_a_quiet_world_is_a_false_alarm() -> None:
    unsure = altered(kind="unexplained", driver=None, verdict=None)
    assert of(unsure, truth=QUIET).false_alarm is True
    mix = altered(kind="mix", driver=None, verdict=None)
    assert of(mix, truth=QUIET).false_alarm is True
    moved = dataclasses.replace(QUIET, mix={"size": ("small",)})
    assert of(mix, truth=moved).false_alarm is False
    assert of(mix, truth=moved).mix_found is True


def test_a_symptom_called_a_cause_is_false_blame() -> None:
    found = of(altered(driver="discount_pct"), PERFECT)
    assert found.first_right is False
    assert found.recall == 1.0
    assert found.blamed == ("discount_pct",)
    assert of(altered(driver="discount_pct", verdict="cannot_tell")).blamed == ()


def test_right_but_uncommitted_is_not_named() -> None:
    found = of(altered(verdict="cannot_tell"))
    assert found.first_right is True
    assert found.first_named is False
    assert found.cannot_tell == 1


def test_the_segment_is_compared_by_members() -> None:
    assert of(altered(segment={})).segment_f1 == pytest.approx(2 * 4 / (10 + 4))
    narrow = of(altered(segment={"size": ("key",), "region": ("north",)}))
    assert narrow.segment_f1 == pytest.approx(2 * 2 / (2 + 4))
    assert of(altered(segment={"tier": ("top",)})).segment_f1 == 0.0
    assert score(review(PERFECT), TRUTH).segment_f1 == 1.0


def test_onset_and_counts_off() -> None:
    late = DateEstimate("2023-12-01", "2023-11-01", "2024-01-01")
    few = Departures(30, 20.0, Estimate(10.0, 5.0, 15.0))
    found = of(altered(onset=late, departures=few))
    assert found.onset_error == pytest.approx(3.0, abs=0.02)
    assert found.onset_covered == found.departures_covered == 0.0
    assert found.departures_error == pytest.approx(-0.75)


def test_an_unexplained_issue_finds_the_unrecorded_cause_where_it_is() -> None:
    truth = dataclasses.replace(TRUTH, causes=(dataclasses.replace(CAUSE, driver=None),))
    there = altered(kind="unexplained", driver=None, verdict=None)
    assert of(there, truth=truth).first_named is True
    assert of(altered(verdict="cause"), truth=truth).blamed == ("approval_days",)
    elsewhere = dataclasses.replace(there, segment={"size": ("small",)})
    assert of(elsewhere, truth=truth).first_right is False


def test_of_twins_neither_may_be_named() -> None:
    truth = dataclasses.replace(TRUTH, twins=("approval_days", "pallets"))
    open_question = altered(driver="pallets", verdict="cannot_tell")
    assert of(open_question, truth=truth).first_named is True
    assert of(PERFECT, truth=truth).blamed == ("approval_days",)


def test_a_mediator_is_told_from_a_false_cause() -> None:
    truth = dataclasses.replace(TRUTH, mediators=("complaint",))
    found = of(PERFECT, altered(driver="complaint"), truth=truth)
    assert found.blamed == ()
    assert found.mediators_blamed == ("complaint",)


@pytest.mark.parametrize(
    ("said", "right", "praised"),
    [("worked", False, True), ("did_not", True, False), ("cannot_tell", False, False)],
)
def test_remedies(said: str, right: bool, praised: bool) -> None:
    remedy = TrueRemedy("task force", {"size": ("key",)}, "2024-01-01", "did_not", 1.0)
    truth = dataclasses.replace(TRUTH, remedies=(remedy,))
    ratio = Estimate(0.9, 0.7, 1.2)
    result = RemedyResult("task force", None, remedy.scope, remedy.start, said, None, ratio, None)  # type: ignore[arg-type]
    found = score(review(remedies=(result,)), truth, MEMBERS)
    assert found.remedy_right is right
    assert found.remedy_praised is praised
    assert found.remedy_covered is True


def test_files_with_the_contract_keys_alone(tmp_path) -> None:
    raw = json.loads(results.to_json(review(PERFECT)))
    del raw["book"]
    (tmp_path / "review.json").write_text(json.dumps(raw))
    truth = {
        "scenario": "elsewhere",
        "seed": 3,
        "causes": [{"driver": "approval_days", "scope": {"size": "key"}, "onset": "2023-09-01"}],
        "caused_departures": 40,
        "departures": 100,
        "symptoms": ["discount_pct"],
        "innocent": [],
        "something_else": {"a": 1},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found = score_files(tmp_path / "review.json", tmp_path / "truth.json")
    assert found.first_named is True
    assert found.departures_covered == 1.0
    assert found.revenue_error is None
    assert "first right: yes" in found.lines()


NO_CAUSES = (
    "x",
    ["x"],
    [None],
    None,
    [{"driver": None, "scope": "x", "onset": None}],
    [{"driver": None, "scope": {}, "onset": "soon"}],
)


@pytest.mark.parametrize("causes", NO_CAUSES)
def test_causes_that_are_none_are_named(causes) -> None:
    with pytest.raises(ReviewError, match=r"^truth\.json: causes"):
        from_json(json.dumps(json.loads(TRUTH.to_json()) | {"causes": causes}))


@pytest.mark.parametrize("text", ["{", '{"scenario": "x"}', "[]", "null"])
def test_a_broken_truth_says_so(tmp_path, text: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    (tmp_path / "review.json").write_text(results.to_json(review()))
    with pytest.raises(ReviewError, match=r"truth\.json"):
        score_files(tmp_path / "review.json", tmp_path / "truth.json")
