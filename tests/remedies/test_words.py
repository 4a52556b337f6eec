"""A remedy that worked is praised by what is more than chance, and by nothing else."""

import datetime as dt

import pytest

from churnlens.remedies import words
from churnlens.remedies.reading import Reading
from churnlens.results import Estimate


@pytest.mark.parametrize(
    ("high", "said"),
    [(0.9, "The difference is more"), (1.1, "Once the effect had set in, the difference is more")],
)
def test_a_fall_is_more_than_chance_over_the_time_in_which_it_is(high: float, said: str) -> None:
    assert said in str(words.worked(_reading(Estimate(0.64, 0.37, high))))


@pytest.mark.parametrize(("low", "rose"), [(1.1, True), (0.9, False)])
def test_a_rise_beyond_chance_is_told_as_one(low: float, rose: bool) -> None:
    reading = _reading(Estimate(2.0, low, 4.0))
    assert reading.rose is rose
    assert "clearly more left, not fewer" in str(words.rose(reading))


def test_what_is_printed_as_a_sum_adds_up() -> None:
    reading = _reading(Estimate(0.398, 0.2, 0.9))  # 21 × (1/0.398 − 1) = 31.8, of 52.8 in all
    values = words.worked(reading).values
    assert values["without"] == values["observed"] + round(reading.avoided.value) == 53


def _reading(ratio: Estimate) -> Reading:
    return Reading(
        observed=21.0,
        hazard_ratio=Estimate(0.4, 0.2, 0.8),
        risk_ratio=ratio,
        still_at_stake=None,
        hoped=0.3,
        readable=dt.date(2025, 12, 31),
        readable_now=True,
        a_year_on=True,
        trend_before=0.0,
        clear=False,
        alone=False,
    )
