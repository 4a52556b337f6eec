"""Group-time effects against published values, a library, and a randomised test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnlens.remedies.effect import NEVER, GroupTime, group_time

DATA = Path(os.environ.get("CHURNLENS_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class Averages:
    """Effects averaged by a key (none for `simple`), and over all keys, as they are published."""

    keys: np.ndarray
    effects: np.ndarray
    overall: float
    overall_error: float


def average(found: GroupTime, start: np.ndarray, how: str) -> Averages:
    """Average the effects of units that are all there all along, each a cluster of its own.

    `simple`: every treated unit and period alike; `dynamic`: by periods since the start;
    `group`: by starting period, weighted by units; `calendar`: by period.
    """
    member = start[:, None] == found.groups
    treated = found.times >= found.groups

    def weighted(chosen: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean and its influence, the weights estimated too."""
        own, effects = member[:, chosen], found.effects[chosen]
        share = own.sum(axis=0) / own.sum()
        value = float(share @ effects)
        drift = (own @ effects - own.sum(axis=1) * value) / own.sum()
        return value, found.influence[:, chosen] @ share + drift

    if how == "simple":
        value, influence = weighted(treated)
        return Averages(np.empty(0), np.empty(0), value, float(np.linalg.norm(influence)))
    label = {
        "dynamic": found.times - found.groups,
        "group": found.groups,
        "calendar": found.times,
    }[how]
    chosen = np.ones_like(treated) if how == "dynamic" else treated
    keys = np.unique(label[chosen])
    parts = [weighted(chosen & (label == key)) for key in keys]
    values, influence = np.array([v for v, _ in parts]), np.column_stack([i for _, i in parts])
    if how == "group":
        own = start[:, None] == keys
        share = own.sum(axis=0) / own.sum()
        value = float(share @ values)
        drift = (own @ values - own.sum(axis=1) * value) / own.sum()
        return Averages(keys, values, value, float(np.linalg.norm(influence @ share + drift)))
    late = keys >= 0  # for `calendar` every key
    error = float(np.linalg.norm(influence[:, late].mean(axis=1)))
    return Averages(keys, values, float(values[late].mean()), error)


@pytest.fixture(scope="module")
def mpdta() -> tuple[GroupTime, np.ndarray]:
    moderndid = pytest.importorskip("moderndid", reason="mpdta comes with moderndid (group bench)")
    frame = pd.DataFrame(moderndid.load_mpdta().to_dict(as_series=False))
    wide = frame.pivot_table(index="countyreal", columns="year", values="lemp")
    first = frame.groupby("countyreal")["first.treat"].first().loc[wide.index].to_numpy()
    start = np.where(first == 0, NEVER, first - wide.columns[0])
    return group_time(wide.to_numpy(), np.ones(wide.shape), start), start


@pytest.mark.parametrize(
    ("how", "effect", "error"),
    [
        ("simple", -0.0400, 0.0120),
        ("dynamic", -0.0772, 0.0200),
        ("group", -0.0310, 0.0124),
        ("calendar", -0.0417, 0.0160),
    ],
)
def test_mpdta_has_the_published_averages(
    mpdta: tuple[GroupTime, np.ndarray], how: str, effect: float, error: float
) -> None:
    found = average(*mpdta, how)
    assert found.overall == pytest.approx(effect, abs=5e-5)
    assert found.overall_error == pytest.approx(error, abs=5e-5)


def staggered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts at 4 and 8 of 12 periods, effects that grow; the truth is -1 a period treated."""
    n, periods = 900, 12
    start = np.repeat([NEVER, 4, 8], n // 3)
    time = np.arange(periods)
    since = np.where(start[:, None] >= 0, time - start[:, None] + 1, 0)
    effect = -np.maximum(since, 0)
    own = rng.normal(0, 2, (n, 1))
    outcome = own + 0.5 * time + effect + rng.normal(0, 1, (n, periods))
    return outcome, start, effect


def test_growing_effects_of_staggered_starts_are_not_mixed_up() -> None:
    outcome, start, effect = staggered(np.random.default_rng(0))
    found = group_time(outcome, np.ones_like(outcome), start, comparison="not_yet")
    treated = (np.arange(12) >= start[:, None]) & (start[:, None] >= 0)
    assert average(found, start, "simple").overall == pytest.approx(effect[treated].mean(), abs=0.2)
    dynamic = average(found, start, "dynamic")
    after = dynamic.keys >= 0
    assert dynamic.effects[after] == pytest.approx(-(dynamic.keys[after] + 1.0), abs=0.3)
    assert dynamic.effects[~after] == pytest.approx(np.zeros((~after).sum()), abs=0.3)


def test_units_that_leave_the_panel_do_not_bend_the_effect() -> None:
    rng = np.random.default_rng(1)
    outcome, start, _ = staggered(rng)
    gone = rng.integers(2, 30, len(start))
    weight = (np.arange(12) < gone[:, None]).astype(float)
    outcome = np.where(weight > 0, outcome, np.nan)
    found = group_time(outcome, weight, start)
    cell = (found.groups == 4) & (found.times == 6)
    assert found.effects[cell] == pytest.approx([-3.0], abs=0.5)


def test_several_rows_of_one_client_count_as_one() -> None:
    outcome, start, _ = staggered(np.random.default_rng(2))
    once = group_time(outcome, np.ones_like(outcome), start)
    twice = group_time(
        np.vstack([outcome, outcome]),
        np.ones((2 * len(outcome), 12)),
        np.tile(start, 2),
        clusters=np.tile(np.arange(len(start)), 2),
    )
    assert twice.effects == pytest.approx(once.effects)
    assert twice.errors == pytest.approx(once.errors)


def test_intervals_hold_the_truth() -> None:
    held = 0
    for seed in range(40):
        outcome, start, effect = staggered(np.random.default_rng(seed))
        found = average(group_time(outcome, np.ones_like(outcome), start), start, "simple")
        treated = (np.arange(12) >= start[:, None]) & (start[:, None] >= 0)
        held += abs(found.overall - effect[treated].mean()) < 1.96 * found.overall_error
    assert held >= 34


def test_without_anyone_to_compare_it_says_so() -> None:
    with pytest.raises(ValueError, match="compare"):
        group_time(np.zeros((4, 3)), np.ones((4, 3)), np.array([1, 1, 1, 1]))


def test_hillstrom_mail_raised_visits_by_the_published_points() -> None:
    path = DATA / "hillstrom.parquet"
    if not path.exists():
        pytest.skip("the Hillstrom mail test is not here (set CHURNLENS_DATA)")
    frame = pd.read_parquet(path)
    arm = frame["segment"].to_numpy()
    visit = frame["visit"].to_numpy(dtype=float)
    for name, points in (("Mens E-Mail", 0.183 - 0.106), ("Womens E-Mail", 0.151 - 0.106)):
        chosen = np.isin(arm, [name, "No E-Mail"])
        outcome = np.column_stack([np.zeros(chosen.sum()), visit[chosen]])
        start = np.where(arm[chosen] == name, 1, NEVER)
        found = average(group_time(outcome, np.ones_like(outcome), start), start, "simple")
        assert found.overall == pytest.approx(points, abs=0.001)
        assert found.overall_error == pytest.approx(0.0034, abs=0.0003)
