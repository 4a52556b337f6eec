"""Does another way of estimating come to the same number of departures?

The first estimate takes hazards to multiply and follows the likelihood; this one takes as little as
it can for granted. Departures over what the baseline expects of a client-period are partially
linear in the dose of a cause: how likely a departure was without it is learnt from client-periods
without any dose, how much dose was to be expected from all, by boosted trees and on other clients
(see `orthogonal`). It is doubly robust: right if either of the two is, and an error that is the
calendar's alone or the clients' alone falls out of it. It reads all departures and a weighted
sample of those at risk (incidence density sampling), so that its cost does not grow with the book.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from churnlens.errors import ConfigError
from churnlens.plugins import guarded
from churnlens.results import Estimate, Evidence, Text
from churnlens.which.baseline import Baseline
from churnlens.why.case import Case, say
from churnlens.why.model import fit
from churnlens.why.nuisances import amount, boosted_trees, chance, features, in_bins
from churnlens.why.orthogonal import Slope, folds, foretold, partially_linear

Array = npt.NDArray[Any]

FOLDS = 3
MOST = 4_000  # client-periods read: with departures, and without one with a dose and without
FOUND = 0.05  # part of a departure from which a client-period is read as one with a departure
LEAST_UNFORESEEN = 0.05  # part of the dose that must not follow from who and when
NAME = "second_opinion"


@dataclass(frozen=True)
class Sample:
    """Client-periods drawn from a book: `rows`, `period` int[m], `weight` over those left out."""

    rows: Array
    period: Array
    weight: Array

    def of(self, values: Array) -> Array:
        """Return what a table over clients and periods holds at these, float[m]."""
        return np.asarray(values[self.rows, self.period], float)


def second_opinion(case: Case) -> Evidence:
    """Another way of estimating comes to as many departures."""
    found = opinion(case)
    if found is None:
        text = Text("Who got how much of it follows from who and when; nothing is left to compare.")
        return say(NAME, "skip", text)
    other, slope = found
    first = case.attribution.attributable
    shown = {
        "value": {"type": "number", "value": round(other.value)},
        "low": {"type": "number", "value": round(other.low)},
        "high": {"type": "number", "value": round(other.high)},
        "first": {"type": "number", "value": round(first.value)},
        "share": {"type": "percent", "value": slope.robustness},
    }
    if contradicts(other, first):
        text = Text(
            "Another way of estimating comes to {value} departures ({low} to {high}) where this "
            "one comes to {first}; how many it costs is less sure than it looks.",
            shown,
        )
        return say(NAME, "fail", text)
    if other.low <= 0:
        text = Text(
            "Another way of estimating is too unsure to confirm or to contradict it: {low} to "
            "{high} departures.",
            shown,
        )
        return say(NAME, "skip", text)
    text = Text(
        "Another way of estimating agrees: {value} departures ({low} to {high}). Something "
        "unrecorded would have to explain {share} of what is left open, both of who was hit and of "
        "who left, to undo it.",
        shown,
    )
    return say(NAME, "pass", text)


def contradicts(other: Estimate, first: Estimate) -> bool:
    """Return whether two estimates differ by more than their intervals allow, or in direction.

    A direction counts where the other estimate is sure of it.
    """
    allowed = np.hypot(other.high - other.low, first.high - first.low) / 2
    return bool(other.high < 0 or abs(other.value - first.value) > allowed)


def opinion(case: Case) -> tuple[Estimate, Slope] | None:
    """Return the departures that the cause accounts for, and the slope behind them.

    None where the dose follows from who and when, so that there is nothing to compare.
    """
    rng, base, term = np.random.default_rng(case.seed), case.baseline, case.lasting
    part = sample(base, term.dose, rng)
    import sklearn.ensemble  # noqa: F401  only libraries that are loaded already can be limited

    with threadpool_limits(1):  # sums must not depend on the number of threads
        slope = _slope(case, part, rng)
    if slope is None:
        return None
    dosed = float((base.hazard * base.panel.active * term.dose).sum(dtype=np.float64))
    ends = (slope.value * dosed, slope.low * dosed, slope.high * dosed)
    return Estimate(*ends), slope


def sample(base: Baseline, dose: Array, rng: np.random.Generator) -> Sample:
    """Draw client-periods: those with a departure, and of the others those with and without a dose.

    Of each kind at most `MOST`, weighted by how many they stand for.
    """
    there = base.expected > 0
    left = there & (base.panel.found > FOUND)
    keep = np.zeros(dose.shape, np.float32)
    for kind in (left, there & ~left & (dose > 0), there & ~left & (dose <= 0)):
        keep[kind] = min(1.0, MOST / max(int(kind.sum()), 1))
    rows, period = np.nonzero(rng.random(dose.shape, dtype=np.float32) < keep)
    return Sample(rows, period, 1 / keep[rows, period].astype(float))


def _slope(case: Case, part: Sample, rng: np.random.Generator) -> Slope | None:
    """Excess of departures over the baseline's per unit of dose."""
    base, dose = case.baseline, part.of(case.lasting.dose)
    client = np.unique(part.rows, return_inverse=True)[1]
    fold = folds(client, FOLDS, rng)
    x = features(base, part.rows, part.period, case.beside, _own_drivers(case))
    expected = part.of(base.expected)
    # Departures over expected ones scatter by (1 + excess) / expected; whoever had most scatters
    # most.
    excess = float(fit(base, (case.lasting,)).excess[0])
    weight = part.weight * expected / (1 + excess * dose)
    coarse = in_bins(x, weight)
    unforeseen = dose - foretold(amount, coarse, dose, weight, fold)
    if np.average(unforeseen**2, weights=weight) < LEAST_UNFORESEEN * np.average(
        dose**2, weights=weight
    ):
        return None
    usual = _usual(case, part, x if case.models else coarse, fold, dose <= 0) / part.of(base.hazard)
    ratio = part.of(base.observed) / expected
    return partially_linear(ratio - usual, dose, unforeseen, weight, client)


def _usual(case: Case, part: Sample, x: Array, fold: Array, without: Array) -> Array:
    """Chance of leaving without the cause, learnt where there was none; float[m].

    By boosted trees, or by that of the analyst's models which foretells best.
    """
    active = part.of(case.baseline.panel.active)
    left = (part.of(case.baseline.panel.found) / np.maximum(active, 1e-9)).clip(0, 1)
    weight = part.weight * active
    learners = [(name, guarded(chance(make), name, "model")) for name, make in case.models]
    told = [
        _as_chances(name, foretold(learn, x, left, weight, fold, without))
        for name, learn in learners or [("boosted trees", chance(boosted_trees))]
    ]
    return min(told, key=lambda p: _loss(p[without], left[without], weight[without]))


def _as_chances(name: str, values: Array) -> Array:
    if not np.all((values >= 0) & (values <= 1)):
        raise ConfigError(f"model '{name}' gives chances that are not between 0 and 1.")
    return values.clip(1e-6, 1 - 1e-6)


def _loss(told: Array, left: Array, weight: Array) -> float:
    return float(-np.average(left * np.log(told) + (1 - left) * np.log1p(-told), weights=weight))


def _own_drivers(case: Case) -> set[str]:
    """The driver, and those that are the way it works or cannot be told from it."""
    same = [r.candidate.driver for r in case.rivals if r.relation in ("channel", "inseparable")]
    return {case.candidate.driver, *same}
