"""Whether a remedy was carried out: did the driver it was to mend move in its scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

MOVED_Z = 3.0
SMALLEST_SHARE = 0.2  # of the rise that the remedy is to undo; less is announced, not done
SMALLEST_PART = 0.1  # of the driver's own level, where no rise is known
FEWEST_CLIENTS = 5


@dataclass(frozen=True)
class Move:
    """A driver's mean in the scope, before and after a remedy, and whether it moved for it.

    `undone` is the share of the earlier change that was taken back (1: all of it), None where no
    earlier change is known.
    """

    before: float
    after: float
    undone: float | None
    moved: bool


@dataclass(frozen=True)
class Periods:
    """Sets of periods, each bool[T]: before the cause (may be empty), with it, with the remedy."""

    calm: Booleans
    before: Booleans
    after: Booleans


def driver_move(
    exposure: npt.ArrayLike,
    at_risk: Booleans,
    inside: Booleans,
    periods: Periods,
    direction: Literal["more", "less"] | None,
) -> Move | None:
    """Compare a driver before and after a remedy, client by client, with the clients outside.

    Parameters
    ----------
    exposure : array (n, T)
        The driver; NaN where it was not recorded.
    at_risk : bool[n, T]
    inside : bool[n]
        The remedy's scope.
    periods : Periods
    direction : {"more", "less"} or None
        What the cause did to the driver; the remedy is to do the opposite. None: either way.

    Returns
    -------
    Move or None
        None where fewer than five clients have the driver recorded on both sides.
    """
    values = np.where(at_risk, np.asarray(exposure, dtype=float), np.nan)
    before, after = _mean(values, periods.before), _mean(values, periods.after)
    change = after - before
    own, outside = change[inside], change[~inside]
    own, outside = own[~np.isnan(own)], outside[~np.isnan(outside)]
    if len(own) < FEWEST_CLIENTS:
        return None
    both = inside & ~np.isnan(change)
    net = _net(own, outside)
    level = float(before[both].mean())
    undone = _undone(net, _mean(values, periods.calm)[both], before[both], direction)
    moved = _beyond_chance(own, outside, net, direction) and _large(net, level, undone)
    return Move(level, float(after[both].mean()), undone, moved)


def _mean(values: Floats, periods: Booleans) -> Floats:
    """Mean by client over some periods; NaN without any."""
    part = values[:, periods]
    known = ~np.isnan(part)
    return np.asarray(
        np.where(
            known.any(axis=1),
            np.where(known, part, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1),
            np.nan,
        )
    )


def _net(own: Floats, outside: Floats) -> float:
    drift = float(outside.mean()) if len(outside) >= FEWEST_CLIENTS else 0.0
    return float(own.mean()) - drift


def _beyond_chance(
    own: Floats, outside: Floats, net: float, direction: Literal["more", "less"] | None
) -> bool:
    variance = own.var(ddof=1) / len(own)
    if len(outside) >= FEWEST_CLIENTS:
        variance += outside.var(ddof=1) / len(outside)
    z = net / np.sqrt(max(variance, 1e-24))
    wanted = {"more": -z, "less": z, None: abs(z)}[direction]
    return bool(wanted >= MOVED_Z)


def _undone(
    net: float, calm: Floats, before: Floats, direction: Literal["more", "less"] | None
) -> float | None:
    """Share of the earlier change taken back; only where that change went the cause's way."""
    rise = (before - calm)[~np.isnan(calm)]
    if direction is None or len(rise) < FEWEST_CLIENTS:
        return None
    size = float(rise.mean())
    error = float(rise.std(ddof=1)) / np.sqrt(len(rise))
    wanted = size if direction == "more" else -size
    return -net / size if wanted > MOVED_Z * error else None


def _large(net: float, level: float, undone: float | None) -> bool:
    if undone is not None:
        return undone >= SMALLEST_SHARE
    return abs(net) >= SMALLEST_PART * abs(level)
