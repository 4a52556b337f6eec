"""Which segments can be looked at? Values, unions of values, and conjunctions of two attributes.

Sums over segments are made from one table for each pair of attributes (values × values × periods),
so that looking at thousands of segments costs no more than a few dozen passes over the events.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from churnlens import bands
from churnlens.panel import Panel
from churnlens.panel.attributes import POOLED, UNKNOWN
from churnlens.panel.worth import TIER, TIERS

Array = npt.NDArray[Any]
UNION_UP_TO = 6  # attributes with at most so many values are also looked at in unions of them
NEAR = 1.0  # score by which a segment must beat a simpler one that says much the same
ALIKE = 0.5  # overlap from which it does
FEWER = 4  # times fewer that merged cells must be to be worth their making


@dataclass(frozen=True)
class Attribute:
    """A segment attribute: `codes` int[n] or int[n, T]; `values` names its codes.

    The values of an `ordered` one are bands of a number, in order.
    """

    name: str
    codes: Array
    values: tuple[str, ...]
    ordered: bool = False

    def at(self, rows: Array, cols: Array) -> Array:
        """Return the codes of given client-periods."""
        return self.codes[rows] if self.codes.ndim == 1 else self.codes[rows, cols]

    def named(self, mask: Array) -> tuple[str, ...]:
        """Return what a set of values (bool[values]) is called: bands as one wider band."""
        chosen = [v for v, m in zip(self.values, mask, strict=True) if m]
        return (bands.joined(chosen),) if self.ordered else tuple(chosen)


@dataclass(frozen=True)
class Group:
    """One attribute pair's segments: masks over the values of `a` and of `b`, all combinations.

    `b` is None for segments of one attribute; both are None for the whole book.
    """

    a: Attribute | None
    b: Attribute | None
    masks_a: Array  # bool[A, values of a]
    masks_b: Array  # bool[B, values of b]

    @property
    def segments(self) -> int:
        """Number of segments in the group."""
        return len(self.masks_a) * len(self.masks_b)

    @property
    def order(self) -> int:
        """Number of attributes: 0, 1 or 2."""
        return (self.a is not None) + (self.b is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(x.name for x in (self.a, self.b) if x is not None)

    def cells(self, rows: Array, cols: Array) -> Array:
        """Return the cell (value of a × value of b) of given client-periods."""
        if self.a is None:
            return np.zeros(len(rows), np.int64)
        code = self.a.at(rows, cols).astype(np.int64)
        return code if self.b is None else code * self.masks_b.shape[1] + self.b.at(rows, cols)

    def add_up(self, cells: Array) -> Array:
        """Sum cells [..., cells of a × b, T] to segments [..., A·B, T]."""
        shape = (*cells.shape[:-2], self.masks_a.shape[1], self.masks_b.shape[1], cells.shape[-1])
        by_a = np.einsum("sv,...vwt->...swt", self.masks_a.astype(np.float32), cells.reshape(shape))
        both = np.einsum("rw,...swt->...srt", self.masks_b.astype(np.float32), by_a)
        return np.asarray(both.reshape(*cells.shape[:-2], self.segments, cells.shape[-1]))

    def sides(self, index: int) -> list[tuple[Attribute, Array]]:
        """Return the attributes of a segment, each with the set of its values, bool[values]."""
        i, j = divmod(index, len(self.masks_b))
        both = ((self.a, self.masks_a[i]), (self.b, self.masks_b[j]))
        return [(attribute, mask) for attribute, mask in both if attribute is not None]

    def segment(self, index: int) -> dict[str, tuple[str, ...]]:
        """Return a segment as attribute -> values."""
        return {attribute.name: attribute.named(mask) for attribute, mask in self.sides(index)}

    @property
    def plain(self) -> Array:
        """Whether each segment names one value of each attribute (or a limit), bool[segments]."""
        a, b = (
            np.ones(len(masks), bool) if attribute is None else is_plain(attribute, masks)
            for attribute, masks in ((self.a, self.masks_a), (self.b, self.masks_b))
        )
        return np.asarray((a[:, None] & b).ravel())

    @property
    def static(self) -> bool:
        """Whether no client changes its cell over time."""
        return all(x is None or x.codes.ndim == 1 for x in (self.a, self.b))

    def indicator(self, n: int) -> Any:
        """Sparse cells × n matrix of ones of a static group; kept, as one is used many times."""
        if n not in self._indicators:
            code = self.cells(np.arange(n), np.zeros(n, int))
            self._indicators[n] = indicator(code, self.n_cells)
        return self._indicators[n]

    @cached_property
    def _indicators(self) -> dict[int, Any]:
        return {}

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.masks_a.shape[1] * self.masks_b.shape[1])


@dataclass(frozen=True)
class Cells:
    """Client-periods alike in every attribute, taken together.

    `attributes` have the codes of the cells, int[cells]; `at` is the cell of each client, int[n],
    or of each client and period, int[n, T].
    """

    attributes: tuple[Attribute, ...]
    at: Array
    count: int

    def sums(self, values: Array) -> Array:
        """Sum float32[n, T] over the clients of each cell, by period: float32[cells, T]."""
        if self.at.ndim == 1:
            return np.asarray(indicator(self.at, self.count) @ values, np.float32)
        periods = values.shape[1]
        flat = (self.at * periods + np.arange(periods)).ravel()
        sums = np.bincount(flat, values.ravel(), minlength=self.count * periods)
        return sums.reshape(self.count, periods).astype(np.float32)

    def merged(self, names: frozenset[str]) -> Cells:
        """Return cells alike in some attributes, their `at` the cell that each of these lies in.

        These cells themselves where the others would hardly be fewer.
        """
        if names not in self._merged:
            some = tuple(a for a in self.attributes if a.name in names)
            cells = collapse(some, self.count)
            self._merged[names] = cells if cells.count * FEWER <= self.count else self
        return self._merged[names]

    @cached_property
    def _merged(self) -> dict[frozenset[str], Cells]:
        return {}


def collapse(attributes: tuple[Attribute, ...], clients: int) -> Cells:
    """Return the cells of all attributes together; only those that occur are kept."""
    at = np.zeros((clients, 1), np.int64)
    first: list[Array] = []  # codes by cell, attribute for attribute
    for attribute in sorted(attributes, key=lambda a: a.codes.ndim):
        codes = attribute.codes if attribute.codes.ndim == 2 else attribute.codes[:, None]
        values = len(attribute.values)
        key = at * values + codes
        occurs = np.flatnonzero(np.bincount(key.ravel()))
        number = np.zeros(occurs[-1] + 1 if len(occurs) else 1, np.int64)
        number[occurs] = np.arange(len(occurs))
        at = number[key]
        first = [codes_before[occurs // values] for codes_before in first] + [occurs % values]
    order = [a.name for a in sorted(attributes, key=lambda a: a.codes.ndim)]
    of_cell = dict(zip(order, first, strict=True))
    count = len(first[0]) if first else 1
    named = tuple(replace(a, codes=of_cell[a.name]) for a in attributes)
    return Cells(named, at[:, 0] if at.shape[1] == 1 else at, count)


def attributes_of(panel: Panel, *, tiers: bool = True) -> tuple[Attribute, ...]:
    """Return the attributes of a panel's clients; with `tiers`, also those that change by period.

    These are the value tiers and the main category of products, each as the client's past had it.
    """
    found = []
    for name in map(str, panel.attributes):
        column = panel.attributes[name].cat
        found.append(
            Attribute(
                name,
                column.codes.to_numpy().astype(np.int16),
                tuple(map(str, column.categories)),
                bool(column.ordered),
            )
        )
    present = np.unique(panel.tiers[panel.at_risk & (panel.tiers >= 0)])
    if tiers and len(present) > 1:
        codes = np.where(panel.tiers < 0, len(TIERS), panel.tiers)
        found.append(Attribute(TIER, codes, (*TIERS, UNKNOWN)))
    for change in panel.changing if tiers else ():
        codes = np.where(change.codes < 0, len(change.values), change.codes)
        found.append(Attribute(change.name, codes, (*change.values, UNKNOWN), change.ordered))
    return tuple(found)


def groups(attributes: tuple[Attribute, ...]) -> tuple[Group, ...]:
    """Return every group of segments: the book, single attributes, pairs of attributes."""
    one = np.ones((1, 1), bool)
    out = [Group(None, None, one, one)]
    out += [Group(a, None, value_sets(a, single=True), one) for a in attributes]
    out += [
        Group(a, b, value_sets(a, single=False), value_sets(b, single=False))
        for a, b in itertools.combinations(attributes, 2)
    ]
    return tuple(out)


def named(attribute: Attribute) -> list[int]:
    """Return the codes of the values that a segment may be named by: not pooled, not unknown."""
    return [i for i, v in enumerate(attribute.values) if v not in (POOLED, UNKNOWN)]


def has_many(attribute: Attribute) -> bool:
    """Whether an attribute has too many values for all their unions to be looked at."""
    return not attribute.ordered and len(named(attribute)) > UNION_UP_TO


def sets_of_size(values: int, size: Array) -> Array:
    """Return the log of the number of sets of each size that so many values have."""
    return np.asarray(gammaln(values + 1) - gammaln(size + 1) - gammaln(values - size + 1))


def value_sets(attribute: Attribute, *, single: bool) -> Array:
    """Value sets to look at: each value, and unions where the attribute has few values.

    A numeric attribute is cut at any edge of its bands: by itself in one or two places, together
    with another attribute in one. Pooled and unknown values belong to no segment that is named.
    """
    codes = named(attribute)
    sets = _intervals(codes, single) if attribute.ordered else _unions(codes, single)
    masks = np.zeros((max(len(sets), 1), len(attribute.values)), bool)
    for i, chosen in enumerate(sets):
        masks[i, list(chosen)] = True
    return masks


def is_plain(attribute: Attribute, masks: Array) -> Array:
    """Return whether each set of values is one value, or all bands on one side of a limit, bool[k].

    `masks` is bool[k, values].
    """
    one = masks.sum(axis=1) == 1
    if not attribute.ordered:
        return np.asarray(one)
    ends = np.array(named(attribute))[[0, -1]]
    return np.asarray(one | masks[:, ends].any(axis=1))


def _unions(named: list[int], single: bool) -> list[tuple[int, ...]]:
    k = len(named)
    sizes = range(1, k) if single and k <= UNION_UP_TO else (1, 2) if 2 < k <= UNION_UP_TO else (1,)
    return [c for size in sizes for c in itertools.combinations(named, size)]


def _intervals(named: list[int], single: bool) -> list[tuple[int, ...]]:
    k = len(named)
    cut = [(i, j) for i in range(k) for j in range(i + 1, k + 1) if 0 < j - i < k]
    return [tuple(named[i:j]) for i, j in cut if single or i == 0 or j == k]


def members(
    segment: dict[str, tuple[str, ...]], attributes: tuple[Attribute, ...], shape: tuple[int, int]
) -> Array:
    """Return which client-periods belong to a segment, bool[n, T] (broadcast where static)."""
    inside = np.ones((1, 1), bool)
    for attribute in attributes:
        if attribute.name in segment:
            wanted = bands.belong(attribute.values, segment[attribute.name])
            codes = attribute.codes if attribute.codes.ndim == 2 else attribute.codes[:, None]
            inside = inside & wanted[codes]
    return np.broadcast_to(inside, shape)


def dense_sums(group: Group, values: Array) -> Array:
    """Sum a dense float32[n, T] by cell and period: float32[cells, T]."""
    n, periods = values.shape
    if group.static:
        return np.asarray(group.indicator(n) @ values, dtype=np.float32)
    rows, cols = np.divmod(np.arange(values.size), periods)
    at = group.cells(rows, cols) * periods + cols
    sums = np.bincount(at, values.ravel(), minlength=group.n_cells * periods)
    return sums.reshape(group.n_cells, periods).astype(np.float32)


def indicator(codes: Array, count: int) -> Any:
    """Sparse matrix of ones, count × n: times values by client it gives their sums by code.

    Kept column by column, so that a product reads the values in the order they lie in memory.
    """
    from scipy.sparse import csc_matrix

    n = len(codes)
    return csc_matrix((np.ones(n), codes, np.arange(n + 1)), shape=(count, n))
