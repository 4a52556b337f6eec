"""Value tiers: who they are, what they bring, how often they leave."""

from dataclasses import replace

import numpy as np
import pytest

from churnlens.results import Skipped
from churnlens.which.tiers import tier_rows


def test_rows_of_the_last_year(draw):
    tier = np.repeat([0, 1, 2], [400, 1200, 400])
    hazard = np.repeat([0.03, 0.01, 0.01], [400, 1200, 400])[:, None] * np.ones(36)
    base = draw(hazard, tier=tier)
    top, middle, bottom = tier_rows(base)
    assert [r.tier for r in (top, middle, bottom)] == ["top fifth", "middle", "bottom fifth"]
    assert sum(r.revenue_share for r in (top, middle, bottom)) == pytest.approx(1)
    assert top.revenue_share > 0.5
    assert top.margin_share is None
    assert top.rate_per_year.low <= 100 * (1 - 0.97**12) <= top.rate_per_year.high
    assert middle.rate_per_year.low <= 100 * (1 - 0.99**12) <= middle.rate_per_year.high
    in_year = base.panel.found[tier == 0, 24:].sum()
    assert top.departures == in_year
    assert top.clients == (base.panel.active[tier == 0, 24:].any(axis=1)).sum()


def test_a_client_that_came_back_within_the_year_brings_its_money_once(draw):
    """Two spells of one client are one client, in the tier that it had when the year began."""
    tier = np.repeat([0, 1, 2], [40, 120, 40])
    base = draw(np.full((200, 36), 0.0), tier=tier)
    client, tiers, revenue = np.arange(200), base.panel.tiers.copy(), base.panel.revenue.copy()
    client[1], revenue[1], tiers[1, 24:] = 0, revenue[0], 2
    panel = replace(base.panel, client=client, tiers=tiers, revenue=revenue)
    rows = tier_rows(replace(base, panel=panel))
    assert [r.clients for r in rows] == [39, 120, 40]
    own = [tier == k for k in range(3)]
    own[0][1] = False
    brought = [float(revenue[k, 24:].sum()) for k in own]
    assert [r.revenue_share for r in rows] == pytest.approx(
        [b / sum(brought) for b in brought], rel=1e-6
    )


def test_margin_may_be_negative(draw):
    tier = np.repeat([0, 1, 3], [100, 300, 100])
    margin = np.repeat([5.0, 1.0, -1.0], [100, 300, 100])[:, None] * np.ones(36)
    rows = tier_rows(draw(np.full((500, 36), 0.005), tier=tier, margin=margin))
    assert rows[-1].tier == "costs more than it brings"
    assert rows[-1].margin_share < 0
    assert sum(r.margin_share for r in rows) == pytest.approx(1)


def test_small_tiers_are_joined(draw):
    tier = np.repeat([0, 1, 2, 3], [100, 300, 100, 3])
    rows = tier_rows(draw(np.full((503, 36), 0.0), tier=tier))
    assert [r.tier for r in rows] == [
        "top fifth", "middle", "bottom fifth and costs more than it brings",
    ]  # fmt: skip
    assert min(r.clients for r in rows) >= 5
    assert rows[0].departures == 0
    assert rows[0].rate_per_year.low == 0


def test_no_tiers_is_said(draw):
    rows = tier_rows(draw(np.full((50, 36), 0.01), tier=np.full(50, -1)))
    assert isinstance(rows, Skipped)


def test_fifths_are_fifths_of_the_clients_though_most_buyers_are_none(draw):
    """Among buyers, most of whom order once, nearly all clients are in the top fifth."""
    n = 500
    entry = np.where(np.arange(n) < 150, -30, 24 + np.arange(n) % 11)
    base = draw(np.full((n, 36), 0.001), tier=np.zeros(n), entry=entry)
    a_month = np.random.default_rng(0).permutation(n)[:, None] + 1.0
    there = np.arange(36) >= entry[:, None]
    panel = replace(base.panel, revenue=(a_month * there).astype(np.float32))
    active = panel.active * (np.arange(36) >= entry[:, None] + 2)
    rows = tier_rows(replace(base, panel=replace(panel, active=active.astype(np.float32))))
    assert [r.tier for r in rows] == ["top fifth", "middle", "bottom fifth"]
    shares = [r.clients / sum(r.clients for r in rows) for r in rows]
    assert shares == pytest.approx([0.2, 0.6, 0.2], abs=0.02)


def test_who_had_most_likely_left_before_the_year_hardly_counts(draw):
    base = draw(np.zeros((300, 36)), tier=np.repeat([0, 1, 2], [60, 180, 60]))
    active = base.panel.active.copy()
    active[::2] *= 0.01
    rows = tier_rows(replace(base, panel=replace(base.panel, active=active)))
    assert sum(r.clients for r in rows) == pytest.approx(150 + 1.5, abs=2)
