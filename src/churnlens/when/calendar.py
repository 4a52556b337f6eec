"""Say whether departures changed with the calendar, with tenure, or with who was won when.

Departures are counted over tenure and calendar together (a Lexis table), so that a year of many
new clients is not taken for a year of many departures. Calendar less tenure is the cohort, so the
straight-line parts of the three cannot be told apart by any method; Holford's split says what can
be: the bends of each, and two sums of slopes.

Sources: Lexis (1875); Holford (1983), The estimation of age, period and cohort effects for vital
rates; Clayton and Schifflers (1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.results import Z95, Estimate, PeriodPoint, Skipped, Text
from churnlens.when import hazard

Floats = npt.NDArray[np.float64]

SMALLEST_CELL = 5
FEWEST_EVENTS, FEWEST_BANDS = 50, 3
LEAST_YEARS = 3  # of data, for a steady rise or fall from year to year
LARGEST_LOG = 30.0  # of a ratio: where nothing is known of it, its interval has no end


@dataclass(frozen=True)
class Lexis:
    """Client-periods at risk and departures, bands of tenure × bands of calendar.

    Both are cut in bands of `width` periods, tenure from 0 and the calendar back from its end, so
    that the last band is whole.
    """

    width: int
    at_risk: Floats
    departures: Floats
    clients: Floats  # most clients at risk in any one period of the cell

    def rates(self, smallest: int = SMALLEST_CELL) -> Floats:
        """Departures per client-period; NaN where fewer than `smallest` clients were at risk."""
        shown = self.clients >= smallest
        return np.where(shown, self.departures / np.maximum(self.at_risk, 1.0), np.nan)


@dataclass(frozen=True)
class Bend:
    """One of tenure, calendar and cohort less its straight line, in log rates.

    `p_value` is that of no bend at all.
    """

    band: tuple[int, ...]
    value: tuple[float, ...]
    error: tuple[float, ...]
    p_value: float


@dataclass(frozen=True)
class AgePeriodCohort:
    """What tenure, calendar and cohort are known to do.

    `drift` is the slope of calendar plus that of cohort (ratio of rates per band, for clients of
    the same tenure); `tenure_trend` the slope of tenure plus that of calendar (for clients
    followed over time). How either sum parts into its two cannot be known.
    """

    tenure: Bend
    calendar: Bend
    cohort: Bend
    drift: Estimate
    tenure_trend: Estimate
    dispersion: float
    text: Text


def period_points(
    periods: Sequence[str],
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    at_risk: npt.ArrayLike,
) -> tuple[PeriodPoint, ...]:
    """Put departures of each period beside those expected and what chance alone would give.

    Parameters
    ----------
    periods
        First day of each period, ISO.
    observed, expected, at_risk
        Departures, expected departures and clients at risk of each; departures stay in parts,
        since rounding or cutting them period by period would not add up.
    """
    due = np.asarray(expected, dtype=float)
    low, high = _band(due)
    return tuple(
        PeriodPoint(period, float(seen), float(mean), round(risk), float(below), float(above))
        for period, seen, mean, risk, below, above in zip(
            periods, np.asarray(observed), due, np.asarray(at_risk).tolist(), low, high, strict=True
        )
    )


def lexis(
    at_risk: npt.NDArray[Any],
    departures: npt.NDArray[Any],
    entry: npt.NDArray[Any],
    *,
    width: int = 1,
) -> Lexis:
    """Count client-periods and departures over tenure and calendar.

    Parameters
    ----------
    at_risk, departures
        How much of each spell was there to leave, and left, in each period (a probability, or yes
        and no); spells × periods.
    entry
        Period in which each became a client; below 0 for clients older than the data.
    width
        Periods to a band.
    """
    periods = at_risk.shape[1]
    entry = np.asarray(entry, dtype=np.int64)
    depth = int(periods - min(entry.min(initial=0), 0))
    exposed, gone, there = (np.zeros((depth, periods)) for _ in range(3))
    for period in range(periods):
        tenure = np.maximum(period - entry, 0)
        here = at_risk[:, period]
        exposed[:, period] = np.bincount(tenure, here, minlength=depth)
        gone[:, period] = np.bincount(tenure, departures[:, period], minlength=depth)
        there[:, period] = np.bincount(tenure[here > 0], minlength=depth)
    return Lexis(
        width=width,
        at_risk=_banded(exposed, width, np.add),
        departures=_banded(gone, width, np.add),
        clients=_banded(_banded(there, width, np.add, axes=(0,)), width, np.maximum, axes=(1,)),
    )


def age_period_cohort(table: Lexis, *, bands_a_year: float) -> AgePeriodCohort | Skipped:
    """Split rates into bends of tenure, calendar and cohort, and the two slopes that are known.

    A Poisson regression of all three factors on the Lexis cells; each factor's effects are then
    parted into the least-squares line over its bands and what is left, which no choice of
    constraint alters. Bands without a departure are left out. Errors carry the quasi-Poisson
    scale. `Skipped` under 50 departures or 3 bands of each. `bands_a_year` (4 for months in
    bands of three) is for the sentence.
    """
    cells = _cells(table)
    factors = [np.unique(cells[:, k]) for k in range(3)]
    lacking = _lacking(int(cells[:, 4].sum()), min(len(f) for f in factors))
    if lacking is not None:
        return Skipped("too_few_for_cohorts", str(lacking), lacking)
    X = np.hstack([np.ones((len(cells), 1)), *(_dummies(cells[:, k]) for k in range(3))])
    fit = hazard.fit(X, cells[:, 4], offset=np.log(cells[:, 3]), link="log")
    mean = fit.probability(X, np.log(cells[:, 3]))
    free = len(cells) - (X.shape[1] - len(fit.aliased))
    scale = max(1.0, float(np.sum((cells[:, 4] - mean) ** 2 / mean)) / max(free, 1))
    covariance = np.where(np.isfinite(fit.covariance), fit.covariance, 0.0) * scale
    places = np.cumsum([1, *(len(f) - 1 for f in factors)])
    blocks = [_contrasts(f, int(p), X.shape[1]) for f, p in zip(factors, places, strict=False)]
    slopes = np.stack([line for line, _ in blocks])
    tenure, period, cohort = (
        _bend(band, contrast, fit.coefficients, covariance)
        for band, (_, contrast) in zip(factors, blocks, strict=True)
    )
    drift = _ratio(slopes[1] + slopes[2], fit.coefficients, covariance)
    trend = _ratio(slopes[0] + slopes[1], fit.coefficients, covariance)
    years = (factors[1][-1] - factors[1][0] + 1) / bands_a_year
    text = Text(_TOO_SHORT) if years < LEAST_YEARS else _sentence(drift, bands_a_year)
    return AgePeriodCohort(tenure, period, cohort, drift, trend, scale, text)


def _lacking(departures: int, bands: int) -> Text | None:
    """Say what is too little to part the three: departures, or the fewest bands of one of them."""
    if departures < FEWEST_EVENTS:
        return Text(
            "Too few departures to part tenure, calendar and cohort: {seen}, {needed} are needed.",
            {"seen": departures, "needed": FEWEST_EVENTS},
        )
    if bands < FEWEST_BANDS:
        return Text(
            "Tenure, calendar and cohort cannot be parted: one of them has departures in fewer "
            "than {needed} bands.",
            {"needed": FEWEST_BANDS},
        )
    return None


def _band(mean: Floats) -> tuple[Floats, Floats]:
    """Return counts that chance alone (Poisson) falls below or exceeds one time in forty each."""
    due = np.maximum(mean, 1e-9)
    low, high = (np.maximum(special.pdtrik(q, due), 0.0) for q in (0.025, 0.975))
    return np.floor(low), np.ceil(high)


def _banded(counts: Floats, width: int, join: np.ufunc, axes: tuple[int, ...] = (0, 1)) -> Floats:
    """Join `width` neighbours: tenure from 0 on, the calendar so that its last band is whole."""
    for axis in axes:
        size = counts.shape[axis]
        first = 0 if axis == 0 else (-(-size // width) * width - size)
        edges = np.maximum(np.arange(0, size + first, width) - first, 0)
        counts = join.reduceat(counts, edges, axis=axis)
    return counts


def _cells(table: Lexis) -> Floats:
    """Tenure, calendar and cohort band, client-periods and departures of each cell at risk.

    Bands in which nobody left have no finite rate and are dropped, again until none is left.
    """
    tenure, calendar = np.nonzero(table.at_risk > 0)
    cells = np.column_stack(
        (
            tenure,
            calendar,
            calendar - tenure,
            table.at_risk[tenure, calendar],
            table.departures[tenure, calendar],
        )
    )
    while True:
        kept = np.ones(len(cells), dtype=bool)
        for k in range(3):
            bands, place = np.unique(cells[:, k], return_inverse=True)
            kept &= (np.bincount(place, cells[:, 4], minlength=len(bands)) > 0)[place]
        if kept.all():
            return cells
        cells = cells[kept]


def _dummies(bands: Floats) -> Floats:
    """One column for each band but the first."""
    return np.asarray(bands[:, None] == np.unique(bands)[None, 1:], dtype=float)


def _contrasts(bands: Floats, place: int, size: int) -> tuple[Floats, Floats]:
    """Return what turns coefficients into a factor's slope, and into its bends."""
    effects = np.zeros((len(bands), size))
    effects[np.arange(1, len(bands)), place + np.arange(len(bands) - 1)] = 1.0
    steps = bands - bands.mean()
    line = steps / (steps @ steps)
    left = np.eye(len(bands)) - 1.0 / len(bands) - np.outer(steps, line)
    return line @ effects, left @ effects


def _bend(bands: Floats, contrast: Floats, beta: Floats, covariance: Floats) -> Bend:
    value, spread = contrast @ beta, contrast @ covariance @ contrast.T
    degrees = len(bands) - 2
    statistic = float(value @ np.linalg.pinv(spread, rcond=1e-8, hermitian=True) @ value)
    return Bend(
        band=tuple(int(b) for b in bands),
        value=tuple(float(v) for v in value),
        error=tuple(float(v) for v in np.sqrt(np.clip(np.diag(spread), 0.0, None))),
        p_value=float(special.chdtrc(degrees, statistic)),
    )


def _ratio(contrast: Floats, beta: Floats, covariance: Floats) -> Estimate:
    value = float(contrast @ beta)
    width = Z95 * max(float(contrast @ covariance @ contrast), 0.0) ** 0.5
    ends = np.array([value, value - width, value + width])
    point, low, high = np.exp(ends.clip(-LARGEST_LOG, LARGEST_LOG))
    return Estimate(float(point), float(low), float(high))


def _sentence(drift: Estimate, bands_a_year: float) -> Text:
    if drift.low <= 1.0 <= drift.high:
        return Text(_NO_DRIFT)
    yearly = (abs(v**bands_a_year - 1.0) for v in (drift.value, drift.low, drift.high))
    share, low, high = ({"type": "percent", "value": v} for v in yearly)
    if drift.value > 1:
        return Text(_RISING, {"share": share, "low": low, "high": high})
    return Text(_FALLING, {"share": share, "low": high, "high": low})


_RISING = (
    "At the same tenure, clients leave {share} more often each year ({low} to {high}). Whether "
    "that is the times or the newer clients cannot be known: the calendar is always tenure plus "
    "the date of winning."
)
_FALLING = (
    "At the same tenure, clients leave {share} less often each year ({low} to {high}). Whether "
    "that is the times or the newer clients cannot be known: the calendar is always tenure plus "
    "the date of winning."
)
_TOO_SHORT = (
    "The data cover less than three years, too short a time to say whether clients of the same "
    "tenure leave more or less often from year to year."
)
_NO_DRIFT = "Over all the years, clients of the same tenure show no steady rise or fall in leaving."
