"""Find when departures, or a driver, began to change: the date, its interval, and its p-value.

The p-value is of the whole search: the largest likelihood ratio over all start dates against the
largest that Monte Carlo draws without a change reach. The interval is the shortest run of dates
that holds 95 % of the posterior over start dates, steps and ramps of several lengths together, so
that not knowing whether a rise was sudden widens it as it should.

Sources: Kulldorff (2001) for the scan over time; Chernoff and Zacks (1964) and Smith (1975) for
the posterior of a change date; Bai and Perron (1998) for several changes found one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.panel.periods import Calendar
from churnlens.results import Skipped, Text
from churnlens.when import shapes

Floats = npt.NDArray[np.float64]
Direction = Literal["rise", "either"]

FEWEST_EVENTS = 20
FEWEST_PERIODS = 8
LONGEST_RAMP = 6  # months that a change may take to come in, and periods
RAMPS = tuple(range(LONGEST_RAMP + 1))  # of months
_LEVEL = 0.95
_GRADUAL = 0.75
_FULL = 100.0  # times that variance: a season taken out unshrunk
_STANDS_OUT = 10.0  # standard errors of a jump beside straight lines before and after it
_SEASON_VARIANCES = (0.0, 0.3, 3.0, 30.0)  # over the noise's; 0: there is no season


@dataclass(frozen=True)
class ChangeDate:
    """A change: `start` is the position of the first changed period, `low` and `high` its 95 %.

    `before` and `after` are levels: observed over expected for counts, the mean for a series.
    `ramp` is the number of periods the change took to come in (0: at once), if it began at `start`,
    and `gradual` the probability that it was no step. `chances[t]` is the probability that it began
    in period t.
    """

    start: int
    low: int
    high: int
    before: float
    after: float
    ramp: int
    gradual: float
    p_value: float
    dispersion: float
    chances: tuple[float, ...]

    @property
    def is_gradual(self) -> bool:
        """Whether it may be called gradual: the data speak three to one against a step."""
        return self.gradual > _GRADUAL

    @property
    def ratio(self) -> float:
        """Level after over level before."""
        return self.after / self.before if self.before else float("inf")

    def level(self) -> Floats:
        """Return the fitted level of every period."""
        share = shapes.shape(len(self.chances), (self.ramp,))[0, self.start]
        return np.asarray(self.before + (self.after - self.before) * share)


def ramps_of(cal: Calendar) -> tuple[int, ...]:
    """Return the lengths of time that a change may take to come in, in periods; 0 is at once.

    Every length up to six periods, and whole months up to six: half a year is 26 weeks, and to try
    each length up to that would take twice as long and say no more.
    """
    months = range(1, LONGEST_RAMP + 1)
    return tuple(sorted({*RAMPS, *(cal.span(m) for m in months)}))


def date_counts(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    direction: Direction = "rise",
    edge: int = 2,
    draws: int = 999,
    ramps: tuple[int, ...] = RAMPS,
) -> ChangeDate | Skipped:
    """Date a change in counts against what was expected.

    Parameters
    ----------
    observed, expected
        Departures of each period, and those expected without a change; only the proportions of
        `expected` matter, as the total is held fixed.
    direction
        `"rise"` looks for rises alone, `"either"` for rises and falls.
    edge
        Fewest periods before and after the change.
    draws
        Monte Carlo draws behind the p-value.
    ramps
        Lengths of time that the change may take to come in, in periods, 0 (at once) the first; of
        other periods than months see `ramps_of`.

    Returns
    -------
    The likeliest change with its p-value, however large; `Skipped` with fewer than 20 departures
    or 8 periods. Counts that vary more than Poisson from period to period (quasi-Poisson scale
    above 1, from successive differences) widen the interval and raise the p-value.
    """
    seen = np.asarray(observed, dtype=np.float64)
    due = np.asarray(expected, dtype=np.float64)
    short = _too_short(seen, due)
    if short is not None:
        return short
    due = np.maximum(due, 1e-9 * due.sum())
    null = _draw(seen.sum(), due, draws, rng)
    scale = float(np.mean(_roughness(null, due)))
    dispersion = max(1.0, float(_roughness(seen[None, :], due)[0]) / scale)
    p_value = _count_p(seen, due, dispersion, scale, null, rng, direction, edge)
    weighed = shapes.weigh_counts(seen, due, ramps, direction=direction, dispersion=dispersion)
    start, ramp, gradual, chances = _choose(weighed.log_evidence, ramps, edge)
    before, after = _count_levels(seen, due, start, ramp)
    low, high = _shortest(chances, start)
    return ChangeDate(
        start, low, high, before, after, ramp, gradual, p_value, dispersion, tuple(chances.tolist())
    )


def date_series(
    values: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    edge: int = 2,
    draws: int = 999,
    ramps: tuple[int, ...] = RAMPS,
    seasons: npt.NDArray[np.int_] | None = None,
) -> ChangeDate | Skipped:
    """Date a shift, up or down, in the mean of a series.

    Parameters
    ----------
    values
        One number a period (a driver's mean); missing ones are NaN and are left out.
    weights
        Precision of each, such as the number of clients behind it; equal without.
    seasons
        The season of each period (its month of the year, say), int[T], where the series may have
        one of unknown shape: it is weighed together with the change.
    edge, draws, ramps
        As in `date_counts`.

    Returns
    -------
    The likeliest shift with its p-value; `Skipped` with fewer than 8 values. Noise that carries
    over from one period to the next (first autocorrelation of the residuals above what chance
    gives) widens the interval of a small shift, though not of a jump that no such noise makes, and
    raises the p-value. `dispersion` is by how much it makes a mean less certain.
    """
    full = np.asarray(values, dtype=np.float64)
    heavy = np.ones(len(full)) if weights is None else np.asarray(weights, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(full) & (heavy > 0))
    if len(there) < FEWEST_PERIODS:
        return _few_periods(len(there))
    x, w = full[there], heavy[there] / heavy[there].mean()
    season = None if seasons is None else _season(x, w, seasons[there], ramps)
    carried = _carried_over(x, w, ramps, edge, season)
    weighed = shapes.weigh_means(x, w, ramps, carried=carried, season=season)
    # What goes up slowly is neither a step nor such noise: then its date is as blurred as it looks.
    blurred = _inflation(_left_over(x, w, weighed, ramps, carried, season, edge))
    start, ramp, gradual, chances = _choose(weighed.log_evidence / blurred, ramps, edge)
    low, high = _shortest(chances, start)
    # Its size is a difference of plain means: what the noise carries over says when, not how much.
    shift = float(shapes.weigh_means(x, w, (ramp,), season=season).size[0, start])
    rest = x - shift * shapes.shape(len(x), (ramp,))[0, start]
    yearly = np.zeros(len(x)) if season is None else shapes.season_effects(rest, w, season)
    p_value = _series_p(x - yearly, w, carried, rng, edge, draws)
    before = float(np.average(rest - yearly, weights=w))
    spread = np.zeros(len(full))
    spread[there] = chances
    first, soonest, latest = (int(there[place]) for place in (start, low, high))
    return ChangeDate(
        first,
        soonest,
        latest,
        before,
        before + shift,
        ramp,
        gradual,
        p_value,
        _inflation(carried),
        tuple(spread.tolist()),
    )


def date_of(log_evidence: Floats, edge: int = 2) -> tuple[int, int, int, bool]:
    """Return the start of a change, the 95 % interval of it, and whether it was gradual.

    Parameters
    ----------
    log_evidence
        By length of the change (the first: at once, the others evenly apart) and start,
        float[ramps, T]; −∞ where the start cannot be. All starts are equally likely beforehand,
        and so are a step and a ramp.
    edge
        Fewest periods before and after the change.
    """
    ramps = tuple(range(len(log_evidence)))
    start, _, gradual, chances = _choose(log_evidence, ramps, edge)
    return start, *_shortest(chances, start), gradual > _GRADUAL


def date_changes(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    direction: Direction = "either",
    level: float = 0.05,
    most: int = 4,
    edge: int = 2,
    draws: int = 999,
    ramps: tuple[int, ...] = RAMPS,
) -> tuple[ChangeDate, ...]:
    """Date several changes in counts, one after another, each with the others explained.

    Each is searched for with those found before it put into what was expected, until the next
    would not pass at `level`; after each, all are dated anew given the others. Returns them by
    date; none where the first does not pass or the counts are too few.
    """
    seen = np.asarray(observed, dtype=np.float64)
    due = np.asarray(expected, dtype=np.float64)
    found: list[ChangeDate] = []

    def date(others: list[ChangeDate]) -> ChangeDate | Skipped:
        rest = due * _product(others, len(due))
        return date_counts(
            seen, rest, rng=rng, direction=direction, edge=edge, draws=draws, ramps=ramps
        )

    while len(found) < most:
        change = date(found)
        if isinstance(change, Skipped) or change.p_value > level:
            break
        found.append(change)
        for place in range(len(found) - 1):
            again = date(found[:place] + found[place + 1 :])
            found[place] = again if isinstance(again, ChangeDate) else found[place]
    return tuple(sorted(found, key=lambda change: change.start))


def _product(changes: list[ChangeDate], periods: int) -> Floats:
    levels = [change.level() / change.before for change in changes if change.before > 0]
    return np.prod(levels, axis=0) if levels else np.ones(periods)


def _too_short(seen: Floats, due: Floats) -> Skipped | None:
    if len(seen) != len(due):
        raise ValueError(f"{len(seen)} observed periods, {len(due)} expected ones")
    if len(seen) < FEWEST_PERIODS:
        return _few_periods(len(seen))
    if seen.sum() < FEWEST_EVENTS or due.sum() <= 0:
        values = {"seen": int(seen.sum()), "needed": FEWEST_EVENTS}
        text = Text(
            "Too few departures stand out clearly enough to date a change: about {seen}, {needed} "
            "are needed.",
            values,
        )
        return Skipped("too_few_departures", str(text), text)
    return None


def _few_periods(periods: int) -> Skipped:
    values = {"seen": periods, "needed": FEWEST_PERIODS}
    text = Text("Too few periods to date a change: {seen}, {needed} are needed.", values)
    return Skipped("too_few_periods", str(text), text)


def _draw(total: float, due: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Draws × periods of counts without a change, with the same total."""
    return rng.multinomial(max(round(total), 1), due / due.sum(), size=draws).astype(np.float64)


def _roughness(counts: Floats, due: Floats) -> Floats:
    """Scale of period-to-period variation of each row against Poisson, from differences.

    The largest difference is left out: a step shows in one alone. That lowers the figure a
    little, and equally for draws without a change, by whose mean it is divided.
    """
    pair = counts[:, 1:] + counts[:, :-1]
    gap = counts[:, 1:] / due[1:] - counts[:, :-1] / due[:-1]
    square = np.where(pair > 0, gap**2 * due[1:] * due[:-1] / np.maximum(pair, 1.0), 0.0)
    used = np.maximum((pair > 0).sum(axis=1) - 1, 1)
    return np.asarray((square.sum(axis=1) - square.max(axis=1)) / used)


def _count_p(
    seen: Floats,
    due: Floats,
    dispersion: float,
    scale: float,
    null: Floats,
    rng: np.random.Generator,
    direction: Direction,
    edge: int,
) -> float:
    """Chance of so large a ratio without a change, its scale estimated anew in every draw."""
    if dispersion > 1.0:
        null = _draw(seen.sum() / dispersion, due, len(null), rng)
    spread = np.maximum(1.0 / dispersion, _roughness(null, due) / scale)
    largest = _largest_ratio(null, due, direction, edge) / spread
    return _exceeded(_largest_ratio(seen[None, :], due, direction, edge)[0] / dispersion, largest)


def _series_p(
    x: Floats, w: Floats, carried: float, rng: np.random.Generator, edge: int, draws: int
) -> float:
    """Chance of so large a shift without a change, its noise carried over as in the data."""
    null = rng.standard_normal((draws, len(x)))
    if carried:
        for t in range(1, len(x)):
            null[:, t] += carried * null[:, t - 1]
    largest = _largest_shift(null / np.sqrt(w), w, edge)
    return _exceeded(_largest_shift(x[None, :], w, edge)[0], largest)


def _largest_ratio(counts: Floats, due: Floats, direction: Direction, edge: int) -> Floats:
    """Largest log likelihood ratio over start dates of each row of counts."""
    total = counts.sum(axis=1, keepdims=True)
    before = np.cumsum(counts, axis=1)[:, edge - 1 : -edge]
    share = (np.cumsum(due) / due.sum())[edge - 1 : -edge]
    after = total - before
    ratio = special.rel_entr(before, total * share) + special.rel_entr(after, total * (1 - share))
    if direction == "rise":
        ratio = np.where(after > total * (1 - share), ratio, 0.0)
    return np.asarray(ratio.max(axis=1))


def _largest_shift(series: Floats, weights: Floats, edge: int) -> Floats:
    """Largest squared t of a shift in mean over start dates of each row."""
    mass = weights.sum()
    from_mean = series - (series @ weights)[:, None] / mass
    below = np.cumsum(from_mean * weights, axis=1)[:, edge - 1 : -edge]
    left = np.cumsum(weights)[edge - 1 : -edge]
    explained = (below**2 * mass / (left * (mass - left))).max(axis=1)
    total = (from_mean**2) @ weights
    return np.asarray(explained / np.maximum(total - explained, 1e-12 * np.maximum(total, 1e-300)))


def _season(
    x: Floats, w: Floats, codes: npt.NDArray[np.int_], ramps: tuple[int, ...]
) -> shapes.Season:
    """Return the season with the strength that explains the series best, beside any change in it.

    Strength and change are weighed together: a step passes for a season in part if the season is
    taken out beforehand, and its date is blurred.
    """

    def evidence(variance: float) -> float:
        weighed = shapes.weigh_means(x, w, ramps, season=shapes.Season(codes, variance))
        return float(special.logsumexp(weighed.log_evidence))

    return shapes.Season(codes, max(_SEASON_VARIANCES, key=evidence))


def _carried_over(
    x: Floats, w: Floats, ramps: tuple[int, ...], edge: int, season: shapes.Season | None
) -> float:
    """First autocorrelation left after the best shift and a straight line on either side of it.

    The lines, for a driver often ebbs after its change (those who had most of it leave): no
    noise. Not below 0.
    """
    # All lengths are tried, for a ramp of another one would leave a wave over.
    weighed = shapes.weigh_means(x, w, ramps, season=season)
    ramp, start = _best(weighed, edge)
    share = shapes.shape(len(x), ramps)[ramp, start]
    since = np.arange(len(x)) - start
    lines = np.stack([np.ones(len(x)), share, since.clip(max=0), since.clip(min=0)], axis=1)
    if season is not None:
        # What little a season is shrunk would be left over every year alike, as a wave: all of it
        # is taken out, as far as it has been seen.
        whole = shapes.Season(season.codes, _FULL * season.variance)
        x = x - shapes.season_effects(x - weighed.size[ramp, start] * share, w, whole)
    root = np.sqrt(w)
    rest = root * (x - lines @ np.linalg.lstsq(root[:, None] * lines, root * x, rcond=None)[0])
    power = float(rest @ rest)
    if power <= 1e-9 * w @ (x - np.average(x, weights=w)) ** 2:
        return 0.0  # a change without any noise: what is left is rounding
    r = float(rest[1:] @ rest[:-1]) / power
    # what is fitted pulls the autocorrelation down, by (3.8 + 12.5 r) / n in simulations
    n = max(len(x), 20)
    return float(np.clip((r + 3.8 / n) / (1.0 - 12.5 / n), 0.0, 0.9))


def _left_over(
    x: Floats,
    w: Floats,
    weighed: shapes.Weighed,
    ramps: tuple[int, ...],
    carried: float,
    season: shapes.Season | None,
    edge: int,
) -> float:
    """First autocorrelation of what the best change leaves over once the noise's own is out.

    Beside a straight line on either side where a jump stands out from those: then it only ebbs.
    """
    ramp, start = _best(weighed, edge)
    even = shapes.whitening(w, season, carried)
    share = shapes.shape(len(x), ramps)[ramp, start]
    since = np.arange(len(x)) - start
    lines = np.stack([np.ones(len(x)), share, since.clip(max=0), since.clip(min=0)], axis=1)
    design, seen = even @ lines, even @ x
    size = np.linalg.lstsq(design, seen, rcond=None)[0]
    rest = seen - design @ size
    power = float(rest @ rest)
    if power <= 1e-9 * w @ (x - np.average(x, weights=w)) ** 2:
        return 0.0
    error = power / (len(x) - 4) * np.linalg.pinv(design.T @ design)[1, 1]
    if size[1] ** 2 < _STANDS_OUT**2 * error:
        plain = design[:, :2]
        rest = seen - plain @ np.linalg.lstsq(plain, seen, rcond=None)[0]
        power = float(rest @ rest)
    return float(np.clip(rest[1:] @ rest[:-1] / power, 0.0, 0.9))


def _best(weighed: shapes.Weighed, edge: int) -> tuple[int, int]:
    """Place of the ramp, and start, of the largest evidence."""
    inside = weighed.log_evidence[:, edge : weighed.size.shape[1] - edge + 1]
    ramp, place = np.unravel_index(np.argmax(inside), inside.shape)
    return int(ramp), int(place) + edge


def _inflation(carried: float) -> float:
    return (1 + carried) / (1 - carried)


def _exceeded(value: float, null: Floats) -> float:
    return float((1 + np.sum(null >= value * (1 - 1e-12))) / (1 + len(null)))


def _choose(
    log_evidence: Floats, ramps: tuple[int, ...], edge: int
) -> tuple[int, int, float, Floats]:
    """Return start, ramp, probability of a ramp, and the probability of each start.

    All starts are equally likely beforehand. The start is the median, which is off by fewer
    periods than the likeliest one; the ramp is the likeliest one that begins there.
    """
    periods = log_evidence.shape[1]
    allowed = np.zeros(periods, dtype=bool)
    allowed[edge : periods - edge + 1] = True
    joint = np.where(
        allowed, _prior(ramps) * np.exp(log_evidence - log_evidence[:, allowed].max()), 0.0
    )
    joint /= joint.sum()
    gradual, chances = float(joint[1:].sum()), joint.sum(axis=0)
    start = int(np.searchsorted(np.cumsum(chances), 0.5))
    return start, ramps[int(np.argmax(joint[:, start]))], gradual, chances


def _prior(ramps: tuple[int, ...]) -> Floats:
    """Chance beforehand of each length, float[ramps, 1]: a step is as likely as a ramp of any.

    Ramps of all lengths are alike likely, so one that stands for those around it counts for them.
    """
    if len(ramps) == 1:
        return np.ones((1, 1))
    wide = np.gradient(np.asarray(ramps, dtype=np.float64))[1:]
    return np.append(0.5, 0.5 * wide / wide.sum())[:, None]


def _shortest(chances: Floats, start: int) -> tuple[int, int]:
    """Return the ends of the shortest run of dates around `start` holding 95 % of the chances."""
    sums = np.concatenate(([0.0], np.cumsum(chances)))
    low, high = np.meshgrid(np.arange(start + 1), np.arange(start, len(chances)), indexing="ij")
    held = sums[high + 1] - sums[low]
    length = np.where(held >= _LEVEL * (1 - 1e-9), high - low - 0.5 * held, np.inf)
    place = np.unravel_index(np.argmin(length), length.shape)
    return int(low[place]), int(high[place])


def _count_levels(seen: Floats, due: Floats, start: int, ramp: int) -> tuple[float, float]:
    fitted = shapes.weigh_counts(seen, due, (ramp,), direction="either", precision=1e-6)
    ratio = float(np.exp(fitted.size[0, start]))
    level = 1.0 + (ratio - 1.0) * shapes.shape(len(seen), (ramp,))[0, start]
    before = float(seen.sum() / (level @ due))
    return before, before * ratio
