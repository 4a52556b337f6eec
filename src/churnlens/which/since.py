"""Since when does a segment leave more, by all that its clients ordered?

A departure can seldom be told to the month, so counts of what was found rise before the clients
leave: a rise that came at once is dated too early by them, and looks gradual. Here each start, size
and length of a rise is weighed by the likelihood of all orders, each client's possible onsets
summed over (see `marginal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.threads import over_chunks
from churnlens.when import shapes
from churnlens.which.baseline import Baseline
from churnlens.which.by_orders import LARGEST, MOST_CLIENTS, log_likelihoods
from churnlens.which.windows import LEVEL_PRIOR

Array = npt.NDArray[Any]

RAMPS = (0, 3, 6)  # months that a rise takes to come in
RISES = np.geomspace(1.25, 8.0, 6)
LEVELS = np.exp(np.linspace(-1.0, 1.0, 9))  # of the segment before it, over the baseline's
REACH = 8  # months around a start that is known roughly
MOST_WEIGHED = 100_000_000  # client-periods in all rises tried: some 7,000 clients for four years


@dataclass(frozen=True)
class _Told:
    """Of k clients by period, [k, T] each: how likely their orders are after an onset, over none.

    `due` is the hazard without a rise, `counted` where it may be raised.
    """

    onset: Array
    due: Array
    counted: Array


def log_evidence(baseline: Baseline, inside: Array, around: int) -> Array | None:
    """Return how well each start and length of a rise foretells the orders of a segment.

    Parameters
    ----------
    inside
        Who is in the segment, bool[n, T].
    around
        Period near which the rise began.

    Returns
    -------
    Log-likelihood, rises of every size alike likely beforehand, float[ramps, T], −∞ where a start
    is farther than eight months off; of an even sample where there are more than some thousands of
    clients. None where departures are known for sure or nobody is in the segment.
    """
    cal, periods = baseline.panel.calendar, inside.shape[1]
    reach = cal.span(REACH)
    near = range(max(around - reach, 0), min(around + reach + 1, periods))
    most = MOST_WEIGHED // (periods * len(near) * len(RAMPS) * len(RISES))
    told = _told(baseline, inside, most, np.ones((1, 1), np.float32))
    if told is None:
        return None
    share = shapes.shape(periods, tuple(cal.span(m) if m else 0 for m in RAMPS))
    onset, due, counted = told.onset, told.due, told.counted
    due = due * np.where(counted, _level(onset, due, counted, share[0, around]), 1)
    evidence = np.full(share.shape[:2], -np.inf)

    def weigh(at: tuple[int, int]) -> None:
        risen = [_foretold(onset, _raised(due, counted, rise, share[at])) for rise in RISES]
        evidence[at] = np.logaddexp.reduce(risen)

    over_chunks(weigh, [(ramp, start) for ramp in range(len(RAMPS)) for start in near])
    return evidence


def steps(baseline: Baseline, inside: Array, end: int, risk: Array) -> Array | None:
    """Return how well a step from each period on, over at `end`, foretells a segment's orders.

    Parameters
    ----------
    inside
        Who is in the segment, bool[n, T].
    end
        One past the last period that is raised.
    risk
        Factor by which other explanations raise what is expected, float32[n, T].

    Returns
    -------
    Log-likelihood over that of no step, float[T], steps of every size alike likely beforehand and
    the segment's level the one that foretells best; of an even sample where there are more than
    8,000 clients. None where departures are known for sure or nobody is in the segment.
    """
    told = _told(baseline, inside, MOST_CLIENTS, risk)
    if told is None:
        return None
    onset, due, counted = told.onset, told.due, told.counted
    raised = counted & (np.arange(inside.shape[1]) < end)

    def of_level(level: float) -> tuple[Array, float]:
        before = np.where(counted, level * due, due)
        foretold = [
            log_likelihoods(onset, before, np.where(raised, rise * before, before)).sum(axis=0)
            for rise in RISES
        ]
        risen = np.logaddexp.reduce(foretold) - np.log(len(RISES))
        return risen + _held(level), _foretold(onset, before) + _held(level)

    risen, level = zip(*over_chunks(of_level, list(map(float, LEVELS))), strict=True)
    return np.asarray(np.max(risen, axis=0) - max(level))


def _told(baseline: Baseline, inside: Array, most: int, risk: Array) -> _Told | None:
    """What the orders of a segment's clients tell, of an even sample of so many at the most."""
    likelihood, rows = baseline.panel.likelihood, np.flatnonzero(inside.any(axis=1))
    if likelihood is None or not len(rows):
        return None
    rows = rows[:: -(-len(rows) // max(most, 1))]
    ratio = likelihood.log_ratio[rows]
    usual = baseline.hazard[rows] * np.broadcast_to(risk, inside.shape)[rows]
    return _Told(
        np.exp(np.minimum(ratio, LARGEST), dtype=np.float64),
        np.where(ratio > -np.inf, usual, 0.0),
        likelihood.possible[rows] & inside[rows] & (baseline.expected[rows] > 0),
    )


def _held(level: float) -> float:
    """Log-density that holds a segment's level near the baseline's."""
    return float(LEVEL_PRIOR * (np.log(level) - level + 1))


def _level(onset: Array, due: Array, counted: Array, share: Array) -> float:
    """The level before the rise that foretells the orders best, with the size of a rise it goes by.

    It hardly hangs on when just the rise began.
    """

    def foretold(level: float) -> float:
        before = due * np.where(counted, level, 1)
        risen = (_foretold(onset, _raised(before, counted, rise, share)) for rise in RISES)
        return _held(level) + max(risen)

    return float(max(LEVELS, key=foretold))


def _raised(due: Array, counted: Array, rise: float, share: Array) -> Array:
    """Hazards raised to `rise` times by the share of it that is in at each period (float[T])."""
    return np.asarray(due * np.where(counted, 1 + (rise - 1) * share, 1))


def _foretold(onset: Array, hazard: Array) -> float:
    """Log-likelihood of all orders under a hazard, float[n, T], over that of nobody leaving."""
    lived = np.cumsum(hazard, axis=1)
    leaves = (-np.expm1(-hazard) * onset * np.exp(hazard - lived)).sum(axis=1)
    return float(np.log(leaves + np.exp(-lived[:, -1])).sum())
