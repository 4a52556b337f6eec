"""Where and since when did a driver itself change?

A driver's level is measured far more sharply than departures are, so scope and date of a trouble
are sharpest where the driver moved. Every exposure is scanned as departures are: each client's mean
from a period on less its mean before it, summed over every segment. The likelihood gain of a
segment is that of one common shift among its clients (a client is the unit, so what its own periods
share does not count twice), less the price of the segment's complexity. Only clients who have not
begun to leave are read, and none in its last two periods before an onset: what the firm does to
those who leave is a symptom, and must not look like a change for everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import Calendar
from churnlens.when.change import ChangeDate, date_series
from churnlens.which.baseline import Baseline
from churnlens.which.segments import (
    Attribute,
    Cells,
    Group,
    collapse,
    dense_sums,
    groups,
    members,
)

Array = npt.NDArray[Any]

LEAST_SCORE = 10.0  # log-likelihood gain, its price paid: a false move in 20,000 searches
LEAST_SIZE = 0.15  # shift in standard deviations of the exposure between client-periods
LEAST_T = 5.0  # t statistic of a shift against the differences between the segment's clients
FARTHEST = 3.0  # standard deviations at which a client's own difference is cut for that
LEAST_CLIENTS = 10
MOST_MOVES = 3
ALIKE = 1.5  # times as large a move may be as another and be the same change
MOST_TRIES = 5  # shifts looked at for that: some turn out to be too small, or to have no date
BEFORE = 4  # months of data needed before a change
# Months for which a change that passes is looked for; one of another length shows in the nearest.
LENGTHS = (3, 6, 12)
SHORTEST = 3  # months a change that passes must last, and data needed after it
PASSED = 0.3  # part of a change that may be left after its end
ENDS = 10.0  # log-likelihood by which an end must explain a segment's series better than none
BUFFER = 2  # months before an onset that are not read
ENOUGH = 2_000  # clients that the noise between clients is read from
ROUNDS = 25  # of alternating between the means of periods and of clients


@dataclass(frozen=True)
class Move:
    """A change of an exposure in a segment.

    `start` is the first period of the change, with its 95 % interval `low`, `high`; `ramp` how many
    periods it took; `end` the first period in which it had passed, None while it lasts. `before`
    and `after` are the segment's mean levels in the exposure's own unit.
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

    @property
    def direction(self) -> str:
        """`more` or `less`."""
        return "more" if self.after > self.before else "less"

    @property
    def shift(self) -> float:
        """Change of the segment's mean."""
        return self.after - self.before


def readable(baseline: Baseline) -> Array:
    """Return the client-periods to read: the client has not begun to leave, bool[n, T]."""
    panel = baseline.panel
    gone = np.cumsum(panel.found, axis=1)
    buffer = panel.calendar.span(BUFFER)
    soon = np.concatenate([gone[:, buffer:], np.repeat(gone[:, -1:], buffer, axis=1)], axis=1)
    t = np.arange(gone.shape[1])
    begun = t >= panel.activity.first[:, None]
    closed = t >= panel.activity.closing[:, None]
    return np.asarray((soon < 0.5) & begun & ~closed)


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
    values = rest - _season(rest, cal) if season else rest
    spread = float(np.nanstd(values))
    if not np.isfinite(spread) or spread == 0:
        return ()
    cells = collapse(attributes, len(values))
    looked = groups(cells.attributes)
    prices = {k: np.log1p(sum(g.segments for g in looked if g.order == k)) for k in (1, 2)} | {
        0: 0.0
    }
    moves: list[Move] = []
    recorded = rest
    for _ in range(MOST_TRIES):
        best = _strongest(values, cells, looked, prices, cal)
        if best is None or best[0] < LEAST_SCORE or len(moves) == MOST_MOVES:
            break
        score, segment = best
        inside = members(segment, attributes, values.shape)
        move, profile = _dated(exposure, rest, inside, segment, score, cal, season)
        if season:  # a change that many share passes for season in part, until it is taken out
            values = rest - _season(rest - np.where(inside, profile, 0).astype(np.float32), cal)
        if abs(move.shift) < LEAST_SIZE * spread:  # no change to speak of, but others may be
            profile = _common_course(values, inside)
        elif not _drifts(values, inside, profile):
            moves.append(move)
        taken = np.where(inside, profile, 0).astype(np.float32)
        rest, values = rest - taken, values - taken

    def together(a: Move, b: Move) -> Move | None:
        """Both as one change, dated anew over the values of the attribute in which they differ."""
        segment = _union(a.segment, b.segment)
        if segment is None or not _alike(a, b):
            return None
        inside = members(segment, attributes, recorded.shape)
        joined, _ = _dated(exposure, recorded, inside, segment, a.score + b.score, cal, season)
        return joined if _alike(a, joined) else None

    return _joined(moves, together)


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
    return a | {apart[0]: tuple(sorted({*a[apart[0]], *b[apart[0]]}))}


def _alike(a: Move, b: Move) -> bool:
    """Whether two moves are of one date, one end, one direction and about one size."""
    sizes = sorted((abs(a.shift), abs(b.shift)))
    ends = a.end == b.end or (a.end is not None and b.end is not None and abs(a.end - b.end) <= 1)
    dates = a.low <= b.high and b.low <= a.high
    return ends and dates and a.direction == b.direction and sizes[1] <= ALIKE * sizes[0]


def _common_course(values: Array, inside: Array) -> Array:
    """All that a segment's clients have in common over time, float[T]."""
    series, _ = _against_the_rest(values, inside)
    return np.where(np.isfinite(series), series - np.nanmean(series), 0)


def _season(values: Array, cal: Any) -> Array:
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
    seasons = cal.season
    effect = np.zeros(int(seasons.max()) + 1)
    for s in range(len(effect)):
        here = apart[(seasons == s) & np.isfinite(apart)]
        effect[s] = np.median(here) if len(here) > 1 else 0.0
    return np.asarray((effect - effect.mean())[seasons][None, :])


def contrasts(values: Array, lasts: int | None = None) -> tuple[Array, Array]:
    """Return each client's mean from a period on less its mean otherwise, and its weight, [n, T].

    `lasts` is how many periods a change goes on before it has passed; None: to the end of the data.
    The weight is n₀n₁/(n₀+n₁) of the periods recorded without and with it: the precision of the
    difference for noise that is alike in all periods. 0 where either side is missing.
    """
    there = np.isfinite(values)
    sums, counts = cumulative(np.where(there, values, 0)), cumulative(there.astype(np.float32))
    periods = values.shape[1]
    until = np.arange(periods) + (periods if lasts is None else lasts)
    until = np.minimum(until, periods)
    s1, n1 = sums[:, until] - sums[:, :-1], counts[:, until] - counts[:, :-1]
    s0, n0 = sums[:, -1:] - s1, counts[:, -1:] - n1
    both = (n0 > 0) & (n1 > 0)
    difference = np.where(both, s1 / np.maximum(n1, 1) - s0 / np.maximum(n0, 1), 0)
    weight = np.where(both, n0 * n1 / np.maximum(n0 + n1, 1), 0)
    return difference.astype(np.float32), weight.astype(np.float32)


def _strongest(
    values: Array,
    cells: Cells,
    looked: tuple[Group, ...],
    prices: dict[int, float],
    cal: Calendar,
) -> tuple[float, dict[str, tuple[str, ...]]] | None:
    """Score and segment of the clearest shift, to the end of the data or for a time."""
    first, periods = cal.span(BEFORE), values.shape[1]
    spans = [cal.span(m) for m in LENGTHS]
    fitting = [k for k in spans if first + k + cal.span(SHORTEST) <= periods]
    found = [_shifted(contrasts(values), cells, looked, prices, slice(first, periods - 1))]
    for lasts in fitting:
        where = slice(first, periods - lasts - cal.span(SHORTEST) + 1)
        best = _shifted(contrasts(values, lasts), cells, looked, prices, where)
        # Every length is one more search, and an end one more date to choose.
        price = np.log(len(fitting) * periods)
        found.append(None if best is None else (best[0] - float(price), best[1]))
    return max((f for f in found if f is not None), key=lambda f: f[0], default=None)


def _shifted(
    contrast: tuple[Array, Array],
    cells: Cells,
    looked: tuple[Group, ...],
    prices: dict[int, float],
    where: slice,
) -> tuple[float, dict[str, tuple[str, ...]]] | None:
    """Score and segment of the clearest shift among contrasts whose start is in `where`."""
    difference, weight = (part[:, where] for part in contrast)
    noise = _noise(difference, weight)
    pull = weight * difference
    typical = np.clip(np.sqrt(weight / noise) * difference, -FARTHEST, FARTHEST)
    there = (weight > 0).astype(np.float32)
    stacked = cells.sums(np.hstack([weight, pull, there, typical, typical**2]))
    best = None
    for group in looked:
        sums = group.add_up(dense_sums(group, stacked))
        total, shift, heads, lean, square = np.split(sums, 5, axis=-1)
        gain = shift**2 / np.maximum(total, 1e-9) / noise / 2
        clear = (heads >= LEAST_CLIENTS) & _common(lean, square, heads)
        gain = np.where(clear, gain, 0)
        if gain.size == 0 or gain.max() <= 0:
            continue
        s = int(gain.max(axis=1).argmax())
        score = float(gain[s].max()) - prices[group.order]
        if best is None or score > best[0]:
            best = (score, group.segment(s))
    return best


def _common(lean: Array, square: Array, heads: Array) -> Array:
    """Whether a shift also stands out against the differences between the segment's own clients.

    The squared t statistic of the clients' differences in units of the noise, each cut at
    `FARTHEST`, so that neither a few wild records make a shift nor unequal doses hide one.
    """
    part = lean**2 / np.maximum(square, 1e-12)
    return np.asarray(part / np.maximum(1 - part / np.maximum(heads, 1), 1e-3) >= LEAST_T**2)


def _noise(difference: Array, weight: Array) -> Array:
    """Variance of a weighted difference between clients, by period, robust to those that moved.

    From the median distance to the median; never under half the plain standard deviation.
    """
    some = slice(None, None, max(len(weight) // ENOUGH, 1))
    difference, weight = difference[some], weight[some]
    scaled = np.where(weight > 0, np.sqrt(weight) * difference, np.nan).T
    counts = (weight > 0).sum(axis=0)
    away = np.abs(scaled - _medians(scaled, counts)[:, None])
    robust = 1.4826 * _medians(away, counts)
    sums = np.nansum(scaled, axis=1), np.nansum(scaled**2, axis=1)
    mean, square = (s / np.maximum(counts, 1) for s in sums)
    plain = np.sqrt(np.maximum(square - mean**2, 0))
    return np.asarray(np.maximum(np.maximum(robust, 0.5 * plain) ** 2, 1e-12))


def _medians(rows: Array, counts: Array) -> Array:
    """Median of each row's `counts` numbers, the rest NaN; 0 of a row without any."""
    ordered, at = np.sort(rows, axis=1), np.arange(len(rows))  # NaN last
    middle = ordered[at, (counts - 1) // 2] + ordered[at, counts // 2]
    return np.where(counts > 0, middle / 2, 0)


def _dated(
    exposure: Exposure,
    values: Array,
    inside: Array,
    segment: dict[str, tuple[str, ...]],
    score: float,
    cal: Calendar,
    season: bool,
) -> tuple[Move, Array]:
    """Date the segment's shift; also its profile over time, float[T], to explain it away."""
    mean, heads = _against_the_rest(values, inside)
    t = np.arange(len(mean))
    end = _end(mean, heads, cal)
    change = date_series(
        mean if end is None else np.where(t < end, mean, np.nan),
        heads,
        rng=np.random.default_rng(0),
        draws=99,
        seasons=cal.season if season else None,
    )
    if not isinstance(change, ChangeDate):
        return Move(exposure, segment, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0), np.zeros(len(t))
    profile = change.level() - change.before
    before = _level(exposure.values, np.isfinite(values) & inside, change.start)
    move = Move(
        exposure,
        segment,
        change.start,
        change.low,
        change.high,
        change.ramp,
        before=before,
        after=before + change.after - change.before,
        score=score,
        clients=int((np.isfinite(values) & inside).any(axis=1).sum()),
        end=end,
    )
    return move, profile if end is None else np.where(t < end, profile, 0)


def _end(mean: Array, heads: Array, cal: Calendar) -> int | None:
    """First period in which a segment's change had passed, if its series says that it has.

    A change to the end of the data and one that passes are held against each other by what they
    leave over; a driver that only ebbs has not passed.
    """
    there = np.flatnonzero(np.isfinite(mean) & (heads > 0))
    x, w = mean[there], heads[there]
    n, first, shortest = len(x), cal.span(BEFORE), cal.span(SHORTEST)
    start, end = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = (start >= first) & (end - start >= shortest)
    passing = possible & (end <= n - shortest)
    lasting = possible & (end == n)
    if not passing.any() or not lasting.any():
        return None
    left = _misfit(x, w, start, end)
    place = np.unravel_index(np.where(passing, left, np.inf).argmin(), left.shape)
    began, ended = int(place[0]), int(place[1])
    floor = 1e-9 * float(w @ (x - np.average(x, weights=w)) ** 2)
    without = float(left[lasting].min()) + floor
    gain = n / 2 * np.log(without / (float(left[place]) + floor)) - np.log(n)
    outside, after = (np.average(x[k], weights=w[k]) for k in (slice(began), slice(ended, n)))
    size = np.average(x[began:ended], weights=w[began:ended]) - outside
    passed = abs(after - outside) < PASSED * abs(size)
    return int(there[ended]) if passed and gain >= ENDS else None


def _misfit(x: Array, w: Array, start: Array, end: Array) -> Array:
    """Weighted squares that a shift of the periods from `start` to before `end` leaves over."""
    mass, pull = (np.concatenate(([0.0], np.cumsum(v))) for v in (w, w * x))
    m1, p1 = mass[end] - mass[start], pull[end] - pull[start]
    m0, p0 = mass[-1] - m1, pull[-1] - p1
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = p1**2 / m1 + p0**2 / m0
    return np.asarray(w @ x**2 - np.where((m1 > 0) & (m0 > 0), explained, 0))


def _against_the_rest(values: Array, inside: Array) -> tuple[Array, Array]:
    """A segment's series less that of all others, and how much each period's difference weighs.

    What drifts for everybody falls out, and the change can be dated by what is left. The segment's
    own series where there are no others.
    """
    series, heads = _segment_series(values, inside)
    rest, others = _segment_series(values, ~inside)
    if np.median(others) < LEAST_CLIENTS:
        return series, heads
    weight = heads * others / np.maximum(heads + others, 1)
    return series - rest, weight


def _segment_series(values: Array, inside: Array) -> tuple[Array, Array]:
    """A segment's mean by period with every client's own level taken out, and clients behind it.

    Two-way means by alternating projections: clients come and go, and a series of plain means would
    move with who is there.
    """
    there = inside & np.isfinite(values)
    m, v = there.astype(np.float64), np.where(there, values, 0)
    heads, sums = m.sum(axis=0), v.sum(axis=0, dtype=np.float64)
    own = m.sum(axis=1)
    per = np.divide(1, own, out=np.zeros_like(own), where=own > 0)  # one over a client's periods
    level = v.sum(axis=1, dtype=np.float64) * per
    clients = max(int((own > 0).sum()), 1)
    # Clients enter only by these sums, so that a round costs no pass over them.
    shared, lifted, lean = (m * per[:, None]).T @ m, level @ m, per @ m / clients
    of_clients = np.zeros(len(heads))  # own levels of the clients there, summed by period
    for _ in range(ROUNDS):
        series = (sums - of_clients) / np.maximum(heads, 1)
        middle = level.sum() / clients - lean @ series
        of_clients = lifted - shared @ series - middle * heads
    return np.where(heads > 0, series, np.nan), heads


def _drifts(values: Array, inside: Array, profile: Array) -> bool:
    """Whether a straight line fits a segment's series better than the change does: no date then."""
    series, heads = _against_the_rest(values, inside)
    there = np.isfinite(series) & (heads > 0)
    y, w, t = series[there], heads[there], np.flatnonzero(there)

    def misfit(x: Array) -> float:
        design = np.stack([np.ones(len(y)), x], axis=1) * np.sqrt(w)[:, None]
        return float(np.linalg.lstsq(design, y * np.sqrt(w), rcond=None)[1].sum())

    return misfit(t.astype(float)) < misfit(profile[there])


def _level(raw: Array, there: Array, start: int) -> float:
    """Mean of the segment's own records before the change, in the exposure's own unit."""
    early = there & (np.arange(raw.shape[1]) < start)
    return float(np.mean(raw[early])) if early.any() else float(np.mean(raw[there]))
