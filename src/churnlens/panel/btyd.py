"""Say how likely a client is still one, from how often and how lately it bought.

These are the "buy till you die" models.
Clients buy at a rate of their own and may leave unseen after any purchase. All these models need
of a client is `x`, its repeat purchases; `t_x`, the time of the last, and `T`, the time watched,
both counted from its first purchase. A long silence says more of a client that used to buy often.

Sources: Fader, Hardie and Lee (2005), "Counting your customers" the easy way (BG/NBD); Schmittlein,
Morrison and Colombo (1987) for the Pareto/NBD, in the form of Fader and Hardie (2005); Fader and
Hardie (2007), How to project customer retention (shifted beta-geometric); Fader and Hardie (2013),
The Gamma–Gamma model of monetary value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]

_BOUNDS = (-10.0, 12.0)  # of the logs of parameters, after scaling time


@dataclass(frozen=True)
class BetaGeometricNBD:
    """BG/NBD: purchase rates gamma(r, alpha), chance of leaving after a purchase beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """Chance that each client is still one; 1 without a repeat purchase."""
        return 1.0 / (1.0 + self._gone(*_arrays(x, t_x, T)))

    def expected_purchases(
        self, t: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike
    ) -> Floats:
        """Purchases to expect of each client in the next `t`, leaving included."""
        count, last, span = _arrays(x, t_x, T)
        shape = self.a + self.b + count - 1.0
        series = special.hyp2f1(self.r + count, self.b + count, shape, t / (self.alpha + span + t))
        decay = ((self.alpha + span) / (self.alpha + span + t)) ** (self.r + count)
        ever = shape / (self.a - 1.0) * (1.0 - decay * series)
        return np.asarray(ever / (1.0 + self._gone(count, last, span)))

    def _gone(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Odds of having left after the last purchase."""
        silence = np.log(self.alpha + T) - np.log(self.alpha + t_x)
        odds = np.log(self.a) - np.log(self.b + np.maximum(x, 1.0) - 1.0) + (self.r + x) * silence
        return np.where(x > 0, np.exp(np.minimum(odds, 700.0)), 0.0)


@dataclass(frozen=True)
class ParetoNBD:
    """Pareto/NBD: purchase rates gamma(r, alpha), leaving rates gamma(s, beta)."""

    r: float
    alpha: float
    s: float
    beta: float
    log_likelihood: float

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """Chance that each client is still one."""
        count, last, span = _arrays(x, t_x, T)
        here, gone = _pareto_terms(self.r, self.alpha, self.s, self.beta, count, last, span)
        return np.asarray(special.expit(here - gone))


@dataclass(frozen=True)
class GammaGamma:
    """Gamma–Gamma: mean spend of an order, gamma within a client, its scale gamma between them."""

    p: float
    q: float
    v: float
    log_likelihood: float

    def expected_spend(self, x: npt.ArrayLike, mean: npt.ArrayLike) -> Floats:
        """Mean spend to expect of each client's orders, given its mean over `x` orders so far."""
        count, spent = np.asarray(x, dtype=float), np.asarray(mean, dtype=float)
        return np.asarray(self.p * (self.v + count * spent) / (self.p * count + self.q - 1.0))


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """sBG: chance of not renewing beta(alpha, beta) between clients."""

    alpha: float
    beta: float
    log_likelihood: float

    def survival(self, t: npt.ArrayLike) -> Floats:
        """Share of clients left after `t` renewals."""
        periods = np.asarray(t, dtype=float)
        log = special.betaln(self.alpha, self.beta + periods)
        return np.asarray(np.exp(log - special.betaln(self.alpha, self.beta)))


def fit_bg_nbd(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> BetaGeometricNBD:
    """Fit the BG/NBD by maximum likelihood.

    Parameters
    ----------
    x, t_x, T
        Repeat purchases of each client, time of the last of them, and time watched, both from its
        first purchase and in any one unit.

    Raises
    ------
    ValueError
        When nobody bought again, or a last purchase lies outside the time watched.
    """
    count, last, span, weight, unit = _compressed(x, t_x, T)

    def loss(log_parameters: Floats) -> tuple[float, Floats]:
        value, slope = _bg_nbd(np.exp(log_parameters), count, last, span)
        return -float(weight @ value), -(weight @ slope) * np.exp(log_parameters)

    found, height = _maximise(loss, np.zeros(4))
    total = float(weight @ count)
    return BetaGeometricNBD(
        found[0], found[1] * unit, found[2], found[3], float(height - total * np.log(unit))
    )


def fit_pareto_nbd(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> ParetoNBD:
    """Fit the Pareto/NBD by maximum likelihood; parameters and errors as in `fit_bg_nbd`."""
    count, last, span, weight, unit = _compressed(x, t_x, T)

    def value(log_parameters: Floats) -> float:
        r, alpha, s, beta = np.exp(log_parameters)
        here, gone = _pareto_terms(r, alpha, s, beta, count, last, span)
        fixed = special.gammaln(r + count) - special.gammaln(r) + r * np.log(alpha)
        return -float(weight @ (fixed + s * np.log(beta) + np.logaddexp(here, gone)))

    found, height = _maximise(_with_differences(value), np.zeros(4))
    total = float(weight @ count)
    return ParetoNBD(
        found[0], found[1] * unit, found[2], found[3] * unit, float(height - total * np.log(unit))
    )


def fit_gamma_gamma(x: npt.ArrayLike, mean: npt.ArrayLike) -> GammaGamma:
    """Fit the Gamma–Gamma model by maximum likelihood.

    Parameters
    ----------
    x, mean
        Orders of each client and their mean amount; clients with none, or nothing spent, are left
        out.

    Raises
    ------
    ValueError
        When fewer than two clients are left.
    """
    count, spent = np.asarray(x, dtype=float), np.asarray(mean, dtype=float)
    used = (count > 0) & (spent > 0)
    if used.sum() < 2:
        raise ValueError("fewer than two clients with orders: spend cannot be modelled")
    count, spent = count[used], spent[used]
    unit = float(np.mean(spent))
    spent = spent / unit

    def value(log_parameters: Floats) -> float:
        p, q, v = np.exp(log_parameters)
        shape = p * count
        log = special.gammaln(shape + q) - special.gammaln(shape) - special.gammaln(q)
        log += q * np.log(v) + (shape - 1) * np.log(spent) + shape * np.log(count)
        return -float(np.sum(log - (shape + q) * np.log(v + count * spent)))

    found, height = _maximise(_with_differences(value), np.zeros(3))
    density = height - len(count) * float(np.log(unit))
    return GammaGamma(found[0], found[1], found[2] * unit, density)


def fit_shifted_beta_geometric(remaining: npt.ArrayLike) -> ShiftedBetaGeometric:
    """Fit the shifted beta-geometric to a cohort by maximum likelihood.

    Parameters
    ----------
    remaining
        Clients (or a share) at the start and after each renewal.

    Raises
    ------
    ValueError
        When fewer than three figures are given, they rise, or nobody left.
    """
    left = np.asarray(remaining, dtype=float)
    lost = -np.diff(left)
    if len(left) < 3 or np.any(lost < 0) or lost.sum() <= 0:
        raise ValueError("a cohort needs three falling figures or more")
    renewals = np.arange(1, len(left), dtype=float)

    def value(log_parameters: Floats) -> float:
        alpha, beta = np.exp(log_parameters)
        base = special.betaln(alpha, beta)
        going = special.betaln(alpha + 1, beta + renewals - 1) - base
        staying = special.betaln(alpha, beta + renewals[-1]) - base
        return -float(lost @ going + left[-1] * staying)

    found, height = _maximise(_with_differences(value), np.zeros(2))
    return ShiftedBetaGeometric(found[0], found[1], height)


def _arrays(
    x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    count, last, span = (np.asarray(values, dtype=float) for values in (x, t_x, T))
    return count, last, span


def _compressed(
    x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return distinct clients, how many there are of each, and the unit time was scaled by."""
    import pandas as pd

    count, last, span = _arrays(x, t_x, T)
    if not (count > 0).any():
        raise ValueError("nobody bought a second time: leaving cannot be told from silence")
    if np.any(last < 0) or np.any(last > span) or np.any((count == 0) & (last > 0)):
        raise ValueError("a last purchase lies outside the time its client was watched")
    unit = float(np.mean(span)) / 10.0
    rows = pd.DataFrame({"x": count, "t_x": last / unit, "T": span / unit})
    distinct = rows.groupby(["x", "t_x", "T"], sort=True).size().reset_index(name="weight")
    columns = [distinct[name].to_numpy(dtype=float) for name in ("x", "t_x", "T", "weight")]
    return columns[0], columns[1], columns[2], columns[3], unit


def _bg_nbd(parameters: Floats, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each client, and its slopes in r, alpha, a and b."""
    r, alpha, a, b = parameters
    repeat = x > 0
    left = b + np.maximum(x, 1.0) - 1.0
    alive = -(r + x) * np.log(alpha + T)
    gone = np.log(a) - np.log(left) - (r + x) * np.log(alpha + t_x)
    gone = np.where(repeat, gone, -np.inf)
    both = np.logaddexp(alive, gone)
    here, away = np.exp(alive - both), np.exp(gone - both)
    value = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + both
    value += special.betaln(a, b + x) - special.betaln(a, b)
    together = special.psi(a + b) - special.psi(a + b + x)
    watched = here * np.log(alpha + T) + away * np.log(alpha + t_x)
    slopes = (
        special.psi(r + x) - special.psi(r) + np.log(alpha) - watched,
        r / alpha - (r + x) * (here / (alpha + T) + away / (alpha + t_x)),
        together + away / a,
        together + special.psi(b + x) - special.psi(b) - away / left,
    )
    return value, np.column_stack(slopes)


def _pareto_terms(
    r: float, alpha: float, s: float, beta: float, x: Floats, t_x: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Return the logs of the two ways to see what was seen: still a client, and gone since.

    The hypergeometric series is taken after Euler's transformation, in which it stays near 1 for
    clients with hundreds of purchases.
    """
    here = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    larger, smaller = max(alpha, beta), min(alpha, beta)
    power = s + 1.0 if alpha >= beta else r + x
    total = r + s + x

    def tail(t: Floats) -> Floats:
        z = (larger - smaller) / (larger + t)
        series = special.hyp2f1(1.0, total + 1.0 - power, total + 1.0, z)
        return np.asarray(
            np.log(series) + (1.0 - power) * np.log1p(-z) - total * np.log(larger + t)
        )

    first, second = tail(t_x), tail(T)
    gap = np.where(second < first, -np.expm1(np.minimum(second - first, 0.0)), 1e-300)
    return here, np.log(s) - np.log(total) + first + np.log(np.maximum(gap, 1e-300))


def _with_differences(
    value: Callable[[Floats], float],
) -> Callable[[Floats], tuple[float, Floats]]:
    """Add a slope by central differences."""

    def both(at: Floats) -> tuple[float, Floats]:
        steps = 1e-5 * np.eye(len(at))
        slope = [(value(at + step) - value(at - step)) / 2e-5 for step in steps]
        return value(at), np.array(slope)

    return both


def _maximise(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats
) -> tuple[list[float], float]:
    """Return the parameters, from their logs, at the least loss, and minus that loss."""
    found = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS] * len(start),
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7},
    )
    return [float(v) for v in np.exp(found.x)], -float(found.fun)
