"""What marks the best who stay."""

import numpy as np
import pytest

from churnlens.results import Skipped
from churnlens.which.stay import why_the_best_stay


def best_clients(draw, *, strength: float, seed: int = 0, clients: int = 1200):
    """Draw a book of top clients, less likely to leave the more visits they had."""
    rng = np.random.default_rng(seed)
    visits = rng.gamma(2, 1, clients)[:, None] + rng.normal(0, 0.3, (clients, 36))
    noise = {f"other_{k}": rng.normal(5, 1, (clients, 36)) for k in range(6)}
    hazard = 0.02 * np.exp(-strength * (visits - 2))
    return draw(
        hazard,
        tier=np.zeros(clients),
        size=rng.choice(["key", "mid"], clients),
        drivers={"visits": visits, **noise},
        usual=np.full((clients, 36), 0.02),
        seed=seed,
    )


def test_what_keeps_the_best_is_found_and_said(draw):
    marks = why_the_best_stay(best_clients(draw, strength=0.6))
    assert [m.feature for m in marks] == ["visits"]
    mark = marks[0]
    assert mark.risk_ratio.high < 1
    assert mark.stayers > mark.leavers
    assert "with more visits" in str(mark.text)
    assert "need not cause" in str(mark.text)


def test_what_drives_the_best_away_is_said_the_other_way(draw):
    marks = why_the_best_stay(best_clients(draw, strength=-0.4))
    assert marks[0].risk_ratio.low > 1
    assert "with less visits" in str(marks[0].text)


def test_ratio_is_of_the_halves(draw):
    mark = why_the_best_stay(best_clients(draw, strength=0.6, clients=4000))[0]
    values = mark.text.values
    more, less = (np.log1p(-values[side]["value"] / 100) for side in ("more", "less"))
    assert more / less == pytest.approx(mark.risk_ratio.value, abs=0.02)


def test_no_more_than_all_leave_in_a_year(draw):
    mark = why_the_best_stay(best_clients(draw, strength=-1.5, clients=4000))[0]
    assert all(0 < mark.text.values[side]["value"] < 100 for side in ("more", "less"))


def test_an_attribute_that_goes_with_leaving_is_said_with_its_check(draw):
    rng = np.random.default_rng(3)
    size = rng.choice(["key", "mid"], 2400)
    hazard = np.where(size == "key", 0.03, 0.01)[:, None] * np.ones(36)
    base = draw(hazard, tier=np.repeat([0, 1], 1200), size=size)
    mark = why_the_best_stay(base)[0]
    assert mark.feature == "size: key"
    assert "clients with size key left more often" in str(mark.text)
    assert [e.outcome for e in mark.evidence] == ["pass", "pass"]


def test_nothing_marks_them_where_nothing_does(draw):
    named = sum(
        len(why_the_best_stay(best_clients(draw, strength=0.0, seed=seed, clients=600))) > 0
        for seed in range(20)
    )
    assert named <= 2


def test_what_follows_the_onset_marks_nobody(draw):
    base = best_clients(draw, strength=0.0)
    panel, t = base.panel, np.arange(36)
    after = (panel.onset >= 0)[:, None] & (t >= panel.onset[:, None])
    panel.exposures[0].values[after] += 10  # visits to those who are leaving already
    assert why_the_best_stay(base) == ()


def test_unrecorded_is_not_none(draw):
    base = best_clients(draw, strength=0.6)
    base.panel.exposures[0].values[:, ::2] = np.nan
    assert [m.feature for m in why_the_best_stay(base)] == ["visits"]
    base.panel.exposures[0].values[:] = np.nan
    assert why_the_best_stay(base) == ()


def test_too_few_is_said(draw):
    assert isinstance(why_the_best_stay(best_clients(draw, strength=0, clients=20)), Skipped)
