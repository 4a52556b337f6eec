"""A rise that came at once is dated to when the clients left, not to when counts began to rise."""

import dataclasses

import numpy as np

from churnlens.when.change import date_of
from churnlens.which import since
from churnlens.which.since import log_evidence

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


def test_where_counts_say_enough_orders_are_not_asked(draw_blurred, monkeypatch) -> None:
    base = draw_blurred(4.0, 1.0, 1)
    sure = dataclasses.replace(base, panel=dataclasses.replace(base.panel, likelihood=None))
    assert log_evidence(sure, half(base), START) is None
    assert log_evidence(base, np.zeros_like(half(base)), START) is None
    monkeypatch.setattr(since, "MOST_WEIGHED", 100)
    assert log_evidence(base, half(base), START) is None
