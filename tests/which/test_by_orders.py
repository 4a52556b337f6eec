"""What clients ordered names who leaves more than the others, and is silent on what all share."""

import dataclasses

import numpy as np
import pytest

from churnlens.which import by_orders
from churnlens.which.by_orders import Rise, strongest
from churnlens.which.segments import attributes_of
from churnlens.which.windows import Times, times

CLIENTS, START = 600, 20
KEY = {"size": ("key",)}


def look(base, *, seed: int = 0) -> Rise | None:
    when = times(base.expected, base.panel.calendar)
    return strongest(base, attributes_of(base.panel), when, seed=seed)


def test_a_rise_is_found_with_its_segment_and_date(draw_blurred) -> None:
    found = [look(draw_blurred(5.0, 1.0, seed, clients=CLIENTS)) for seed in range(8)]
    right = [f for f in found if f is not None and f.segment == KEY and f.p_value <= 0.01]
    assert len(right) >= 7
    assert np.median([abs(f.start - START) for f in right]) <= 1


def test_chance_is_told_as_chance(draw_blurred) -> None:
    quiet = [look(draw_blurred(1.0, 1.0, 50 + seed, clients=CLIENTS)) for seed in range(60)]
    p = np.array([1.0 if f is None else f.p_value for f in quiet])
    assert (p <= 0.05).mean() <= 0.1
    assert 0.3 <= (p <= 0.5).mean() <= 0.7


def test_what_all_clients_share_earns_nothing(draw_blurred) -> None:
    """Everybody seems to have left in the last months, as where silence is read too harshly."""

    def darkened(seed: int):
        base = draw_blurred(1.0, 1.0, 200 + seed, clients=CLIENTS)
        ratio = base.panel.likelihood.log_ratio + np.where(np.arange(36) >= 30, 2.0, 0.0)
        likelihood = dataclasses.replace(base.panel.likelihood, log_ratio=ratio.astype(np.float32))
        return dataclasses.replace(
            base, panel=dataclasses.replace(base.panel, likelihood=likelihood)
        )

    found = [look(darkened(seed)) for seed in range(20)]
    assert sum(f is not None and f.p_value <= 0.05 for f in found) <= 2


def test_a_standing_difference_is_no_rise(draw_blurred) -> None:
    found = [look(draw_blurred(2.5, 1.0, seed, clients=CLIENTS, start=0)) for seed in range(12)]
    assert sum(f is not None and f.p_value <= 0.05 for f in found) <= 2


def test_the_same_seed_gives_the_same_answer_whatever_the_cores(draw_blurred, monkeypatch) -> None:
    base = draw_blurred(2.0, 1.0, 3, clients=CLIENTS)
    both = look(base, seed=5)
    monkeypatch.setattr("churnlens.panel.threads._cores", lambda: 1)
    assert look(base, seed=5) == both


@pytest.mark.parametrize("why", ["sure", "many", "no time", "all alike"])
def test_there_may_be_nothing_to_ask(draw_blurred, monkeypatch, why: str) -> None:
    base = draw_blurred(5.0, 1.0, 1, clients=100)
    attributes, when = attributes_of(base.panel), times(base.expected, base.panel.calendar)
    if why == "sure":
        base = dataclasses.replace(base, panel=dataclasses.replace(base.panel, likelihood=None))
    elif why == "many":
        monkeypatch.setattr(by_orders, "MOST_CLIENTS", 99)
    elif why == "no time":
        when = Times(0, 0, 0, 0, (), 0)
    else:
        attributes = ()
    assert strongest(base, attributes, when, seed=0) is None
