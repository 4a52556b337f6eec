"""Levels of departures by stretch of time, where onsets are certain and where they are blurred."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from panels import MONTHS, draw, step

from churnlens.panel import Panel
from churnlens.panel.onsets import OnsetLikelihood
from churnlens.remedies.levels import Levels, fit_levels

HAZARD, START, SEEN_LATE = 0.02, 30, 3
SPAN = np.arange(MONTHS)
STRETCHES = {"base": SPAN < START, "settled": SPAN >= START}


def fit(panel: Panel) -> Levels:
    hazard = np.full(panel.active.shape, HAZARD, np.float32)
    return fit_levels(panel, hazard, np.ones(len(panel.client), dtype=bool), STRETCHES)


def blurred(panel: Panel, rng: np.random.Generator) -> Panel:
    """Tell onsets only to a few months, and not at all when they lie in the last three."""
    n = len(panel.client)
    there = np.maximum(panel.entry, 0)[:, None] <= SPAN
    place = panel.onset + rng.normal(0, 1.5, n)
    close = -0.5 * ((SPAN[None, :] - place[:, None]) / 1.5) ** 2 + 9
    left = ((panel.onset >= 0) & (panel.onset < MONTHS - SEEN_LATE))[:, None]
    late = SPAN >= MONTHS - SEEN_LATE
    ratio = np.where(left, close, np.where(late, 0.0, -9.0)).astype(np.float32)
    known = OnsetLikelihood(np.where(there, ratio, -np.inf).astype(np.float32), there)
    return dataclasses.replace(panel, likelihood=known)


def test_certain_departures_give_the_plain_ratio_and_its_error() -> None:
    panel = draw(np.random.default_rng(1), hazard=HAZARD, share_inside=1.0)
    levels = fit(panel)
    found = panel.found[:, STRETCHES["base"]].sum()
    due = HAZARD * panel.active[:, STRETCHES["base"]].sum()
    assert levels.level("base") == pytest.approx((found + 0.5) / (due + 0.5), rel=1e-3)
    assert levels.variance("base") == pytest.approx(1 / found, rel=0.1)
    assert levels.found.sum() == pytest.approx(panel.found.sum())


def test_a_fall_is_not_blurred_away_and_its_interval_holds_it() -> None:
    truth, held, seen = np.log(0.3), [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        relative = step((START, 0.3))
        drawn = draw(rng, clients=900, hazard=HAZARD, share_inside=1.0, relative=relative)
        change = fit(blurred(drawn, rng)).change("base", "settled")
        seen.append(change.log_ratio)
        held.append(abs(change.log_ratio - truth) < 1.96 * np.sqrt(change.variance))
    assert np.mean(seen) == pytest.approx(truth, abs=0.12)
    assert np.mean(held) >= 0.85


def test_a_stretch_without_departures_has_a_level_above_nothing() -> None:
    panel = draw(np.random.default_rng(2), clients=400, relative=step((START, 0.0)))
    inside = (panel.attributes["size"] == "key").to_numpy()
    hazard = np.full(panel.active.shape, HAZARD, np.float32)
    levels = fit_levels(panel, hazard, inside, STRETCHES)
    assert 0 < levels.level("settled") < 0.1
    assert levels.variance("settled") == pytest.approx(2.0, rel=0.1)
