"""How much does an outcome follow a treatment once all that is known beforehand is taken out?

The partially linear model y = θ·d + g(x) + noise by double machine learning (Robinson 1988;
Chernozhukov et al. 2018). g(x) and the part of d that x foretells are learnt on some clients and
taken out of others, by any learner; an error of either enters the estimate only times the error of
the other, so that a learner that is slow or regularised does no harm of its own. The treatment's
own unforeseen part is what identifies θ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.results import Z95

Array = npt.NDArray[Any]
Learner = Callable[[Array, Array, Array, Array], Array]  # x, y, weight, new x -> y foretold


@dataclass(frozen=True)
class Slope:
    """θ with its standard error; `robustness` is its robustness value (see `robustness_value`)."""

    value: float
    error: float
    robustness: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - Z95 * self.error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + Z95 * self.error


def partially_linear(
    left_over: Array, treatment: Array, unforeseen: Array, weight: Array, cluster: Array
) -> Slope:
    """Return θ of a partially linear model, its error clustered.

    Parameters
    ----------
    left_over
        y less what x foretells of it, float[rows]: less g(x) if `treatment` is d itself, less
        E[y|x] if it is d − E[d|x] (partialling out). The first is doubly robust: right if either
        g or E[d|x] is.
    treatment
        d, or d − E[d|x]; float[rows].
    unforeseen
        d − E[d|x], float[rows].
    weight
        Of each row, float[rows].
    cluster
        Whose row it is, int[rows] from 0.

    Returns
    -------
    Slope
        In units of y per unit of d; infinite error where nothing of d is unforeseen.
    """
    curve = float(np.sum(weight * treatment * unforeseen))
    spread = float(np.average(unforeseen**2, weights=weight))
    if spread <= 0 or curve <= 0:
        return Slope(0.0, float("inf"), 0.0)
    value = float(np.sum(weight * left_over * unforeseen)) / curve
    residual = left_over - value * treatment
    pull = np.bincount(cluster, weight * residual * unforeseen)
    error = float(np.sqrt(np.sum(pull**2))) / curve
    noise = float(np.average(residual**2, weights=weight))
    return Slope(value, error, robustness_value(value, noise, spread))


def robustness_value(value: float, noise: float, spread: float) -> float:
    """Return how much an unrecorded confounder would have to explain to bring θ to nothing.

    The share of the outcome's and of the treatment's unforeseen variance, the same of both, 0 to 1
    (Cinelli & Hazlett 2020; for double machine learning Chernozhukov et al. 2022). `noise` is the
    residual variance of y, `spread` the variance of d − E[d|x]. A confounder that explains r of
    both moves θ by at most r/√(1 − r)·√(noise/spread).
    """
    if noise <= 0:
        return 1.0
    square = value**2 * spread / noise
    return float((np.sqrt(square**2 + 4 * square) - square) / 2)


def folds(cluster: Array, count: int, rng: np.random.Generator) -> Array:
    """Return a fold for each row, int[rows]; all rows of a cluster are in one."""
    own = rng.permutation(int(cluster.max()) + 1) % count
    return np.asarray(own[cluster])


def foretold(
    learn: Learner,
    x: Array,
    y: Array,
    weight: Array,
    fold: Array,
    usable: Array | None = None,
) -> Array:
    """Return what x foretells of y, each row by a model that has not seen its fold; float[rows].

    `usable` are the rows to learn from, bool[rows]; all by default.
    """
    out = np.zeros(len(y))
    known = np.ones(len(y), bool) if usable is None else usable
    for k in range(int(fold.max()) + 1):
        train, here = (fold != k) & known, fold == k
        out[here] = learn(x[train], y[train], weight[train], x[here])
    return out
