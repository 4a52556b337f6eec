"""Departures without the remedy."""

from __future__ import annotations

import numpy as np
import pytest

from churnlens.remedies.counterfactual import departures_without


def test_nobody_leaves_twice() -> None:
    hazard, months, clients = 0.1, 12, 1000.0
    active = clients * (1 - hazard) ** np.arange(months)
    without = departures_without(hazard * active, active, 0.5)
    assert without == pytest.approx(clients * (1 - (1 - hazard) ** (2 * months)))
    assert departures_without(hazard * active, active, 1.0) == pytest.approx(hazard * active.sum())
    assert departures_without(hazard * active, active, 0.01) <= clients * (1 + 1e-9)


def test_newcomers_are_there_to_leave_too() -> None:
    active = np.array([100.0, 190.0, 271.0])
    without = departures_without(0.1 * active, active, 0.5)
    assert without > 2 * 0.1 * active.sum() * 0.8
    assert without < 2 * 0.1 * active.sum()
