"""Curves of how long clients stay are drawn where they tell something."""

import dataclasses
import re

import pytest

from churnlens.report import charts, tenure
from churnlens.report.language import Language
from churnlens.results import Review

EN = Language("en", "EUR", "month")


def test_a_survival_curve_of_less_than_a_year_is_not_drawn(review: Review):
    whole = review.book.survival[0]
    short = dataclasses.replace(
        whole, tenure=(0.0, 5.0), survival=(1.0, 0.99), low=(1.0, 0.95), high=(1.0, 1.0)
    )
    assert tenure.survival([short], EN, charts.HALF) is None
    drawn = tenure.survival([whole, short], EN, charts.HALF)
    assert drawn is not None
    assert len(drawn["legend"]) == 1


@pytest.mark.parametrize("months", [15, 60])
def test_the_axis_of_a_survival_curve_is_labelled_whatever_its_length(review: Review, months):
    whole = review.book.survival[0]
    cut = {key: getattr(whole, key)[:months] for key in ("tenure", "survival", "low", "high")}
    drawn = tenure.survival([dataclasses.replace(whole, **cut)], EN, charts.HALF)
    assert drawn is not None
    (svg,) = charts.svgs([drawn["spec"]])
    assert len(re.findall(r">\d+ (?:months|years)<", svg)) > 2


def test_curves_that_start_after_years_are_told_from_then_on(review: Review):
    whole, gone = review.book.survival[0], review.book.exits[:2]
    late = {key: getattr(whole, key)[14:] for key in ("tenure", "survival", "low", "high")}
    drawn = tenure.survival([dataclasses.replace(whole, **late)], EN, charts.HALF)
    assert drawn is not None
    assert [row[1] for row in drawn["rows"]] == ["2 years", "3 years", "4 years", "5 years"]
    parts = [
        dataclasses.replace(
            way, **{key: getattr(way, key)[14:] for key in ("tenure", "share", "low", "high")}
        )
        for way in gone
    ]
    drawn = tenure.exits(parts, EN)
    assert drawn is not None
    assert [row[1] for row in drawn["rows"]] == 2 * ["2 years", "3 years", "4 years", "5 years"]
