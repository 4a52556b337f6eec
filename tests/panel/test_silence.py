"""The chance of a silence against renewal theory and simulated gaps."""

import numpy as np
import pytest
from scipy import special

from churnlens.panel.silence import allowance, silent_exposure


@pytest.mark.parametrize("shape", [1 / 16, 0.25, 1.5, 3.0])
def test_the_chance_of_a_short_silence_is_right_within_a_quarter(shape: float) -> None:
    counted = np.linspace(0.01, 60, 3000)
    due = counted / shape
    beyond = special.gammaincc(shape + 1, counted) - due * special.gammaincc(shape, counted)
    told = np.exp(allowance(counted, np.array(1 / shape)) - counted)
    assert told == pytest.approx(beyond, rel=0.25)


@pytest.mark.parametrize("shape", [0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0])
def test_a_silence_is_as_likely_as_the_forward_recurrence_time_says(shape: float) -> None:
    """Cox 1962, ch. 5: the next order lies beyond m orders' time with chance R(m)."""
    counted = np.array([0.3, 1.0, 3.0, 6.0, 15.0, 30.0])
    due = counted / shape
    beyond = special.gammaincc(shape + 1, counted) - due * special.gammaincc(shape, counted)
    told = allowance(counted, np.array(1 / shape))
    assert told == pytest.approx(np.log(beyond) + counted, abs=0.12)


def test_even_gaps_are_as_silent_as_when_drawn() -> None:
    rng, shape = np.random.default_rng(0), 3
    times = np.cumsum(rng.gamma(shape, 1 / shape, (20_000, 80)), axis=1)
    silent = ~((times > 30) & (times < 31.8)).any(axis=1)
    told = allowance(np.array(1.8 * shape), np.array(1 / shape)) - 1.8 * shape
    assert np.exp(told) == pytest.approx(silent.mean(), abs=0.008)


def test_of_poisson_buyers_counts_say_all() -> None:
    assert allowance(np.array([0.0, 1.0, 9.0]), np.array(1.0)) == pytest.approx([0, 0, 0], abs=0.01)


def test_silence_begins_half_way_through_the_last_order_s_period() -> None:
    orders = np.array([[1, 2, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], float)
    exposure = np.array([[1, 1, 0.8, 1], [1, 1, 1, 1], [1, 1, 1, 1]], float)
    expected = [[0, 0.5, 0.8, 1], [0, 0, 0, 0.5], [0, 0, 0, 0]]
    assert silent_exposure(orders, exposure).tolist() == expected
