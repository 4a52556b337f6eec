"""A rise that came at once is dated to when the clients left, not to when counts began to rise."""

import dataclasses

import numpy as np

from churnlens.when.change import date_of
from churnlens.which import by_orders, since
from churnlens.which.since import log_evidence, steps

START, MONTHS = 20, 36


def half(base) -> np.ndarray:
    """The first half of the clients, at any time."""
    return np.repeat(np.arange(len(base.hazard)) < len(base.hazard) // 2, MONTHS).reshape(
        -1, MONTHS
    )


def dated(base, around: int = START + 2) -> tuple[int, int, int, bool]:
    evidence = log_evidence(base, half(base), around)
    assert evidence is not None
    return date_of(evidence)


def test_a_step_is_dated_without_bias_and_said_to_be_one(draw_blurred) -> None:
    found = [dated(draw_blurred(4.0, 0.7, seed, clients=600)) for seed in range(40)]
    off = np.array([start - START for start, *_ in found])
    assert abs(off.mean()) <= 0.7
    assert np.median(abs(off)) <= 1
    assert np.mean([low <= START <= high for _, low, high, _ in found]) >= 0.9
    assert np.mean([gradual for *_, gradual in found]) <= 0.1


def test_few_orders_make_a_wide_interval(draw_blurred) -> None:
    def width(clients: int) -> float:
        found = [dated(draw_blurred(4.0, 0.7, seed, clients=clients)) for seed in range(10)]
        return float(np.mean([high - low for _, low, high, _ in found]))

    assert width(80) > width(1200) + 1


def test_only_starts_that_are_near_are_weighed(draw_blurred) -> None:
    evidence = log_evidence(draw_blurred(4.0, 1.0, 1), half(draw_blurred(4.0, 1.0, 1)), 20)
    assert np.isfinite(evidence[:, 12:29]).all()
    assert (evidence[:, :12] == -np.inf).all()
    assert (evidence[:, 29:] == -np.inf).all()


def test_of_many_clients_some_are_weighed(draw_blurred, monkeypatch) -> None:
    base = draw_blurred(4.0, 0.7, 3, clients=2400)
    (whole, low, high, _) = dated(base)
    weighed = 300 * MONTHS * 17 * len(since.RAMPS) * len(since.RISES)
    monkeypatch.setattr(since, "MOST_WEIGHED", weighed)
    start, wide_low, wide_high, _ = dated(base)
    assert abs(start - whole) <= 2
    assert wide_high - wide_low > high - low


def test_where_departures_are_sure_no_evidence_is_needed(draw_blurred) -> None:
    base = draw_blurred(4.0, 1.0, 1)
    sure = dataclasses.replace(base, panel=dataclasses.replace(base.panel, likelihood=None))
    assert log_evidence(sure, half(base), START) is None
    assert log_evidence(base, np.zeros_like(half(base)), START) is None


def ahead(base, fits: np.ndarray) -> float:
    """By how much the best start two months and more ahead of the true one fits better."""
    return float(fits[3 : START - 1].max() - fits[START - 1 :].max())


def test_a_step_is_not_said_to_lie_well_before_it_came(draw_blurred) -> None:
    drawn = [draw_blurred(4.0, 0.7, seed, clients=600) for seed in range(40)]
    ones = np.ones((1, 1), np.float32)
    found = [ahead(base, steps(base, half(base), MONTHS, ones)) for base in drawn]
    assert np.mean(np.array(found) >= 1.92) <= 0.05


def test_steps_of_many_clients_are_read_from_some(draw_blurred, monkeypatch) -> None:
    base, ones = draw_blurred(4.0, 1.0, 1, clients=600), np.ones((1, 1), np.float32)
    monkeypatch.setattr(since, "MOST_CLIENTS", 150)
    assert abs(int(np.argmax(steps(base, half(base), MONTHS, ones))) - START) <= 3


def test_what_others_explain_is_no_step(draw_blurred) -> None:
    base = draw_blurred(4.0, 1.0, 1, clients=600)
    late = np.arange(MONTHS) >= START
    risk = np.where(half(base) & late, 4.0, 1.0).astype(np.float32)
    told, beside = (steps(base, half(base), MONTHS, r) for r in (np.ones((1, 1)), risk))
    assert told.max() > 10
    assert beside.max() < 3


def test_a_step_ends_with_its_window(draw_blurred) -> None:
    base = draw_blurred(4.0, 1.0, 1, clients=600)
    over = steps(base, half(base), START, np.ones((1, 1)))[START:]
    assert np.allclose(over, 0, atol=1e-9)


def test_where_departures_are_sure_no_orders_are_asked(draw_blurred) -> None:
    base = draw_blurred(4.0, 1.0, 1)
    sure = dataclasses.replace(base, panel=dataclasses.replace(base.panel, likelihood=None))
    assert steps(sure, half(base), MONTHS, np.ones((1, 1))) is None
    assert steps(base, np.zeros_like(half(base)), MONTHS, np.ones((1, 1))) is None


def test_the_chances_of_all_that_a_client_may_do_add_up_to_one() -> None:
    """Its leaving in each period and its staying, however high the hazard: orders tell nothing."""
    told_nothing, hazard = np.ones((5, 12)), np.linspace(0.01, 0.9, 60).reshape(5, 12)
    none = by_orders.log_likelihoods(told_nothing, hazard, 3 * hazard)
    assert np.allclose(none, 0)
