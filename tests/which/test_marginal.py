"""A raised hazard is judged by all that clients ordered, whether or not onsets are plain to see."""

import dataclasses

import numpy as np
import pytest

from churnlens.which.marginal import gain
from churnlens.why.model import Term, fit

MONTHS, START = 36, 20


def rise(clients: int = 300) -> Term:
    """All of the first half alike, from START on."""
    inside = np.zeros((clients, MONTHS), bool)
    inside[: clients // 2] = True
    dose = (inside & (np.arange(MONTHS) >= START)).astype(np.float32)
    return Term("rise", dose, inside)


def gain_of(base) -> float:
    term = rise(len(base.hazard))
    return gain(base, (term.dose,), (term.inside,))


def test_it_is_that_of_the_counts_where_onsets_are_plain(draw_blurred) -> None:
    base = draw_blurred(3.0, 12.0, seed=1)
    assert gain_of(base) == pytest.approx(fit(base, (rise(),)).gain, rel=0.08)


def test_chance_gives_what_it_should(draw_blurred) -> None:
    gains = np.array([gain_of(draw_blurred(1.0, 1.2, seed)) for seed in range(200)])
    assert (gains > 0.82).mean() == pytest.approx(0.10, abs=0.05)
    assert (gains > 2.71).mean() < 0.03


def test_it_sees_more_than_counts_where_onsets_are_blurred(draw_blurred) -> None:
    seen = [draw_blurred(5.0, 0.7, seed) for seed in range(20)]
    whole = np.mean([gain_of(b) for b in seen])
    assert whole > np.mean([fit(b, (rise(),)).gain for b in seen])
    assert whole > np.mean([gain_of(draw_blurred(1.0, 0.7, seed)) for seed in range(20)]) + 3


def test_a_fall_is_no_gain_and_nobody_is_none(draw_blurred) -> None:
    assert gain_of(draw_blurred(0.2, 3.0, seed=3)) == pytest.approx(0, abs=0.01)
    base, nobody = draw_blurred(1.0, 3.0, seed=4), np.zeros((300, MONTHS), bool)
    assert gain(base, (nobody.astype(np.float32),), (nobody,)) == 0


def test_two_rises_share_what_is_there(draw_blurred) -> None:
    base, term = draw_blurred(4.0, 3.0, seed=5), rise()
    alone = gain_of(base)
    both = gain(base, (term.dose, term.dose), (term.inside, term.inside))
    assert both == pytest.approx(alone, rel=0.1)


def test_onsets_of_which_little_can_be_told_are_left_as_they_are(draw_blurred) -> None:
    base = draw_blurred(5.0, 3.0, seed=6)
    late = np.arange(MONTHS) >= START
    blind = dataclasses.replace(base, expected=np.where(late, 0, base.expected))
    assert gain_of(base) > 5
    assert gain_of(blind) == pytest.approx(0, abs=0.01)
