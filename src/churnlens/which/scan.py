"""Which segment leaves more than it used to, and since when, after paying for the looking?

A space–time scan (Kulldorff 1997, 2001) with segments in the place of places. For every segment and
every start the departures observed after the start are held against those expected from the
segment's own level before it: with O1, E1 after and O0, E0 before, the log-likelihood gain is
O1·log(O1/E1) + O0·log(O0/E0) − (O1+O0)·log((O1+O0)/(E1+E0)) where the rate rose. A standing
difference between segments is therefore no rise. From the gain the log of the number of segments of
the same complexity is taken, so that a conjunction must beat the simpler segments by what its
larger number would give it by luck. The p-value is by Monte Carlo over the whole search: departures
are drawn again from what was expected and searched in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.which.segments import (
    Attribute,
    Group,
    cell_sums,
    dense_sums,
    groups,
    members,
)

Array = npt.NDArray[Any]

LEAST_OBSERVED = 5  # departures in a window
LEAST_EXPECTED = 1.5  # expected departures on either side of a start
FIRST_START, LAST_START = 3, 2  # periods kept free at both ends of what can be seen
CHUNK = 50  # Monte Carlo draws handled at a time


@dataclass(frozen=True)
class Window:
    """A segment from a start period on.

    `observed`, `expected` count departures after the start (`expected` at the segment's level
    before it), `observed_before` and `expected_before` those before it, on the baseline's scale.
    `gain` is the log-likelihood gain, `score` the gain less the price of its complexity; `p_value`
    is over the whole search.
    """

    segment: dict[str, tuple[str, ...]]
    start: int
    observed: int
    expected: float
    observed_before: int
    expected_before: float
    gain: float
    score: float
    p_value: float

    @property
    def ratio(self) -> float:
        """Departures observed over expected."""
        return self.observed / max(self.expected, 1e-9)


@dataclass(frozen=True)
class Scan:
    """What one search found: its best windows, and how much it looked at."""

    windows: tuple[Window, ...]
    null_scores: Array
    segments: int
    starts: int


def gains(observed: Array, expected: Array, scale: float = 1.0) -> Array:
    """Return log-likelihood gains for a rise from each period on: [..., T] counts to [..., T]."""
    o1 = np.cumsum(observed[..., ::-1], axis=-1)[..., ::-1]
    e1 = np.cumsum(expected[..., ::-1], axis=-1)[..., ::-1]
    o, e = o1[..., :1], e1[..., :1]
    o0, e0 = o - o1, e - e1
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = _part(o1, e1) + _part(o0, e0) - _part(o, e)
        rose = (o1 * e0 > o0 * e1) & (o1 >= LEAST_OBSERVED)
    rose &= (e1 >= LEAST_EXPECTED) & (e0 >= LEAST_EXPECTED)
    return np.where(rose, gain / scale, np.float32(0))


def _part(o: Array, e: Array) -> Array:
    return np.where(o > 0, o * np.log(np.maximum(o, 1e-9) / np.maximum(e, 1e-9)), np.float32(0))


def scan(
    panel: Panel,
    expected: Array,
    attributes: tuple[Attribute, ...],
    *,
    draws: int,
    seed: int,
    alpha: float = 0.05,
    most: int = 4,
) -> Scan:
    """Search every segment and start for a rise, explain the strongest away, search again.

    Parameters
    ----------
    expected
        Departures expected of each client and period had nothing changed, float32[n, T].
    draws
        Monte Carlo draws of the whole search.
    alpha
        A window whose p-value is above it ends the search.
    most
        Windows at most.

    Returns
    -------
    Scan
        Windows in the order found, each with a p-value over the whole search.
    """
    rows, cols = panel.events
    looked = groups(attributes)
    span = _span(expected)
    prices = _prices(looked)
    tables = [dense_sums(g, expected) for g in looked]
    null = _null_scores(expected, looked, tables, prices, span, len(rows), draws, seed)
    scale = np.ones_like(expected)
    found: list[Window] = []
    for _ in range(most):
        best = _best(looked, tables, prices, span, rows, cols, panel.at_risk.shape[1])
        if best is None:
            break
        p = float((1 + (null >= best.score).sum()) / (1 + len(null))) if len(null) else 1.0
        window = _with_p(best, p)
        if p > alpha:
            break
        found.append(window)
        inside = members(window.segment, attributes, expected.shape)
        late = np.arange(expected.shape[1]) >= window.start
        scale = np.where(inside & late, scale * window.ratio, scale)
        tables = [dense_sums(g, (expected * scale).astype(np.float32)) for g in looked]
    return Scan(
        windows=tuple(found),
        null_scores=null,
        segments=sum(g.segments for g in looked),
        starts=span[1] - span[0],
    )


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
    tables: list[Array],
    prices: dict[int, float],
    span: tuple[int, int],
    rows: Array,
    cols: Array,
    periods: int,
) -> Window | None:
    best: tuple[float, Any] | None = None
    for group, table in zip(looked, tables, strict=True):
        o = group.add_up(cell_sums(group, rows, cols, periods))
        e = group.add_up(table)
        gain = gains(o, e)[..., span[0] : span[1]]
        if gain.size and gain.max() > 0:
            s, k = np.unravel_index(int(gain.argmax()), gain.shape)
            score = float(gain[s, k]) - prices[group.order]
            if best is None or score > best[0]:
                best = (score, (group, int(s), int(k) + span[0], float(gain[s, k]), o[s], e[s]))
    return None if best is None else _window(best[0], *best[1])


def _window(
    score: float, group: Group, s: int, start: int, gain: float, o: Array, e: Array
) -> Window:
    o0, e0 = int(round(float(o[:start].sum()))), float(e[:start].sum())
    level = o0 / e0 if e0 > 0 else 1.0
    return Window(
        segment=group.segment(s),
        start=start,
        observed=int(round(float(o[start:].sum()))),
        expected=float(e[start:].sum()) * level,
        observed_before=o0,
        expected_before=e0,
        gain=gain,
        score=score,
        p_value=1.0,
    )


def _with_p(window: Window, p: float) -> Window:
    from dataclasses import replace

    return replace(window, p_value=p)


def _null_scores(
    expected: Array,
    looked: tuple[Group, ...],
    tables: list[Array],
    prices: dict[int, float],
    span: tuple[int, int],
    events: int,
    draws: int,
    seed: int,
) -> Array:
    """Best score of each of `draws` searches on departures drawn from what was expected."""
    if events == 0 or span[1] <= span[0]:
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    flat = np.flatnonzero(expected)
    edges = np.cumsum(expected.ravel()[flat], dtype=np.float64)
    sums = [group.add_up(table) for group, table in zip(looked, tables, strict=True)]
    best = np.full(draws, -np.inf)
    for begin in range(0, draws, CHUNK):
        size = min(CHUNK, draws - begin)
        at = flat[
            np.searchsorted(edges, rng.random(size * events) * edges[-1]).clip(0, len(flat) - 1)
        ]
        rows, cols = np.divmod(at, expected.shape[1])
        draw = np.repeat(np.arange(size), events)
        for group, e in zip(looked, sums, strict=True):
            o = _drawn(group, rows, cols, draw, size, expected.shape[1])
            gain = gains(group.add_up(o), e)[..., span[0] : span[1]]
            top = gain.reshape(size, -1).max(axis=1) - prices[group.order]
            np.maximum(best[begin : begin + size], top, out=best[begin : begin + size])
    return best


def _drawn(group: Group, rows: Array, cols: Array, draw: Array, size: int, periods: int) -> Array:
    at = (draw * group.n_cells + group.cells(rows, cols)) * periods + cols
    counts = np.bincount(at, minlength=size * group.n_cells * periods)
    return counts.reshape(size, group.n_cells, periods).astype(np.float32)
