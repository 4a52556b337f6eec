"""How many departures were to be expected of whom, had nothing changed? By a hazard.

A Poisson hazard with a factor for tenure, season, the client's usual order rate, the time left to
see a departure in, and every segment attribute, but no calendar trend: what is left over time is
what the scan looks at. With factors only, the likelihood equations say that observed and expected
agree in every margin, and iterative proportional fitting (Deming & Stephan 1940) solves them from
sums, so the cost is a few passes over the panel whatever the number of factors. Factors are shrunk
to 1 by a gamma prior, so that a value without departures does not run off to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.cumulative import cumulative
from churnlens.panel.onsets import OnsetLikelihood
from churnlens.panel.periods import Calendar
from churnlens.panel.tenure import passed

Array = npt.NDArray[Any]

PRIOR = 3.0  # pseudo-departures by which every factor is shrunk to 1
TENURE_BANDS = (6, 12, 24, 48)  # months
TENURES = len(TENURE_BANDS) + 2  # bands of tenure, with one for those whose age is not known
RATE_BANDS = 5
CLOCK_BANDS = (0.5, 1.0, 1.5, 2.5)  # time left, in the time the client takes to order four times
BANDS = (len(CLOCK_BANDS) + 1) * (RATE_BANDS + 1)  # of time left and order rate
SWEEPS, ROUNDS = 4, 2
# Where less than this can be told of a departure, what is found rests on how silence is modelled
# more than on what the client did; a small error there would look like a large effect.
LEAST_INFORMATION = 0.4


@dataclass(frozen=True)
class Moments:
    """Client-periods alike in time left, tenure, order rate and season: in all that changes.

    `at` is the moment of each client-period, int16[n, T]; `factors` the level that each moment has
    in every factor, int[moments], with the number of levels. The first factor is the time left.
    """

    at: Array
    factors: tuple[tuple[Array, int], ...]


@dataclass(frozen=True)
class Baseline:
    """What was to be expected, and how much of it the data can tell.

    `panel` has its departures weighed under `hazard` (per period, float32[n, T]). `expected` and
    `observed` are effective departures, float32[n, T]: where a departure can be told for sure they
    are hazard × active and what was found; where little can be told both are near nothing
    and their difference is what was found less what was expected. `moments` are those that the
    hazard was fitted by, None where it was given.
    """

    panel: Panel
    hazard: Array
    expected: Array
    observed: Array
    moments: Moments | None = None

    @property
    def departures(self) -> float:
        """Departures in the panel, certain and probable together."""
        return float(self.panel.found.sum(dtype=np.float64))

    def rows(self, keep: Array) -> Baseline:
        """Return the baseline of some spells: what weighing, scanning and fitting read."""
        panel, whole = self.panel, self.panel.likelihood
        small = replace(
            panel,
            likelihood=None
            if whole is None
            else OnsetLikelihood(whole.log_ratio[keep], whole.possible[keep]),
            found=panel.found[keep],
            active=panel.active[keep],
        )
        moments = self.moments and replace(self.moments, at=self.moments.at[keep])
        return Baseline(small, self.hazard[keep], self.expected[keep], self.observed[keep], moments)


def fit(panel: Panel) -> Baseline:
    """Fit the baseline hazard and weigh the panel's departures under it."""
    bands = _bands(panel)
    moments = _moments(panel.calendar, bands)
    if panel.likelihood is None:
        hazard = _proportional(panel, moments, np.ones(BANDS))
        return replace(_weighed(panel, hazard, bands), moments=moments)
    # What is not told by the data only repeats what was assumed of it; were it to correct that in
    # turn, a small flaw of the likelihood would grow from round to round.
    told = np.zeros(BANDS)
    hazard = np.zeros_like(panel.active)
    for _ in range(ROUNDS):
        hazard = _proportional(panel, moments, told)
        panel = panel.weigh(hazard)
        expected = hazard * panel.active
        told = _information(panel, expected, panel.found - expected, bands)
    return replace(_weighed(panel, hazard, bands), moments=moments)


def weighed(panel: Panel, hazard: Array) -> Baseline:
    """Return a panel's effective departures under a hazard (float32[n, T])."""
    return _weighed(panel, hazard, _bands(panel))


@dataclass(frozen=True)
class _Bands:
    """Bands of tenure, of the usual order rate and of the time left, int8[n, T] each."""

    tenure: Array
    rate: Array
    clock: Array

    @property
    def informed(self) -> Array:
        """Time left and order rate in one number: what information on departures depends on."""
        return self.clock * np.int16(RATE_BANDS + 1) + self.rate


def _bands(panel: Panel) -> _Bands:
    rate = _past_rate(panel)
    there = rate[panel.at_risk]
    edges = (
        np.quantile(there, np.linspace(0, 1, RATE_BANDS + 1)[1:-1]) if there.size else np.zeros(0)
    )
    e = cumulative(panel.activity.exposure)
    clock = 1 + 4 * panel.activity.order_scatter[:, None] / rate
    left = (e[:, -1:] - e[:, :-1]) / clock
    return _Bands(tenure_of(panel), _band(rate, np.unique(edges)), _band(left, CLOCK_BANDS))


def tenure_of(panel: Panel) -> Array:
    """Return the band of tenure of each client-period, int8[n, T]; the last: it is not known."""
    band = passed(panel.calendar, panel.tenure, TENURE_BANDS)
    band[panel.known_from_start] = TENURES - 1
    return band


def _band(values: Array, edges: Iterable[float]) -> Array:
    """Return the number of edges below each value, int8."""
    band = np.zeros(values.shape, np.int8)
    for edge in edges:
        band += values > edge
    return band


def _past_rate(panel: Panel) -> Array:
    """Orders a period over the past year, from the past alone, float32[n, T]."""
    year = panel.calendar.per_year
    x, e = cumulative(panel.activity.orders), cumulative(panel.activity.exposure)
    orders, due = x[:, :-1].copy(), e[:, :-1].copy()
    orders[:, year:] -= x[:, : -year - 1]
    due[:, year:] -= e[:, : -year - 1]
    return np.asarray((orders + np.float32(0.5)) / (due + np.float32(0.5)))


def _weighed(panel: Panel, hazard: Array, bands: _Bands) -> Baseline:
    expected = hazard * panel.active
    if panel.likelihood is None:
        return Baseline(panel, hazard, expected, panel.found)
    surprise = panel.found - expected
    informed = _information(panel, expected, surprise, bands).astype(np.float32)[bands.informed]
    effective = (expected * informed).astype(np.float32)
    return Baseline(panel, hazard, effective, np.where(informed > 0, effective + surprise, 0))


def _information(panel: Panel, expected: Array, surprise: Array, bands: _Bands) -> Array:
    """Part of the full information on departures that is there, float[BANDS].

    For departures known for sure, the variance of found less expected is the expected number; what
    is uncertain varies less. Neighbouring periods of a client are summed, since an onset that
    cannot be dated to the period is shared among them.
    """
    band = bands.informed
    width = panel.calendar.span(4)
    running = cumulative(surprise)
    periods = surprise.shape[1]
    t = np.arange(periods)
    around = running[:, np.minimum(t + width + 1, periods)] - running[:, np.maximum(t - width, 0)]
    variance = np.bincount(band.ravel(), (surprise * around).ravel(), minlength=BANDS)
    full = np.bincount(band.ravel(), expected.ravel(), minlength=BANDS)
    overall = variance.sum() / max(full.sum(), 1e-9)
    part = (variance + 10 * overall) / (full + 10)  # ten departures' worth of shrinkage
    return np.where(part >= LEAST_INFORMATION, part.clip(0, 1), 0)


def _proportional(panel: Panel, moments: Moments, told: Array) -> Array:
    """Hazard as a product of factors, each sweep bringing every margin in line with what was found.

    A client-period's factors depend on the client (its attributes) or on the moment (bands,
    season); each kind is summed over the panel once a sweep, and its factors are found from the
    sums. Those of the time left count only what the data tell (`told`, float[BANDS]).
    """
    moment, of_moment = moments.at, moments.factors
    (clock, _), _, (rate, rates) = of_moment[:3]
    band = clock * rates + rate
    of_client = [
        (panel.attributes[name].cat.codes.to_numpy(), len(panel.attributes[name].cat.categories))
        for name in panel.attributes
    ]
    found, active = panel.found, panel.active
    total = found.sum(dtype=np.float64)
    by_client = np.ones(len(active), np.float32)
    by_moment = np.full(len(of_moment[0][0]), total / max(active.sum(dtype=np.float64), 1e-9))
    seen_moment = np.bincount(moment.ravel(), found.ravel(), minlength=len(by_moment))
    seen_client = found.sum(axis=1)
    for _ in range(SWEEPS):
        there = (by_client[:, None] * active).ravel()
        exposed = np.bincount(moment.ravel(), there, minlength=len(by_moment))
        by_moment = _in_line(by_moment, exposed, seen_moment, of_moment[1:])
        by_moment = _in_line(
            by_moment, exposed * told[band], seen_moment * told[band], of_moment[:1]
        )
        exposed = np.einsum("it,it->i", by_moment.astype(np.float32)[moment], active)
        by_client = _in_line(by_client, exposed, seen_client, of_client).astype(np.float32)
    hazard = by_moment.astype(np.float32)[moment]
    hazard *= by_client[:, None]
    due = np.einsum("it,it->i", hazard, active).sum(dtype=np.float64)
    return np.asarray(hazard * np.float32(total / max(due, 1e-9)))


def _in_line(
    risk: Array, exposed: Array, seen: Array, factors: Iterable[tuple[Array, int]]
) -> Array:
    """Multiply risks (per unit `exposed`) factor by factor so that `seen` is met in every level."""
    for codes, levels in factors:
        want = np.bincount(codes, seen, minlength=levels)
        due = np.bincount(codes, risk * exposed, minlength=levels)
        risk = risk * ((want + PRIOR) / (due + PRIOR))[codes]
    return risk


def season_of(cal: Calendar) -> Array:
    """Return the season that each period is in for the baseline, int[T]; one before two years."""
    two_years = len(cal.starts) >= 2 * cal.per_year
    return np.asarray(cal.season if two_years else np.zeros(len(cal.starts), int))


def _moments(cal: Calendar, bands: _Bands) -> Moments:
    tenures, rates, clocks = TENURES, RATE_BANDS + 1, len(CLOCK_BANDS) + 1
    season = season_of(cal)
    seasons = int(season.max()) + 1
    moment = bands.tenure.astype(np.int16) * rates + bands.rate
    moment = (moment * clocks + bands.clock) * seasons + season.astype(np.int16)
    tenure, rate, clock, in_year = np.unravel_index(
        np.arange(tenures * rates * clocks * seasons), (tenures, rates, clocks, seasons)
    )
    factors = ((clock, clocks), (tenure, tenures), (rate, rates), (in_year, seasons))
    return Moments(moment, factors if seasons > 1 else factors[:-1])
