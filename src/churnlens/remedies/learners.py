"""The two models behind the outlook, and how well a model's chances were borne out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit, logit

from churnlens.remedies.rates import Floats

Model = Literal["boosted trees", "logistic hazard"]

MOST_LIKELY, MOST_OTHERS = 6_000, 12_000  # client-quarters that a model is fitted on
BINS = 32
SURE = 1e-5
PULL = np.array([1.0, 10.0])  # of the recalibration, towards no shift and slope 1


@dataclass(frozen=True)
class Cases:
    """Client-quarters: features, chance that the client left in the quarter, and weight."""

    features: Floats
    chance: Floats
    weight: Floats


def sample(cases: Cases, draw: np.random.Generator) -> Cases:
    """Keep the likeliest leavers and some of the others, weighted for those left out."""
    chance = cases.chance
    cut = np.quantile(chance, max(1 - MOST_LIKELY / len(chance), 0.0))
    others = chance <= cut
    keep = np.where(others, min(1.0, MOST_OTHERS / max(others.sum(), 1)), 1.0)
    drawn = draw.random(len(chance)) < keep
    return Cases(cases.features[drawn], chance[drawn], (cases.weight / keep)[drawn])


def join(parts: Sequence[Cases]) -> Cases:
    """Put several sets of cases together."""
    return Cases(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.chance for p in parts]),
        np.concatenate([p.weight for p in parts]),
    )


def log_loss(predicted: Floats, cases: Cases) -> float:
    """Mean of minus the log likelihood a client-quarter."""
    y = cases.chance
    loss = -(y * np.log(predicted) + (1 - y) * np.log1p(-predicted))
    return float(np.average(loss, weights=cases.weight))


def calibrate(predicted: Floats, cases: Cases) -> tuple[float, float]:
    """Return shift and slope of the log odds that fit what came (Platt 1999; Newton's method)."""
    design = np.column_stack([np.ones_like(predicted), logit(predicted)])
    beta, none = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    for _ in range(20):
        p = expit(design @ beta)
        slope = design.T @ (cases.weight * (cases.chance - p)) - PULL * (beta - none)
        curve = (design.T * (cases.weight * p * (1 - p))) @ design + np.diag(PULL)
        beta = beta + np.linalg.solve(curve, slope)
    return float(beta[0]), float(beta[1])


def corrected(predicted: Floats, by: tuple[float, float]) -> Floats:
    """Apply a shift and slope to chances."""
    return np.asarray(expit(by[0] + by[1] * logit(predicted)))


def boosted_trees(cases: Cases, new: Floats) -> Floats:
    """Fit boosted trees and return the chances of new client-quarters."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.08,
        max_leaf_nodes=8,
        min_samples_leaf=60,
        max_bins=BINS,
        random_state=0,
    )
    # Of a column in which these rows have nothing (a measure that is recorded later) there is
    # nothing to learn, and the library cannot cut it.
    told = np.isfinite(cases.features).any(axis=0)
    # Bins are made here: the library sorts a column anew for each edge of a weighted bin.
    edges = [_edges(column) for column in cases.features.T[told]]
    binned = Cases(_in_bins(cases.features[:, told], edges), cases.chance, cases.weight)
    return _fit_predict(model, binned, _in_bins(new[:, told], edges))


def _edges(column: Floats) -> Floats:
    """Values at which a column is cut into bins of about equal numbers."""
    known = column[np.isfinite(column)]
    return np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))


def _in_bins(features: Floats, edges: Sequence[Floats]) -> Floats:
    """Number of the bin in the place of each value; NaN stays."""
    columns = [
        np.where(np.isfinite(x), np.searchsorted(cuts, x), np.nan)
        for x, cuts in zip(features.T, edges, strict=True)
    ]
    return np.column_stack(columns)


def logistic_hazard(cases: Cases, new: Floats) -> Floats:
    """Fit a logistic hazard on standardised columns and return the chances of new ones."""
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(cases.features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, cases.features, 0).sum(axis=0) / count
    scale = np.sqrt(np.where(known, (cases.features - mean) ** 2, 0).sum(axis=0) / count)
    scale[scale == 0] = 1

    def standard(values: Floats) -> Floats:
        return np.asarray(np.clip(np.nan_to_num((values - mean) / scale), -5, 5))

    model = LogisticRegression(C=0.1, max_iter=300)
    return _fit_predict(
        model, Cases(standard(cases.features), cases.chance, cases.weight), standard(new)
    )


MODELS: dict[Model, Callable[[Cases, Floats], Floats]] = {
    "boosted trees": boosted_trees,
    "logistic hazard": logistic_hazard,
}


def _fit_predict(model: Any, cases: Cases, new: Floats) -> Floats:
    """Fit on chances: each row counts as a leaver by its chance and as a stayer by the rest.

    On one thread: the fits are small, and sums do not depend on the order of threads.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    label = np.repeat([1, 0], len(cases.chance))
    part = np.concatenate([cases.weight * cases.chance, cases.weight * (1 - cases.chance)])
    used = part > SURE
    rows = np.concatenate([cases.features, cases.features])[used]
    with threadpool_limits(1):
        model.fit(rows, label[used], sample_weight=part[used])
        chance = model.predict_proba(new)[:, 1]
    return np.asarray(np.clip(chance, SURE, 1 - SURE))
