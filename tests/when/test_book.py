"""The book as a whole: a simulated book described, and what its data cannot bear said."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from churnlens.config import Settings
from churnlens.panel import Panel, build, open_book
from churnlens.panel.periods import Calendar
from churnlens.results import Skipped
from churnlens.simulate import write_world
from churnlens.tables import open_source
from churnlens.when.book import (
    book_change,
    describe,
    spells,
    survival_curves,
    told_until,
    visible_rise,
)
from churnlens.which.baseline import fit

MONTHS = 40


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    write_world(folder, "quiet", 300, 3)
    book = open_book(open_source(folder, Settings(), None), Settings())
    base = fit(build(book, "cadence"))
    found = describe(
        book,
        base.panel,
        usual=base.hazard,
        observed=base.observed,
        expected=base.expected,
        segments_looked_at=7,
    )
    return book, base, found


def test_series_is_of_what_was_found(described):
    _, base, found = described
    series = found.book.series
    assert sum(p.observed for p in series) == pytest.approx(base.departures, abs=len(series) / 2)
    assert all(p.low <= p.expected <= p.high for p in series)
    assert series[0].at_risk > 0


def test_the_rest_of_the_page_is_filled(described):
    book, _, found = described
    view = found.book
    assert view.clients == len(book.data.clients)
    assert view.segments_looked_at == 7
    assert sum(v for _, v in view.revenue_by_period) == pytest.approx(
        float(book.data.revenue.sum(dtype=np.float64)), rel=1e-6
    )
    assert view.revenue_last_year == pytest.approx(sum(v for _, v in view.revenue_by_period[-12:]))
    assert view.returns.chance[0] > view.returns.level > view.returns.chance[-1]
    assert 2 <= view.returns.threshold <= 8
    assert view.smallest_visible_rise > 1
    assert view.change is None
    assert view.change_p >= 0.05


def test_survival_falls_and_stays_within_bounds(described):
    _, _, found = described
    assert found.book.survival[0].attribute == ""
    for curve in found.book.survival:
        assert np.all(np.diff(curve.survival) <= 0)
        assert 0 <= min(curve.low) <= max(curve.high) <= 1
        assert curve.clients >= 5


def panel(hazard: np.ndarray, entry: np.ndarray, *, size: np.ndarray | None = None, seed=0):
    """Draw a panel of yes-or-no departures from a monthly hazard [n, T]."""
    rng = np.random.default_rng(seed)
    n, t = len(hazard), np.arange(MONTHS)
    leaves = (rng.random((n, MONTHS)) < hazard) & (t >= entry[:, None])
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    last = np.where(onset >= 0, onset, MONTHS)[:, None]
    given = {
        "calendar": Calendar(
            "month",
            tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in range(MONTHS)),
            np.ones(MONTHS),
        ),
        "active": ((t >= entry[:, None]) & (t <= last)).astype(np.float32),
        "found": (leaves & (t == onset[:, None])).astype(np.float32),
        "onset": onset,
        "entry": entry,
        "known_from_start": np.zeros(n, bool),
        "tiers": np.ones((n, MONTHS), np.int8),
        "attributes": pd.DataFrame(
            {"size": pd.Categorical(np.full(n, "key") if size is None else size)}
        ),
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    return Panel(**{name: given.get(name) for name in needed})


def test_survival_is_that_of_the_hazard_with_delayed_entry():
    entry = np.random.default_rng(1).integers(-24, 20, 6000)
    drawn = panel(np.full((6000, MONTHS), 0.03), entry)
    curve = survival_curves(drawn, MONTHS)[0]
    at = [np.searchsorted(curve.tenure, k, side="right") - 1 for k in (6, 12, 24)]
    for place, k in zip(at, (6, 12, 24), strict=True):
        assert curve.survival[place] == pytest.approx(0.97**k, abs=0.025)


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
    shown = {(c.attribute, c.value) for c in survival_curves(drawn, MONTHS)}
    assert shown == {("", ""), ("size", "key"), ("size", "mid")}


def test_recent_months_that_tell_little_are_cut_off():
    drawn = panel(np.full((400, MONTHS), 0.02), np.zeros(400, int))
    usual = np.full((400, MONTHS), 0.02)
    told = np.where(np.arange(MONTHS) < 34, 0.8, 0.4)
    assert told_until(drawn, usual, usual * drawn.active * told) == 34
    assert told_until(drawn, usual, usual * drawn.active) == MONTHS


def test_change_is_dated_in_the_periods_of_the_data():
    expected = np.full((200, MONTHS), 0.2)
    expected[:, :5] = 0
    observed = expected.copy()
    observed[:, 28:] *= 2
    change = book_change(observed, expected)
    assert change.p_value < 0.01
    assert abs(change.start - 28) <= 1
    assert change.low <= change.start <= change.high
    assert len(change.chances) == MONTHS


def test_too_few_departures_have_no_date():
    assert isinstance(book_change(np.full((5, MONTHS), 0.01), np.full((5, MONTHS), 0.01)), Skipped)


def test_nobody_left_is_said():
    drawn = panel(np.zeros((50, MONTHS)), np.zeros(50, int))
    assert isinstance(survival_curves(drawn, MONTHS), Skipped)


def test_a_larger_book_shows_a_smaller_rise():
    drawn = panel(np.full((10, MONTHS), 0.02), np.zeros(10, int))
    small = visible_rise(drawn, np.full((500, MONTHS), 0.02), None)
    large = visible_rise(drawn, np.full((5000, MONTHS), 0.02), None)
    assert 1 < large < small
    searched = visible_rise(drawn, np.full((500, MONTHS), 0.02), None, critical=6.0)
    assert searched > small
