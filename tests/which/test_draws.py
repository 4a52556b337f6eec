"""Departures are drawn as though what is expected had been fitted to them."""

from __future__ import annotations

import numpy as np
import pytest

from churnlens.which.baseline import season_of
from churnlens.which.draws import draw as draw_from
from churnlens.which.draws import lot
from churnlens.which.segments import attributes_of, collapse

CLIENTS, DRAWS = 2000, 20


@pytest.fixture
def base(draw_and_fit, months):
    """A book that clients joined all along, fitted."""
    entry = np.random.default_rng(2).integers(-30, months - 6, CLIENTS)
    return draw_and_fit(np.full((CLIENTS, months), 0.015), entry=entry)


def _drawn(base, moments):
    cells = collapse(attributes_of(base.panel, tiers=False), CLIENTS)
    events, season = round(float(base.expected.sum())), season_of(base.panel.calendar)
    source = lot(base.expected, events, cells.at, season, moments)
    return draw_from(source, cells.attributes, DRAWS, np.random.default_rng(0))


def _by_period(drawn):
    return np.bincount(drawn.moment, drawn.weight).reshape(DRAWS, drawn.periods)


def test_as_many_leave_in_each_season_and_with_each_time_left_as_were_expected(base):
    """All clients have the time left in common here, so that it is a matter of the month."""
    by_period, due = _by_period(_drawn(base, base.moments)), base.expected.sum(axis=0)
    clock, _ = base.moments.factors[0]
    left = clock[base.moments.at[0]]
    for part in (*(left == level for level in np.unique(left)), np.arange(36) % 12 == 4):
        assert by_period[:, part].sum(axis=1) == pytest.approx(due[part].sum(), rel=0.01)


def test_they_still_differ_from_month_to_month(base):
    by_period, due = _by_period(_drawn(base, base.moments)), base.expected.sum(axis=0)
    assert 0.5 < np.mean((by_period - due)[:, 4:20] ** 2 / due[4:20]) < 1.1


def test_departures_count_once_each_where_the_baseline_was_given(base):
    drawn = _drawn(base, None)
    assert (drawn.weight == 1).all()
    assert drawn.weight.sum() == DRAWS * drawn.events
