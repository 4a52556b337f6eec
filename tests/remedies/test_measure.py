"""What a remedy changed, beside clients outside who are many, few, or none."""

from __future__ import annotations

import numpy as np
import pytest

from churnlens.remedies.fading import Fading
from churnlens.remedies.levels import Levels
from churnlens.remedies.measure import drift


def levels(change: float, variance: float) -> Levels:
    return Levels(
        ("base", "settling", "settled"),
        np.array([0.0, change, change]),
        np.diag([variance / 2, variance / 2, variance / 2]),
        np.zeros(3),
        np.zeros(3),
        np.zeros(3),
    )


def test_a_large_comparison_is_taken_as_measured_and_a_small_one_hardly() -> None:
    surely, _ = drift(levels(-0.1, 0.0004))
    hardly, error = drift(levels(-0.1, 0.4))
    assert surely[1] == pytest.approx(-0.1, abs=0.005)
    assert abs(hardly[1]) < 0.02
    assert error[1, 1] == pytest.approx(0.04, rel=0.15)


def test_a_fall_for_everybody_is_believed_even_of_few() -> None:
    moved, _ = drift(levels(-1.2, 0.1))
    assert moved[1] < -1.0


def test_without_a_comparison_nothing_is_known_but_the_usual_spread() -> None:
    moved, error = drift(None)
    assert moved.tolist() == [0.0, 0.0]
    assert np.diag(error) == pytest.approx([0.04, 0.04])


def test_a_rise_ebbs_by_itself_the_more_the_more_have_left() -> None:
    weak, strong = Fading(0.5, 0.01, 6, 12), Fading(0.5, 0.08, 6, 12)
    later = np.array([0.0, 12.0, 24.0])
    for fading in (weak, strong):
        mean, error = fading.at(later)
        assert (np.diff(mean) < 0).all()
        assert (error > 0).all()
    assert strong.at(later)[0][-1] < weak.at(later)[0][-1] < 0
    assert Fading(0.0, 0.0, 0.0, 0.0).at(later)[0].tolist() == [0.0, 0.0, 0.0]
