"""Sums over up to three attributes, made when they are first asked for.

In a very large book nearly every client is a cell of its own. So cells are first merged into those
alike in six attributes, and what is asked for is summed from them: the attributes are taken two by
two, and any three of them lie in some three of these couples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.segments import Attribute, Cells, Group, indicator

Array = npt.NDArray[Any]


class Tables:
    """Sums of float32[cells, T] over the values of up to three attributes of the cells."""

    def __init__(self, whole: Cells, values: Array) -> None:
        self.values = values
        self._whole = whole
        self._merged: dict[frozenset[str], Array] = {}
        self._triples: dict[tuple[str, ...], Array] = {}

    @property
    def periods(self) -> int:
        """Number of periods."""
        return int(self.values.shape[1])

    def cells(self, group: Group) -> Array:
        """Return the sums by the group's cell and period, float32[cells of a × b, T]."""
        return self._sum(group.names).reshape(group.n_cells, -1)

    def segment(self, group: Group, segment: int, third: Attribute) -> Array:
        """Return the sums in one segment by the values of a third attribute, float32[values, T].

        Zero where the third attribute is one of the segment's own.
        """
        sides = group.sides(segment)
        if third.name in [a.name for a, _ in sides]:
            return np.zeros((len(third.values), self.values.shape[1]), np.float32)
        (a, in_a), (b, in_b) = sides
        whole = self._triple(a.name, b.name, third.name)
        return np.asarray(whole[in_a][:, in_b].sum(axis=(0, 1)))

    def _triple(self, *names: str) -> Array:
        """Sums by the values of three attributes, [values of each, T]."""
        key = tuple(sorted(names))
        if key not in self._triples:
            self._triples[key] = self._sum(key)
        return self._triples[key].transpose(*map(key.index, names), 3)

    def _sum(self, names: tuple[str, ...]) -> Array:
        """Sums by the values of some attributes, float32[values of each, T]."""
        cells, values = self._fewer(names)
        some = [next(a for a in cells.attributes if a.name == name) for name in names]
        at = np.zeros(cells.count, np.int64)
        for attribute in some:
            at = at * len(attribute.values) + attribute.codes
        shape = [len(attribute.values) for attribute in some]
        sums = indicator(at, int(np.prod(shape))) @ values
        return np.asarray(sums, np.float32).reshape(*shape, -1)

    def _fewer(self, names: tuple[str, ...]) -> tuple[Cells, Array]:
        """Cells merged into those alike in six attributes, some of them named, and their sums."""
        couple = {a.name: place // 2 for place, a in enumerate(self._whole.attributes)}
        chosen = list(dict.fromkeys([couple[name] for name in names] + list(couple.values())))[:3]
        alike = frozenset(name for name in couple if couple[name] in chosen)
        cells = self._whole.merged(alike)
        if cells is self._whole:
            return cells, self.values
        if alike not in self._merged:
            self._merged[alike] = cells.sums(self.values)
        return cells, self._merged[alike]
