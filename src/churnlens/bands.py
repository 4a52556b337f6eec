"""Numbers cut into bands whose names can be read, joined, and read back.

A band is named "up to 20", "20 to 50" or "above 50"; its low end is outside, its high end inside.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_UP_TO = re.compile(f"up to {_NUMBER}")
_ABOVE = re.compile(f"above {_NUMBER}")
_BETWEEN = re.compile(f"{_NUMBER} to {_NUMBER}")
_STEPS = (10.0, 5.0, 2.0, 1.0)


def edges(values: Array, bands: int) -> Array:
    """Return where to cut numbers into about equal bands, at numbers that can be remembered.

    `values` is float[n] without missing ones. A quantile gives way to the roundest number within a
    third of the way to the next one. Fewer edges than `bands` − 1 where values repeat.
    """
    shares = np.linspace(0, 1, bands + 1)
    at = np.unique(np.quantile(values, shares[1:-1], method="lower"))
    known = np.unique([values.min(), *at, values.max()])
    cuts = [_round(v, np.abs(known - v)[known != v].min() / 3) for v in at if v < known[-1]]
    kept = np.unique([c for c in cuts if (values <= c).any() and (values > c).any()])
    return np.asarray(kept, dtype=float)


def _round(value: float, slack: float) -> float:
    """Return the roundest number within `slack` of a value."""
    top = np.floor(np.log10(max(abs(value), slack, 1e-12))) + 1
    for power in np.arange(top, top - 16, -1):
        for step in _STEPS:
            unit = step * 10.0**power / 10
            rounded = float(np.round(value / unit) * unit)
            if abs(rounded - value) <= slack:
                return float(f"{rounded:.12g}")
    return float(value)


def names(cuts: Sequence[float]) -> list[str]:
    """Return the names of the bands that edges (ascending) part."""
    shown = [_plain(c) for c in cuts]
    between = [f"{a} to {b}" for a, b in itertools.pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"above {shown[-1]}"]


def _plain(value: float) -> str:
    return np.format_float_positional(value, precision=10, trim="-")


def limits(name: str) -> tuple[float, float] | None:
    """Return the ends of a band by its name, infinite where open; None where it is no band."""
    if match := _UP_TO.fullmatch(name):
        return -np.inf, float(match[1])
    if match := _ABOVE.fullmatch(name):
        return float(match[1]), np.inf
    if match := _BETWEEN.fullmatch(name):
        return float(match[1]), float(match[2])
    return None


def joined(bands: Sequence[str]) -> str:
    """Return the name of neighbouring bands taken together, in ascending order."""
    (low, _), (_, high) = limits(bands[0]) or (-np.inf, np.inf), limits(bands[-1]) or (0, np.inf)
    return _name(low, high)


def _name(low: float, high: float) -> str:
    if np.isinf(low):
        return f"up to {_plain(high)}"
    return f"above {_plain(low)}" if np.isinf(high) else f"{_plain(low)} to {_plain(high)}"


def merged(values: Iterable[str]) -> tuple[str, ...]:
    """Return values with each once: bands that touch or overlap as a wider one, and other text.

    As no band holds every number, all of them are the two bands on either side of an end.
    """
    some = set(values)
    spans = sorted(span for v in some if (span := limits(v)) is not None)
    wide: list[tuple[float, float]] = []
    for low, high in spans:
        if wide and low <= wide[-1][1]:
            low, high = wide[-1][0], max(wide.pop()[1], high)
        wide.append((low, high))
    if wide and np.isinf(wide[0]).all():
        cut = min(high for _, high in spans)
        wide = [(-np.inf, cut), (cut, np.inf)]
    return (*(_name(*span) for span in wide), *sorted(v for v in some if limits(v) is None))


def common(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    """Return what two sets of values have in common: bands as far as they overlap, text by name."""
    ends_a, ends_b = ([span for v in vs if (span := limits(v)) is not None] for vs in (a, b))
    overlaps = [(max(x[0], y[0]), min(x[1], y[1])) for x, y in itertools.product(ends_a, ends_b)]
    text = (v for v in a if v in b and limits(v) is None)
    return (*merged(_name(low, high) for low, high in overlaps if low < high), *text)


def neighbours(a: str, b: str) -> str | None:
    """Return the name of two bands taken together.

    None where they do not touch, are no bands, or hold every number between them.
    """
    ends = {band: span for band in (a, b) if (span := limits(band)) is not None}
    if len(ends) < 2:
        return None
    low, high = sorted(ends, key=lambda band: ends[band])
    everything = np.isinf([ends[low][0], ends[high][1]]).all()
    return joined([low, high]) if ends[low][1] == ends[high][0] and not everything else None


def belong(values: Sequence[str], wanted: Sequence[str]) -> Array:
    """Return which of an attribute's values a segment's values mean, bool[values].

    Text belongs by name. A band belongs to a wider one that holds its middle (its end, where it is
    open), so that a segment of last quarter is found again though the cuts have moved a little.
    """
    spans = [span for w in wanted if (span := limits(w)) is not None]
    named = np.array([v in wanted for v in values], dtype=bool)
    if not spans:
        return named
    ends = [limits(v) for v in values]
    held = [e is not None and any(_holds(span, e) for span in spans) for e in ends]
    return np.asarray(named | np.array(held, dtype=bool))


def _holds(span: tuple[float, float], band: tuple[float, float]) -> bool:
    low, high = band
    if np.isinf(low) or np.isinf(high):
        same_side = span[0] == low if np.isinf(low) else span[1] == high
        return bool(same_side and span[0] <= low and high <= span[1])
    return span[0] < (low + high) / 2 <= span[1]
