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
# Part of the fewer clients, and of the shorter time, that two windows of one rise have in common:
# halves often name a part of its clients or all, and see worse when it began and ended. Two halves
# of the book that have nothing to do with each other have half in common.
MOSTLY = 2 / 3


def found_again(
    baseline: Baseline, attributes: tuple[Attribute, ...], rise: Window, explained: Array
) -> int:
    """Search each half of the clients for a rise and read what is found on the other half.

    All spells of a client are in one half. The half is searched for its strongest rise whatever it
    is, since to look near the one in question would be to use the luck by which that was picked.

    Parameters
    ----------
    rise
        The rise in question.
    explained
        Factor by which all else that is known raises what is expected, float32[n, T].

    Returns
    -------
    In how many of the two the rise in question is found and seen again.
    """
    left = replace(baseline, expected=baseline.expected * explained)
    even, again = baseline.panel.client % 2 == 0, 0
    for half in (even, ~even):
        window = _search(left, attributes, np.flatnonzero(half))
        if window is not None and _is_one_rise(left, attributes, window, rise):
            again += _gain(left, attributes, ~half, window) >= SEEN_AGAIN
    return again


def _search(baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array) -> Window | None:
    half = baseline.rows(rows)
    some = tuple(replace(a, codes=a.codes[rows]) for a in attributes)
    search = prepare(half, some, draws=0, seed=0)
    return next_window(half, search, np.ones_like(half.expected))


def _is_one_rise(
    baseline: Baseline, attributes: tuple[Attribute, ...], a: Window, b: Window
) -> bool:
    """Whether two windows are mostly of the same clients, by what is expected, and the same time.

    One may be of a part of the other's clients or time.
    """
    shape = baseline.expected.shape
    in_a, in_b = (members(w.segment, attributes, shape) for w in (a, b))
    then_a, then_b = (w.covers(shape[1]) for w in (a, b))
    return (
        _in_common(in_a, in_b, baseline.expected) >= MOSTLY
        and _in_common(then_a, then_b, np.ones(shape[1])) >= MOSTLY
    )


def _in_common(a: Array, b: Array, weight: Array) -> float:
    """The weight that two sets share, as part of the smaller one's."""
    both, least = weight[a & b].sum(), min(weight[a].sum(), weight[b].sum())
    return float(both / least) if least > 0 else 0.0


def _gain(
    baseline: Baseline, attributes: tuple[Attribute, ...], rows: Array, window: Window
) -> float:
    """Gain of a window among some clients."""
    inside = members(window.segment, attributes, baseline.expected.shape) & rows[:, None]
    o = (baseline.observed * inside).sum(axis=0, dtype=np.float64)
    e = (baseline.expected * inside).sum(axis=0, dtype=np.float64)
    now = window.covers(len(o))
    return float(gain_of(o[now].sum(), e[now].sum(), o.sum() + LEVEL_PRIOR, e.sum() + LEVEL_PRIOR))
