"""Running sums over periods."""

from typing import Any

import numpy as np
import numpy.typing as npt


def cumulative(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return running sums with a leading 0: float[n, T] to float32[n, T + 1]."""
    out = np.zeros((a.shape[0], a.shape[1] + 1), np.float32)
    np.cumsum(a, axis=1, out=out[:, 1:], dtype=np.float32)
    return out
