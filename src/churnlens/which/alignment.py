"""Hold what another churn definition found against the rows of this one's panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.which.baseline import Baseline

Array = npt.NDArray[Any]


def aligned(other: Baseline, base: Baseline) -> Baseline:
    """Return another definition's departures, observed and expected, on the rows of `base`.

    Definitions part a client's time into spells differently; a client-period belongs to the last
    spell of `base` that had begun by then.
    """
    clients = int(max(other.panel.client.max(initial=0), base.panel.client.max(initial=0))) + 1
    mine = _rows_in_time(base.panel)

    def moved(values: Array) -> Array:
        by_client = np.zeros((clients, values.shape[1]), np.float32)
        np.add.at(by_client, other.panel.client, values)
        return np.where(mine, by_client[base.panel.client], 0).astype(np.float32)

    return Baseline(other.panel, other.hazard, moved(other.expected), moved(other.observed))


def _rows_in_time(panel: Panel) -> Array:
    """Which client-periods belong to each row, bool[n, T]; a client's first one has all before."""
    t = np.arange(panel.active.shape[1])
    first = np.insert(panel.client[1:] != panel.client[:-1], 0, True)
    begin = np.where(first, 0, panel.begin)
    return np.asarray((t >= begin[:, None]) & (t < panel.until[:, None]))
