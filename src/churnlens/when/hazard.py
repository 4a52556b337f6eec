"""Say how much more likely a departure is, period by period, given what is known of a client.

A discrete-time hazard is a binary regression over client-periods: one row for each period in which
a client was at risk, 1 in the period it left. With the complementary log-log link the
coefficients are log hazard ratios of the proportional-hazards model behind it; with the logit
link they are log odds ratios; with the log link (Poisson) they are log rate ratios, and rows may
be counts.

One Newton iteration (Fisher scoring) serves the three links. It reads the rows in blocks, so the
memory it needs beside the rows themselves does not grow with them, and it needs no penalty: a
column without a finite estimate is named instead.

Sources: Allison (1982), Discrete-time methods for the analysis of event histories; Prentice and
Gloeckler (1978) for the complementary log-log; Liang and Zeger (1986) for the clustered sandwich.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

from churnlens.when.links import LINKS, Link

Floats = npt.NDArray[np.float64]

_BLOCK = 8_192  # rows read at a time: a block of 30 columns stays in the processor's cache
_MOST_STEPS = 40
_SETTLED = 1e-8  # log-likelihood still to be gained, relative, at which the fit has settled
_STILL_MOVING = 0.25  # move of the predictor by one column of a settled fit that has no end
_ALIASED = 1e-10  # share of a column's own size left after the columns before it


@dataclass(frozen=True)
class HazardFit:
    """A fitted discrete-time hazard.

    `coefficients` and `covariance` stand in the order of `names`. A column in `aliased` (a sum of
    columns before it) has coefficient 0; one in `separated` (no events at one of its values) has
    no finite estimate; both have an infinite standard error, and the other columns are right.
    """

    names: tuple[str, ...]
    link: Link
    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    rows: int
    events: float
    converged: bool
    separated: tuple[str, ...] = ()
    aliased: tuple[str, ...] = ()
    clusters: int | None = None

    @property
    def standard_errors(self) -> Floats:
        """Standard error of each coefficient."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def z(self) -> Floats:
        """Each coefficient over its standard error; 0 where there is no finite estimate."""
        return self.coefficients / self.standard_errors

    def probability(self, X: npt.ArrayLike, offset: npt.ArrayLike | None = None) -> Floats:
        """Chance of a departure in the period (with the log link: expected count) of each row."""
        eta = np.asarray(X, dtype=np.float64) @ self.coefficients
        if offset is not None:
            eta = eta + np.asarray(offset, dtype=np.float64)
        return LINKS[self.link].mean(eta)

    def index(self, name: str) -> int:
        """Return the position of a column."""
        return self.names.index(name)


@dataclass(frozen=True)
class _Rows:
    """The rows of a fit, read in blocks."""

    X: npt.NDArray[Any]
    y: npt.NDArray[Any]
    weights: npt.NDArray[Any] | None
    offset: npt.NDArray[Any] | None
    columns: npt.NDArray[np.intp]

    def blocks(self) -> Iterator[tuple[slice, Floats, Floats, Floats | float, Floats | float]]:
        """Yield rows' place, design, outcome, weight and offset as float64."""
        for start in range(0, len(self.y), _BLOCK):
            place = slice(start, start + _BLOCK)
            X = np.asarray(self.X[place], dtype=np.float64)
            X = X if X.shape[1] == len(self.columns) else X[:, self.columns]
            yield (
                place,
                X,
                np.asarray(self.y[place], dtype=np.float64),
                1.0 if self.weights is None else np.asarray(self.weights[place], dtype=np.float64),
                0.0 if self.offset is None else np.asarray(self.offset[place], dtype=np.float64),
            )


@dataclass(frozen=True)
class _Pass:
    """One reading of the rows at given coefficients."""

    information: Floats
    score: Floats
    log_likelihood: float


def fit(
    X: npt.NDArray[Any],
    y: npt.NDArray[Any],
    *,
    weights: npt.NDArray[Any] | None = None,
    offset: npt.NDArray[Any] | None = None,
    clusters: npt.NDArray[Any] | None = None,
    link: Link = "logit",
    names: Sequence[str] | None = None,
) -> HazardFit:
    """Fit a discrete-time hazard by maximum likelihood.

    Parameters
    ----------
    X
        Rows × columns, any float type, without missing values; a constant is a column like any
        other.
    y
        0 or 1 for each row, or a share of `weights` trials; with `link="log"` a count.
    weights
        Weight of each row (trials, or the inverse of its chance of being sampled).
    offset
        Known part of the linear predictor of each row.
    clusters
        Which client each row belongs to. The covariance is then the cluster-robust sandwich with
        the G / (G − 1) correction; rows with sampling weights need it.
    link
        `"logit"`, `"cloglog"` (log hazard ratios) or `"log"` (Poisson, log rate ratios).
    names
        Column names; `x0`, `x1`, … without.

    Raises
    ------
    ValueError
        When shapes disagree, a value is missing, or there are no events or nothing but events.
    """
    labels = tuple(names) if names is not None else tuple(f"x{j}" for j in range(X.shape[1]))
    width = _check(X, y, weights, offset, clusters, labels)
    everything = _Rows(X, y, weights, offset, np.arange(X.shape[1]))
    gram, sums = _gram(everything)
    kept = _independent(gram)
    rows = _Rows(X, y, weights, offset, kept)
    level = _level(rows, link) * _solve(gram[np.ix_(kept, kept)], sums[kept])
    beta, last, step, converged = _climb(rows, link, level)
    moving = np.abs(step) * width[kept] > _STILL_MOVING
    covariance, groups = _covariance(rows, link, beta, last, clusters)
    return HazardFit(
        names=labels,
        link=link,
        coefficients=_place(beta, kept, len(labels)),
        covariance=_place_covariance(covariance, kept, moving, len(labels)),
        log_likelihood=last.log_likelihood + float(step @ last.score) / 2,
        rows=len(y),
        events=float(np.sum(y if weights is None else y * weights)),
        converged=converged,
        separated=tuple(labels[j] for j in kept[moving]),
        aliased=tuple(label for j, label in enumerate(labels) if j not in set(kept.tolist())),
        clusters=groups,
    )


def _check(
    X: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
    offset: npt.NDArray[Any] | None,
    clusters: npt.NDArray[Any] | None,
    names: tuple[str, ...],
) -> Floats:
    """Return the range of each column."""
    if X.ndim != 2 or len(names) != X.shape[1]:
        raise ValueError(f"X has shape {X.shape}, but there are {len(names)} column names")
    for label, values in (
        ("y", y),
        ("weights", weights),
        ("offset", offset),
        ("clusters", clusters),
    ):
        if values is not None and len(values) != len(X):
            raise ValueError(f"{label} has {len(values)} rows, X has {len(X)}")
    if len(y) == 0 or np.max(y) <= 0:
        raise ValueError("no departures among the rows: a hazard cannot be fitted")
    width = np.asarray(np.max(X, axis=0) - np.min(X, axis=0), dtype=np.float64)
    if not (np.isfinite(width).all() and np.isfinite(np.max(y)) and np.min(y) >= 0):
        raise ValueError("X or y has missing or infinite values, or y has values below 0")
    return width


def _gram(rows: _Rows) -> tuple[Floats, Floats]:
    """Return the weighted cross products of the columns, and their weighted sums."""
    size = len(rows.columns)
    total, sums = np.zeros((size, size)), np.zeros(size)
    for _, X, _, weight, _ in rows.blocks():
        root = X * np.reshape(np.sqrt(weight), (-1, 1))
        total += root.T @ root
        sums += X.T @ (weight * np.ones(len(X)))
    return total, sums


def _independent(gram: Floats) -> npt.NDArray[np.intp]:
    """Return the columns that are no sum of columns before them (Cholesky, left to right)."""
    size = np.sqrt(np.diag(gram))
    size = np.where(size > 0, size, 1.0)
    scaled = gram / np.outer(size, size)
    kept: list[int] = []
    factor = np.zeros_like(scaled)
    for j in range(len(scaled)):
        row = linalg.solve_triangular(factor[: len(kept), : len(kept)], scaled[kept, j], lower=True)
        left = scaled[j, j] - row @ row
        if left > _ALIASED:
            factor[len(kept), : len(kept)] = row
            factor[len(kept), len(kept)] = np.sqrt(left)
            kept.append(j)
    return np.asarray(kept, dtype=np.intp)


def _level(rows: _Rows, link: Link) -> float:
    """Return the constant at which expected events roughly equal observed ones."""
    seen = possible = 0.0
    for _, _, y, weight, offset in rows.blocks():
        seen += float(np.sum(y * weight))
        possible += float(np.sum(np.exp(offset) * weight * np.ones_like(y)))
    constant = float(np.log(seen / possible))
    return constant if link == "log" else min(constant, 0.5)


def _read(rows: _Rows, link: Link, beta: Floats) -> _Pass:
    """Information, score and log-likelihood at the coefficients `beta`."""
    curve, size = LINKS[link], len(rows.columns)
    information, score, total = np.zeros((size, size)), np.zeros(size), 0.0
    for _, X, y, weight, offset in rows.blocks():
        eta = X @ beta + offset
        mean = curve.mean(eta)
        slope = curve.slope(eta, mean)
        common = weight * slope / curve.variance(mean)
        root = X * np.sqrt(common * slope)[:, None]
        information += root.T @ root
        score += X.T @ (common * (y - mean))
        total += float(np.sum(weight * curve.log_likelihood(y, mean)))
    return _Pass(information, score, total)


def _climb(rows: _Rows, link: Link, beta: Floats) -> tuple[Floats, _Pass, Floats, bool]:
    """Newton steps until they gain nothing; the last one is taken without reading the rows."""
    here = _read(rows, link, beta)
    for _ in range(_MOST_STEPS):
        step = _solve(here.information, here.score)
        if step @ here.score <= _SETTLED * (abs(here.log_likelihood) + 1.0):
            return beta + step, here, step, True
        beta, here = _uphill(rows, link, beta, step, here.log_likelihood)
    return beta, here, step, False


def _uphill(
    rows: _Rows, link: Link, beta: Floats, step: Floats, height: float
) -> tuple[Floats, _Pass]:
    """Take the step, halved as long as the log-likelihood would fall."""
    for _ in range(_MOST_STEPS):
        there = _read(rows, link, beta + step)
        if there.log_likelihood >= height - 1e-9 * abs(height):
            break
        step = step / 2
    return beta + step, there


def _scaled(information: Floats) -> tuple[Floats, Floats]:
    size = np.sqrt(np.maximum(np.diag(information), 1e-300))
    return information / np.outer(size, size), size


def _solve(information: Floats, score: Floats) -> Floats:
    scaled, size = _scaled(information)
    return np.asarray(linalg.lstsq(scaled, score / size, cond=1e-13)[0] / size)


def _inverse(information: Floats) -> Floats:
    scaled, size = _scaled(information)
    return np.asarray(linalg.pinvh(scaled, rtol=1e-13) / np.outer(size, size))


def _covariance(
    rows: _Rows, link: Link, beta: Floats, last: _Pass, clusters: npt.NDArray[Any] | None
) -> tuple[Floats, int | None]:
    bread = _inverse(last.information)
    if clusters is None:
        return bread, None
    groups, meat = _meat(rows, link, beta, clusters)
    return bread @ meat @ bread, groups


def _meat(rows: _Rows, link: Link, beta: Floats, clusters: npt.NDArray[Any]) -> tuple[int, Floats]:
    """Sum over clusters of the outer product of their summed scores, times G / (G − 1)."""
    codes = _codes(clusters)
    groups = int(codes.max()) + 1
    curve, sums = LINKS[link], np.zeros((groups, len(beta)))
    for place, X, y, weight, offset in rows.blocks():
        eta = X @ beta + offset
        mean = curve.mean(eta)
        pull = weight * curve.slope(eta, mean) / curve.variance(mean) * (y - mean)
        _add(sums, codes[place], X * pull[:, None])
    return groups, sums.T @ sums * (groups / max(groups - 1, 1))


def _add(sums: Floats, codes: npt.NDArray[np.intp], values: Floats) -> None:
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sums[ordered[starts]] += np.add.reduceat(values[order], starts, axis=0)


def _codes(labels: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def _place(values: Floats, kept: npt.NDArray[np.intp], size: int) -> Floats:
    full = np.zeros(size)
    full[kept] = values
    return full


def _place_covariance(
    covariance: Floats, kept: npt.NDArray[np.intp], moving: npt.NDArray[np.bool_], size: int
) -> Floats:
    full = np.zeros((size, size))
    sure = kept[~moving]
    full[np.ix_(sure, sure)] = covariance[np.ix_(~moving, ~moving)]
    unknown = np.setdiff1d(np.arange(size), sure)
    full[unknown, unknown] = np.inf
    return full
