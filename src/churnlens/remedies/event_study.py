"""How departures in a scope ran beside comparable clients, quarter by quarter around the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from churnlens.remedies.effect import NEVER, group_time
from churnlens.remedies.rates import Booleans, ByClient
from churnlens.remedies.windows import Windows
from churnlens.results import Z95, Estimate, LagPoint

if TYPE_CHECKING:
    from churnlens.panel import Panel


def event_study(
    panel: Panel,
    departures: ByClient,
    inside: Booleans,
    starts: npt.NDArray[np.int64],
    windows: Windows,
) -> tuple[LagPoint, ...]:
    """Return departures per 100 clients a quarter, beyond the base and beyond the comparison.

    Parameters
    ----------
    panel : Panel
    departures : ByClient
    inside : bool[n]
        The remedy's scope.
    starts : int[n]
        Period in which each client was first reached by a remedy (this or another); -1 never.
        Clients not reached yet are the comparison, as long as they are not.
    windows : Windows

    Returns
    -------
    tuple of LagPoint
        One a quarter, `lag` in periods from the start; empty where nobody can be compared.
    """
    quarter = windows.quarter
    first = windows.start % quarter  # the start is the edge of a quarter
    edges = np.arange(first, windows.last + 1, quarter)
    there = np.add.reduceat(panel.active, edges, axis=1, dtype=np.float64)
    surprise = departures.observed - departures.expected
    seen = np.add.reduceat(surprise, edges, axis=1, dtype=np.float64)
    began = np.where(starts == NEVER, NEVER, np.maximum((starts - first) // quarter, 0))
    start = (windows.start - first) // quarter
    try:
        found = group_time(
            100 * quarter * seen / np.maximum(there, 1e-9),
            there,
            began,
            clusters=panel.client,
            comparison="not_yet",
            anticipation=int(windows.run_up.sum()) // quarter,
            base_length=max(int(windows.base.sum()) // quarter, 1),
        )
    except ValueError:
        return ()
    own = found.groups == start
    clients = panel.active[inside].sum(axis=0)
    return tuple(
        LagPoint(
            lag=int((time - start) * quarter),
            excess=Estimate(*(float(effect + sign * Z95 * error) for sign in (0, -1, 1))),
            clients=round(float(clients[edges[time]])),
        )
        for time, effect, error in zip(
            found.times[own], found.effects[own], found.errors[own], strict=True
        )
    )
