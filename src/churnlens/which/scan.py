"""Which segment leaves more than it used to, since when and until when? Pays for its own looking.

A space–time scan (Kulldorff 1997, 2001) with segments in the place of places: for every segment and
window (`windows`) the departures observed are held against the segment's own level in the rest of
the time; one that has passed must stand out against the time before it as well. From the gain in
log-likelihood the log of the number of segments of the same complexity is taken (so many
attributes, of one value each or of several), so that a conjunction must beat the simpler segments
by what its larger number would give it by luck; a window that has passed pays likewise for the
number of its ends. The p-value is by Monte Carlo over the whole search (`search`): departures are
drawn again from what was expected and searched in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.threads import over_chunks
from churnlens.which import by_orders
from churnlens.which import draws as drawing
from churnlens.which.baseline import Baseline, season_of
from churnlens.which.search import Drawn, Hit, Observed, Plan, plan, search
from churnlens.which.segments import ALIKE, NEAR, Attribute, Cells, Group, collapse, groups, members
from churnlens.which.tables import Tables
from churnlens.which.windows import LEVEL_PRIOR, Times, gain_of, gain_of_passed, times

Array = npt.NDArray[Any]

AT_A_TIME = 200_000  # departures drawn at a time,
DRAWS_AT_A_TIME = 64  # and draws, so that their counts stay in the cache
MOST_DRAWN = 20_000_000  # departures in all draws: a very large book gets fewer draws,
FEWEST_DRAWS = 199  # but never fewer than this
MOST_ALIKE = 3  # near-equal segments that are told


@dataclass(frozen=True)
class Window:
    """A segment from a start period on, to the end of the data or until it had passed.

    `end` is one past the last period of a trouble that has passed, None where it has not.
    `score` is what the search found it to be worth: the log-likelihood `gain` on effective
    departures less the price of its complexity, before its ends were moved to fit better. `ratio`
    is the rate inside over the rate outside on them; `p_value` is over the whole search. `also` are
    segments of near-equal score that overlap.
    """

    segment: dict[str, tuple[str, ...]]
    start: int
    end: int | None
    gain: float
    score: float
    ratio: float
    p_value: float
    also: tuple[dict[str, tuple[str, ...]], ...] = ()

    def covers(self, periods: int) -> Array:
        """Return which of the data's periods lie in the window, bool[periods]."""
        t = np.arange(periods)
        return np.asarray((t >= self.start) & (t < (periods if self.end is None else self.end)))


@dataclass(frozen=True)
class Scan:
    """A search ready to be run: what it looks at, and what chance alone gives it.

    `cells` are the client-periods alike in every attribute, `groups` the segments over them, `seen`
    the departures observed in each cell. `null_scores` are the best scores of searches on
    departures drawn from what was expected, by `seed`.
    """

    attributes: tuple[Attribute, ...]
    cells: Cells
    groups: tuple[Group, ...]
    when: Times
    seen: Tables
    segments: int
    null_scores: Array
    seed: int

    @property
    def starts(self) -> int:
        """Number of start periods looked at."""
        return self.when.starts


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
    when = times(expected, baseline.panel.calendar)
    look = plan(cells, looked, expected, when)
    null = _null_scores(baseline, cells, look, draws, seed)
    seen = Tables(cells, cells.sums(baseline.observed))
    return Scan(attributes, cells, looked, when, seen, look.segments, null, seed)


def next_window(baseline: Baseline, scan: Scan, explained: Array) -> Window | None:
    """Return the strongest rise left once `explained` is allowed for.

    `explained` is a factor on what is expected, float32[n, T]. None where no segment rose at all;
    the window's `p_value` is over the whole search. Of segments that say much the same with nearly
    the same score, the one of fewest attributes is returned and the others are told.
    """
    if not scan.starts:
        return None
    expected = scan.cells.sums(baseline.expected * explained)
    look = plan(scan.cells, scan.groups, expected, scan.when)
    hits = [h for h in search(Observed(scan.seen), look) if h.best.score[0] > -np.inf]
    if not hits:
        return None
    top = max(float(h.best.score[0]) for h in hits)
    p = float((1 + (scan.null_scores >= top).sum()) / (1 + len(scan.null_scores)))
    hit, also = _simplest(hits, scan, expected)
    when = int(hit.best.start[0]), int(hit.best.end[0])
    worth = float(hit.best.score[0]), float(hit.price[0])
    return _window(scan, look, _segment(hit), when, worth, p, also)


def window_by_orders(baseline: Baseline, scan: Scan) -> Window | None:
    """Return the strongest rise by all that clients ordered (see `by_orders`), if there is any.

    It is told in departures as they are counted, which may say little of it, but for its p-value.
    """
    rise = by_orders.strongest(baseline, scan.attributes, scan.when, seed=scan.seed)
    if rise is None:
        return None
    look = plan(scan.cells, scan.groups, scan.cells.sums(baseline.expected), scan.when)
    price = look.prices[rise.order][not rise.plain]
    o, e = _counts(scan, look, rise.segment)
    now, whole = slice(rise.start, None), (o.sum() + LEVEL_PRIOR, e.sum() + LEVEL_PRIOR)
    worth = float(gain_of(o[now].sum(), e[now].sum(), *whole)) - price, price
    when = rise.start, scan.when.end
    return _window(scan, look, rise.segment, when, worth, rise.p_value, ())


def _window(
    scan: Scan,
    look: Plan,
    segment: dict[str, tuple[str, ...]],
    when: tuple[int, int],
    worth: tuple[float, float],
    p_value: float,
    also: tuple[dict[str, tuple[str, ...]], ...],
) -> Window:
    """The window to tell of; `worth` is its score and the price that this has paid."""
    o, e = _counts(scan, look, segment)
    start, end = _sharpened(o, e, *when, scan.when)
    now, (score, price) = slice(start, end), worth
    o1, e1 = o[now].sum(), e[now].sum()
    outside = (o.sum() - o1 + LEVEL_PRIOR) / (e.sum() - e1 + LEVEL_PRIOR)
    return Window(
        segment,
        start,
        None if end == scan.when.end else end,
        score + price,
        score,
        float(o1 / e1 / outside),
        p_value,
        also,
    )


def _counts(scan: Scan, look: Plan, segment: dict[str, tuple[str, ...]]) -> tuple[Array, Array]:
    """Departures observed and expected of a segment by period, float32[T] each."""
    within = _cells_inside(segment, scan)
    o, e = (np.asarray(t.values[within].sum(axis=0)) for t in (scan.seen, look.due))
    return o, e


def _segment(hit: Hit) -> dict[str, tuple[str, ...]]:
    return {attribute.name: attribute.named(mask) for attribute, mask in hit.sides(0)}


def _cells_inside(segment: dict[str, tuple[str, ...]], scan: Scan) -> Array:
    inside = members(segment, scan.cells.attributes, (scan.cells.count, 1))
    return np.asarray(inside[:, 0])


def _simplest(
    hits: list[Hit], scan: Scan, expected: Array
) -> tuple[Hit, tuple[dict[str, tuple[str, ...]], ...]]:
    """Of near-equal segments that overlap the best one, that of fewest attributes; and the others.

    Overlap is of clients and time, by departures expected.
    """
    ranked = sorted(hits, key=lambda h: -float(h.best.score[0]))
    top = ranked[0]
    near = [
        h
        for h in ranked
        if h.best.score[0] >= top.best.score[0] - NEAR
        and _overlap(_inside(top, scan), _inside(h, scan), expected) >= ALIKE
    ]
    chosen = min(near, key=lambda h: (h.order, -float(h.best.score[0])))
    told: list[dict[str, tuple[str, ...]]] = []
    for hit in near:
        if hit is not chosen and (segment := _segment(hit)) not in (_segment(chosen), *told):
            told.append(segment)
    return chosen, tuple(told[:MOST_ALIKE])


def _inside(hit: Hit, scan: Scan) -> tuple[Array, slice]:
    return _cells_inside(_segment(hit), scan), slice(int(hit.best.start[0]), int(hit.best.end[0]))


def _overlap(a: tuple[Array, slice], b: tuple[Array, slice], expected: Array) -> float:
    """Jaccard overlap of two windows by what is expected in them."""

    def total(cells: Array, begin: int, end: int) -> float:
        return float(expected[cells, begin : max(begin, end)].sum(dtype=np.float64))

    (in_a, t_a), (in_b, t_b) = a, b
    both = total(in_a & in_b, max(t_a.start, t_b.start), min(t_a.stop, t_b.stop))
    either = total(in_a, t_a.start, t_a.stop) + total(in_b, t_b.start, t_b.stop) - both
    return both / either if either > 0 else 0.0


def _sharpened(o: Array, e: Array, start: int, end: int, when: Times) -> tuple[int, int]:
    """The best start and end near those of a window that has passed; an open one as it is."""
    if end == when.end:
        return start, end
    near = when.reach

    def gain(s: int, t: int) -> float:
        until, whole = ((o[:k].sum() + LEVEL_PRIOR, e[:k].sum() + LEVEL_PRIOR) for k in (t, None))
        return float(gain_of_passed(o[s:t].sum(), e[s:t].sum(), until, whole))

    tried = [
        (gain(s, t), s, t)
        for s in range(max(when.first, start - near), min(start + near, max(start, end - 2)) + 1)
        for t in range(max(s + 1, end - near), min(end + near, when.passed) + 1)
    ]
    _, s, t = max(tried, key=lambda x: (x[0], -x[1], -x[2]))
    return s, t


def _null_scores(baseline: Baseline, cells: Cells, look: Plan, draws: int, seed: int) -> Array:
    """Best score of each of `draws` searches on departures drawn from what was expected."""
    expected, season = baseline.expected, season_of(baseline.panel.calendar)
    events = round(float(expected.sum(dtype=np.float64)))
    if events == 0 or not look.when.starts or not draws:
        return np.zeros(0)
    lot = drawing.lot(expected, events, cells.at, season, baseline.moments)
    draws = min(draws, max(FEWEST_DRAWS, MOST_DRAWN // events))
    size = min(DRAWS_AT_A_TIME, max(1, AT_A_TIME // events))

    def scores(begin: int) -> Array:
        count = min(size, draws - begin)
        rng = np.random.default_rng([seed, begin])
        drawn = drawing.draw(lot, look.attributes, count, rng)
        hits = search(Drawn(drawn, drawn.moment), look)
        return np.asarray(np.max([h.best.score for h in hits], axis=0))

    return np.concatenate([np.zeros(0), *over_chunks(scores, range(0, draws, size))])
