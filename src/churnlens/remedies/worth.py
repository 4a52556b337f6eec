"""What one departure costs a year: the revenue of the year before it, less what stayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnlens.remedies.rates import Booleans

if TYPE_CHECKING:
    from churnlens.panel import Panel


def lost_revenue(panel: Panel, inside: Booleans) -> float | None:
    """Return the mean revenue a year that a departure in the scope (bool[n]) took away.

    For a client that only shrank it is the part that went. None without departures.
    """
    who = inside & (panel.onset >= 0)
    if not who.any():
        return None
    stayed = np.where(panel.kind[who] == "shrunk", np.nan_to_num(panel.kept[who]), 0.0)
    return float((panel.yearly(panel.revenue)[who] * (1 - stayed)).mean())


def part_lost(panel: Panel) -> float:
    """Return the part of its revenue that a departing client takes away, on average, 0 to 1."""
    left = panel.onset >= 0
    shrunk = left & (panel.kind == "shrunk")
    if not left.any():
        return 1.0
    return float(1 - np.nan_to_num(panel.kept[shrunk]).sum() / left.sum())
