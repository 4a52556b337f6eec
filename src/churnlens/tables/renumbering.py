"""Were many clients given new ids? As many ids end in a month as begin, with one attribute alike.

A new system, a merged branch: for one depot, or all, ids stop and others start in the same month,
far beyond what comes and goes otherwise. Nobody left and nobody was won. The ids that end so are
taken as closed in that month, and the finding says so; what they did cannot be joined to the new
ones without a table of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.results import DataFinding, Text
from churnlens.tables.model import RETURN, Tables

Array = npt.NDArray[Any]
FEWEST = 20  # ids beyond the usual that end, and that begin
BEYOND = 8.0  # standard deviations by which both must be beyond the usual
EQUAL = 0.6  # the smaller of both excesses over the larger
MOST = 0.3  # least part of the ids then in use that end
ALIKE = 0.35  # most difference of the median log order size between those that end and begin
WITHIN = 3  # months in which an old id has its last order, and a new one its first
FEW_VALUES = 24  # an attribute with more is not looked through
# Columns beside the attributes, which may have any name but one that begins so.
_FIRST, _LAST, _SIZE, _ORIGIN = "__first", "__last", "__size", "__origin"


@dataclass(frozen=True)
class Renumbering:
    """Where and when ids changed: `attribute` None for all clients; `ids` ended, `begun` began.

    `clients` are the ids that ended, `moved_on` the first day of the month in which they did.
    """

    attribute: str | None
    value: str | None
    moved_on: pd.Timestamp
    begun: int
    clients: tuple[str, ...]


def renumbered(tables: Tables) -> Renumbering | None:
    """Return the clearest mass renumbering of ids, None where there is none."""
    frame = _lives(tables)
    if frame.empty:
        return None
    best: tuple[tuple[float, float], Renumbering] | None = None
    for attribute in (None, *tables.attributes):
        column = pd.Series("all", frame.index) if attribute is None else frame[attribute]
        if attribute is not None and column.nunique() > FEW_VALUES:
            continue
        for value, rows in frame.groupby(column):
            name = None if attribute is None else str(value)
            found = _in_group(rows, int(frame[_LAST].max()), attribute, name)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
    return None if best is None else best[1]


def _lives(tables: Tables) -> pd.DataFrame:
    """Months of each id's first and last order, counted from the first, its order size, attributes.

    Ids seen for one month are left out: whoever orders once begins and ends.
    """
    sales = tables.orders.filter(~tables.orders[RETURN])
    asked = {n: sales[n].mode() for n in tables.orders_attributes}
    lives = sales.group_by("client_id").aggregate(
        sales.order_date.min().name(_FIRST),
        sales.order_date.max().name(_LAST),
        sales.amount.mean().name(_SIZE),
        **asked,
    )
    if tables.clients is not None:
        own = [n for n in tables.attributes if n in tables.clients.columns and n not in asked]
        lives = lives.left_join(tables.clients.select("client_id", *own), "client_id").drop(
            "client_id_right"
        )
    frame: pd.DataFrame = lives.to_pandas().sort_values("client_id", ignore_index=True)
    for end in (_FIRST, _LAST):
        days = pd.to_datetime(frame[end])
        frame[end] = days.dt.year * 12 + days.dt.month - 1
    frame[_ORIGIN] = frame[_FIRST].min()
    for end in (_FIRST, _LAST):
        frame[end] -= frame[_ORIGIN]
    return frame[frame[_LAST] > frame[_FIRST]]


def _in_group(
    rows: pd.DataFrame, months: int, attribute: str | None, value: str | None
) -> tuple[tuple[float, float], Renumbering] | None:
    """Renumbering among these ids, with how clear it is and how many of those in use it took."""
    first, last = rows[_FIRST].to_numpy(), rows[_LAST].to_numpy()
    periods = months + 1
    if periods < 4 * WITHIN or len(rows) < 2 * FEWEST:
        return None
    ended, begun = (np.bincount(a, minlength=periods) for a in (last, first))
    at = np.arange(WITHIN, periods - WITHIN)  # ends of the data begin and end every id
    out = np.array([ended[k - WITHIN + 1 : k + 1].sum() for k in at])
    came = np.array([begun[k : k + WITHIN].sum() for k in at])
    usual = np.median(out), np.median(came)
    beyond = np.stack([out - usual[0], came - usual[1]])
    score = (beyond / np.sqrt(np.array(usual)[:, None] + 1)).min(axis=0)
    k = int(score.argmax())
    less, more = beyond[:, k].min(), beyond[:, k].max()
    month = int(at[k])
    in_use = int(((first < month - WITHIN) & (last > month - WITHIN)).sum())
    if score[k] < BEYOND or less < max(FEWEST, EQUAL * more, MOST * in_use):
        return None
    gone = (last > month - WITHIN) & (last <= month)
    new = (first >= month) & (first < month + WITHIN)
    if not _same_size(rows[_SIZE].to_numpy(float), gone, new):
        return None
    begins = int(rows[_ORIGIN].iloc[0]) + month
    moved_on = pd.Timestamp(begins // 12, begins % 12 + 1, 1)
    ids = tuple(rows["client_id"].to_numpy()[gone].tolist())
    found = Renumbering(attribute, value, moved_on, int(new.sum()), ids)
    return (round(float(score[k]), 1), len(ids) / max(in_use, 1)), found


def _same_size(size: Array, gone: Array, new: Array) -> bool:
    """Whether those that begin order in the sizes of those that end."""
    log = np.log(np.maximum(size, 1e-9))
    return bool(abs(np.median(log[gone]) - np.median(log[new])) < ALIKE)


def findings(found: Renumbering | None) -> Iterator[DataFinding]:
    """Say that ids were changed, what was done about it, and what to do."""
    if found is None:
        return
    values: dict[str, Any] = {
        "ended": len(found.clients),
        "begun": found.begun,
        "month": {"type": "day", "value": found.moved_on.date().isoformat()},
    }
    if found.attribute is None:
        text = Text(
            "{ended} client ids end and {begun} others begin around {month}, with orders of the "
            "same size: it looks as if clients were given new ids. Those that ended count as "
            "closed, not as lost. Put one id for each client in the export, or give closed_on and "
            "signup_date.",
            values,
        )
    else:
        values |= {"attribute": found.attribute.replace("_", " "), "value": found.value}
        text = Text(
            "{ended} client ids of {attribute} {value} end and {begun} others begin around "
            "{month}, with orders of the same size: it looks as if clients were given new ids. "
            "Those that ended count as closed, not as lost. Put one id for each client in the "
            "export, or give closed_on and signup_date.",
            values,
        )
    yield DataFinding("renumbered", "warning", text, len(found.clients))
