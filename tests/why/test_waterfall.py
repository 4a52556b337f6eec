"""From last year's departures to this year's: every step named, and the steps add up."""

from __future__ import annotations

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.results import Bar
from churnlens.why.attribution import Settled, attribute
from churnlens.why.waterfall import waterfall

EVERYONE = np.ones((1, 1), bool)


@pytest.fixture(scope="module")
def settled(hit: drawn_books.Drawn) -> Settled:
    return attribute(hit.baseline, drawn_books.explained(hit, hit.candidate("cause")))


def steps(bars: tuple[Bar, ...]) -> dict[str, float]:
    return {bar.label: bar.value for bar in bars}


def test_the_steps_add_up_and_stand_in_order(settled: Settled, hit: drawn_books.Drawn) -> None:
    for inside in (EVERYONE, hit.inside(drawn_books.KEY)):
        bars = waterfall(settled, ("cause",), inside, 0)
        assert [b.role for b in bars] == ["start", "mix", "season", "cause", "unexplained", "end"]
        assert sum(b.value for b in bars[:-1]) == pytest.approx(bars[-1].value)


def test_each_cause_is_a_step_and_one_that_did_nothing_here_is_none(
    settled: Settled, hit: drawn_books.Drawn
) -> None:
    part = settled.parts[0]
    half = dataclasses.replace(part, share=part.share / 2)
    both = dataclasses.replace(settled, parts=(half, half))
    whole = steps(waterfall(settled, ("late",), EVERYONE))
    split = steps(waterfall(both, ("late", None), EVERYONE))
    assert split["late"] == pytest.approx(whole["late"] / 2)
    assert split["Rise without a recorded cause"] == pytest.approx(whole["late"] / 2)
    assert split["Unexplained"] == pytest.approx(whole["Unexplained"], abs=1e-6)
    elsewhere = ~hit.inside(drawn_books.KEY)
    assert "late" not in steps(waterfall(settled, ("late",), elsewhere))
    assert steps(waterfall(settled, ("late",), elsewhere, own=0))["late"] == 0


def test_more_clients_at_a_bad_season_are_season_and_more_clients_are_not(
    settled: Settled,
) -> None:
    panel = settled.panel
    bad = np.where(panel.calendar.season == 11, 3.0, 1.0).astype(np.float32)
    seasonal = dataclasses.replace(settled, usual=settled.usual * bad)
    late = (np.arange(drawn_books.MONTHS) >= 24) & (panel.calendar.season == 11)
    twice = np.where(late, 2 * panel.active, panel.active).astype(np.float32)
    more = dataclasses.replace(seasonal, panel=dataclasses.replace(panel, active=twice))
    before, after = (steps(waterfall(s, ("cause",), EVERYONE)) for s in (seasonal, more))
    assert abs(before["Season"]) < 1
    assert after["Season"] > before["Season"] + 5
    all_year = np.where(np.arange(drawn_books.MONTHS) >= 24, 2 * panel.active, panel.active)
    grown = dataclasses.replace(
        seasonal, panel=dataclasses.replace(panel, active=all_year.astype(np.float32))
    )
    larger = steps(waterfall(grown, ("cause",), EVERYONE))
    assert larger["Season"] == pytest.approx(before["Season"], abs=2)
    assert larger["Clients there to leave"] > before["Clients there to leave"] + 20


def test_less_than_two_years_have_none(settled: Settled) -> None:
    panel = settled.panel
    short = {n: getattr(panel, n)[:, :20] for n in ("found", "active")}
    assert (
        waterfall(
            dataclasses.replace(settled, panel=dataclasses.replace(panel, **short)),
            ("cause",),
            EVERYONE,
        )
        == ()
    )
