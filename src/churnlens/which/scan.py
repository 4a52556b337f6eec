"""Which segment leaves more than it used to, and since when? Pays for its own looking.

A space–time scan (Kulldorff 1997, 2001) with segments in the place of places. For every segment
and every start the departures observed after the start are held against those expected from the
segment's own level before it: with O1, E1 after and O0, E0 before, the log-likelihood gain is
O1·log(O1/E1) + O0·log(O0/E0) − (O1+O0)·log((O1+O0)/(E1+E0)) where the rate rose. A standing
difference between segments is therefore no rise. From the gain the log of the number of segments
of the same complexity is taken, so that a conjunction must beat the simpler segments by what its
larger number would give it by luck. The p-value is by Monte Carlo over the whole search: departures
are drawn again from what was expected and searched in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.threads import over_chunks
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

LEAST_OBSERVED = 5  # departures in a window
LEAST_EXPECTED = 1.0  # expected departures in a window
LEVEL_PRIOR = (
    2.0  # pseudo-departures that hold a segment's level before a start near the baseline's
)
FIRST_START, LAST_START = 3, 2  # periods kept free at both ends of what can be seen
AT_A_TIME = 200_000  # departures drawn at a time
MOST_DRAWN = 20_000_000  # departures in all draws: a very large book gets fewer draws,
FEWEST_DRAWS = 199  # but never fewer than this


@dataclass(frozen=True)
class Window:
    """A segment from a start period on.

    `observed` departures after the start against `expected` at the segment's own level before it;
    both in whole departures. `gain` is the log-likelihood gain on effective departures, `score` the
    gain less the price of its complexity; `ratio` the rate after over the rate before on them;
    `p_value` is over the whole search.
    """

    segment: dict[str, tuple[str, ...]]
    start: int
    observed: float
    expected: float
    gain: float
    score: float
    ratio: float
    p_value: float


@dataclass(frozen=True)
class Scan:
    """A search ready to be run: what it looks at, and what chance alone gives it.

    `groups` are over `cells`, the client-periods alike in every attribute. `null_scores` are the
    best scores of searches on departures drawn from what was expected.
    """

    attributes: tuple[Attribute, ...]
    cells: Cells
    groups: tuple[Group, ...]
    prices: dict[int, float]
    span: tuple[int, int]
    seen: tuple[Array, ...]
    null_scores: Array

    @property
    def segments(self) -> int:
        """Number of segments looked at."""
        return sum(g.segments for g in self.groups)

    @property
    def starts(self) -> int:
        """Number of start periods looked at."""
        return self.span[1] - self.span[0]


def gains(observed: Array, expected: Array) -> Array:
    """Return log-likelihood gains for a rise from each period on: [..., T] counts to [..., T]."""
    o1 = np.cumsum(observed[..., ::-1], axis=-1)[..., ::-1]
    e1 = np.cumsum(expected[..., ::-1], axis=-1)[..., ::-1]
    o, e = o1[..., :1] + LEVEL_PRIOR, e1[..., :1] + LEVEL_PRIOR
    o0, e0 = o - o1, e - e1
    gain = _part(o1, e1)
    gain += _part(o0, e0)
    gain -= _part(o, e)
    rose = (o1 * e0 > o0 * e1) & (o1 >= LEAST_OBSERVED) & (e1 >= LEAST_EXPECTED)
    gain *= rose
    return gain


def _part(o: Array, e: Array) -> Array:
    """o·log(o/e), 0 where nothing was observed; `e` may be smaller and is broadcast."""
    part = np.log(np.maximum(o, 1e-9))
    part -= np.log(np.maximum(e, 1e-9))
    part *= np.maximum(o, 0)
    return np.asarray(part)


def prepare(
    baseline: Baseline, attributes: tuple[Attribute, ...], *, draws: int, seed: int
) -> Scan:
    """Sum departures by segment and period, and draw what the search finds by chance alone.

    Parameters
    ----------
    baseline
        Departures observed and expected of each client and period had nothing changed.
    draws
        Monte Carlo draws of the whole search; fewer (never under 199) where they would come to more
        than 20 million departures, as they would take minutes and say the same.
    """
    cells = collapse(attributes, len(baseline.expected))
    looked = groups(cells.attributes)
    expected = cells.sums(baseline.expected)
    span, prices = _span(expected), _prices(looked)
    observed = cells.sums(baseline.observed)
    seen = tuple(g.add_up(dense_sums(g, observed)) for g in looked)
    null = _null_scores(expected, looked, prices, span, draws, seed)
    return Scan(attributes, cells, looked, prices, span, seen, null)


def next_window(baseline: Baseline, search: Scan, explained: Array) -> Window | None:
    """Return the strongest rise left once `explained` is allowed for.

    `explained` is a factor on what is expected, float32[n, T]. None where no segment rose at all;
    the window's `p_value` is over the whole search.
    """
    expected = search.cells.sums(baseline.expected * explained)
    due = [g.add_up(dense_sums(g, expected)) for g in search.groups]
    best = _best(search.groups, list(search.seen), due, search.prices, search.span)
    if best is None:
        return None
    score, gain, ratio, segment, start = best
    p = float((1 + (search.null_scores >= score).sum()) / (1 + len(search.null_scores)))
    inside = members(segment, search.attributes, explained.shape)
    seen, level = whole_departures(baseline, inside, explained, start)
    return Window(segment, start, seen, level, gain, score, ratio, p)


def whole_departures(
    baseline: Baseline, inside: Array, scale: Array, start: int
) -> tuple[float, float]:
    """Return departures found in a window and those expected at the segment's level before it."""
    due = baseline.hazard * baseline.panel.active * scale * inside
    seen = baseline.panel.found * inside
    level = (seen[:, :start].sum() + LEVEL_PRIOR) / (due[:, :start].sum() + LEVEL_PRIOR)
    return float(seen[:, start:].sum()), float(due[:, start:].sum() * level)


def _span(expected: Array) -> tuple[int, int]:
    """First and one past the last start to look at."""
    seen = np.flatnonzero(expected.sum(axis=0) > 0)
    if len(seen) < FIRST_START + LAST_START + 2:
        return 0, 0
    return int(seen[0]) + FIRST_START, int(seen[-1]) + 1 - LAST_START


def _prices(looked: tuple[Group, ...]) -> dict[int, float]:
    counts = {k: sum(g.segments for g in looked if g.order == k) for k in (0, 1, 2)}
    return {k: float(np.log1p(c)) if k else 0.0 for k, c in counts.items()}


def _best(
    looked: tuple[Group, ...],
    seen: list[Array],
    due: list[Array],
    prices: dict[int, float],
    span: tuple[int, int],
) -> tuple[float, float, float, dict[str, tuple[str, ...]], int] | None:
    """Score, gain, ratio, segment and start of the best window."""
    best = None
    for group, o, e in zip(looked, seen, due, strict=True):
        gain = gains(o, e)[:, span[0] : span[1]]
        if gain.size == 0 or gain.max() <= 0:
            continue
        s, k = np.unravel_index(int(gain.argmax()), gain.shape)
        score = float(gain[s, k]) - prices[group.order]
        if best is None or score > best[0]:
            start = int(k) + span[0]
            before = (o[s, :start].sum() + LEVEL_PRIOR) / (e[s, :start].sum() + LEVEL_PRIOR)
            ratio = float(o[s, start:].sum() / e[s, start:].sum() / before)
            best = (score, float(gain[s, k]), ratio, group.segment(int(s)), start)
    return best


def _null_scores(
    expected: Array,
    looked: tuple[Group, ...],
    prices: dict[int, float],
    span: tuple[int, int],
    draws: int,
    seed: int,
) -> Array:
    """Best score of each of `draws` searches on departures drawn from what was expected."""
    events = round(float(expected.sum(dtype=np.float64)))
    if events == 0 or span[1] <= span[0]:
        return np.zeros(0)
    lot = _lot(expected, events)
    due = [g.add_up(dense_sums(g, expected)) for g in looked]
    draws = min(draws, max(FEWEST_DRAWS, MOST_DRAWN // events))
    size = max(1, AT_A_TIME // events)

    def search(begin: int) -> Array:
        count = min(size, draws - begin)
        codes, moment = _draw(lot, looked, count, np.random.default_rng([seed, begin]))
        best = np.full(count, -np.inf)
        for group, e in zip(looked, due, strict=True):
            o = _segment_counts(group, codes, moment, count, expected.shape[1])
            gain = gains(o, e[:, None, :])[..., span[0] : span[1]]
            best = np.maximum(best, gain.max(axis=(0, 2)) - prices[group.order])
        return best

    return np.concatenate([np.zeros(0), *over_chunks(search, range(0, draws, size))])


@dataclass(frozen=True)
class _Lot:
    """What departures are drawn from.

    `edges` is the running sum of what is expected, cell by cell and period by period (`cell`,
    `period`); `events` departures to a draw.
    """

    edges: Array
    cell: Array
    period: Array
    events: int
    periods: int


def _lot(expected: Array, events: int) -> _Lot:
    flat = np.flatnonzero(expected)
    cell, period = np.divmod(flat, expected.shape[1])
    return _Lot(
        np.cumsum(expected.ravel()[flat], dtype=np.float64), cell, period, events, expected.shape[1]
    )


def _draw(
    lot: _Lot, looked: tuple[Group, ...], count: int, rng: np.random.Generator
) -> tuple[dict[str, Array], Array]:
    """Draw `count` times: the code of every attribute, and draw × period, of each departure.

    Running sums of exponential gaps, scaled to end at 1, are uniforms already in order (Devroye
    1986, V.3), and looking up ordered values is what takes the time otherwise.
    """
    gaps = rng.standard_exponential((count, lot.events + 1))
    ordered = np.cumsum(gaps, axis=1)
    ordered *= lot.edges[-1] / ordered[:, -1:]
    at = np.searchsorted(lot.edges, ordered[:, :-1].ravel()).clip(0, len(lot.edges) - 1)
    cell = lot.cell[at]
    attributes = {x.name: x for g in looked for x in (g.a, g.b) if x is not None}
    codes = {name: x.codes[cell].astype(np.int64) for name, x in attributes.items()}
    return codes, np.repeat(np.arange(count), lot.events) * lot.periods + lot.period[at]


def _segment_counts(
    group: Group, codes: dict[str, Array], moment: Array, count: int, periods: int
) -> Array:
    """Departures drawn by segment, draw and period: float32[segments, draws, T]."""
    width = count * periods
    at = moment
    if group.b is not None:
        at = at + codes[group.b.name] * width
    if group.a is not None:
        at = at + codes[group.a.name] * (width * group.masks_b.shape[1])
    counts = np.bincount(at, minlength=group.n_cells * width).astype(np.float32)
    return group.add_up(counts.reshape(group.n_cells, width)).reshape(-1, count, periods)
