"""Whom a remedy reaches and from when: the remedies table as frozen records and masks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens import bands
from churnlens.panel.attributes import UNKNOWN
from churnlens.panel.worth import TIER, TIERS
from churnlens.results import Segment
from churnlens.tables.columns import FIXED
from churnlens.tables.model import scope_values

if TYPE_CHECKING:
    from churnlens.panel import Panel

Booleans = npt.NDArray[np.bool_]

LATE_START = 0.1  # a period still counts as whole when this much of it had passed at the start


@dataclass(frozen=True)
class Remedy:
    """One row of the remedies table; an empty `segment` is everyone."""

    action: str
    start: dt.date
    end: dt.date | None = None
    segment: Segment = field(default_factory=dict)
    issue_id: str | None = None
    owner: str | None = None


def read_remedies(table: pd.DataFrame | None) -> tuple[Remedy, ...]:
    """Return the remedies of a table, in its order.

    Parameters
    ----------
    table : DataFrame or None
        Columns `action`, `start_date`; optional `end_date`, `issue_id`, `owner`; every other column
        is called as an attribute and gives the scope, several values parted by `|`, blank for
        everyone.
    """
    if table is None:
        return ()
    scoped = [str(name) for name in table.columns if name not in FIXED["remedies"]]
    return tuple(
        Remedy(
            action=str(row["action"]),
            start=pd.Timestamp(row["start_date"]).date(),
            end=_date(row.get("end_date")),
            segment={n: scope_values(str(row[n])) for n in scoped if _text(row[n]) is not None},
            issue_id=_text(row.get("issue_id")),
            owner=_text(row.get("owner")),
        )
        for row in table.to_dict("records")
    )


def members(panel: Panel, segment: Segment) -> Booleans:
    """Return who belongs to a segment, as bool[n].

    What a client may change (value tier, tenure, main category) is as it was when it was last
    there. A segment on an attribute that is not known (see `unknown_in`) has no members.
    """
    last = panel.active.shape[1] - 1 - np.argmax(panel.active[:, ::-1] > 0, axis=1)
    return np.asarray(moments(panel, segment)[np.arange(len(last)), last])


def unknown_in(panel: Panel, segment: Segment) -> str | None:
    """Return an attribute of a segment that these data do not have, or cannot part clients by."""
    known = {TIER, *panel.attributes.columns, *(change.name for change in panel.changing)}
    return next((name for name in segment if name not in known), None)


def moments(panel: Panel, segment: Segment) -> Booleans:
    """Return which client-periods belong to a segment, as bool[n, T]."""
    inside = np.ones(panel.active.shape, dtype=bool)
    for name, values in segment.items():
        codes, known = _codes(panel, name)
        inside &= bands.belong(known, tuple(values))[codes]
    return inside


def _codes(panel: Panel, name: str) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return an attribute's codes, int[n, T] or int[n, 1], and what they stand for; −1 the last."""
    if name == TIER:
        return panel.tiers, (*TIERS, UNKNOWN)
    if name in panel.attributes.columns:
        column = panel.attributes[name].cat
        return column.codes.to_numpy()[:, None], tuple(map(str, column.categories))
    for change in panel.changing:
        if change.name == name:
            return change.codes, (*change.values, UNKNOWN)
    return np.zeros((len(panel.client), 1), dtype=np.int8), ("",)


def reached(panel: Panel, table: pd.DataFrame | None) -> Booleans:
    """Return the client-periods that the remedies of a table have reached, as bool[n, T]."""
    span = np.arange(len(panel.periods))
    mask = np.zeros(panel.active.shape, dtype=bool)
    for remedy in read_remedies(table):
        end = len(span) if remedy.end is None else first_whole_period(panel.periods, remedy.end)
        while_on = (span >= first_whole_period(panel.periods, remedy.start)) & (span < end)
        mask |= members(panel, remedy.segment)[:, None] & while_on
    return mask


def first_whole_period(periods: Sequence[dt.date], day: dt.date) -> int:
    """Return the first period that lies wholly after `day`; T when there is none.

    A start in the first tenth of a period (the first working days of a month) takes that period.
    """
    starts = np.array([p.toordinal() for p in periods])
    slack = LATE_START * float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
    return int(np.searchsorted(starts, day.toordinal() - slack))


def _text(value: Any) -> str | None:
    if value is None or pd.isna(value) or not str(value).strip():
        return None
    return str(value).strip()


def _date(value: Any) -> dt.date | None:
    if value is None or pd.isna(value):
        return None
    return pd.Timestamp(value).date()
