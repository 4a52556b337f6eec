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
    assert split["Rest"] == pytest.approx(whole["Unexplained"], abs=1e-6)
    assert "Unexplained" not in split
    elsewhere = ~hit.inside(drawn_books.KEY)
    assert "late" not in steps(waterfall(settled, ("late",), elsewhere))
    assert steps(waterfall(settled, ("late",), elsewhere, own=0))["late"] == 0


def test_what_began_before_both_years_is_said_beside_the_total(settled: Settled) -> None:
    """A cause at work all along leaves as many in either year: its step is about nought."""
    (part,), panel = settled.parts, settled.panel
    always = np.full(panel.active.shape, 0.4, np.float32)
    old = dataclasses.replace(settled, parts=(dataclasses.replace(part, share=always),))
    last = waterfall(old, ("late",), EVERYONE, 0)[-1]
    assert last.older == pytest.approx(0.4 * last.value, rel=1e-5)
    recent = np.where(np.arange(drawn_books.MONTHS) >= drawn_books.MONTHS - 12, always, 0)
    new = dataclasses.replace(settled, parts=(dataclasses.replace(part, share=recent),))
    assert waterfall(new, ("late",), EVERYONE, 0)[-1].older is None


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
    cut = dataclasses.replace(settled, panel=dataclasses.replace(panel, **short))
    assert waterfall(cut, ("cause",), EVERYONE) == ()


def test_a_year_of_which_only_a_part_shows_departures_is_none_to_compare_with(
    settled: Settled,
) -> None:
    panel, late = settled.panel, np.arange(drawn_books.MONTHS) >= drawn_books.MONTHS - 21
    seen = dataclasses.replace(panel, active=panel.active * late.astype(np.float32))
    assert waterfall(dataclasses.replace(settled, panel=seen), ("cause",), EVERYONE) == ()
