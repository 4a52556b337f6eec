"""Say how small a rise would have been seen, and how surely a change of a given size.

Departures over a window are counts around what was expected. A change is seen when its log
likelihood ratio against the expected passes a critical value, for one test named beforehand half
the squared normal quantile (`one_test`).

The power of a test of two Poisson rates is reviewed by Gu, Ng, Tang and Schucany (2008), Testing
the ratio of two Poisson rates; here it is that of the likelihood ratio.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

_LARGEST_RATIO = 1000.0


def one_test(level: float = 0.05, *, sides: int = 1) -> float:
    """Critical log likelihood ratio of a single test, named before looking.

    At 5 % it is 1.35 one-sided and 1.92 two-sided.
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
    dispersion: float = 1.0,
) -> float | None:
    """Smallest risk ratio above 1 that passes one test with the given power; None beyond 1,000.

    Parameters are those of `chance_seen`.
    """

    def short(log_ratio: float) -> float:
        ratio = float(np.exp(log_ratio))
        return power - chance_seen(expected, ratio, compared=compared, dispersion=dispersion)

    longest = float(np.log(_LARGEST_RATIO))
    if short(longest) > 0:
        return None
    return float(np.exp(optimize.brentq(short, 0.0, longest, xtol=1e-6)))


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
