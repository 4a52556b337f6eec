"""Mix against rate: the identity, Simpson's kidney stones, and newcomers who leave more."""

import numpy as np
import pytest

from churnlens.results import Skipped
from churnlens.which.composition import mix_issue
from churnlens.which.mix import kitagawa, mix_bars, mix_change


def newcomers(
    draw,
    *,
    riskier: float = 3.0,
    worse: float = 1.0,
    clients: int = 6000,
    seed: int = 0,
    came: tuple[int, int] = (12, 26),
):
    """Draw a book in which key accounts come in late; `worse` is everybody's last year.

    `came` are the months in which they do.
    """
    rng = np.random.default_rng(seed)
    key = np.arange(clients) < clients // 2
    late, always = rng.integers(*came, clients), rng.integers(-60, 36, clients)
    entry = np.where(key & (rng.random(clients) < 0.8), late, always)
    hazard = np.where(key, 0.012 * riskier, 0.012)[:, None] * np.ones(36)
    hazard[:, 24:] *= worse
    return draw(hazard, entry=entry, size=np.where(key, "key", "small"), seed=seed)


def test_kidney_stones_are_split_as_published():
    # Charig et al. (1986), REFERENCE: open surgery against the puncture; small and large stones.
    share = np.array([[87, 263], [270, 80]]) / 350
    success = np.array([[81 / 87, 192 / 263], [234 / 270, 55 / 80]])
    crude = (share * success).sum(axis=1)
    assert crude == pytest.approx([0.780, 0.826], abs=5e-4)
    by_mix, by_rate = kitagawa(share, success)
    assert by_mix + by_rate == pytest.approx(crude[1] - crude[0])
    assert by_mix > 0 > by_rate  # the puncture does worse, it was given the smaller stones
    everyone = share.mean(axis=0)
    standardised = success @ everyone
    assert standardised == pytest.approx([0.833, 0.779], abs=5e-4)
    assert by_rate == pytest.approx(standardised[1] - standardised[0])


def test_no_change_of_shares_is_no_mix():
    share = np.array([[0.3, 0.7], [0.3, 0.7]])
    by_mix, by_rate = kitagawa(share, np.array([[0.1, 0.2], [0.2, 0.2]]))
    assert by_mix == 0
    assert by_rate == pytest.approx(0.03)


def test_parts_sum_to_the_change(draw):
    change = mix_change(newcomers(draw))
    rise = change.rate_after.value - change.rate_before.value
    assert change.by_mix.value + change.by_rate.value == pytest.approx(rise)
    assert change.attributes[0] == "size"
    assert (change.before, change.after) == ((0, 24), (24, 36))


def test_a_rise_by_newcomers_is_the_mix(draw):
    issue = mix_issue(newcomers(draw))
    assert not isinstance(issue, Skipped)
    assert issue.segment == {"size": ("key",)}
    assert issue.share_after > issue.share_before + 0.1
    assert issue.departures.attributable.low > 0
    assert issue.revenue.value == pytest.approx(issue.departures.attributable.value * 1200, rel=0.2)


def test_what_the_mix_added_is_counted_as_in_the_steps_from_year_to_year(draw):
    issue = mix_issue(newcomers(draw))
    kinds = {bar.label: bar.value for bar in mix_bars(issue.change)}["kinds"]
    assert issue.departures.attributable.value == pytest.approx(kinds)


def test_a_share_that_grew_for_years_has_no_date(draw):
    assert mix_issue(newcomers(draw, came=(20, 24))).onset is not None
    assert mix_issue(newcomers(draw, came=(6, 30))).onset is None


def test_a_rise_of_everybody_is_not_the_mix(draw):
    change = mix_change(newcomers(draw, riskier=1.0, worse=1.8))
    assert change.by_rate.low > 0
    assert abs(change.by_mix.value) < 0.2 * change.by_rate.value
    assert isinstance(mix_issue(newcomers(draw, riskier=1.0, worse=1.8)), Skipped)


def test_newcomers_and_a_rise_of_everybody_is_not_the_mix_alone(draw):
    assert isinstance(mix_issue(newcomers(draw, worse=1.8)), Skipped)


@pytest.mark.parametrize("seed", range(8))
def test_silent_where_nothing_moved(draw, seed):
    hazard = np.full((1500, 36), 0.015)
    size = np.where(np.arange(1500) < 400, "key", "small")
    assert isinstance(mix_issue(draw(hazard, size=size, seed=seed)), Skipped)


def test_intervals_hold_the_mix_that_was_drawn(draw):
    held = 0
    for seed in range(20):
        base = newcomers(draw, clients=1500, seed=seed)
        change = mix_change(base)
        due = base.hazard * base.panel.active
        spans = (slice(*change.before), slice(*change.after))
        rates = [1200 * due[:, s].sum() / base.panel.active[:, s].sum() for s in spans]
        held += change.by_mix.low <= rates[1] - rates[0] <= change.by_mix.high
    assert held >= 16


def test_bars_lead_from_one_year_to_the_next(draw):
    bars = mix_bars(mix_change(newcomers(draw)))
    assert [b.role for b in bars] == ["start", "mix", "mix", "mix", "unexplained", "end"]
    assert sum(b.value for b in bars[:-1]) == pytest.approx(bars[-1].value)


def test_too_short_and_too_few_are_said(draw):
    few = mix_change(draw(np.full((60, 36), 0.002)))
    assert isinstance(few, Skipped)
    assert few.code == "too_few_for_mix"
    late = draw(np.full((900, 36), 0.02), entry=np.full(900, 20))
    assert isinstance(mix_change(late), Skipped)
    assert mix_change(late).code == "too_short_for_mix"
