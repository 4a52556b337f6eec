"""What is known of each client on the first day of a quarter: what the outlook's models read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from churnlens.remedies.rates import Floats, Integers

if TYPE_CHECKING:
    from churnlens.panel import Panel

MOST_EXPOSURES, MOST_VALUES = 20, 8
EPSILON = 0.1


@dataclass(frozen=True)
class Features:
    """Reads features from a panel; nothing of the quarter itself or later is used."""

    panel: Panel
    constant: npt.NDArray[np.float32]  # n clients × columns: attributes as 0/1

    @classmethod
    def of(cls, panel: Panel) -> Features:
        """Prepare the columns that do not change over time."""
        columns = [
            (panel.attributes[name] == value).to_numpy(dtype=np.float32)
            for name in panel.attributes.columns
            for value in panel.attributes[name].value_counts().index[:MOST_VALUES]
        ]
        blank = np.zeros((len(panel.client), 0), dtype=np.float32)
        return cls(panel, np.column_stack(columns) if columns else blank)

    def at(self, begin: int, rows: Integers) -> Floats:
        """Return the features of some clients (rows) on the first day of period `begin`."""
        panel, quarter = self.panel, self.panel.calendar.span(3)
        orders, money = panel.activity.orders[rows], panel.revenue[rows]
        recent, year = _mean(orders, begin, quarter), _mean(orders, begin, 4 * quarter)
        earned, earned_before = _mean(money, begin, quarter), _mean(money, begin, 4 * quarter)
        columns = [
            np.log(recent + EPSILON),
            np.log(year + EPSILON),
            np.log((recent + EPSILON) / (year + EPSILON)),
            np.log1p(np.maximum(earned_before, 0)),
            np.log((np.maximum(earned, 0) + 1) / (np.maximum(earned_before, 0) + 1)),
            np.log1p(np.maximum(begin - panel.entry[rows], 0)),
            panel.known_from_start[rows],
            *_season(begin, panel),
            *self._exposures(begin, rows, quarter),
        ]
        wide = [np.broadcast_to(c, len(rows)).astype(np.float64) for c in columns]
        return np.column_stack([*wide, self.constant[rows]])

    def _exposures(self, begin: int, rows: Integers, quarter: int) -> list[Floats]:
        return [
            _mean(e.values[rows], begin, 2 * quarter)
            for e in self.panel.exposures[:MOST_EXPOSURES]
            if e.role == "candidate"
        ]


def _mean(values: npt.NDArray[Any], begin: int, length: int) -> Floats:
    """Mean over the `length` periods before `begin`; NaN where nothing is recorded."""
    part = values[:, max(begin - length, 0) : begin].astype(np.float64)
    known = ~np.isnan(part)
    total = np.where(known, part, 0.0).sum(axis=1)
    seen = known.sum(axis=1)
    return np.asarray(np.where(seen > 0, total / np.maximum(seen, 1), np.nan))


def _season(begin: int, panel: Panel) -> list[Floats]:
    angle = 2 * np.pi * begin / panel.calendar.per_year
    return [np.array(np.sin(angle)), np.array(np.cos(angle))]
