"""How likely is a silence of a client that has not left? By renewal theory.

Order counts are read as quasi-Poisson, which is right over many orders. Of a short silence it makes
too much where clients order evenly: it forgets that the next order may be due only at the end of a
gap. For gaps that are gamma distributed with shape k, the next order is further off than the time
in which m orders are due with the chance

    R(m) = Q(k + 1, k·m) − m·Q(k, k·m),

Q being the upper regularised gamma function (the forward recurrence time; Cox 1962, ch. 5), where
counts have exp(−k·m).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[Any]


def silent_exposure(orders: Array, exposure: Array) -> Array:
    """Return the exposure since each client's last order, [m, T] as both; half of its own period.

    Nothing of a client without any order.
    """
    since = orders[:, ::-1] > 0
    after = np.cumsum(since, axis=1)[:, ::-1]  # periods with an order from here on
    last = since[:, ::-1] & (after == 1)
    silent = (after == 0) & (after[:, :1] > 0)
    return np.asarray(exposure * (silent + np.float32(0.5) * last))


def allowance(counted: Array, scatter: Array) -> Array:
    """Return by how much counts understate the log chance of a silence.

    Parameters
    ----------
    counted
        Orders due in the silence over their scatter: minus the log chance by counts, k·m. 0 or
        above.
    scatter
        Variance over mean of order counts, 1/k; broadcastable to `counted`.

    Returns
    -------
    log R(m) + k·m, by the curve (k − 1)·log(1 + k·m / Γ(k + 1)^(1/(k − 1))), which is that at both
    ends and for k of 1 and 2. Between them, and for k up to 3, the chance R(m) comes out within a
    quarter; of the logarithm, small for a short silence, the curve may miss more than that. Below
    0 for uneven clients (k < 1).
    """
    power, reach = curve(np.asarray(scatter))
    return np.asarray(power * np.log1p(reach * counted))


def curve(scatter: Array) -> tuple[Array, Array]:
    """Return k − 1 and 1 / Γ(k + 1)^(1/(k − 1)), those of the curve of `allowance`, float32."""
    power = 1 / scatter - 1
    near = np.where(abs(power) < 1e-3, 1e-3, power)  # at k = 1 the curve is flat at 0
    reach = np.exp(-special.gammaln(near + 2) / near)
    return power.astype(np.float32), reach.astype(np.float32)
