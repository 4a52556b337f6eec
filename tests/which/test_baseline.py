"""What is expected agrees with what was found in every margin."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnlens.panel import build
from churnlens.which.baseline import fit

sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
from order_histories import book, order_days

MONTHS = 36


@pytest.fixture(scope="module")
def leaving():
    """2,500 clients; keys leave thrice as often as the rest, all along."""
    rng = np.random.default_rng(3)
    rate = np.repeat(rng.gamma(4, 0.6, (2500, 1)).clip(0.5), MONTHS, axis=1)
    key = np.arange(2500) % 4 == 0
    leaves = rng.random(rate.shape) < np.where(key, 0.024, 0.008)[:, None]
    gone = np.cumsum(leaves, axis=1) - 0.5 * leaves
    orders = order_days(rate * (1 - gone).clip(0, 1), seed=1, regular=2)
    ids = np.sort(orders["client"].unique())
    size = pd.Categorical(np.where(key[ids], "key", "other"))
    return book(orders, MONTHS, pd.DataFrame({"size": size}))


@pytest.mark.parametrize("name", ["cadence", "silence"])
def test_margins_agree(leaving, name):
    base = fit(build(leaving, name))
    found, due = base.panel.found, base.hazard * base.panel.active
    assert due.sum() == pytest.approx(found.sum(), rel=0.02)
    key = (base.panel.attributes["size"] == "key").to_numpy()
    for part in (key, ~key):
        assert due[part].sum() == pytest.approx(found[part].sum(), rel=0.04)


def test_a_standing_difference_is_expected(leaving):
    base = fit(build(leaving, "cadence"))
    key = (base.panel.attributes["size"] == "key").to_numpy()
    there = base.panel.active > 0.5
    ratio = base.hazard[key][there[key]].mean() / base.hazard[~key][there[~key]].mean()
    assert 2.2 < ratio < 3.8


def test_effective_departures_differ_as_found_and_expected_do(leaving):
    base = fit(build(leaving, "cadence"))
    surprise = base.panel.found - base.hazard * base.panel.active
    informed = base.expected > 0
    assert np.allclose((base.observed - base.expected)[informed], surprise[informed], atol=1e-5)
    assert (base.expected >= 0).all()
    assert base.expected.sum() <= (base.hazard * base.panel.active).sum() * 1.001


def test_nothing_is_expected_to_change_over_time(leaving):
    """No calendar trend in the baseline: a rise must be left for the scan to find."""
    panel = build(leaving, "silence")
    doubled = np.where(np.arange(MONTHS) >= 24, 2, 1) * panel.found
    base = fit(dataclasses.replace(panel, found=doubled.astype(np.float32)))
    due = (base.hazard * base.panel.active).sum(axis=0)
    rise = doubled[:, 24:30].sum() / due[24:30].sum()
    assert rise > 1.2
