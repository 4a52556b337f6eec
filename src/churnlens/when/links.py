"""Say how a linear predictor becomes a chance of leaving: logit, complementary log-log, log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Link = Literal["logit", "cloglog", "log"]


@dataclass(frozen=True)
class Curve:
    """A link: mean and slope over the linear predictor, variance and log-likelihood over both."""

    mean: Callable[[Floats], Floats]
    slope: Callable[[Floats, Floats], Floats]
    variance: Callable[[Floats], Floats]
    log_likelihood: Callable[[Floats, Floats], Floats]


def _expit(eta: Floats) -> Floats:
    return np.asarray(special.expit(np.clip(eta, -35.0, 35.0)))


def _cloglog_mean(eta: Floats) -> Floats:
    return -np.expm1(-np.exp(np.clip(eta, -35.0, 3.5)))


def _exp(eta: Floats) -> Floats:
    return np.exp(np.clip(eta, -35.0, 35.0))


def _bernoulli(y: Floats, mean: Floats) -> Floats:
    return np.asarray(special.xlogy(y, mean) + special.xlog1py(1.0 - y, -mean))


def _poisson(y: Floats, mean: Floats) -> Floats:
    return np.asarray(special.xlogy(y, mean) - mean - special.gammaln(y + 1.0))


LINKS: dict[Link, Curve] = {
    "logit": Curve(_expit, lambda _, m: m * (1 - m), lambda m: m * (1 - m), _bernoulli),
    "cloglog": Curve(
        _cloglog_mean,
        lambda eta, m: (1 - m) * np.exp(np.clip(eta, -35.0, 3.5)),
        lambda m: m * (1 - m),
        _bernoulli,
    ),
    "log": Curve(_exp, lambda _, m: m, lambda m: m, _poisson),
}
