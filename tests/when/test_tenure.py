"""How long clients stay, and how they leave: drawn panels with a known hazard."""

import dataclasses

import numpy as np
import pytest
from drawn_panels import MONTHS, panel

from churnlens.when.tenure import describe_stay, spells


def test_survival_is_that_of_the_hazard_with_delayed_entry():
    entry = np.random.default_rng(1).integers(-24, 20, 6000)
    drawn = panel(np.full((6000, MONTHS), 0.03), entry)
    curve = describe_stay(drawn, MONTHS).survival[0]
    at = [np.searchsorted(curve.tenure, k, side="right") - 1 for k in (6, 12, 24)]
    for place, k in zip(at, (6, 12, 24), strict=True):
        assert curve.survival[place] == pytest.approx(0.97**k, abs=0.025)


def test_the_curve_weighs_by_chance_as_the_rates_do():
    """Of clients who may have left, none likelier than not, some have: the curve falls for them."""
    drawn = panel(np.full((4000, MONTHS), 0.01), np.zeros(4000, int))
    blurred = dataclasses.replace(
        drawn,
        found=np.full_like(drawn.found, 0.03),
        active=np.ones_like(drawn.active),
        onset=np.where(np.arange(4000) < 50, drawn.onset, -1),
    )
    curve = describe_stay(blurred, MONTHS).survival[0]
    assert curve.survival[12] == pytest.approx(0.97**12, rel=0.01)


def test_clients_of_unknown_age_are_left_out():
    drawn = panel(np.full((50, MONTHS), 0.05), np.full(50, 2))
    unknown = dataclasses.replace(drawn, known_from_start=np.arange(50) < 20)
    assert len(spells(unknown, MONTHS).rows) == 30


def test_an_undecided_departure_is_not_counted():
    drawn = panel(np.full((400, MONTHS), 0.03), np.zeros(400, int))
    seen = spells(drawn, 30)
    assert seen.event.sum() == ((drawn.onset >= 0) & (drawn.onset < 30)).sum()
    assert seen.leaving.max() == 30


def test_attributes_that_differ_are_drawn():
    key = np.arange(2000) < 600
    hazard = np.where(key, 0.05, 0.02)[:, None] * np.ones(MONTHS)
    drawn = panel(hazard, np.zeros(2000, int), size=np.where(key, "key", "mid"))
    shown = {(c.attribute, c.value) for c in describe_stay(drawn, MONTHS).survival}
    assert shown == {("", ""), ("size", "key"), ("size", "mid")}


def test_nobody_left_is_said():
    found = describe_stay(panel(np.zeros((50, MONTHS)), np.zeros(50, int)), MONTHS)
    assert [s.code for s in found.skipped] == ["no_survival"]
    assert found.survival == ()


def test_what_a_shorter_stay_costs_is_that_of_the_hazard():
    """Key clients leave at 5 % a month, others at 2 %; each brings 100 a month."""
    key = np.arange(4000) < 1500
    hazard = np.where(key, 0.05, 0.02)[:, None] * np.ones(MONTHS)
    drawn = panel(hazard, np.zeros(4000, int), size=np.where(key, "key", "mid"))
    rows = {row.value: row for row in describe_stay(drawn, MONTHS).lifetimes}
    assert set(rows) == {"key", "mid"}
    lost = rows["key"]
    stays = {h: sum((1 - h) ** k for k in range(lost.horizon)) for h in (0.05, 0.02)}
    assert lost.horizon == 36
    assert lost.stay.low <= stays[0.05] + 0.5 <= lost.stay.high + 1
    assert lost.lost.value == pytest.approx(stays[0.02] - stays[0.05], rel=0.08)
    assert lost.money.value == pytest.approx(100 * lost.lost.value)
    assert rows["mid"].lost.value == pytest.approx(-lost.lost.value)
    assert lost.p_value < 1e-6


def test_groups_that_leave_alike_have_no_rows():
    named = np.where(np.arange(2000) % 2, "key", "mid")
    drawn = panel(np.full((2000, MONTHS), 0.03), np.zeros(2000, int), size=named)
    assert describe_stay(drawn, MONTHS).lifetimes == ()


def test_the_risk_by_tenure_is_that_of_the_hazard():
    t = np.arange(MONTHS)
    hazard = np.where(t < 12, 0.04, 0.015) * np.ones((6000, 1))
    bands = describe_stay(panel(hazard, np.zeros(6000, int)), MONTHS).risk
    assert [(b.low, b.high) for b in bands] == [(0, 6), (6, 12), (12, 24), (24, None)]
    for band, monthly in zip(bands, (0.04, 0.04, 0.015, 0.015), strict=True):
        assert band.rate.low <= 100 * (1 - (1 - monthly) ** 12) <= band.rate.high


def test_closings_compete_with_leaving():
    """Lapse 2 %, closing 2 % a month: half of those gone lapsed."""
    rng = np.random.default_rng(3)
    drawn = panel(np.full((5000, MONTHS), 0.04), np.zeros(5000, int))
    closed = (drawn.onset >= 0) & (rng.random(5000) < 0.5)
    drawn = dataclasses.replace(
        drawn,
        kind=np.where(closed, "closed", drawn.kind),
        onset=np.where(closed, -1, drawn.onset),
    )
    by_kind = {curve.kind: curve for curve in describe_stay(drawn, MONTHS).exits}
    assert set(by_kind) == {"lapsed", "closed"}
    assert spells(drawn, MONTHS).closed.sum() == pytest.approx(closed.sum(), abs=60)
    for curve in by_kind.values():
        at = np.searchsorted(curve.tenure, 24, side="right") - 1
        assert curve.share[at] == pytest.approx(0.5 * (1 - 0.96**24), abs=0.03)
        assert np.all(np.diff(curve.share) >= 0)


def test_the_few_who_are_seen_early_do_not_end_the_curves_of_leaving():
    """Three are under observation before all the others are, and one of them leaves."""
    rng = np.random.default_rng(3)
    entry = np.where(np.arange(2000) < 3, 0, -4)
    hazard = np.full((2000, MONTHS), 0.04)
    hazard[:3, 1:4] = 1.0, 0.0, 0.0
    hazard[1:3, 1] = 0.0
    drawn = panel(hazard, entry)
    closed = (drawn.onset >= 0) & (np.arange(2000) > 2) & (rng.random(2000) < 0.5)
    drawn = dataclasses.replace(
        drawn,
        kind=np.where(closed, "closed", drawn.kind),
        onset=np.where(closed, -1, drawn.onset),
    )
    curves = describe_stay(drawn, MONTHS).exits
    assert {curve.kind for curve in curves} == {"lapsed", "closed"}
    for curve in curves:
        assert curve.tenure[0] == 2.0
        at = np.searchsorted(curve.tenure, 28, side="right") - 1
        assert curve.share[at] == pytest.approx(0.5 * (1 - 0.96**24), abs=0.04)


def test_what_the_data_hardly_tell_makes_the_risk_unsure():
    drawn = panel(np.full((2000, MONTHS), 0.03), np.zeros(2000, int))
    sure, unsure = (describe_stay(drawn, MONTHS, informed).risk for informed in (1.0, 0.25))
    for told, guessed in zip(sure, unsure, strict=True):
        assert guessed.rate.value == pytest.approx(told.rate.value)
        wider = (guessed.rate.high - guessed.rate.low) / (told.rate.high - told.rate.low)
        assert wider == pytest.approx(2, rel=0.1)


def test_without_closings_nothing_competes():
    assert (
        describe_stay(panel(np.full((500, MONTHS), 0.04), np.zeros(500, int)), MONTHS).exits == ()
    )


def test_the_map_holds_every_departure_once_where_no_cell_is_hidden():
    entry = np.random.default_rng(5).integers(-90, 1, 8000)
    drawn = panel(np.full((8000, MONTHS), 0.03), entry)
    found = describe_stay(drawn, MONTHS).lexis
    assert found.width == 3
    assert sum(cell.departures for cell in found.cells) == (drawn.onset >= MONTHS % 3).sum()
    assert max(cell.tenure for cell in found.cells) == found.open_from
    assert all(cell.clients >= 5 for cell in found.cells)
    assert found.periods[-1] == drawn.periods[MONTHS - 3].isoformat()
    rates = [cell.rate for cell in found.cells if cell.clients > 200]
    assert np.mean(rates) == pytest.approx(100 * (1 - 0.97**12), rel=0.1)


def test_the_map_has_no_empty_dates_and_none_that_the_data_hold_a_part_of():
    entry = np.where(np.arange(4000) < 3000, 8, 9)
    drawn = panel(np.full((4000, MONTHS), 0.03), entry)
    for until in (MONTHS, MONTHS - 1, MONTHS - 2):
        found = describe_stay(drawn, until).lexis
        days = [day.isoformat() for day in drawn.periods[: until + 1]]
        assert set(found.periods) == {cell.period for cell in found.cells}
        assert found.periods == tuple(days[days.index(found.periods[0]) : until : found.width])
    assert found.periods[0] >= drawn.periods[8].isoformat()  # the first order


def test_a_rise_of_the_times_is_a_drift_that_no_cohort_explains():
    entry = np.random.default_rng(6).integers(0, 36, 20_000)
    hazard = 0.02 * 1.02 ** np.arange(MONTHS) * np.ones((20_000, 1))
    found = describe_stay(panel(hazard, entry), MONTHS).cohorts
    assert found.drift.low <= 1.02**3 <= found.drift.high
    assert found.drift.low > 1
    assert found.cohort_p > 0.01


def test_a_book_in_which_no_age_is_known_has_no_curve():
    drawn = panel(np.full((50, MONTHS), 0.05), np.full(50, 2))
    nobody = dataclasses.replace(drawn, known_from_start=np.ones(50, dtype=bool))
    stay = describe_stay(nobody, MONTHS)
    assert stay.survival == ()
    assert [s.code for s in stay.skipped] == ["no_survival"]
