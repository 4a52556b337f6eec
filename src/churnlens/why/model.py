"""How many departures does each driver account for, all at once?

An additive excess risk model: a client leaves at its baseline hazard × its segment's own level ×
(1 + Σ βₖ·doseₖ), βₖ ≥ 0 (the excess relative risk of radiation epidemiology; BEIR VII 2006). Being
additive, it shares departures between causes without a remainder and without an order of entry, so
what is attributed never sums past the total. Departures are the baseline's effective ones, so
uncertain onsets count for what they tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.threads import over_chunks
from churnlens.which import marginal
from churnlens.which.baseline import Baseline
from churnlens.which.windows import LEVEL_PRIOR, gain_of

Array = npt.NDArray[Any]

TENTH = 0.82  # log-likelihood gain that chance gives one time in ten, one-sided
ROUNDS, TOLERANCE = 60, 1e-6
MOST_EXCESS = 50.0
STEP, STEPS = 0.125, 33  # doses are rounded to this step, and have at most so many
DOSES = np.arange(STEPS) * STEP
# Excesses looked at at a time, and how often next to the best of them.
GRID, ZOOMS = 17, 6


@dataclass(frozen=True)
class Term:
    """One candidate explanation: `dose` float32[n, T], and the segment whose level it is held to.

    `inside` is bool[n, T] (may be broadcast). `name` tells terms apart.
    """

    name: str
    dose: Array
    inside: Array

    @cached_property
    def kind(self) -> Array:
        """Dose step and membership of each client-period in one number, int16[n, T]; 0: neither."""
        kind = np.rint(self.dose * np.float32(1 / STEP)).astype(np.int16)
        kind *= 2
        kind += self.inside
        return kind


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    `excess[k]` is βₖ, `errors[k]` its standard error, levels left free; `gain` is the
    log-likelihood gain over levels alone, of the departures as they are counted.
    """

    terms: tuple[Term, ...]
    excess: Array
    levels: Array
    gain: float
    errors: Array = field(default_factory=lambda: np.zeros(0))


def fit(baseline: Baseline, terms: tuple[Term, ...], start: Fit | None = None) -> Fit:
    """Fit all terms together.

    Returns the fit; with no terms, one with gain 0. `start` is a fit of the same terms to
    departures much like these, from where the way to this one is short.
    """
    if not terms:
        return Fit((), np.zeros(0), np.zeros(0), 0.0)
    o, e, dose, member = _cells(baseline, terms)
    begin = None if start is None else np.concatenate([start.excess, start.levels])
    excess, levels, value, errors = _climb(o, e, dose, member, begin)
    return Fit(terms, excess, levels, value - _levels_alone(o, e, member), errors)


def gain_of_orders(baseline: Baseline, terms: tuple[Term, ...]) -> float:
    """Return the log-likelihood gain of terms over levels alone, of all that clients ordered.

    Of departures counted where they are known for sure; 0 for no terms.
    """
    if not terms or baseline.panel.likelihood is None:
        return fit(baseline, terms).gain
    return marginal.gain(baseline, tuple(t.dose for t in terms), tuple(t.inside for t in terms))


def tally(baseline: Baseline, dose: Array, inside: Array) -> tuple[Array, Array]:
    """Return observed and expected departures of a segment by dose step and period.

    Float[STEPS, T] each, so that the gains of many windows of one dose cost one pass over the
    clients. `dose` is float32[n, T], `inside` bool[n, T].
    """
    o, e, there, step = _inside(baseline, dose, inside)
    periods = o.shape[1]
    at = (step * periods + np.arange(periods))[there]
    size = STEPS * periods
    return (
        np.bincount(at, o[there], minlength=size).reshape(STEPS, periods),
        np.bincount(at, e[there], minlength=size).reshape(STEPS, periods),
    )


def tally_by_client(baseline: Baseline, term: Term) -> tuple[Array, Array]:
    """Return observed and expected departures of each client of a term's segment by dose step.

    Float32[m, STEPS] each, of the m clients that are ever in it.
    """
    inside = np.broadcast_to(term.inside, term.dose.shape)
    o, e, there, step = _inside(baseline, term.dose, inside)
    spells = baseline.panel.client[inside.any(axis=1)]
    clients, number = np.unique(spells, return_inverse=True)
    at = (step + STEPS * number[:, None])[there]
    size = STEPS * len(clients)
    seen, due = (np.bincount(at, a[there], minlength=size) for a in (o, e))
    return seen.reshape(-1, STEPS).astype(np.float32), due.reshape(-1, STEPS).astype(np.float32)


def _inside(baseline: Baseline, dose: Array, inside: Array) -> tuple[Array, Array, Array, Array]:
    """Observed, expected, whether they count, and dose steps, of the clients ever in a segment."""
    rows = np.flatnonzero(inside.any(axis=1))
    o, e = baseline.observed[rows], baseline.expected[rows]
    step = np.rint(dose[rows] / STEP).astype(np.int64)
    return o, e, inside[rows] & (e > 0), step


def gains_alone(observed: Array, expected: Array, dose: Array) -> Array:
    """Return the gain of one term by itself in each of many books alike, from sums by dose.

    Parameters
    ----------
    observed, expected
        Sums over the cells of the term's segment that have one dose, float[books, doses].
    dose
        Those doses, float[doses], 0 or above.

    Returns
    -------
    Float[books]: what `fit` gives for the term. With the level at its best, the likelihood is one
    of the excess alone, and is looked up on a grid that closes in on its top.
    """
    held = observed.sum(axis=1, keepdims=True) + LEVEL_PRIOR
    due = expected.sum(axis=1, keepdims=True) + LEVEL_PRIOR
    dosed = expected @ dose

    def gain(excess: Array) -> Array:
        risk = np.log1p(excess[:, :, None] * dose)
        raised = np.log1p(excess * dosed[:, None] / due)
        return np.asarray(np.einsum("kc,kgc->kg", observed, risk) - held * raised)

    low, high = np.zeros(len(observed)), np.full(len(observed), np.log1p(MOST_EXCESS))
    part = np.linspace(0, 1, GRID)
    for _ in range(ZOOMS):
        grid = low[:, None] + part * (high - low)[:, None]
        height = gain(np.expm1(grid))
        top = height.argmax(axis=1)
        rows = np.arange(len(grid))
        low, high = grid[rows, np.maximum(top - 1, 0)], grid[rows, np.minimum(top + 1, GRID - 1)]
    return np.asarray(height.max(axis=1))


def agreeing(term: Term, others: dict[str, Baseline]) -> int:
    """Return in how many other churn definitions departures rise with the term (one-sided 10 %)."""
    fits = over_chunks(lambda other: fit(other, (term,)), others.values())
    return sum(bool(f.gain >= TENTH and f.excess[0] > 0) for f in fits)


def able_to_see(term: Term, excess: float, others: dict[str, Baseline]) -> dict[str, Baseline]:
    """Return the churn definitions in which a rise by so much excess risk would have shown.

    One that sees few of a segment's departures says nothing against those that another sees.
    """
    during = term.dose > 0

    def able(other: Baseline) -> bool:
        due, rest = (
            np.asarray(other.expected[where].sum(dtype=np.float64))
            for where in (during, term.inside & ~during)
        )
        seen = due * (1 + excess)
        gain = gain_of(seen, due, seen + rest + LEVEL_PRIOR, due + rest + LEVEL_PRIOR)
        return bool(gain >= TENTH)

    return {name: other for name, other in others.items() if able(other)}


def _cells(baseline: Baseline, terms: tuple[Term, ...]) -> tuple[Array, Array, Array, Array]:
    """Observed, expected, doses and memberships, client-periods alike in both summed to one.

    Doses are rounded to steps of `STEP`, so that the cost of a fit does not grow with the clients.
    Client-periods without any dose in no segment say nothing of the terms and are left out.
    """
    touched = np.any([t.kind > 0 for t in terms], axis=0) & (baseline.expected > 0)
    where = np.flatnonzero(touched)
    kinds, at = np.zeros((1, 0), np.int64), np.zeros(len(where), np.int64)
    for term in terms:
        key = at * (2 * STEPS) + term.kind.ravel()[where]
        occurs = np.flatnonzero(np.bincount(key))
        number = np.zeros(int(occurs.max(initial=0)) + 1, np.int64)
        number[occurs] = np.arange(len(occurs))
        before, own = np.divmod(occurs, 2 * STEPS)
        kinds, at = np.column_stack([kinds[before], own]), number[key]
    o = np.bincount(at, baseline.observed.ravel()[where], minlength=len(kinds))
    e = np.bincount(at, baseline.expected.ravel()[where], minlength=len(kinds))
    return o, e, (kinds // 2) * STEP, (kinds % 2).astype(float)


def _levels_alone(o: Array, e: Array, member: Array) -> float:
    """Likelihood of the segments' levels without any dose: what doses are held against."""
    kinds, at = np.unique(member @ 2.0 ** np.arange(member.shape[1]), return_inverse=True)
    first = np.zeros(len(kinds), np.int64)
    first[at] = np.arange(len(at))
    doses = np.zeros((len(kinds), 0))
    return _climb(np.bincount(at, o), np.bincount(at, e), doses, member[first])[2]


def _climb(
    o: Array, e: Array, dose: Array, member: Array, begin: Array | None = None
) -> tuple[Array, Array, float, Array]:
    """Maximise the penalised likelihood by Fisher scoring, the excess kept at 0 or above.

    Returns excess, log levels, the likelihood there, and the standard errors of the excess.
    """
    k = dose.shape[1]
    x = np.concatenate([np.full(k, 0.5), np.zeros(member.shape[1])]) if begin is None else begin
    value, slope, curve = _slopes(x, o, e, dose, member)
    for _ in range(ROUNDS):
        free = np.ones(len(x), bool)
        free[:k] = (x[:k] > 0) | (slope[:k] > 0)
        step = np.zeros_like(x)
        lift = np.eye(int(free.sum())) * (1e-6 + 1e-6 * np.trace(curve) / len(x))
        step[free] = np.linalg.solve(curve[np.ix_(free, free)] + lift, slope[free])
        x, value, slope, curve, gained = _along(x, step, value, o, e, dose, member)
        if gained < TOLERANCE:
            break
    return x[:k], x[k:], value, np.sqrt(np.diag(np.linalg.pinv(curve))[:k].clip(0))


def _along(
    x: Array, step: Array, value: float, o: Array, e: Array, dose: Array, member: Array
) -> tuple[Array, float, Array, Array, float]:
    """Go along a step as far as the likelihood rises; the last figure is what was gained."""
    k = dose.shape[1]
    for _ in range(20):
        there = x + step
        there[:k] = there[:k].clip(0, MOST_EXCESS)
        there[k:] = there[k:].clip(-5, 5)
        new = _slopes(there, o, e, dose, member)
        if new[0] >= value:
            return there, *new, new[0] - value
        step = step / 2
    return x, *_slopes(x, o, e, dose, member), 0.0


def _slopes(x: Array, o: Array, e: Array, dose: Array, member: Array) -> tuple[float, Array, Array]:
    """Penalised log-likelihood, its gradient, and Fisher's information."""
    k = dose.shape[1]
    excess, level = x[:k], x[k:]
    scaled, risk = e * np.exp(member @ level), 1 + dose @ excess
    held = LEVEL_PRIOR * np.exp(level)
    value = o @ np.log(risk) + o @ (member @ level) - scaled @ risk
    value += (LEVEL_PRIOR * level - held).sum()
    slope = np.concatenate(
        [
            dose.T @ (o / risk - scaled),
            member.T @ (o - scaled * risk) + LEVEL_PRIOR - held,
        ]
    )
    # Fisher's information, unlike the curvature at what was observed, keeps every step uphill.
    along = np.concatenate([dose / risk[:, None], member], axis=1)
    information = along.T @ (along * (scaled * risk)[:, None])
    information[k:, k:] += np.diag(held)
    information[np.diag_indices(k)] += 1e-6  # of a dose that nobody had nothing is known
    return float(value), slope, information
