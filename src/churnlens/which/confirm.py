"""Is a rise found again among clients who took no part in the search for it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.which.scan import Window, next_window, prepare
from churnlens.which.segments import Attribute, members
from churnlens.which.windows import LEVEL_PRIOR, gain_of

Array = npt.NDArray[Any]
SEEN_AGAIN = 1.35  # log-likelihood gain that chance gives one time in twenty, one window looked at


@dataclass(frozen=True)
class Confirmation:
    """The search repeated on each half of the clients, its window read on the other half.

    `windows` are what the halves found (None: nothing); `ratios` the rate after over before among
    the clients left out, free of the luck of having been picked; `again` in how many of the two
    halves the rise was seen again.
    """

    windows: tuple[Window | None, ...]
    ratios: tuple[float, ...]
    again: int


def confirm(baseline: Baseline, attributes: tuple[Attribute, ...]) -> Confirmation:
    """Search each half of the clients for the strongest rise and read it on the other half.

    All spells of a client are in one half. A half whose search found nothing has the ratio 1.
    """
    even = baseline.panel.client % 2 == 0
    found, ratios, again = [], [], 0
    for half in (even, ~even):
        window = _search(baseline, attributes, np.flatnonzero(half))
        found.append(window)
        gain, ratio = (0.0, 1.0) if window is None else _read(baseline, attributes, ~half, window)
        ratios.append(ratio)
        again += gain >= SEEN_AGAIN
    return Confirmation(tuple(found), tuple(ratios), again)


def _search(baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array) -> Window | None:
    half = baseline.rows(rows)
    some = tuple(replace(a, codes=a.codes[rows]) for a in attributes)
    search = prepare(half, some, draws=0, seed=0)
    return next_window(half, search, np.ones_like(half.expected))


def _read(
    baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array, window: Window
) -> tuple[float, float]:
    """Gain and ratio of a window among some clients."""
    inside = members(window.segment, attributes, baseline.expected.shape) & rows[:, None]
    o = (baseline.observed * inside).sum(axis=0, dtype=np.float64)
    e = (baseline.expected * inside).sum(axis=0, dtype=np.float64)
    during = window.covers(len(o))
    o1, e1 = o[during].sum(), max(e[during].sum(), 1e-9)
    outside = (o[~during].sum() + LEVEL_PRIOR) / (e[~during].sum() + LEVEL_PRIOR)
    gain = gain_of(o1, e1, o.sum() + LEVEL_PRIOR, e.sum() + LEVEL_PRIOR)
    return float(gain), float(o1 / e1 / outside)
