"""Whose orders tell of more departures than those of all other clients, since when?

Departures as they are counted say too little where many leave slowly (see `marginal`). Here the
likelihood of all that each client ordered is taken at some raises of its hazard from every period
on, and at some levels of it. At given ones it adds up over clients, so sums by segment say how much
better the orders are foretold if one segment's hazard rose apart from that of all others. What all
have in common earns nothing: a rise of the whole book, a season, silence that is read too harshly.
What chance gives is found by shuffling the clients (Fisher 1935), in which all that stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.threads import over_chunks
from churnlens.which.baseline import Baseline
from churnlens.which.segments import (
    ALIKE,
    NEAR,
    Attribute,
    Cells,
    Group,
    collapse,
    groups,
    indicator,
    members,
)
from churnlens.which.windows import LEVEL_PRIOR, Times

Array = npt.NDArray[Any]

RAISES = np.array([1.0, 1.5, 2.5, 5.0])
LEVELS = np.exp([-1.0, -0.5, 0.0, 0.5, 1.0])  # of a segment and of all others, over the baseline's
MOST_CLIENTS = 8_000  # where there are more, counts are plenty
SHUFFLES, AT_A_TIME = 400, 20
ENOUGH = 10  # shuffles that show as much, from which it is clear that chance does
LARGEST = 60.0  # log-likelihood ratio of an onset, above which it is sure


@dataclass(frozen=True)
class Rise:
    """A segment whose hazard rose apart from that of all others, from a period on.

    `plain` is whether it names one value of each attribute; `p_value` is over the whole search.
    """

    segment: dict[str, tuple[str, ...]]
    plain: bool
    start: int
    p_value: float

    @property
    def order(self) -> int:
        """Number of attributes: 1 or 2."""
        return len(self.segment)


def strongest(
    baseline: Baseline, attributes: tuple[Attribute, ...], when: Times, *, seed: int
) -> Rise | None:
    """Return the segment that rose most, of one or two attributes that do not change by period.

    Starts are a month apart. Clients are shuffled until ten shuffles show as much, at most 400
    times (Besag & Clifford 1991). Each kind of segment, by the number of attributes and whether one
    value of each is named, pays what it gains in half of the first shuffles.

    Returns
    -------
    None where departures are known for sure, where there are more than 8,000 clients, or where
    there is no segment or time to look at.
    """
    lasting = tuple(a for a in attributes if a.codes.ndim == 1)
    n = len(baseline.expected)
    if baseline.panel.likelihood is None or n > MOST_CLIENTS or not when.starts or not lasting:
        return None
    cells = collapse(lasting, n)
    looked = tuple(g for g in groups(cells.attributes) if g.order)
    starts = np.arange(when.first, when.last, baseline.panel.calendar.span(1))
    table = _table(baseline, starts)
    own = _gains(looked, cells, table, cells.at)
    rng = np.random.default_rng(seed)
    first = _shuffled(looked, cells, table, rng)
    prices = np.median(first, axis=0)
    top = float((_best_of_kinds(looked, own) - prices).max())
    if top <= 0:
        return None
    as_much, shuffles = 0, 0
    for gains in _shuffles(first, looked, cells, table, rng):
        as_much += int(((gains - prices).max(axis=1) >= top).sum())
        shuffles += len(gains)
        if as_much >= ENOUGH:
            break
    group, index, at = _simplest(looked, cells, own, prices)
    p = (1 + as_much) / (1 + shuffles)
    return Rise(group.segment(index), bool(group.plain[index]), int(starts[at]), p)


def _table(baseline: Baseline, starts: Array) -> Array:
    """Log-likelihoods by client, level, raise and start, over those at no raise and level 1.

    float32[n, levels, raises, starts].
    """
    likelihood = baseline.panel.likelihood
    assert likelihood is not None
    counted = likelihood.possible & (baseline.expected > 0)
    due = np.where(likelihood.log_ratio > -np.inf, baseline.hazard, 0).astype(np.float64)
    onset = np.exp(np.minimum(likelihood.log_ratio, LARGEST), dtype=np.float64)
    table = np.empty((len(due), len(LEVELS), len(RAISES), len(starts)), np.float32)

    def fill(at: tuple[int, int]) -> None:
        level, more = LEVELS[at[0]], RAISES[at[1]]
        before = np.where(counted, level * due, due)
        since = np.where(counted, more * before, before)
        table[:, at[0], at[1]] = log_likelihoods(onset, before, since)[:, starts]

    over_chunks(fill, [(i, j) for i in range(len(LEVELS)) for j in range(len(RAISES))])
    still = int(np.flatnonzero(LEVELS == 1)[0])
    return np.asarray(table - table[:, still, 0][:, None, None])


def log_likelihoods(onset: Array, before: Array, since: Array) -> Array:
    """Return that of what each client ordered, had its hazard been `since` from each period on.

    Parameters
    ----------
    onset
        Likelihood ratio of an onset in a period over that of none, float64[n, T].
    before, since
        Hazards up to the period and from it on, float64[n, T].

    Returns
    -------
    Over the likelihood of nobody leaving, float64[n, T], a column a first period of `since`.
    """
    lived, later = (np.cumsum(h, axis=1) - h for h in (before, since))
    early = -np.expm1(-before) * onset * np.exp(-lived)
    late = -np.expm1(-since) * onset * np.exp(-later)
    had_left = np.cumsum(early, axis=1) - early
    leaves = np.cumsum(late[:, ::-1], axis=1)[:, ::-1]
    stays = np.exp(-(later + since)[:, -1:])
    return np.asarray(np.log(had_left + np.exp(later - lived) * (leaves + stays)))


def _gains(looked: tuple[Group, ...], cells: Cells, table: Array, at: Array) -> list[Array]:
    """Gain of each group's segments at each start, [segments, starts]; `at` is each client's cell.

    A segment and all others have a level each, and a raise each or one together.
    """
    sums = (indicator(at, cells.count) @ table.reshape(len(table), -1)).astype(np.float32)
    total = sums.sum(axis=0, dtype=np.float64).astype(np.float32).reshape(table.shape[1:])
    held = LEVEL_PRIOR * (np.log(LEVELS) - LEVELS + 1)
    prior = held.astype(np.float32)[:, None, None]
    found = []
    for group in looked:
        flat = group.add_up(np.asarray(group.indicator(cells.count) @ sums, np.float32))
        inside = flat.reshape(-1, *table.shape[1:])
        own, others = ((part + prior).max(axis=1) for part in (inside, total - inside))
        apart = own.max(axis=1) + others.max(axis=1)
        rose = own.argmax(axis=1) > others.argmax(axis=1)
        found.append(np.where(rose, apart - (own + others).max(axis=1), 0))
    return found


def _kinds(looked: tuple[Group, ...]) -> list[Array]:
    """The kind of each group's segments, 0 to 3: one or two attributes, one value each or not."""
    return [2 * (g.order - 1) + ~g.plain for g in looked]


def _best_of_kinds(looked: tuple[Group, ...], gains: list[Array]) -> Array:
    """The largest gain of each kind of segment, float[4]."""
    best = np.zeros(4)
    for kind, gain in zip(_kinds(looked), gains, strict=True):
        np.maximum.at(best, kind, gain.max(axis=1))
    return best


def _shuffled(looked: tuple[Group, ...], cells: Cells, table: Array, rng: Any) -> Array:
    """The largest gain of each kind in so many shuffles, float[shuffles, 4]."""
    orders = [rng.permutation(cells.at) for _ in range(AT_A_TIME)]
    return np.stack(
        over_chunks(lambda at: _best_of_kinds(looked, _gains(looked, cells, table, at)), orders)
    )


def _shuffles(
    first: Array, looked: tuple[Group, ...], cells: Cells, table: Array, rng: Any
) -> Iterator[Array]:
    yield first
    for _ in range(len(first), SHUFFLES, AT_A_TIME):
        yield _shuffled(looked, cells, table, rng)


def _simplest(
    looked: tuple[Group, ...], cells: Cells, gains: list[Array], prices: Array
) -> tuple[Group, int, int]:
    """Of the best segment and those near it of much the same clients the simplest, and its start.

    Simplest is that of fewest attributes, and of one value each.
    """
    clients = np.bincount(cells.at, minlength=cells.count)
    ranked = sorted(
        (
            (float(gain[i].max() - prices[kind[i]]), kind[i], g, i, gain[i])
            for g, kind, gain in zip(looked, _kinds(looked), gains, strict=True)
            for i in map(int, np.flatnonzero(gain.max(axis=1) > 0))
        ),
        key=lambda x: -x[0],
    )
    top = ranked[0]
    best = _inside(top[2], top[3], cells)
    near = [x for x in ranked if x[0] >= top[0] - NEAR]
    alike = [x for x in near if _overlap(best, _inside(x[2], x[3], cells), clients) >= ALIKE]
    _, _, group, i, gain = min(alike, key=lambda x: (x[1], -x[0]))
    return group, i, int(gain.argmax())


def _inside(group: Group, index: int, cells: Cells) -> Array:
    """Which cells are in a segment, bool[cells]."""
    return members(group.segment(index), cells.attributes, (cells.count, 1))[:, 0]


def _overlap(a: Array, b: Array, clients: Array) -> float:
    return float(clients[a & b].sum() / max(clients[a | b].sum(), 1))
