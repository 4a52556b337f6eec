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
from churnlens.tables.model import RETURN, Tables

FACTOR = 5.0  # least jump of the typical value, up or down, that no business makes in a month
SUDDEN = 0.8  # of the jump lies between the month before it and the month after
SPREAD = 1.5  # most that the spread of the logarithm may change, up or down
AROUND, FEWEST = 3, 60  # months on either side, and values in them
FEW_VALUES = 24  # an attribute with more is not looked through


def findings(tables: Tables) -> Iterator[DataFinding]:
    """Return the measures that look as if their unit had changed, for whom and when."""
    if not tables.measures:
        return
    attributes = _few_valued(tables)
    sums = _sums(tables, attributes)
    whole = _jumps(tables, _monthly(sums, None))
    for name, jumps in whole.items():
        jump, month, _ = jumps[0]
        yield _finding(name, jump, month, None, None)
    left = [m for m in tables.measures if m not in whole]
    best: dict[str, tuple[float, DataFinding]] = {}
    for i, attribute in enumerate(attributes if left else ()):
        for name, jumps in _jumps(tables, _monthly(sums, f"a{i}")).items():
            if name in left:
                jump, month, value = jumps[0]
                found = _finding(name, jump, month, value, attribute)
                best[name] = max(best.get(name, (0.0, found)), (abs(jump), found), key=_size)
    yield from (found for _, found in best.values())


def _size(one: tuple[float, DataFinding]) -> float:
    return one[0]


def _few_valued(tables: Tables) -> tuple[str, ...]:
    """Return the attributes with few enough values to be looked through."""
    of_orders = [n for n in tables.attributes if n in tables.orders_attributes]
    of_clients = [n for n in tables.attributes if n not in of_orders]
    few = []
    for table, names in ((tables.orders, of_orders), (tables.clients, of_clients)):
        if table is not None and names:
            counts = table.aggregate(
                [table[n].nunique().name(f"n{i}") for i, n in enumerate(names)]
            )
            seen = counts.to_pyarrow().to_pylist()[0]
            few += [n for i, n in enumerate(names) if seen[f"n{i}"] <= FEW_VALUES]
    return tuple(few)


def _sums(tables: Tables, attributes: tuple[str, ...]) -> ibis.Table:
    """Number, sum and sum of squares of each measure's logarithm by month and all attributes.

    The one pass over the orders; its few rows are then added up by one attribute after the other.
    `a0` … are the attributes.
    """
    lines = tables.orders.filter(~tables.orders[RETURN])
    asked: dict[str, Any] = {"month": lines.order_date.truncate("M")}
    for i, name in enumerate(tables.measures):
        asked[f"log{i}"] = ibis.ifelse(lines[name] > 0, lines[name], ibis.null("float64")).ln()
    place = {n: f"a{i}" for i, n in enumerate(attributes)}
    asked |= {place[n]: lines[n] for n in attributes if n in tables.orders_attributes}
    others = {place[n]: n for n in attributes if n not in tables.orders_attributes}
    logs = lines.select("client_id", **asked)
    if others and tables.clients is not None:
        clients = tables.clients.select("client_id", **others)
        logs = logs.left_join(clients, "client_id")
    sums: dict[str, Any] = {}
    for i in range(len(tables.measures)):
        log = logs[f"log{i}"]
        sums |= {f"n{i}": log.count(), f"sum{i}": log.sum(), f"square{i}": (log * log).sum()}
    by_all = logs.group_by("month", *place.values()).aggregate(**sums)
    kept: ibis.Table = tables.connection.create_table(ibis.util.gen_name("logs"), by_all, temp=True)
    return kept


def _monthly(sums: ibis.Table, attribute: str | None) -> pd.DataFrame:
    """Number, mean and variance of each measure's logarithm by value of an attribute and month."""
    value = ibis.literal("all") if attribute is None else sums[attribute]
    parts = [name for name in sums.columns if name.startswith(("n", "sum", "square"))]
    totals = {name: sums[name].sum() for name in parts}
    frame: pd.DataFrame = (
        sums.group_by(value.name("value"), "month").aggregate(**totals).to_pandas()
    )
    for i in range(len(parts) // 3):
        mean = frame[f"sum{i}"] / frame[f"n{i}"]
        frame[f"mean{i}"], frame[f"var{i}"] = mean, frame[f"square{i}"] / frame[f"n{i}"] - mean**2
    return frame.dropna(subset=["value"])


def _jumps(tables: Tables, monthly: pd.DataFrame) -> dict[str, list[tuple[float, Any, str]]]:
    """Jumps by measure, the largest first: log of the factor, month and value of the attribute."""
    found: dict[str, list[tuple[float, Any, str]]] = {}
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
