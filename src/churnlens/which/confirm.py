"""Is a rise found again among clients who took no part in the search for it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.which.scan import Window, next_window, prepare
from churnlens.which.segments import Attribute, members
from churnlens.which.windows import LEVEL_PRIOR, gain_of

Array = npt.NDArray[Any]
SEEN_AGAIN = 1.35  # log-likelihood gain that chance gives one time in twenty, one window looked at


def found_again(baseline: Baseline, attributes: tuple[Attribute, ...]) -> int:
    """Search each half of the clients for the strongest rise and read it on the other half.

    All spells of a client are in one half. Returns in how many of the two the rise is seen again,
    free of the luck of having been picked.
    """
    even, again = baseline.panel.client % 2 == 0, 0
    for half in (even, ~even):
        window = _search(baseline, attributes, np.flatnonzero(half))
        if window is not None:
            again += _gain(baseline, attributes, ~half, window) >= SEEN_AGAIN
    return again


def _search(baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array) -> Window | None:
    half = baseline.rows(rows)
    some = tuple(replace(a, codes=a.codes[rows]) for a in attributes)
    search = prepare(half, some, draws=0, seed=0)
    return next_window(half, search, np.ones_like(half.expected))


def _gain(
    baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array, window: Window
) -> float:
    """Gain of a window among some clients."""
    inside = members(window.segment, attributes, baseline.expected.shape) & rows[:, None]
    o = (baseline.observed * inside).sum(axis=0, dtype=np.float64)
    e = (baseline.expected * inside).sum(axis=0, dtype=np.float64)
    now = window.covers(len(o))
    return float(gain_of(o[now].sum(), e[now].sum(), o.sum() + LEVEL_PRIOR, e.sum() + LEVEL_PRIOR))
