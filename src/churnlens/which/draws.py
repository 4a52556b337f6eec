"""Departures drawn from what was expected, to be searched as the observed ones are.

What is expected was fitted to the departures observed, so that these lie closer to it than chance
alone would have them: a rise that most of the book shares, above all in the last months, is taken
for the tenure of its clients or the time left. Draws are not fitted again; each departure drawn is
weighed instead, so that in every factor a draw has as many as were expected (raking; Deville &
Särndal 1992), and what is expected would stay as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import PRIOR, SWEEPS, Moments
from churnlens.which.segments import Attribute, Group

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lot:
    """What departures are drawn from: client-periods, season by season and period by period.

    `edges` is the running sum of what is expected of them, `cell` and `moment` are each one's,
    `order` the periods as they follow. `ends` is the running sum at the end of each season, and
    `counts` the departures of a draw that fall in it.

    `due` is what is expected in each moment, and `factors` are those that the baseline was fitted
    by: the level of each moment, with the number of levels.
    """

    edges: Array
    cell: Array
    moment: Array
    order: Array
    ends: Array
    counts: Array
    due: Array
    factors: tuple[tuple[Array, int], ...]

    @property
    def events(self) -> int:
        """Departures of a draw."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Drawn:
    """Departures of `draws` draws, `events` each: the code of every attribute, period, weight."""

    codes: dict[str, Array]
    period: Array
    weight: Array
    draws: int
    events: int
    periods: int

    @property
    def moment(self) -> Array:
        """Draw × period of each departure."""
        return np.repeat(np.arange(self.draws), self.events) * self.periods + self.period


def lot(expected: Array, events: int, at: Array, season: Array, moments: Moments | None) -> Lot:
    """Return the lot of what is expected of each client and period, float[n, T].

    Parameters
    ----------
    events
        Departures of a draw; as many fall in each season as were expected in it.
    at
        Cell of each client, int[n], or of each client and period, int[n, T].
    season
        Season of each period, int[T].
    moments
        What the baseline was fitted by; None where it was given.
    """
    order = np.argsort(season, kind="stable")
    edges = np.cumsum(expected.T[order], dtype=np.float64)
    of_period = edges.reshape(len(order), -1)[:, -1]
    ends = of_period[np.append(np.diff(season[order]) != 0, True)]
    # Rounded so that the sum stays: what is due until the end of each season, in whole departures.
    until = np.rint(ends * events / edges[-1]).astype(int)
    counts = np.diff(until, prepend=0)
    kept = Moments(np.zeros(expected.shape, np.int16), ()) if moments is None else moments
    number, due, factors = _occurring(kept, expected)

    def in_order(of_each: Array) -> Array:
        whole = np.broadcast_to(of_each.reshape(len(expected), -1), expected.shape)
        return whole.T[order].ravel()

    moment = number[in_order(kept.at)]
    return Lot(edges, in_order(at.astype(np.int32)), moment, order, ends, counts, due, factors)


def _occurring(
    moments: Moments, expected: Array
) -> tuple[Array, Array, tuple[tuple[Array, int], ...]]:
    """Number the moments in which something is expected; what is, and the levels of each."""
    due = np.bincount(moments.at.ravel(), expected.ravel())
    occur = np.flatnonzero(due)
    number = np.zeros(len(due), np.int16)
    number[occur] = np.arange(len(occur))
    return number, due[occur], tuple((codes[occur], levels) for codes, levels in moments.factors)


def draw(
    source: Lot, attributes: tuple[Attribute, ...], count: int, rng: np.random.Generator
) -> Drawn:
    """Draw `count` times."""
    begins = np.concatenate([[0.0], source.ends[:-1]])
    where = np.hstack(
        [
            begin + (end - begin) * _in_order(count, events, rng)
            for begin, end, events in zip(begins, source.ends, source.counts, strict=True)
        ]
    )
    at = np.searchsorted(source.edges, where.ravel()).clip(0, len(source.edges) - 1)
    cell, periods = source.cell[at], len(source.order)
    codes = {a.name: a.codes[cell].astype(np.int64) for a in attributes}
    period = source.order[at // (len(source.edges) // periods)]
    weight = _weights(source, source.moment[at].reshape(count, -1))
    return Drawn(codes, period, weight, count, source.events, periods)


def _weights(source: Lot, moment: Array) -> Array:
    """Weigh departures by their moment, int[draws, events], so that draws have what is due.

    In every level of every factor, that is, as the baseline has what was observed.
    """
    draws, moments = len(moment), len(source.due)
    at = (np.arange(draws)[:, None] * moments + moment).ravel()
    there = np.bincount(at, minlength=draws * moments).reshape(draws, moments)
    of_level = [(codes, np.eye(levels)[codes]) for codes, levels in source.factors]
    weight = np.ones(there.shape)
    for _ in range(SWEEPS):
        for codes, level in of_level:
            due, drawn = source.due @ level + PRIOR, (there * weight) @ level + PRIOR
            weight *= (due / drawn)[:, codes]
    return np.asarray(weight.ravel()[at])


def _in_order(count: int, events: int, rng: np.random.Generator) -> Array:
    """Uniforms on 0 to 1, each row in order: float[count, events].

    They are running sums of exponential gaps, scaled to end at 1 (Devroye 1986, V.3); looking up
    ordered values is what takes the time otherwise.
    """
    running = np.cumsum(rng.standard_exponential((count, events + 1)), axis=1)
    return np.asarray(running[:, :-1] / running[:, -1:])


def cell_counts(group: Group, drawn: Drawn, moment: Array) -> Array:
    """Return departures drawn by the group's cell, draw and period: float32[cells, draws, T]."""
    width = drawn.draws * drawn.periods
    at = moment
    if group.b is not None:
        at = at + drawn.codes[group.b.name] * width
    if group.a is not None:
        at = at + drawn.codes[group.a.name] * (width * group.masks_b.shape[1])
    counts = np.bincount(at, drawn.weight, group.n_cells * width).astype(np.float32)
    return counts.reshape(group.n_cells, drawn.draws, drawn.periods)


def inside(drawn: Drawn, parents: list[tuple[Group, int] | None]) -> Array:
    """Return the departures (places in `drawn`) that lie in each draw's own segment."""
    kept = []
    for d, parent in enumerate(parents):
        if parent is None:
            continue
        group, segment = parent
        part = slice(d * drawn.events, (d + 1) * drawn.events)
        there = np.ones(drawn.events, bool)
        for attribute, mask in group.sides(segment):
            there &= mask[drawn.codes[attribute.name][part]]
        kept.append(np.flatnonzero(there) + part.start)
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def counts_of(attribute: Attribute, drawn: Drawn, moment: Array, places: Array) -> Array:
    """Return some departures by value of an attribute, draw and period: float32[values, D, T]."""
    width = drawn.draws * drawn.periods
    at = drawn.codes[attribute.name][places] * width + moment[places]
    counts = np.bincount(at, drawn.weight[places], len(attribute.values) * width)
    return counts.astype(np.float32).reshape(len(attribute.values), drawn.draws, drawn.periods)
