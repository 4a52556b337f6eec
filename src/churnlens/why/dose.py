"""How much of a driver's change did each client get, by what it had lived through until then?

A client's change is its mean since the change began less its mean before, read only from periods
before the one in question. Both means are noisy when a client orders seldom, so its change is
shrunk towards that of its segment by what the noise deserves (empirical Bayes; Efron & Morris
1973). A client that came after the change is held against the segment's level before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.why.moves import Move

Array = npt.NDArray[Any]
LEAST_FREE = 20  # records beyond one a client from which scatter is known
WIDEST = 4.0  # a dose is kept within this many times the segment's own shift


def change_dose(move: Move, values: Array, inside: Array) -> Array:
    """Return each client's dose of a driver's change, in units of the segment's shift.

    Parameters
    ----------
    values
        The exposure as recorded, float32[n, T], NaN where not recorded.
    inside
        Client-periods in the move's segment, bool[n, T].

    Returns
    -------
    float32[n, T]: 0 outside the segment and until the change has begun, about 1 for a typical
    client of the segment once the change is complete; a client's own dose in t is known before t.
    Where the change has passed, the dose stays what was lived through by then, and who came
    afterwards has none.
    """
    dose = np.zeros(values.shape, np.float32)
    member = np.flatnonzero(inside.any(axis=1))
    dose[member] = _of_members(move, values[member], inside[member])
    return dose


def lived_through(move: Move, values: Array, inside: Array, memory: int) -> Array:
    """Return each client's dose of events by those that it had itself, float32[n, T].

    An event is no noisy reading of a level: a client whose contact was changed had it, and one
    whose contact was not did not, though it happens to most but once. The dose is the client's own
    events (or their value) of the last `memory` periods before, since the change began, over what
    its segment had on average; 0 outside the segment and until then.
    """
    had = np.where(np.isfinite(values), values, np.float32(0))
    had[:, : move.start] = 0
    running = cumulative(had)
    t = np.arange(values.shape[1])
    own = running[:, t] - running[:, np.maximum(t - memory, 0)]
    since = inside & (t >= move.start)
    typical = float(own[since].mean()) if since.any() else 0.0
    if typical <= 0:
        return np.zeros(values.shape, np.float32)
    return np.where(since, (own / np.float32(typical)).clip(0, WIDEST), 0).astype(np.float32)


def _of_members(move: Move, values: Array, inside: Array) -> Array:
    """The same for clients who are in the segment at some time."""
    there = np.isfinite(values)
    # Only differences matter, and squares of large numbers leave single precision nothing to tell.
    values = values - _level(values[:, : move.start])
    sums, counts = cumulative(np.where(there, values, 0)), cumulative(there.astype(np.float32))
    t = np.arange(values.shape[1])
    lived = t if move.end is None else np.minimum(t, move.end)
    since_s = sums[:, lived] - sums[:, [move.start]]
    since_n = counts[:, lived] - counts[:, [move.start]]
    before, spread, noise = _before(
        sums[:, move.start], counts[:, move.start], values[:, : move.start]
    )
    squares = cumulative(np.where(there, values, 0) ** 2)
    since = _noise_since(since_s, since_n, squares[:, lived] - squares[:, [move.start]])
    scatter = np.maximum(noise, since)
    started = t >= move.start
    change = since_s / np.maximum(since_n, 1) - before[:, None]
    error = scatter / np.maximum(since_n, 1) + spread[:, None]
    known = (since_n > 0) & started & inside
    # In its first period nobody has lived through a change yet: the segment's own stands in.
    seen = known.any(axis=0, keepdims=True)
    typical = np.where(seen, _mean(change, known), move.shift / (move.ramp + 1))
    between = np.maximum(_mean((change - typical) ** 2 - error, known), 0)
    trust = np.where(known, between / np.maximum(between + error, 1e-12), 0)
    dose = typical + trust * np.where(known, change - typical, 0)
    full = move.shift if move.shift != 0 else 1.0
    had = started & inside & ~_came_afterwards(move, counts)
    return np.where(had, (dose / full).clip(0, WIDEST), 0).astype(np.float32)


def _came_afterwards(move: Move, counts: Array) -> Array | bool:
    """Who had no record at all until a change had passed, bool[n, T] from then on.

    `counts` are each client's records before every period, float[n, T + 1].
    """
    if move.end is None:
        return False
    after = np.arange(counts.shape[1] - 1) >= move.end
    return np.asarray((counts[:, [move.end]] == 0) & after)


def _level(values: Array) -> np.float32:
    known = values[np.isfinite(values)]
    return np.float32(known.mean(dtype=np.float64) if known.size else 0)


def _noise_since(sums: Array, counts: Array, squares: Array) -> Array:
    """Variance of one period around its client's mean since the change, by what was known when.

    Float[1, T], from each client's running sums, float[n, T]; 0 while too little is known. What is
    several times as much as before mostly scatters several times as much as well.
    """
    free = (counts - 1).clip(0).sum(axis=0, keepdims=True)
    around = (squares - sums**2 / np.maximum(counts, 1)).sum(axis=0, keepdims=True)
    return np.where(free >= LEAST_FREE, around.clip(0) / np.maximum(free, 1), 0)


def _mean(values: Array, where: Array) -> Array:
    """Mean by period over some client-periods, float[1, T]; 0 where there are none."""
    return np.asarray(
        np.where(where, values, 0).sum(axis=0, keepdims=True)
        / np.maximum(where.sum(axis=0, keepdims=True), 1)
    )


def _before(sums: Array, counts: Array, early: Array) -> tuple[Array, Array, float]:
    """Each client's level before the change (shrunk), the variance of that, and of one period.

    `early` are the values before the change, `sums` and `counts` those of each client's.
    """
    own = np.where(counts > 0, sums / np.maximum(counts, 1), 0)
    apart = early - own[:, None]
    free = np.maximum(np.isfinite(early).sum() - (counts > 0).sum(), 1)
    noise = float(np.nansum(apart**2) / free)
    usable = counts > 0
    level = float(np.average(own[usable], weights=counts[usable])) if usable.any() else 0.0
    scatter = np.average((own[usable] - level) ** 2, weights=counts[usable]) if usable.any() else 0
    per_client = noise * usable.sum() / max(float(counts[usable].sum()), 1.0)
    between = max(float(scatter) - per_client, 0.0)
    error = noise / np.maximum(counts, 1e-9)
    trust = np.where(counts > 0, between / np.maximum(between + error, 1e-12), 0)
    return level + trust * (own - level), np.where(counts > 0, trust * error, between), noise
