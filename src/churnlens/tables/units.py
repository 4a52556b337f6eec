"""Did a measure change its unit? All its values at once, in proportion, for good.

From days to hours, from a share to a percentage: the mean of the logarithm jumps from one month to
the next and its spread stays. A real change moves values by an amount, or for some orders only, and
so changes the spread of the logarithm; a yes-or-no measure has no logarithm that could move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import pandas as pd

from churnlens.results import DataFinding, Text
from churnlens.tables.model import Tables

FACTOR = 5.0  # least jump of the typical value, up or down, that no business makes in a month
SUDDEN = 0.8  # of the jump lies between the month before it and the month after
SPREAD = 1.5  # most that the spread of the logarithm may change, up or down
AROUND, FEWEST = 3, 60  # months on either side, and values in them
FEW_VALUES = 24  # an attribute with more is not looked through
_VALUE, _MONTH = "__value", "__month"  # a measure of the source may be called value or month


def findings(tables: Tables) -> Iterator[DataFinding]:
    """Return the measures that look as if their unit had changed, for whom and when."""
    if not tables.measures:
        return
    whole = _monthly(tables, None)
    for name, jumps in _jumps(tables, whole).items():
        jump, month, _ = jumps[0]
        yield _finding(name, jump, month, None, None)
    left = [m for m in tables.measures if m not in _jumps(tables, whole)]
    best: dict[str, tuple[float, DataFinding]] = {}
    for attribute in tables.attributes if left else ():
        for name, jumps in _jumps(tables, _monthly(tables, attribute)).items():
            if name in left:
                jump, month, value = jumps[0]
                found = _finding(name, jump, month, value, attribute)
                best[name] = max(best.get(name, (0.0, found)), (abs(jump), found), key=_size)
    yield from (found for _, found in best.values())


def _size(one: tuple[float, DataFinding]) -> float:
    return one[0]


def _monthly(tables: Tables, attribute: str | None) -> pd.DataFrame:
    """Number, mean and variance of each measure's logarithm by value of an attribute and month."""
    sales = tables.orders.filter(~tables.orders.is_return)
    if attribute is None:
        sales = sales.mutate(ibis.literal("all").name(_VALUE))
    elif attribute in tables.orders_attributes or tables.clients is None:
        sales = sales.mutate(sales[attribute].name(_VALUE))
    else:
        clients = tables.clients.select("client_id", tables.clients[attribute].name(_VALUE))
        sales = sales.inner_join(clients, "client_id")
    month = sales.mutate(sales.order_date.truncate("M").name(_MONTH))
    asked: dict[str, Any] = {}
    for i, name in enumerate(tables.measures):
        log = ibis.ifelse(month[name] > 0, month[name], ibis.null("float64")).ln()
        asked |= {f"n{i}": log.count(), f"mean{i}": log.mean(), f"var{i}": log.var(how="pop")}
    frame: pd.DataFrame = month.group_by(_VALUE, _MONTH).aggregate(**asked).to_pandas()
    return frame.rename(columns={_VALUE: "value", _MONTH: "month"}).dropna(subset=["value"])


def _jumps(tables: Tables, monthly: pd.DataFrame) -> dict[str, list[tuple[float, Any, str]]]:
    """Jumps by measure, the largest first: log of the factor, month and value of the attribute."""
    found: dict[str, list[tuple[float, Any, str]]] = {}
    if monthly["value"].nunique() > FEW_VALUES:
        return found
    for value, rows in monthly.sort_values("month").groupby("value"):
        for i, name in enumerate(tables.measures):
            jump = _jump(*(rows[f"{part}{i}"].to_numpy(float) for part in ("n", "mean", "var")))
            if jump is not None:
                at = rows["month"].iloc[jump[1]]
                found.setdefault(name, []).append((jump[0], at, str(value)))
    return {name: sorted(j, key=lambda x: -abs(x[0])) for name, j in found.items()}


def _jump(n: Any, mean: Any, var: Any) -> tuple[float, int] | None:
    """Return the largest jump of the mean logarithm that looks like a unit, and its month.

    The month of the jump itself may hold both units and is left out on either side.
    """
    mean, var = np.nan_to_num(mean), np.nan_to_num(var)
    if np.ptp(mean) < np.log(FACTOR):
        return None  # no two averages of it can be so far apart
    best = None
    for k in range(1, len(n) - 1):
        sides = slice(max(k - AROUND, 0), k), slice(k + 1, k + 1 + AROUND)
        if min(n[s].sum() for s in sides) < FEWEST:
            continue
        before, after = (np.average(mean[s], weights=n[s]) for s in sides)
        spread = [np.average(var[s], weights=n[s]) for s in sides]
        jump = float(after - before)
        sudden = (mean[k + 1] - mean[k - 1]) / jump > SUDDEN if jump else False
        alike = 1 / SPREAD**2 < (spread[1] + 1e-6) / (spread[0] + 1e-6) < SPREAD**2
        if abs(jump) >= np.log(FACTOR) and sudden and alike:
            first = k if (mean[k] - before) / jump > 0.5 else k + 1
            best = max(best or (jump, first), (jump, first), key=lambda x: abs(x[0]))
    return best


def _finding(
    name: str, jump: float, month: Any, value: str | None, attribute: str | None
) -> DataFinding:
    values: dict[str, Any] = {
        "driver": {"type": "driver", "value": name},
        "factor": f"{float(np.exp(abs(jump))):.2g}",
        "month": {"type": "day", "value": pd.Timestamp(month).date().isoformat()},
    }
    if attribute is not None:
        values |= {"attribute": attribute.replace("_", " "), "value": value}
    text = replace(_SAID[jump > 0, attribute is None], values=values)
    return DataFinding("unit_change", "warning", text, 1)


_SAID = {  # by whether it jumped, and for everybody
    (True, True): Text(
        "{driver} jumped by a factor of {factor} from {month} on, all its values alike: this "
        "looks like a change of unit. Bring it to one unit in the export before believing what is "
        "said of it."
    ),
    (False, True): Text(
        "{driver} fell by a factor of {factor} from {month} on, all its values alike: this looks "
        "like a change of unit. Bring it to one unit in the export before believing what is said "
        "of it."
    ),
    (True, False): Text(
        "{driver} jumped by a factor of {factor} from {month} on for {attribute} {value}, all "
        "its values alike: this looks like a change of unit. Bring it to one unit in the export "
        "before believing what is said of it."
    ),
    (False, False): Text(
        "{driver} fell by a factor of {factor} from {month} on for {attribute} {value}, all its "
        "values alike: this looks like a change of unit. Bring it to one unit in the export before "
        "believing what is said of it."
    ),
}
