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
from churnlens.panel.worth import TIER, TIERS
from churnlens.results import Segment

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


def read_remedies(table: pd.DataFrame | None, attributes: Sequence[str]) -> tuple[Remedy, ...]:
    """Return the remedies of a table, in its order.

    Parameters
    ----------
    table : DataFrame or None
        Columns `action`, `start_date`; optional `end_date`, `issue_id`, `owner`; a column named
        as an attribute gives the scope, several values parted by `|`, blank for everyone.
    attributes : sequence of str
        Names of the segment attributes.
    """
    if table is None:
        return ()
    scoped = [name for name in attributes if name in table.columns]
    return tuple(
        Remedy(
            action=str(row["action"]),
            start=pd.Timestamp(row["start_date"]).date(),
            end=_date(row.get("end_date")),
            segment={n: _values(row[n]) for n in scoped if _text(row[n]) is not None},
            issue_id=_text(row.get("issue_id")),
            owner=_text(row.get("owner")),
        )
        for row in table.to_dict("records")
    )


def members(panel: Panel, segment: Segment) -> Booleans:
    """Return who belongs to a segment, as bool[n].

    A client's value tier is the one it had when it was last there. A segment on an attribute that
    the data no longer have has no members.
    """
    inside = np.ones(len(panel.client), dtype=bool)
    for name, values in segment.items():
        if name == TIER:
            inside &= np.isin(_last_tier(panel), values)
        elif name in panel.attributes.columns:
            column = panel.attributes[name].cat
            kept = bands.belong(tuple(map(str, column.categories)), tuple(values))
            inside &= kept[column.codes.to_numpy()]
        else:
            inside[:] = False
    return inside


def reached(panel: Panel, table: pd.DataFrame | None) -> Booleans:
    """Return the client-periods that the remedies of a table have reached, as bool[n, T]."""
    span = np.arange(len(panel.periods))
    mask = np.zeros(panel.active.shape, dtype=bool)
    for remedy in read_remedies(table, [str(name) for name in panel.attributes.columns]):
        end = len(span) if remedy.end is None else first_whole_period(panel.periods, remedy.end)
        while_on = (span >= first_whole_period(panel.periods, remedy.start)) & (span < end)
        mask |= members(panel, remedy.segment)[:, None] & while_on
    return mask


def _last_tier(panel: Panel) -> npt.NDArray[np.str_]:
    last = panel.active.shape[1] - 1 - np.argmax(panel.active[:, ::-1] > 0, axis=1)
    names = np.array([*TIERS, "unknown"])
    return np.asarray(names[panel.tiers[np.arange(len(last)), last].astype(np.intp)])


def first_whole_period(periods: Sequence[dt.date], day: dt.date) -> int:
    """Return the first period that lies wholly after `day`; T when there is none.

    A start in the first tenth of a period (the first working days of a month) takes that period.
    """
    starts = np.array([p.toordinal() for p in periods])
    slack = LATE_START * float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
    return int(np.searchsorted(starts, day.toordinal() - slack))


def _values(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(value).split("|") if part.strip())


def _text(value: Any) -> str | None:
    if value is None or pd.isna(value) or not str(value).strip():
        return None
    return str(value).strip()


def _date(value: Any) -> dt.date | None:
    if value is None or pd.isna(value):
        return None
    return pd.Timestamp(value).date()
