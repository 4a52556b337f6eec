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

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.exposures import Exposure
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
BEFORE = 4  # months of data needed before a change
BUFFER = 2  # months before an onset that are not read
ROUNDS = 25  # of alternating between the means of periods and of clients


@dataclass(frozen=True)
class Move:
    """A change of an exposure in a segment.

    `start` is the first period of the change, with its 95 % interval `low`, `high`; `ramp` how many
    periods it took. `before` and `after` are the segment's mean levels in the exposure's own unit.
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
    moves = []
    for _ in range(MOST_MOVES):
        best = _strongest(values, cells, looked, prices, cal.span(BEFORE))
        if best is None:
            break
        score, segment, _ = best
        inside = members(segment, attributes, values.shape)
        move, profile = _dated(
            exposure, rest, inside, segment, score, cal.season if season else None
        )
        if season:  # a change that many share passes for season in part, until it is taken out
            values = rest - _season(rest - np.where(inside, profile, 0).astype(np.float32), cal)
        if score < LEAST_SCORE or abs(move.shift) < LEAST_SIZE * spread:
            break
        if not _drifts(values, inside, profile):
            moves.append(move)
        taken = np.where(inside, profile, 0).astype(np.float32)
        rest, values = rest - taken, values - taken
    return tuple(moves)


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


def contrasts(values: Array) -> tuple[Array, Array]:
    """Return each client's mean from a period on less its mean before, and its weight, [n, T].

    The weight is n₀n₁/(n₀+n₁) of the periods recorded before and after: the precision of the
    difference for noise that is alike in all periods. 0 where either side is missing.
    """
    there = np.isfinite(values)
    v = np.where(there, values, 0)
    sums, counts = np.cumsum(v, axis=1), np.cumsum(there, axis=1, dtype=np.float32)
    s0 = np.concatenate([np.zeros((len(v), 1)), sums[:, :-1]], axis=1)
    n0 = np.concatenate([np.zeros((len(v), 1)), counts[:, :-1]], axis=1)
    s1, n1 = sums[:, -1:] - s0, counts[:, -1:] - n0
    both = (n0 > 0) & (n1 > 0)
    difference = np.where(both, s1 / np.maximum(n1, 1) - s0 / np.maximum(n0, 1), 0)
    weight = np.where(both, n0 * n1 / np.maximum(n0 + n1, 1), 0)
    return difference.astype(np.float32), weight.astype(np.float32)


def _strongest(
    values: Array,
    cells: Cells,
    looked: tuple[Group, ...],
    prices: dict[int, float],
    first: int,
) -> tuple[float, dict[str, tuple[str, ...]], int] | None:
    """Score, segment and start of the clearest shift from period `first` on."""
    difference, weight = contrasts(values)
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
        gain = np.where(clear, gain, 0)[:, first:-1]
        if gain.size == 0 or gain.max() <= 0:
            continue
        s, k = np.unravel_index(int(gain.argmax()), gain.shape)
        score = float(gain[s, k]) - prices[group.order]
        if best is None or score > best[0]:
            best = (score, group.segment(int(s)), int(k) + first)
    return best


def _common(lean: Array, square: Array, heads: Array) -> Array:
    """Whether a shift also stands out against the differences between the segment's own clients.

    The squared t statistic of the clients' differences in units of the noise, each cut at
    `FARTHEST`, so that neither a few wild records make a shift nor unequal doses hide one.
    """
    part = lean**2 / np.maximum(square, 1e-12)
    return np.asarray(part / np.maximum(1 - part / np.maximum(heads, 1), 1e-3) >= LEAST_T**2)


def _noise(difference: Array, weight: Array) -> Array:
    """Variance of a weighted difference between clients, by period, robust to those that moved."""
    by_period = np.ascontiguousarray((np.sqrt(weight) * difference).T)
    spread = [_spread(x[w > 0]) for x, w in zip(by_period, weight.T, strict=True)]
    return np.asarray(np.maximum(np.array(spread) ** 2, 1e-12))


def _spread(scaled: Array) -> float:
    """Median distance from the median as a standard deviation; never under half the plain one."""
    if not len(scaled):
        return 0.0
    robust = 1.4826 * np.median(np.abs(scaled - np.median(scaled)))
    return float(max(robust, 0.5 * scaled.std()))


def _dated(
    exposure: Exposure,
    values: Array,
    inside: Array,
    segment: dict[str, tuple[str, ...]],
    score: float,
    seasons: Array | None,
) -> tuple[Move, Array]:
    """Date the segment's shift; also its profile over time, float[T], to explain it away."""
    mean, heads = _against_the_rest(values, inside)
    change = date_series(mean, heads, rng=np.random.default_rng(0), draws=99, seasons=seasons)
    if not isinstance(change, ChangeDate):
        flat = np.zeros(values.shape[1])
        return Move(exposure, segment, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0), flat
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
    )
    return move, profile


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
