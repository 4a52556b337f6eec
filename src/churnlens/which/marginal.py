"""How much better is what clients ordered foretold if some of them leave more from a time on?

The departures of a baseline are counted under a hazard at which nothing changed, and shrunk to it
where little can be told: a client silent for two months has then hardly begun to leave. Where many
leave at once that is too timid, as a rise also makes each such silence more telling. Here the
likelihood of all that the clients ordered is taken instead, every possible onset of every client
weighed by the raised hazard itself and summed over (the marginal likelihood of a mixture; its
slopes are what is found less what is due under that hazard, Louis 1982; it is climbed by the
products of the clients' scores, Berndt, Hall, Hall & Hausman 1974). Onsets of which little can be
told keep the hazard they had, since how silence is modelled would decide them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.which.windows import LEVEL_PRIOR

Array = npt.NDArray[Any]

MOST_LEVEL = 4.0
# Above an elevenfold risk every blurred onset gathers in the window, however short it is.
MOST_EXCESS = 10.0
ROUNDS, HALVINGS, TOLERANCE = 30, 12, 0.005


def gain(baseline: Baseline, doses: tuple[Array, ...], insides: tuple[Array, ...]) -> float:
    """Return the log-likelihood gain of excess risks over levels of their segments alone.

    Parameters
    ----------
    doses
        Of each term, float32[n, T], 0 or above: hazards are raised by 1 + Σ excess × dose.
    insides
        The segment of each term, whose level is left free, bool[n, T] (may be broadcast).
    """
    shape = baseline.hazard.shape
    insides = tuple(np.broadcast_to(i, shape) for i in insides)
    rows = np.flatnonzero(np.any([i.any(axis=1) for i in insides], axis=0))
    if not len(rows):
        return 0.0
    orders = _orders(baseline, rows)
    dose, member = (np.stack([a[rows] for a in kind]) for kind in (doses, insides))
    nothing = np.zeros((0, *dose.shape[1:]), np.float32)
    start = np.zeros(len(member))
    level, without = _climb(orders, nothing, member, start)
    _, within = _climb(orders, dose, member, np.concatenate([np.full(len(dose), 0.5), level]))
    return max(within - without, 0.0)


@dataclass(frozen=True)
class _Orders:
    """Likelihood of every onset of m clients under the hazard they had, and what raises count for.

    `onset` (float32[m, T]) and `stayed` (float32[m, 1]) are over the largest of the row; `due` is
    the hazard, `counted` where it may be raised.
    """

    onset: Array
    stayed: Array
    due: Array
    counted: Array


def _orders(baseline: Baseline, rows: Array) -> _Orders:
    likelihood = baseline.panel.likelihood
    assert likelihood is not None
    ratio = likelihood.log_ratio[rows]
    due = np.where(ratio > -np.inf, baseline.hazard[rows], np.float32(0))
    lived = np.cumsum(due, axis=1)
    with np.errstate(divide="ignore"):
        onset = np.log(due) + ratio - (lived - due)
    top = np.maximum(onset.max(axis=1, keepdims=True), -lived[:, -1:])
    counted = likelihood.possible[rows] & (baseline.expected[rows] > 0)
    return _Orders(np.exp(onset - top), np.exp(-lived[:, -1:] - top), due, counted)


def _climb(orders: _Orders, dose: Array, member: Array, x: Array) -> tuple[Array, float]:
    """Maximise the likelihood in excesses (0 or above) and log levels, x; and what it is there."""
    k = len(dose)
    value, slope, curve = _slopes(orders, dose, member, x)
    for _ in range(ROUNDS):
        free = np.ones(len(x), bool)
        free[:k] = (x[:k] > 0) | (slope[:k] > 0)
        lift = np.eye(int(free.sum())) * 1e-6 * (1 + np.trace(curve))
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(curve[np.ix_(free, free)] + lift, slope[free])
        for _ in range(HALVINGS):
            there = x + step
            there[:k] = there[:k].clip(0, MOST_EXCESS)
            there[k:] = there[k:].clip(-MOST_LEVEL, MOST_LEVEL)
            new = _slopes(orders, dose, member, there)
            if new[0] >= value:
                break
            step = step / 2
        else:
            break
        gained = new[0] - value
        x, (value, slope, curve) = there, new
        if gained < TOLERANCE:
            break
    return x, value


def _slopes(orders: _Orders, dose: Array, member: Array, x: Array) -> tuple[float, Array, Array]:
    """Penalised log-likelihood, its gradient, and the products of the clients' scores."""
    k = len(dose)
    excess, level = x[:k].astype(np.float32), x[k:]
    risk = 1 + np.tensordot(excess, dose, 1) if k else np.ones_like(orders.due)
    factor = np.exp(np.tensordot(level.astype(np.float32), member.astype(np.float32), 1))
    raised = np.where(orders.counted, risk * factor, np.float32(1))
    more = orders.due * (raised - 1)
    lived = np.cumsum(more, axis=1)
    onset = orders.onset * raised * np.exp(more - lived)
    total = onset.sum(axis=1, keepdims=True) + orders.stayed * np.exp(-lived[:, -1:])
    if not total.all():  # a step so far that single precision holds no history: it is halved
        return -np.inf, np.zeros(len(x)), np.eye(len(x))
    onset /= total
    later = 1 - np.cumsum(onset, axis=1)
    surprise = np.where(orders.counted, onset - orders.due * raised * later, np.float32(0))
    per_risk = surprise / risk
    score = np.stack(
        [np.einsum("it,it->i", per_risk, d) for d in dose]
        + [np.einsum("it,it->i", surprise, m) for m in member],
        axis=1,
    ).astype(np.float64)
    held = LEVEL_PRIOR * np.exp(level)
    value = float(np.log(total).sum(dtype=np.float64)) + float((LEVEL_PRIOR * level - held).sum())
    slope, curve = score.sum(axis=0), score.T @ score
    slope[k:] += LEVEL_PRIOR - held
    curve[k:, k:] += np.diag(held)
    return value, slope, curve
