"""Did all those leave more for whom a driver changed, or only some of them?

A price may rise for everyone and only some mind. The change's own segment then dilutes the rise,
or passes it to clients who do not leave more. Within the segment in which a driver moved every
smaller one is looked at: departures since the change against those before, over what was expected
(a likelihood ratio of two Poisson rates; Kulldorff 1997 with the date given). A smaller segment is
taken only where it explains clearly more once the number of segments looked at has been paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from churnlens import bands
from churnlens.which.baseline import Baseline
from churnlens.which.segments import Attribute, dense_sums, groups

Array = npt.NDArray[Any]
Segment = dict[str, tuple[str, ...]]

LEAST_DEPARTURES = 8.0  # since the change: fewer make no segment
MOST_ATTRIBUTES = 2
LAGS = (0.0, 2.0)  # months after the change from which departures are read
TRIED = 3  # segments that are looked at closely


@dataclass(frozen=True)
class Part:
    """A smaller segment, the log-likelihood gain it has by itself, and what the search costs."""

    segment: Segment
    gain: float
    price: float


def parts_that_mind(
    baseline: Baseline,
    inside: Array,
    segment: Segment,
    start: int,
    attributes: tuple[Attribute, ...],
) -> tuple[Part, ...]:
    """Return the smaller segments in which departures rose most since a change, best first.

    Parameters
    ----------
    inside
        Client-periods of the segment in which the driver moved, bool[n, T].
    segment
        That segment, attribute -> values.
    start
        Period of the change.
    attributes
        Those to narrow by; only ones that never change for a client are used.
    """
    looked = groups(tuple(a for a in attributes if a.codes.ndim == 1))
    prices = {k: float(np.log1p(sum(g.segments for g in looked if g.order == k))) for k in (1, 2)}
    found = []
    for lag in sorted({baseline.panel.calendar.span(m) if m else 0 for m in LAGS}):
        sums = _before_and_since(baseline, inside, start + lag)
        for group in looked:
            if group.order in prices:
                totals = group.add_up(dense_sums(group, sums))
                gains = _rise(*totals.T) - prices[group.order]
                best = int(gains.argmax())
                smaller = _both(segment, group.segment(best))
                if smaller is not None and gains[best] > 0:
                    price = prices[group.order]
                    found.append(Part(smaller, float(gains[best]) + price, price))
    return tuple(sorted(found, key=lambda p: p.price - p.gain)[:TRIED])


def _before_and_since(baseline: Baseline, inside: Array, start: int) -> Array:
    """Observed and expected departures of each client before and since a period, float32[n, 4]."""
    since = np.arange(inside.shape[1]) >= start
    o, e = np.where(inside, baseline.observed, 0), np.where(inside, baseline.expected, 0)
    columns = [o[:, ~since], e[:, ~since], o[:, since], e[:, since]]
    return np.stack([c.sum(axis=1) for c in columns], axis=1).astype(np.float32)


def _rise(before: Array, due_before: Array, since: Array, due_since: Array) -> Array:
    """Log-likelihood ratio of a higher rate since than before, by segment; 0: it did not rise."""
    before, since = before.clip(0).astype(np.float64), since.clip(0).astype(np.float64)
    total = before + since
    share = due_since / np.maximum(due_before + due_since, 1e-9)
    ratio = rel_entr(since, total * share) + rel_entr(before, total * (1 - share))
    clear = (since > total * share) & (since >= LEAST_DEPARTURES) & (due_before > 1)
    return np.where(clear, ratio, 0.0)


def _both(segment: Segment, smaller: Segment) -> Segment | None:
    """Return what is in two segments at once; None: nobody, too narrow a group, or nothing new."""
    out = dict(segment)
    for name, values in smaller.items():
        out[name] = bands.common(out[name], values) if name in out else values
    if any(not values for values in out.values()) or len(out) > MOST_ATTRIBUTES:
        return None
    return None if out == segment else out
