"""Say how small a rise would have been seen, and from when a remedy's effect could be.

Departures over a window are counts around what was expected. A rise is seen when its log
likelihood ratio against the expected passes a critical value: for one test named beforehand half
the squared normal quantile (`one_test`), for a scan the level its Monte Carlo draws set. So the
answer pays for the looking as the search itself does.

The power of a test of two Poisson rates is reviewed by Gu, Ng, Tang and Schucany (2008), Testing
the ratio of two Poisson rates; here it is that of the likelihood ratio.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

_LARGEST_RATIO = 1000.0


def one_test(level: float = 0.05, *, sides: int = 1) -> float:
    """Critical log likelihood ratio of a single test, named before looking.

    At 5 % it is 1.35 one-sided and 1.92 two-sided; a scan has its own, larger one.
    """
    return float(special.ndtri(level / sides) ** 2 / 2)


def chance_seen(
    expected: float,
    risk_ratio: float,
    *,
    compared: float = np.inf,
    critical: float | None = None,
    dispersion: float = 1.0,
) -> float:
    """Chance that a change of a given size passes.

    Parameters
    ----------
    expected
        Departures expected in the window without a change.
    risk_ratio
        True ratio of departures to expected; below 1 a fall is looked for.
    compared
        Departures that the expectation itself rests on (the window before, or the clients outside
        the scope); infinite when it is known.
    critical
        Log likelihood ratio to pass; that of one one-sided test at 5 % without.
    dispersion
        Variance of the counts over Poisson.
    """
    if expected <= 0 or compared <= 0:
        return 0.0
    due, base = expected / dispersion, compared / dispersion
    threshold = _threshold(due, base, one_test() if critical is None else critical, risk_ratio < 1)
    if threshold is None:
        return 0.0
    mean = due * risk_ratio
    spread = np.sqrt(mean + threshold**2 / base)
    beyond = (mean - threshold if risk_ratio >= 1 else threshold - mean) / spread
    return float(special.ndtr(beyond))


def smallest_rise(
    expected: float,
    *,
    power: float = 0.8,
    compared: float = np.inf,
    critical: float | None = None,
    dispersion: float = 1.0,
) -> float | None:
    """Smallest risk ratio above 1 that passes with the given power; None beyond 1,000.

    Parameters are those of `chance_seen`.
    """

    def short(log_ratio: float) -> float:
        ratio = float(np.exp(log_ratio))
        return power - chance_seen(
            expected, ratio, compared=compared, critical=critical, dispersion=dispersion
        )

    longest = float(np.log(_LARGEST_RATIO))
    if short(longest) > 0:
        return None
    return float(np.exp(optimize.brentq(short, 0.0, longest, xtol=1e-6)))


def readable_from(
    expected_per_period: npt.ArrayLike,
    risk_ratio: float,
    *,
    power: float = 0.8,
    compared: float = np.inf,
    critical: float | None = None,
    dispersion: float = 1.0,
) -> int | None:
    """Count the periods after which an effect could be seen with the given power.

    Parameters
    ----------
    expected_per_period
        Departures expected in each period from the remedy's start on, without the remedy.
    risk_ratio
        The effect that a remedy of full reach would have (0.6: departures fall by 40 %).
    compared, critical, dispersion
        As in `chance_seen`; `critical` is that of a two-sided test at 5 % without, since a remedy
        may also do harm.

    Returns
    -------
    Periods needed, counted from 1, or None when they do not suffice.
    """
    passes = one_test(sides=2) if critical is None else critical
    for periods, due in enumerate(np.cumsum(np.asarray(expected_per_period, dtype=float)), 1):
        seen = chance_seen(
            float(due), risk_ratio, compared=compared, critical=passes, dispersion=dispersion
        )
        if seen >= power:
            return periods
    return None


def _threshold(due: float, base: float, critical: float, fall: bool) -> float | None:
    """Count at which the log likelihood ratio reaches `critical`; None if no count does."""

    def short(count: float) -> float:
        return critical - _log_likelihood_ratio(count, due, base)

    if fall:
        return None if short(0.0) > 0 else float(optimize.brentq(short, 0.0, due))
    top = due + 10 * np.sqrt(critical * due) + 10 * critical
    while short(top) > 0:
        if top > 1e9 * (due + 1):
            return None
        top *= 2
    return float(optimize.brentq(short, due, top))


def _log_likelihood_ratio(count: float, due: float, base: float) -> float:
    """Count against `due`, which is known (infinite base) or rests on `base` departures."""
    if np.isinf(base):
        return float(special.kl_div(count, due))
    share = due / (due + base)
    total = count + base
    seen = special.rel_entr(count, total * share)
    return float(seen + special.rel_entr(base, total * (1 - share)))
