"""How long has each client been one? In bands that a segment may be made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens import bands
from churnlens.panel.periods import Calendar
from churnlens.panel.products import Changing

Array = npt.NDArray[Any]

TENURE = "tenure_months"
MONTHS = (6, 12, 24)  # edges of the bands, of those that the baseline's factor has


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
    since = np.arange(len(cal.starts)) - entry[:, None] + 1
    band = sum((since > cal.span(m)).astype(np.int8) for m in MONTHS)
    unknown = known_from_start[:, None] & (band < len(MONTHS))
    codes = np.where(unknown, np.int8(-1), band)
    return Changing(TENURE, codes, tuple(bands.names(MONTHS)), ordered=True)
