"""The book as a whole: a simulated book described, and what its data cannot bear said."""

import datetime as dt

import numpy as np
import pytest
from drawn_panels import MONTHS, panel

from churnlens.config import Settings
from churnlens.panel import build, open_book
from churnlens.panel.periods import calendar
from churnlens.results import Skipped
from churnlens.simulate import write_world
from churnlens.tables import open_source
from churnlens.when.book import book_change, book_changes, describe, told_until, visible_rise
from churnlens.which.baseline import fit

CALENDAR = calendar("month", dt.date(2021, 1, 1), dt.date(2024, 4, 30))


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    write_world(folder, "quiet", 300, 3)
    book = open_book(open_source(folder, Settings(), None), Settings())
    base = fit(build(book, "cadence"))
    found = describe(
        book,
        base.panel,
        orders=3210,
        usual=base.hazard,
        observed=base.observed,
        expected=base.expected,
        segments_looked_at=7,
    )
    return book, base, found


def test_series_is_of_what_was_found(described):
    _, base, found = described
    series = found.book.series
    assert sum(p.observed for p in series) == pytest.approx(base.departures)
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
    change = book_change(observed, expected, CALENDAR)
    assert change.p_value < 0.01
    assert abs(change.start - 28) <= 1
    assert change.low <= change.start <= change.high
    assert len(change.chances) == MONTHS


def test_several_changes_of_the_book_are_told_apart():
    expected = np.full((400, MONTHS), 0.2)
    observed = expected.copy()
    observed[:, 12:] *= 1.8
    observed[:, 28:] *= 0.4
    days = [day.isoformat() for day in CALENDAR.starts]
    rise, fall = book_changes(observed, expected, CALENDAR)
    assert (rise.date.date, fall.date.date) == (days[12], days[28])
    assert rise.ratio > 1.5 > 0.6 > fall.ratio
    assert not rise.gradual
    assert book_changes(expected, expected, CALENDAR) == ()


def test_a_rise_that_comes_in_by_and_by_is_told_from_a_step():
    expected = np.full((400, MONTHS), 0.2)
    ramp = np.clip((np.arange(MONTHS) - 19) / 6, 0, 1)
    (slow,) = book_changes(expected * (1 + 1.5 * ramp), expected, CALENDAR)
    (step,) = book_changes(expected * (1 + 1.5 * (ramp > 0)), expected, CALENDAR)
    assert slow.gradual
    assert not step.gradual


def test_a_slow_rise_is_dated_in_a_weekly_book():
    """A rise that takes a quarter to come in is no step of weeks: its interval would miss it."""
    cal = calendar("week", dt.date(2021, 1, 4), dt.date(2023, 12, 31))
    weeks, start, held, gradual = len(cal.starts), 80, [], []
    ramp = np.clip((np.arange(weeks) - start + 1) / 13, 0, 1)
    expected = np.full((1, weeks), 20.0)
    for seed in range(20):
        observed = np.random.default_rng(seed).poisson(expected * (1 + ramp))
        found = book_change(observed, expected, cal, seed=seed)
        held.append(found.low <= start <= found.high)
        told, *_ = book_changes(observed, expected, cal, seed=seed)
        gradual.append(told.gradual)
    assert np.mean(held) >= 0.85
    assert np.mean(gradual) >= 0.85


def test_too_few_departures_have_no_date():
    few = np.full((5, MONTHS), 0.01)
    assert isinstance(book_change(few, few, CALENDAR), Skipped)


def test_a_larger_book_shows_a_smaller_rise():
    drawn = panel(np.full((10, MONTHS), 0.02), np.zeros(10, int))
    small = visible_rise(drawn, np.full((500, MONTHS), 0.02), None)
    large = visible_rise(drawn, np.full((5000, MONTHS), 0.02), None)
    assert 1 < large < small


def test_a_book_in_which_nobody_leaves_lacks_departures_not_periods():
    found = book_change(np.zeros((20, MONTHS)), np.zeros((20, MONTHS)), CALENDAR)
    assert found.code == "too_few_departures"
