"""Where and since when did a driver itself change?

A driver's level is measured far more sharply than departures are, so scope and date of a trouble
are sharpest where the driver moved. Every exposure is scanned as departures are: the segment that
shifted most clearly is looked for (`shifts`), its change dated (`dating`) and taken out, and what
is left is searched again. A change that came value by value has no one date, and is read as one
change for each. Only clients who have not begun to leave are read, and none in its last two periods
before an onset: what the firm does to those who leave is a symptom, and must not look like a change
for everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens import bands
from churnlens.panel.exposures import BEYOND, Exposure
from churnlens.panel.periods import Calendar
from churnlens.which.baseline import Baseline
from churnlens.which.segments import Attribute, members, named
from churnlens.why.dating import against_the_rest, common_course, date_shift, lead_over_a_line
from churnlens.why.shifts import (
    CLEARLY,
    Search,
    Shift,
    contrasts,
    is_rare,
    score_of,
    search_of,
    strongest,
)

Array = npt.NDArray[Any]

LEAST_SCORE = 10.0  # log-likelihood gain, its price paid: a false move in 20,000 searches
LEAST_SIZE = 0.15  # shift in standard deviations of the exposure between client-periods
MOST_MOVES = 3
ALIKE = 1.5  # times as large a move may be as another and be the same change
MOST_TRIES = 5  # shifts looked at for that: some turn out to be too small, or to have no date
MOST_STEPS = 12  # values that a change may have come to one by one
LEAST_RECORDS = 10  # orders in a tail that are something to speak of
BUFFER = 2  # months before an onset that are not read


@dataclass(frozen=True)
class Move:
    """A change of an exposure in a segment.

    `start` is the first period of the change, with its 95 % interval `low`, `high`; `ramp` how many
    periods it took; `end` the first period in which it had passed, None while it lasts; `earlier`
    the part of the period before `low` into which it may reach back; `gradual` whether the data say
    that it came in over several. `before` and `after` are the segment's mean levels in the
    exposure's own unit.
    """

    exposure: Exposure
    segment: dict[str, tuple[str, ...]]
    start: int
    low: int
    high: int
    ramp: int
    before: float
    after: float
    score: float
    clients: int
    end: int | None = None
    earlier: float = 0.0
    gradual: bool = False

    @property
    def direction(self) -> str:
        """`more` or `less`."""
        return "more" if self.after > self.before else "less"

    @property
    def shift(self) -> float:
        """Change of the segment's mean."""
        return self.after - self.before


def readable(baseline: Baseline) -> Array:
    """Return the client-periods to read: the client has not begun to leave, bool[n, T].

    Each is read once, in the client's spell at that time.
    """
    panel = baseline.panel
    gone = np.cumsum(panel.found, axis=1)
    buffer = panel.calendar.span(BUFFER)
    t = np.arange(gone.shape[1])
    soon = gone[:, np.minimum(t + buffer, len(t) - 1)]
    closed = t >= panel.activity.closing[:, None]
    return np.asarray((soon < 0.5) & panel.own & ~closed)


@dataclass(frozen=True)
class _Driver:
    """A driver as it is read: `recorded` float[n, T], NaN where it may not be read."""

    exposure: Exposure
    recorded: Array
    attributes: tuple[Attribute, ...]
    cal: Calendar
    season: bool
    least: float  # change that is worth a word

    def inside(self, segment: dict[str, tuple[str, ...]]) -> Array:
        """Return who is in a segment, bool[n, T]."""
        return members(segment, self.attributes, self.recorded.shape)

    def without_needless(self, segment: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Leave out the attributes of a segment that keep nobody out."""
        for name in segment:
            wider = {other: values for other, values in segment.items() if other != name}
            if not (self.inside(wider) & ~self.inside(segment)).any():
                return self.without_needless(wider)
        return segment

    def without_season(self, values: Array, taken: Array | float = 0.0) -> Array:
        """Take the season out, as it is once `taken` is out: a change passes for it in part."""
        return values - _season(values - taken, self.cal) if self.season else values

    def dated(
        self, values: Array, segment: dict[str, tuple[str, ...]], others: Array, score: float
    ) -> tuple[Move, Array] | None:
        """Return a segment's change, and how it went over time, held against `others`."""
        inside = self.inside(segment)
        mean, heads = against_the_rest(values, inside, others)
        when = date_shift(mean, heads, self.cal, self.season)
        if when is None:
            return None
        there = np.isfinite(values) & inside
        before = _level(self.exposure.values, there, when.start)
        clients = int(there.any(axis=1).sum())
        dates = (when.start, when.low, when.high, when.ramp)
        levels = (before, before + when.shift)
        move = Move(self.exposure, segment, *dates, *levels, score, clients)
        move = replace(move, end=when.end, earlier=when.earlier, gradual=when.gradual)
        return move, when.profile

    def counts(self, move: Move) -> bool:
        """Whether a change is worth a word; of a tail, only that it grew, and by some records."""
        if abs(move.shift) < self.least:
            return False
        if self.exposure.measure != BEYOND:
            return True
        t = np.arange(self.recorded.shape[1])
        during = (t >= move.start) & (t < (len(t) if move.end is None else move.end))
        after = self.recorded[self.inside(move.segment) & during]
        mostly = np.nanmean(self.recorded) > 0.5  # the tail is below the limit, and is the rest
        tail = np.nansum(1 - after) if mostly else np.nansum(after)
        return bool(tail >= LEAST_RECORDS and (move.shift < 0) == mostly)


def find_moves(
    exposure: Exposure,
    baseline: Baseline,
    usable: Array,
    attributes: tuple[Attribute, ...],
    season: bool,
) -> tuple[Move, ...]:
    """Return the changes of one exposure, the strongest first.

    Parameters
    ----------
    usable
        Client-periods to read, bool[n, T].
    attributes
        Those whose segments are searched; none may change over time.
    season
        Whether the data are long enough to take the season out.
    """
    rest = np.where(usable, exposure.values, np.nan).astype(np.float32)
    cal = baseline.panel.calendar
    driver = _Driver(exposure, rest, attributes, cal, season, 0.0)
    values = driver.without_season(rest)
    spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
    if not np.isfinite(spread) or spread == 0:
        return ()
    driver = replace(driver, least=LEAST_SIZE * spread)
    look = search_of(attributes, len(values), cal, rare=is_rare(rest))
    moves: list[Move] = []
    for _ in range(MOST_TRIES):
        best = strongest(values, look) if len(moves) < MOST_MOVES else None
        if best is None or best.score < LEAST_SCORE:
            break
        found, taken, values = _explained(driver, rest, best, look)
        moves += found
        rest, values = rest - taken, values - taken

    def together(a: Move, b: Move) -> Move | None:
        """Both as one change, dated anew over the values of the attribute in which they differ."""
        segment = _union(a.segment, b.segment)
        # Where a change ends within a band of a number, part of its clients had it.
        any_size = _neighbours(a.segment, b.segment)
        if segment is None or not _alike(a, b, any_size):
            return None
        segment = driver.without_needless(segment)
        others = ~driver.inside(segment)
        joined = driver.dated(driver.recorded, segment, others, a.score + b.score)
        return joined[0] if joined is not None and _alike(a, joined[0], any_size) else None

    return _joined(moves, together)


def _explained(
    driver: _Driver, rest: Array, best: Shift, look: Search
) -> tuple[list[Move], Array, Array]:
    """The changes behind a shift, what they explain of the values, and the values without season.

    A shift that is no change to speak of, or a drift, is taken out as the course that all of the
    segment's clients have in common, so that no step that never was is left over.
    """
    inside = driver.inside(best.segment)
    dated = driver.dated(rest, best.segment, ~inside, best.score)
    profile = np.zeros(rest.shape[1]) if dated is None else dated[1]
    fitted = np.where(inside, profile, 0).astype(np.float32)
    values = driver.without_season(rest, fitted)
    series, heads = against_the_rest(values, inside, ~inside)
    drifts = dated is None or lead_over_a_line(series, heads, profile) < 0
    if dated is not None and not drifts and driver.counts(dated[0]):
        plain = driver.without_season(driver.recorded, driver.recorded - rest + fitted)
        felt = _felt(dated[0], plain, inside)
        return [dated[0]] if felt else [], fitted, values
    steps = _staircase(driver, rest, best, look) if drifts else []
    if steps:
        taken = np.sum([step for _, step in steps], axis=0)
        return [move for move, _ in steps], taken, driver.without_season(rest, taken)
    common = np.where(inside, common_course(series), 0).astype(np.float32)
    return [], common, values


def _felt(move: Move, values: Array, inside: Array) -> bool:
    """Whether a change is one that the segment's clients lived through, none having been taken out.

    Who got less of a change than the rest of its segment did not get less than before.
    """
    lasts = None if move.end is None else move.end - move.start
    own = contrasts(values[inside.any(axis=1)], lasts)
    difference, weight = (part[:, move.start] for part in own)
    return bool((difference * weight).sum(dtype=np.float64) * move.shift > 0)


def _staircase(driver: _Driver, rest: Array, best: Shift, look: Search) -> list[tuple[Move, Array]]:
    """The steps of a change that came value by value of an attribute, each with what it explains.

    A line fits a staircase better than one step does, but each value's own step better than a line.
    Only the values of one attribute are looked at, of that in which the steps are clearest.
    """
    outside = ~driver.inside(best.segment)
    stairs: list[list[tuple[Move, Array]]] = [[]]
    for attribute in driver.attributes:
        chosen = [attribute.values[k] for k in named(attribute)]
        if attribute.name in best.segment:
            chosen = [v for v in chosen if v in best.segment[attribute.name]]
        if attribute.ordered or not 1 < len(chosen) <= MOST_STEPS:
            continue
        price = look.prices[min(len({*best.segment, attribute.name}), 2)]
        parts = [best.segment | {attribute.name: (value,)} for value in chosen]
        steps = [_step(driver, rest, part, outside, price, look.rare) for part in parts]
        clear = [step for step in steps if step is not None]
        if any(a.high < b.low for a, _ in clear for b, _ in clear):
            stairs.append(clear)
    return max(stairs, key=lambda steps: sum(move.score for move, _ in steps))


def _step(
    driver: _Driver,
    rest: Array,
    segment: dict[str, tuple[str, ...]],
    outside: Array,
    price: float,
    rare: bool,
) -> tuple[Move, Array] | None:
    """One value's own change, if it is clearly no line, and what it explains, float32[n, T]."""
    dated = driver.dated(rest, segment, outside, 0.0)
    if dated is None or not driver.counts(dated[0]):
        return None
    move, profile = dated
    inside = driver.inside(segment)
    taken = np.where(inside, profile, 0).astype(np.float32)
    values = driver.without_season(rest, taken)
    series, heads = against_the_rest(values, inside, outside)
    if lead_over_a_line(series, heads, profile) < CLEARLY:
        return None
    score = score_of(values, inside, move.start, move.end, price, rare)
    return (replace(move, score=score), taken) if score >= LEAST_SCORE else None


def _joined(moves: list[Move], together: Callable[[Move, Move], Move | None]) -> tuple[Move, ...]:
    """Put together the moves that are one change of several values of an attribute."""
    kept: list[Move] = []
    for move in moves:
        tried = ((k, together(other, move)) for k, other in enumerate(kept))
        place, joined = next(((k, one) for k, one in tried if one is not None), (None, None))
        if place is None or joined is None:
            kept.append(move)
        else:
            kept[place] = joined
    return tuple(sorted(kept, key=lambda m: -m.score))


def _union(
    a: dict[str, tuple[str, ...]], b: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]] | None:
    """Both segments as one, where they differ in the values of a single attribute."""
    apart = [name for name in a if a[name] != b.get(name)]
    if a.keys() != b.keys() or len(apart) != 1:
        return None
    name = apart[0]
    return a | {name: bands.merged((*a[name], *b[name]))}


def _neighbours(a: dict[str, tuple[str, ...]], b: dict[str, tuple[str, ...]]) -> bool:
    """Whether the two are of neighbouring bands of a number."""
    single = ((v, b[name]) for name, v in a.items() if len(v) == len(b.get(name, ())) == 1)
    return any(bands.neighbours(own[0], other[0]) is not None for own, other in single)


def _alike(a: Move, b: Move, any_size: bool) -> bool:
    """Whether two moves are of one date, one end and one direction, and about one size."""
    sizes = sorted((abs(a.shift), abs(b.shift)))
    ends = a.end == b.end or (a.end is not None and b.end is not None and abs(a.end - b.end) <= 1)
    dates = a.low <= b.high and b.low <= a.high
    size = any_size or sizes[1] <= ALIKE * sizes[0]
    return ends and dates and a.direction == b.direction and size


def _season(values: Array, cal: Calendar) -> Array:
    """Mean departure of each season from the year around it, float[1, T]."""
    there = np.isfinite(values)
    counts = there.sum(axis=0)
    mean = np.where(there, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(counts, 1)
    recorded = counts > 0  # some periods may have no record at all
    mean = np.where(recorded, mean, mean[recorded].mean() if recorded.any() else 0.0)
    year = cal.per_year
    half = year // 2
    kernel = np.ones(2 * half + 1)
    kernel[[0, -1]] = 0.5
    around = np.convolve(mean, kernel / kernel.sum(), "valid")
    apart = np.full(len(mean), np.nan)
    apart[half : len(mean) - half] = mean[half : len(mean) - half] - around
    seasons, years = cal.season, np.array([start.year for start in cal.starts])
    effect = np.zeros(int(seasons.max()) + 1)
    for s in range(len(effect)):
        there = (seasons == s) & np.isfinite(apart)
        # One figure a year: the weeks of one month alone are no season, they may be of a change.
        own = [apart[there & (years == year)].mean() for year in np.unique(years[there])]
        effect[s] = np.median(own) if len(own) > 1 else 0.0
    return np.asarray((effect - effect.mean())[seasons][None, :])


def _level(raw: Array, there: Array, start: int) -> float:
    """Mean of the segment's own records before the change, in the exposure's own unit."""
    early = there & (np.arange(raw.shape[1]) < start)
    return float(np.mean(raw[early])) if early.any() else float(np.mean(raw[there]))
