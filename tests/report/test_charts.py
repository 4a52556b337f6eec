from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from churnlens.report import axis, charts, figures
from churnlens.report.context import context
from churnlens.report.language import Language
from churnlens.results import Bar, Review


def specs(part) -> list[dict]:
    if isinstance(part, dict):
        own = [part["spec"]] if "spec" in part else []
        return own + [s for value in part.values() for s in specs(value)]
    return [s for inner in part for s in specs(inner)] if isinstance(part, list | tuple) else []


@pytest.fixture(scope="module")
def drawn_specs(review: Review) -> list[dict]:
    return specs(context(review, Language("en", "EUR", "month"))["pages"])


def test_every_specification_keeps_to_the_vega_lite_schema(drawn_specs):
    altair = pytest.importorskip("altair", reason="Altair checks the schema in tests only")
    assert len(drawn_specs) > 15
    for spec in drawn_specs:
        body = {k: v for k, v in spec.items() if k != "$schema"}
        altair.LayerChart.from_dict(body)


def test_drawings_carry_no_colour_of_their_own(drawn_specs):
    for svg in charts.svgs(drawn_specs[:6]):
        colours = re.findall(r'(?:fill|stroke)="([^"]+)"', svg)
        assert {c for c in colours if not c.startswith("var(--")} <= {"none", "transparent"}


def test_drawings_scale_and_leave_description_to_the_page(drawn_specs):
    svg = charts.svgs(drawn_specs[:1])[0]
    assert svg.startswith('<svg class="drawing" viewBox="0 0 ')
    assert 'aria-hidden="true"' in svg


def test_text_of_a_drawing_is_escaped():
    rows = [{"label": "<script>x</script>", "role": "cause", "from": 0, "to": 3, "amount": "+3"}]
    svg = charts.svgs([charts.waterfall(rows, 340)])[0]
    assert "<script>" not in svg
    assert "&lt;script&gt;" in svg


def test_a_label_cannot_end_an_expression():
    rows = [{"lag": n, "value": 0.1, "low": -1.0, "high": 1.0} for n in range(2)]
    svg = charts.svgs([charts.around(rows, {0: "a'] + b"}, charts.THIRD, "start")])[0]
    assert "a’] + b" in svg


def test_waterfall_steps_add_up(review: Review):
    figure = figures.waterfall(
        review.issues[0].waterfall, Language("en", "EUR", "month"), charts.HALF
    )
    bars = figure["spec"]["data"]["values"]
    assert bars[-2]["to"] == bars[-1]["to"]
    assert [row[1] for row in figure["rows"]] == ["78", "+6", "−3", "+68", "+15", "164"]


def test_what_a_waterfall_prints_adds_up_though_its_steps_are_fractions():
    steps = [("start", 64.6), ("mix", -3.7), ("season", -0.3), ("unexplained", -49.4)]
    bars = [Bar(role, role, value) for role, value in steps]
    bars.append(Bar("end", "end", sum(value for _, value in steps)))
    figure = figures.waterfall(bars, Language("en", "EUR", "month"), charts.HALF)
    first, *between, last = [int(row[1].replace("−", "-")) for row in figure["rows"]]
    assert first + sum(between) == last


def test_a_step_down_is_drawn_as_one_and_what_is_older_is_said():
    bars = [
        Bar("", "start", 117.0), Bar("approval_days", "cause", -41.0),
        Bar("", "unexplained", 3.0), Bar("", "end", 79.0, older=7.2),
    ]  # fmt: skip
    figure = figures.waterfall(bars, Language("en", "EUR", "month"), charts.HALF)
    roles = [row["role"] for row in figure["spec"]["data"]["values"]]
    assert roles == ["start", "less cause", "unexplained", "end"]
    (svg,) = charts.svgs([figure["spec"]])
    assert charts.GOOD in svg
    assert figure["axes"].startswith("7 of the 79 in the last year are put down to what began")
    newer = figures.waterfall(
        [*bars[:-1], Bar("", "end", 79.0)], Language("en", "EUR", "month"), charts.HALF
    )
    assert newer["axes"] == ""


@pytest.mark.parametrize(
    ("low", "high", "period", "marks"),
    [
        (-28, 13, "month", [-24, -18, -12, -6, 0, 6, 12]),
        (-8, 6, "month", [-6, -3, 0, 3, 6]),
        (-6, 9, "quarter", [-4, 0, 4, 8]),
        (-2, 3, "week", [-2, -1, 0, 1, 2, 3]),
    ],
)
def test_periods_around_a_moment_are_marked_at_whole_quarters(low, high, period, marks):
    assert axis.around_nought(low, high, period) == marks


@pytest.mark.parametrize(("count", "marked"), [(4, 4), (6, 3), (17, 5)])
def test_bands_of_one_width_are_labelled_evenly(count, marked):
    days = [f"{2015 + n // 2}-{'05' if n % 2 else '11'}-01" for n in range(count)]
    ticks = list(axis.evenly(days, Language("en", "EUR", "month")))
    assert len(ticks) == marked
    assert ticks[0] == 0
    assert len({b - a for a, b in pairwise(ticks)}) == 1


def test_ticks_stand_on_round_months(review: Review):
    ticks = axis.ticks([p.period for p in review.book.series], Language("en", "EUR", "month"))
    assert list(ticks.values()) == ["Jan\u00a02022", "Jan\u00a02023", "Jan\u00a02024"]


def test_a_number_that_is_none_leaves_a_gap():
    rows = [{"lag": n, "value": v, "low": -1.0, "high": 1.0} for n, v in enumerate([0.1, math.nan])]
    svg = charts.svgs([charts.around(rows, {0: "0"}, charts.THIRD, "start")])[0]
    assert "NaN" not in svg
