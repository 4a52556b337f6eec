"""Sums over pairs and triples of attributes, made when they are first asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.segments import Attribute, Group, dense_sums

Array = npt.NDArray[Any]


class Tables:
    """Sums of float32[cells, T] over the values of up to three attributes (codes int[cells])."""

    def __init__(self, values: Array) -> None:
        self.values = values
        self._triples: dict[tuple[str, ...], Array] = {}

    @property
    def periods(self) -> int:
        """Number of periods."""
        return int(self.values.shape[1])

    def cells(self, group: Group) -> Array:
        """Return the sums by the group's cell and period, float32[cells of a × b, T]."""
        return dense_sums(group, self.values)

    def segment(self, group: Group, segment: int, third: Attribute) -> Array:
        """Return the sums in one segment by the values of a third attribute, float32[values, T].

        Zero where the third attribute is one of the segment's own.
        """
        sides = group.sides(segment)
        if third.name in [a.name for a, _ in sides]:
            return np.zeros((len(third.values), self.values.shape[1]), np.float32)
        (a, in_a), (b, in_b) = sides
        whole = self._triple(a, b, third)
        return np.asarray(whole[in_a][:, in_b].sum(axis=(0, 1)))

    def _triple(self, a: Attribute, b: Attribute, c: Attribute) -> Array:
        """Sums by the values of three attributes, [values of a, of b, of c, T]."""
        attributes = sorted((a, b, c), key=lambda x: x.name)
        key = tuple(x.name for x in attributes)
        if key not in self._triples:
            self._triples[key] = self._sum(attributes)
        place = [key.index(x.name) for x in (a, b, c)]
        return self._triples[key].transpose(*place, 3)

    def _sum(self, attributes: list[Attribute]) -> Array:
        shape = [len(x.values) for x in attributes]
        code = np.ravel_multi_index([x.codes.astype(np.int64) for x in attributes], shape)
        cell = Attribute("", code, ("",) * int(np.prod(shape)))
        one = np.ones((1, 1), bool)
        group = Group(cell, None, np.ones((1, len(cell.values)), bool), one)
        return dense_sums(group, self.values).reshape(*shape, -1)
