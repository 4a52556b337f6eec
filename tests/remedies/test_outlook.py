"""The next quarter if nothing is done, for groups."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
import pytest
from panels import MONTHS, by_tenure, draw, step

from churnlens import remedies
from churnlens.panel import Panel
from churnlens.panel.activity import Activity
from churnlens.remedies import Forecast
from churnlens.results import Issue, Skipped


def with_orders(panel: Panel) -> Panel:
    """Give each client there one order a month."""
    orders = (panel.active > 0).astype(np.float32)
    names = [f.name for f in dataclasses.fields(Activity)]
    activity = Activity(**{name: orders if name == "orders" else None for name in names})
    return dataclasses.replace(panel, activity=activity)


def forecast(panel: Panel, issues: Sequence[Issue] = (), seed: int = 0) -> Forecast | Skipped:
    return remedies.forecast(panel, issues, departures=by_tenure(panel), seed=seed)


def drawn(seed: int, **more: object) -> Panel:
    return with_orders(draw(np.random.default_rng(seed), **more))


def test_the_total_is_near_what_the_hazard_brings() -> None:
    panel = drawn(0, clients=8000)
    found = forecast(panel)
    assert isinstance(found, Forecast)
    total = next(o for o in found.outlook if o.group == "all")
    there = (panel.active[:, -1] - panel.found[:, -1]).sum()
    due = there * (1 - (1 - 0.008) ** 3)
    assert total.departures.low <= due <= total.departures.high
    assert total.departures.value == pytest.approx(due, rel=0.15)
    assert total.revenue.value == pytest.approx(total.departures.value * 1200, rel=0.1)


def test_past_quarters_are_inside_their_intervals_as_often_as_stated() -> None:
    checks = [c for seed in range(3) for c in forecast(drawn(seed, clients=4000)).checks]
    held = np.mean([c.departures.low <= c.observed <= c.departures.high for c in checks])
    assert 0.88 <= held <= 1.0
    assert len({c.quarter for c in checks}) == 4


def test_a_worse_group_is_forecast_worse() -> None:
    panel = drawn(1, clients=6000, relative=step((12, 3.0)))
    found = forecast(panel)
    assert isinstance(found, Forecast)
    by_group = {o.group: o.departures.value for o in found.outlook}
    there = panel.active[:, -1]
    key = (panel.tiers[:, -1] == 0) & (there > 0)
    rates = by_group["top fifth"] / key.sum(), by_group["middle"] / (there.sum() - key.sum())
    assert rates[0] > 1.8 * rates[1]
    assert 0.5 < found.method.slope < 1.5


def test_too_short_a_past_is_said_to_be_so() -> None:
    found = forecast(drawn(0, clients=60))
    assert isinstance(found, Skipped)
    assert found.code == "no_outlook"


def test_where_nobody_is_known_to_be_there_still_nothing_is_foretold() -> None:
    panel = drawn(1)
    seen = np.where(np.arange(MONTHS) < MONTHS - 3, panel.active, 0)
    found = forecast(dataclasses.replace(panel, active=seen))
    assert isinstance(found, Skipped)
    assert "still there" in found.reason


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_holds_its_value_and_is_below_zero_only_where_that_is(sign: int) -> None:
    panel = drawn(0)
    found = forecast(dataclasses.replace(panel, revenue=sign * panel.revenue))
    assert isinstance(found, Forecast)
    for group in found.outlook:
        for said in (group.departures, group.revenue):
            assert said.low <= said.value <= said.high
        assert (group.revenue.value < 0) == (sign < 0)
        assert group.departures.low >= 0
        assert group.revenue.low >= 0 or sign < 0


def test_the_same_seed_gives_the_same_outlook_in_little_time() -> None:
    panel = drawn(2, clients=30_000)
    began = time.perf_counter()
    first = forecast(panel, seed=3)
    assert time.perf_counter() - began < 15  # about 2 s on a quiet machine
    assert first == forecast(panel, seed=3)
    assert panel.active.shape[1] == MONTHS
