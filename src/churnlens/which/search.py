"""Look through every segment and window, in the departures observed or in many draws alike.

The whole book, single attributes (with unions of the values of one that has many), pairs, and
conjunctions of three: the strongest pairs of each search are narrowed by every third attribute. As
the same is done in every draw, the p-value of what is found pays for all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from churnlens.which import draws as drawing
from churnlens.which.segments import (
    Attribute,
    Cells,
    Group,
    has_many,
    named,
    sets_of_size,
    value_sets,
)
from churnlens.which.tables import Tables
from churnlens.which.windows import (
    LEVEL_PRIOR,
    Best,
    Times,
    best,
    gain_of,
)

Array = npt.NDArray[Any]

PARENTS = 2  # pairs of each search that are narrowed by a third attribute
CLEARLY = 3.0  # log-likelihood by which a conjunction of three must beat a simpler segment
Sides = list[tuple[Attribute, Array]]  # a segment: attributes, each with its set of values


class Seen(Protocol):
    """Departures to be searched, of one or more draws."""

    @property
    def draws(self) -> int:
        """How many draws."""
        ...

    def cells(self, group: Group) -> Array:
        """Return departures by the group's cell, draw and period, float32[cells, D, T]."""
        ...

    def narrowed(self, parents: list[tuple[Group, int] | None]) -> Callable[[Attribute], Array]:
        """Return departures in each draw's own segment by an attribute's value, [values, D, T]."""
        ...


@dataclass(frozen=True)
class Observed:
    """The departures as they were: one draw."""

    tables: Tables
    draws: int = 1

    def cells(self, group: Group) -> Array:
        """Return departures by cell and period."""
        return self.tables.cells(group)[:, None, :]

    def narrowed(self, parents: list[tuple[Group, int] | None]) -> Callable[[Attribute], Array]:
        """Return departures of a segment by an attribute's value."""
        return lambda attribute: _by_third(self.tables, parents, attribute)


@dataclass(frozen=True)
class Drawn:
    """Departures drawn, each with its attributes."""

    drawn: drawing.Drawn
    moment: Array

    @property
    def draws(self) -> int:
        """How many draws."""
        return self.drawn.draws

    def cells(self, group: Group) -> Array:
        """Return departures by cell, draw and period."""
        return drawing.cell_counts(group, self.drawn, self.moment)

    def narrowed(self, parents: list[tuple[Group, int] | None]) -> Callable[[Attribute], Array]:
        """Return departures of each draw's segment by an attribute's value."""
        places = drawing.inside(self.drawn, parents)
        return lambda attribute: drawing.counts_of(attribute, self.drawn, self.moment, places)


@dataclass(frozen=True)
class Plan:
    """What is looked at, and what each kind of segment and window pays for its number.

    Segments that name one value of each attribute are fewer than those that name several, and pay
    less: by the number of attributes, `prices` are of the former and of the latter.

    `due` are the sums of what is expected, `segments_due` those of each group's segments,
    float32[segments, 1, T]; `wide` those of each value of an attribute with many.
    """

    attributes: tuple[Attribute, ...]
    groups: tuple[Group, ...]
    when: Times
    due: Tables
    segments_due: tuple[Array, ...]
    wide: dict[str, Array]
    thirds: tuple[tuple[Attribute, Array], ...]
    prices: dict[int, tuple[float, float]]
    passed: float

    @property
    def segments(self) -> int:
        """Number of segments looked at in one search."""
        pairs = sum(g.segments for g in self.groups)
        wide = sum(len(values) - 2 for values in self.wide.values())
        return pairs + wide + PARENTS * sum(len(sets) for _, sets in self.thirds)

    def price_of(self, group: Group) -> Array:
        """Return what each of a group's segments pays, float[segments]."""
        return np.where(group.plain, *self.prices[group.order])


@dataclass(frozen=True)
class Hit:
    """The best window of one kind of segment in each draw."""

    order: int  # attributes
    best: Best
    price: Array  # what each draw's window paid for the number of those like it, float[D]
    sides: Callable[[int], Sides]  # of a draw


def plan(cells: Cells, groups: tuple[Group, ...], expected: Array, when: Times) -> Plan:
    """Return the plan of a search; groups and `expected` (float32[cells, T]) are of the cells."""
    attributes, due = cells.attributes, Tables(cells, expected)
    many = [g for g in groups if g.order == 1 and g.a is not None and has_many(g.a)]
    thirds = (
        tuple((a, value_sets(a, single=False)) for a in attributes) if len(attributes) > 2 else ()
    )
    return Plan(
        attributes,
        groups,
        when,
        due,
        tuple(_segment_sums(g, due.cells(g)[:, None, :]) for g in groups),
        {g.a.name: due.cells(g)[named(g.a)][:, None, :] for g in many if g.a is not None},
        thirds,
        _prices(groups, thirds),
        float(np.log1p(when.closed)),
    )


def search(seen: Seen, look: Plan) -> list[Hit]:
    """Return the best window of every group, of unions, and of conjunctions of three.

    Only scores above 0 and above what has been found already are of interest, but for pairs, of
    which the best few are wanted.
    """
    hits: list[Hit] = []
    top, pairs = np.zeros(seen.draws), np.zeros((PARENTS, seen.draws))
    for group, due in zip(look.groups, look.segments_due, strict=True):
        cells = seen.cells(group)
        beat = pairs[0] if group.order == 2 else top
        hits.append(_of_group(group, _segment_sums(group, cells), due, look, beat))
        if group.order == 1 and group.a is not None and group.a.name in look.wide:
            hits.append(_best_union(group.a, cells, look))
        score = hits[-1].best.score
        top = np.maximum(top, score)
        if group.order == 2:
            pairs = np.sort(np.vstack([pairs, score]), axis=0)[1:]
    return hits + _threefold(seen, look, hits, top)


def _segment_sums(group: Group, cells: Array) -> Array:
    """Sums of a group's segments from those of its cells, [cells, D, T] to [segments, D, T]."""
    flat = group.add_up(cells.reshape(group.n_cells, -1))
    return flat.reshape(group.segments, *cells.shape[1:])


def _of_group(group: Group, seen: Array, due: Array, look: Plan, beat: Array) -> Hit:
    price = look.price_of(group)
    found = best(seen, due, look.when, price, look.passed, beat)
    paid = _paid(found, price[found.segment], look)
    return Hit(group.order, found, paid, lambda draw: group.sides(int(found.segment[draw])))


def _paid(found: Best, price: Array, look: Plan) -> Array:
    """What each draw's window paid, float[D], where its segment pays `price` (float[D])."""
    has_passed = (found.segment >= 0) & (found.end != look.when.end)
    return np.asarray(price + np.where(has_passed, look.passed, 0.0))


def _prices(
    groups: tuple[Group, ...], thirds: tuple[tuple[Attribute, Array], ...]
) -> dict[int, tuple[float, float]]:
    """Log of the number of segments with so many attributes, of one value each and of several.

    Three attributes must be clearly better, and are not told apart.
    """
    of_order = {k: [g for g in groups if g.order == k] for k in (1, 2)}
    plain = {k: sum(int(g.plain.sum()) for g in own) for k, own in of_order.items()}
    every = {k: sum(g.segments for g in own) for k, own in of_order.items()}
    wide = sum(len(sets) for _, sets in thirds)
    own = sum(
        g.segments * sum(len(sets) for a, sets in thirds if a.name in g.names) for g in of_order[2]
    )
    three = float(np.log1p((every[2] * wide - own) // 3)) + CLEARLY  # a triple has three pairs
    prices = {k: (float(np.log1p(plain[k])), float(np.log1p(every[k] - plain[k]))) for k in (1, 2)}
    return {0: (0.0, 0.0), **prices, 3: (three, three)}


# -- unions of the values of one attribute ---------------------------------------------------------


def _best_union(attribute: Attribute, cells: Array, look: Plan) -> Hit:
    """The best union of values that rose together: of all unions, those of the highest rises.

    Values are put in the order of their rise at each start and the first two, three, … taken: of
    all sets of a size, the best of many scan statistics is among these (Neill 2012). Every set of
    the size is paid for.
    """
    codes = named(attribute)
    seen, due, when = cells[codes], look.wide[attribute.name], look.when
    o1, e1 = (np.cumsum(a[..., ::-1], axis=-1)[..., ::-1] for a in (seen, due))
    o, e = o1[..., :1], e1[..., :1]
    rise = o1 * (e - e1 + 1) / np.maximum(e1, 1e-6) / (o - o1 + 1)
    order = np.argsort(-rise[..., when.first : when.last], axis=0, kind="stable")
    size = np.arange(2, len(codes))
    sums = [
        np.cumsum(
            np.take_along_axis(
                np.broadcast_to(a, seen.shape)[..., when.first : when.last], order, 0
            ),
            0,
        )[1:-1]
        for a in (o1, e1, np.broadcast_to(o, seen.shape), np.broadcast_to(e, seen.shape))
    ]
    gain = gain_of(sums[0], sums[1], sums[2] + LEVEL_PRIOR, sums[3] + LEVEL_PRIOR)
    price = np.maximum(sets_of_size(len(codes), size), look.prices[1][1])
    score = np.where(gain > 0, gain - price[:, None, None], -np.inf)
    draws, starts = score.shape[1:]
    flat = score.transpose(1, 0, 2).reshape(draws, -1)
    at = flat.argmax(axis=1)
    which, start = np.divmod(at, starts)
    found = Best(flat[np.arange(draws), at], which, start + when.first, np.full(draws, when.end))

    def sides(draw: int) -> Sides:
        mask = np.zeros(len(attribute.values), bool)
        chosen = order[: which[draw] + 2, draw, start[draw]]
        mask[np.asarray(codes)[chosen]] = True
        return [(attribute, mask)]

    return Hit(1, found, _paid(found, price[which], look), sides)


# -- conjunctions of three -------------------------------------------------------------------------


def _threefold(seen: Seen, look: Plan, hits: list[Hit], beat: Array) -> list[Hit]:
    """The best conjunction of three below each of the best pairs."""
    pairs = [(g, h.best) for g, h in _grouped(look, hits) if g.order == 2]
    if not look.thirds or not pairs:
        return []
    scores = np.stack([best.score for _, best in pairs])
    ranked = np.argsort(-scores, axis=0, kind="stable")
    found = []
    for rank in range(min(PARENTS, len(pairs))):
        parents = [_parent(pairs, int(k), d) for d, k in enumerate(ranked[rank])]
        found.append(_narrowed(seen, look, parents, beat))
    return found


def _grouped(look: Plan, hits: list[Hit]) -> list[tuple[Group, Hit]]:
    of_groups = [h for h in hits if h.order != 1]
    return list(zip([g for g in look.groups if g.order != 1], of_groups, strict=True))


def _parent(pairs: list[tuple[Group, Best]], k: int, draw: int) -> tuple[Group, int] | None:
    group, best = pairs[k]
    segment = int(best.segment[draw])
    return None if segment < 0 else (group, segment)


def _narrowed(seen: Seen, look: Plan, parents: list[tuple[Group, int] | None], beat: Array) -> Hit:
    top, third = Best.none(seen.draws), np.zeros(seen.draws, int)
    by_value, price = seen.narrowed(parents), look.prices[3][0]
    for place, (attribute, sets) in enumerate(look.thirds):
        values, due = by_value(attribute), _by_third(look.due, parents, attribute)
        found = best(
            _sets_of(sets, values),
            _sets_of(sets, due),
            look.when,
            np.full(len(sets), price),
            look.passed,
            np.maximum(beat, top.score),
        )
        third = np.where(found.score > top.score, place, third)
        top = top.or_better(found)

    def sides(draw: int) -> Sides:
        parent = parents[draw]
        assert parent is not None  # a draw without a parent has no window
        attribute, sets = look.thirds[third[draw]]
        return [*parent[0].sides(parent[1]), (attribute, sets[int(top.segment[draw])])]

    return Hit(3, top, _paid(top, np.full(seen.draws, price), look), sides)


def _by_third(
    tables: Tables, parents: list[tuple[Group, int] | None], attribute: Attribute
) -> Array:
    """Sums of each draw's own segment by an attribute's value, float32[values, D, T]."""
    empty = np.zeros((len(attribute.values), tables.periods), np.float32)
    return np.stack(
        [empty if p is None else tables.segment(*p, attribute) for p in parents], axis=1
    )


def _sets_of(sets: Array, values: Array) -> Array:
    return np.asarray(np.einsum("sv,vdt->sdt", sets.astype(np.float32), values))
