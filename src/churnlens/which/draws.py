"""Departures drawn from what was expected, to be searched as the observed ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.segments import Attribute, Group

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lot:
    """What departures are drawn from.

    `edges` is the running sum of what is expected, season by season, cell by cell and period by
    period (`cell`, `period`); `ends` its value at the end of each season, and `counts` the
    departures of a draw that fall in it.
    """

    edges: Array
    cell: Array
    period: Array
    ends: Array
    counts: Array
    periods: int

    @property
    def events(self) -> int:
        """Departures of a draw."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Drawn:
    """Departures of `draws` draws, `events` each: the code of every attribute, the period."""

    codes: dict[str, Array]
    period: Array
    draws: int
    events: int
    periods: int

    @property
    def moment(self) -> Array:
        """Draw × period of each departure."""
        return np.repeat(np.arange(self.draws), self.events) * self.periods + self.period


def lot(expected: Array, events: int, season: Array) -> Lot:
    """Return the lot of what is expected by cell and period, float[cells, T].

    A draw has `events` departures, as many in each season (int[T], by period) as were expected in
    it: the baseline has its seasons from the departures observed, and so agrees with them there.
    """
    flat = np.flatnonzero(expected)
    cell, period = np.divmod(flat, expected.shape[1])
    order = np.argsort(season[period], kind="stable")
    flat, cell, period = flat[order], cell[order], period[order]
    edges = np.cumsum(expected.ravel()[flat], dtype=np.float64)
    ends = edges[np.flatnonzero(np.append(np.diff(season[period]) != 0, True))]
    # Rounded so that the sum stays: what is due until the end of each season, in whole departures.
    until = np.rint(ends * events / edges[-1]).astype(int)
    return Lot(edges, cell, period, ends, np.diff(until, prepend=0), expected.shape[1])


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
    cell = source.cell[at]
    codes = {a.name: a.codes[cell].astype(np.int64) for a in attributes}
    return Drawn(codes, source.period[at], count, source.events, source.periods)


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
    counts = np.bincount(at, minlength=group.n_cells * width).astype(np.float32)
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
    counts = np.bincount(at, minlength=len(attribute.values) * width).astype(np.float32)
    return counts.reshape(len(attribute.values), drawn.draws, drawn.periods)
