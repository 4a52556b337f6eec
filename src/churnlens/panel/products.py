"""Which products does a client mostly buy, and how many kinds, by what it ordered before?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.attributes import MOST_VALUES, SMALLEST, value_per_client
from churnlens.panel.cumulative import cumulative
from churnlens.panel.periods import Calendar, ClientPeriods
from churnlens.results import Skipped, Text

Array = npt.NDArray[Any]

MAIN_CATEGORY = "main_category"


@dataclass(frozen=True)
class Changing:
    """An attribute that a client may change: `codes` int8[n, T] index `values`, −1 unknown.

    The code of a period is read from what came before it. The values of an `ordered` one are bands
    of a number, in order.
    """

    name: str
    codes: Array
    values: tuple[str, ...]
    ordered: bool = False

    def rows(self, keep: Array) -> Changing:
        """Return the attribute of some clients only."""
        return replace(self, codes=self.codes[keep])


@dataclass(frozen=True)
class Products:
    """The category that each client mostly bought in the year before, and of how many it bought.

    `breadth` is int8[n, T]: the categories with an order in the year before the period.
    """

    main: Changing
    breadth: Array


def products(data: ClientPeriods) -> Products | Skipped | None:
    """Read what clients buy; None where orders have no category.

    Only the 24 categories that most clients buy are told apart, the others are one. `Skipped`
    where there is nearly a category per client, one only, or none that several clients buy.
    """
    if data.bought is None:
        return None
    rows = data.bought.select("code", "category", "period", "days").to_pyarrow()
    names = _names(rows, len(data.clients))
    if isinstance(names, Skipped):
        return names
    shape = (len(data.clients), len(data.calendar.starts))
    most = np.zeros(shape, np.float32)
    main, breadth = np.full(shape, -1, np.int8), np.zeros(shape, np.int8)
    for k, bought in enumerate(_by_category(rows, names, shape, data.calendar)):
        more = bought > most
        main[more], most[more] = k, bought[more]
        breadth += bought > 0
    main[main == len(names)] = -1
    return Products(Changing(MAIN_CATEGORY, main, tuple(names)), breadth)


def _names(rows: Any, clients: int) -> list[str] | Skipped:
    """Return the categories to tell apart, those of most clients first."""
    by_name = rows.group_by("category").aggregate([("code", "count_distinct")])
    columns = (by_name[name].to_pylist() for name in ("category", "code_count_distinct"))
    counts: dict[str, int] = dict(zip(*columns, strict=True))
    reason = None
    if value_per_client(len(counts), clients):
        reason = Text(
            "Orders name nearly a category per client; what clients buy cannot be a segment."
        )
    elif len(counts) < 2:
        reason = Text("Orders name one category only; what clients buy cannot part them.")
    if reason is not None:
        return Skipped("attribute", str(reason), reason)
    common = [name for name, n in counts.items() if n >= SMALLEST]
    if not common:
        reason = Text("Few clients buy the same category; what they buy cannot be a segment.")
        return Skipped("attribute", str(reason), reason)
    return sorted(common, key=lambda name: (-counts[name], name))[:MOST_VALUES]


def _by_category(
    rows: Any, names: list[str], shape: tuple[int, int], cal: Calendar
) -> Iterator[Array]:
    """Days with an order in the year before each period, a category at a time, the rest last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(rows["category"], value_set=pa.array(names)).fill_null(len(names))
    category = place.to_numpy()
    at = rows["code"].to_numpy().astype(np.int64) * shape[1] + rows["period"].to_numpy()
    days = rows["days"].to_numpy()
    back = np.maximum(np.arange(shape[1]) - cal.per_year, 0)
    for k in range(len(names) + 1):
        of_k = category == k
        counts = np.bincount(at[of_k], days[of_k], minlength=shape[0] * shape[1])
        running = cumulative(counts.reshape(shape))
        yield np.asarray(running[:, :-1] - running[:, back])
