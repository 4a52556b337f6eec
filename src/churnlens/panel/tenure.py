"""How long has each client been one? In bands that a segment may be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens import bands
from churnlens.panel.periods import Calendar
from churnlens.panel.products import Changing

Array = npt.NDArray[Any]

TENURE = "tenure_months"
MONTHS = (6, 12, 24)  # edges of the bands, of those that the baseline's factor has


def passed(cal: Calendar, tenure: Array, months: Sequence[int]) -> Array:
    """Return how many edges a tenure has reached, int8: its band.

    `tenure` is in periods, 0 in the first; the edges are in months.
    """
    band = np.zeros(tenure.shape, np.int8)
    for edge in months:
        band += tenure >= cal.span(edge)
    return band


def tenure_bands(cal: Calendar, entry: Array, known_from_start: Array) -> Changing:
    """Return the band of tenure of each spell by period, −1 where it is not known.

    Parameters
    ----------
    entry
        Period of the first order or signup, negative before the data; int[n].
    known_from_start
        Whether a spell was there when the data begin, its age unknown; bool[n]. Once it has been
        seen for two years it is in the last band for sure.
    """
    band = passed(cal, np.arange(len(cal.starts)) - entry[:, None], MONTHS)
    unknown = known_from_start[:, None] & (band < len(MONTHS))
    codes = np.where(unknown, np.int8(-1), band)
    return Changing(TENURE, codes, tuple(bands.names(MONTHS)), ordered=True)
