"""Say how long clients stay: survival and hazard by tenure, between groups, and what it costs.

All start from one table of counts, times × groups: how many were at risk and how many left. A
client under observation only from a later tenure on (it was a client before the data begin) is at
risk only after that (delayed entry), so that early tenures are not counted as safe for those who
had to survive them to be seen.

Sources: Kaplan and Meier (1958) with Greenwood's variance on the log-log scale; Nelson (1972) and
Aalen (1978); Mantel (1966) for the log-rank test; Holm (1979); Irwin (1949) for the restricted
mean; Lai and Ying (1991) for the tenures of which too few are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.results import Z95, Estimate, Segment, SurvivalCurve, Text

Floats = npt.NDArray[np.float64]

SMALLEST_GROUP = 5
WIDEST = 50.0  # on the log-log scale, that leaves all of 0 to 1: next to no departure was seen yet


@dataclass(frozen=True)
class RiskTable:
    """Counts by time of departure: `at_risk` and `events` are groups × times.

    `informed` is the part of the events that the data tell, where they are probable ones summed.
    What is counted is known of those who were there at the tenure `begin`.
    """

    times: Floats
    labels: tuple[str, ...]
    at_risk: Floats
    events: Floats
    clients: npt.NDArray[np.int64]
    informed: float = 1.0
    begin: float = 0.0

    def settled(self) -> RiskTable:
        """Return the table from where on every group has as many at risk as the root of its size.

        Of those who come under observation late, few are there at the earliest tenures, and one of
        them would set the whole curve; where there never are as many, it is from where most are.
        All groups begin together: what one loses before the others are looked at would make it
        leave sooner than they do.
        """
        if not len(self.times):
            return self
        enough = self.at_risk >= np.sqrt(self.clients)[:, None]
        begins = np.where(enough.any(axis=1), enough.argmax(axis=1), self.at_risk.argmax(axis=1))
        first = int(begins.max(initial=0))
        return replace(
            self,
            times=self.times[first:],
            at_risk=self.at_risk[:, first:],
            events=self.events[:, first:],
            begin=float(self.times[first - 1]) if first else self.begin,
        )

    def only(self, group: int) -> RiskTable:
        """Return the table of one group."""
        one = slice(group, group + 1)
        return replace(
            self,
            labels=self.labels[one],
            at_risk=self.at_risk[one],
            events=self.events[one],
            clients=self.clients[one],
        )

    def together(self) -> RiskTable:
        """Return the table of all groups as one, labelled "" ."""
        return RiskTable(
            self.times,
            ("",),
            self.at_risk.sum(axis=0, keepdims=True),
            self.events.sum(axis=0, keepdims=True),
            self.clients.sum(keepdims=True),
            self.informed,
        )

    def against_rest(self, label: str) -> RiskTable:
        """Return two groups: the one named, and all the others together, labelled "" ."""
        one = np.array([name == label for name in self.labels])
        pair = np.stack((one, ~one)).astype(float)
        return RiskTable(
            self.times,
            (label, ""),
            pair @ self.at_risk,
            pair @ self.events,
            (pair @ self.clients).astype(np.int64),
            self.informed,
        )


@dataclass(frozen=True)
class Cumulative:
    """A curve over `times` with its 95 % interval; the value before the first time is known."""

    times: Floats
    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class GroupTest:
    """Whether the groups of one attribute leave alike: log-rank, corrected for the tests made."""

    attribute: str
    statistic: float
    degrees: int
    p_value: float
    corrected: float


@dataclass(frozen=True)
class LifetimeLost:
    """How much shorter a group stays than all the others, in periods and in money a client.

    `stay` and `others` are the periods that the group and the others stay.
    """

    stay: Estimate
    others: Estimate
    periods: Estimate
    money: Estimate
    text: Text


def risk_table(
    entry: npt.ArrayLike,
    leaving: npt.ArrayLike,
    event: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    smallest: int = 1,
) -> RiskTable:
    """Count who was at risk, and who left, at each time of a departure.

    Parameters
    ----------
    entry
        Tenure of each spell at which it came under observation; it is at risk after that.
    leaving
        Tenure at which it left or was last seen; it is at risk up to and including that.
    event
        True where it left.
    groups
        Label of each spell; missing labels are left out. One group without.
    smallest
        Groups with fewer spells are left out.
    """
    start, end = np.asarray(entry, dtype=float), np.asarray(leaving, dtype=float)
    left = np.asarray(event, dtype=bool)
    codes, labels = _labelled(groups, len(end), smallest)
    used = (codes >= 0) & (end > start)
    start, end, left, codes = start[used], end[used], left[used], codes[used]
    times = np.unique(end[left])
    columns = len(times) + 1

    def count(place: npt.NDArray[np.intp], chosen: npt.NDArray[Any]) -> Floats:
        cells = np.bincount(
            codes[chosen] * columns + place[chosen], minlength=len(labels) * columns
        )
        return cells.reshape(len(labels), columns).astype(float)

    everyone = np.ones(len(end), dtype=bool)
    came = count(np.searchsorted(times, start, side="right"), everyone)
    went = count(np.searchsorted(times, end, side="right"), everyone)
    return RiskTable(
        times=times,
        labels=labels,
        at_risk=np.cumsum(came - went, axis=1)[:, :-1],
        events=count(np.searchsorted(times, end, side="left"), left)[:, :-1],
        clients=np.bincount(codes, minlength=len(labels)),
    )


def weighed_table(
    entry: npt.NDArray[np.intp],
    active: Floats,
    found: Floats,
    groups: npt.ArrayLike | None = None,
    *,
    informed: float = 1.0,
    smallest: int = 1,
) -> RiskTable:
    """Count who was at risk, and who left, by tenure: each by how likely that is.

    A count of those likelier gone than not leaves out who may have left of late, and draws clients
    as staying longer than the rates of leaving have it.

    Parameters
    ----------
    entry
        Period in which each spell began; int[n].
    active, found
        How likely each was there to leave, and left, in each period; [n, T].
    groups, informed, smallest
        Label of each spell, as of `risk_table`; the part of `found` that the data tell; spells
        under which a group is left out.
    """
    codes, labels = _labelled(groups, len(entry), smallest)
    used = np.flatnonzero(codes >= 0)
    active, found, entry, kept = active[used], found[used], entry[used], codes[used]
    depth = int(active.shape[1] - min(entry.min(initial=0), 0))
    at_risk, events = np.zeros((2, len(labels) * depth))
    for period in range(active.shape[1]):
        cell = kept * depth + np.maximum(period - entry, 0)
        at_risk += np.bincount(cell, active[:, period], minlength=len(at_risk))
        events += np.bincount(cell, found[:, period], minlength=len(at_risk))
    at_risk, events = (a.reshape(len(labels), depth) for a in (at_risk, events))
    there = np.flatnonzero(events.sum(axis=0) > 0)
    return RiskTable(
        times=np.asarray(there + 1, dtype=float),
        labels=labels,
        at_risk=at_risk[:, there],
        events=events[:, there],
        clients=np.bincount(kept, minlength=len(labels)),
        informed=informed,
    )


def kaplan_meier(table: RiskTable, group: int = 0) -> Cumulative:
    """Share still clients after each time, with Greenwood's interval on the log-log scale."""
    at_risk, events = table.at_risk[group], table.events[group]
    survival = np.cumprod(1.0 - events / np.maximum(at_risk, 1.0))
    inside = (survival > 0) & (survival < 1)
    log_survival = np.log(np.where(inside, survival, 0.5))
    variance = _greenwood(at_risk, events) / table.informed
    width = np.where(inside, Z95 * np.sqrt(variance) / -log_survival, 0.0)
    width = np.minimum(width, WIDEST)
    low, high = (survival ** np.exp(sign * width) for sign in (1.0, -1.0))
    return Cumulative(table.times, survival, low, high)


def nelson_aalen(table: RiskTable, group: int = 0) -> Cumulative:
    """Cumulative hazard after each time, with its interval on the log scale."""
    at_risk, events = np.maximum(table.at_risk[group], 1.0), table.events[group]
    value = np.cumsum(events / at_risk)
    width = Z95 * np.sqrt(np.cumsum(events / at_risk**2)) / np.where(value > 0, value, 1.0)
    return Cumulative(table.times, value, value * np.exp(-width), value * np.exp(width))


def restricted_mean(table: RiskTable, horizon: float, group: int = 0) -> Estimate:
    """Mean number of periods a client stays out of the first `horizon`.

    Where the table begins later, of a client that is still there then.
    """
    value, error = _restricted(table, horizon, group)
    return Estimate(value, max(value - Z95 * error, 0.0), min(value + Z95 * error, horizon))


def curves(
    tables: Mapping[str, RiskTable], *, smallest: int = SMALLEST_GROUP
) -> tuple[SurvivalCurve, ...]:
    """Draw survival by tenure for each group of each attribute's table ("": of all clients).

    Groups under `smallest` clients are not shown, and a curve ends where fewer are at risk. It
    starts at the tenure from which on enough are known, of those who were there then.
    """
    return tuple(
        curve
        for attribute, table in tables.items()
        for curve in _attribute_curves(attribute, table, smallest)
    )


def log_rank(table: RiskTable) -> tuple[float, int, float]:
    """Test that all groups leave alike: chi-square, its degrees of freedom, and p."""
    total, lost = table.at_risk.sum(axis=0), table.events.sum(axis=0)
    there = total > 1
    share = table.at_risk[:, there] / total[there]
    total, lost = total[there], lost[there]
    gap = table.events[:, there].sum(axis=1) - share @ lost
    scale = lost * (total - lost) / (total - 1)
    spread = np.diag(share @ scale) - (share * scale) @ share.T
    kept = np.diag(spread) > 1e-12
    degrees = int(kept.sum()) - 1
    if degrees < 1:
        return 0.0, 0, 1.0
    inner = np.ix_(np.flatnonzero(kept)[:-1], np.flatnonzero(kept)[:-1])
    first = gap[kept][:-1]
    statistic = float(first @ np.linalg.pinv(spread[inner], hermitian=True) @ first)
    return statistic, degrees, float(special.chdtrc(degrees, statistic))


def compare(
    entry: npt.ArrayLike,
    leaving: npt.ArrayLike,
    event: npt.ArrayLike,
    groups: Mapping[str, npt.ArrayLike],
    *,
    smallest: int = SMALLEST_GROUP,
) -> tuple[GroupTest, ...]:
    """Test each attribute's groups by log-rank, and correct for their number after Holm."""
    attributes = dict(groups.items())  # a data frame will do
    tests = [
        log_rank(risk_table(entry, leaving, event, labels, smallest=smallest))
        for labels in attributes.values()
    ]
    corrected = holm([p for _, _, p in tests])
    return tuple(
        GroupTest(attribute, statistic, degrees, p, float(q))
        for attribute, (statistic, degrees, p), q in zip(attributes, tests, corrected, strict=True)
    )


def holm(p_values: npt.ArrayLike) -> Floats:
    """Correct p-values for their number; each stays in its place."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def lifetime_lost(
    table: RiskTable,
    label: str,
    *,
    horizon: float,
    revenue_per_period: float,
    segment: Segment,
    months_per_period: float = 1.0,
) -> LifetimeLost:
    """Say how much shorter a group's clients stay than all the others, and what that costs.

    Parameters
    ----------
    table, label
        Counts of an attribute's groups, and the group asked about.
    horizon
        Periods looked at from the start of tenure; both must be observed for so long. Departures
        count from where on enough of both are known.
    revenue_per_period
        What one of its clients brings in a period while it stays.
    segment, months_per_period
        How the sentence names the group, and what turns periods into its months.
    """
    pair = table.against_rest(label).settled()
    own, own_error = _restricted(pair, horizon, 0)
    rest, rest_error = _restricted(pair, horizon, 1)
    width = Z95 * float(np.hypot(own_error, rest_error))
    periods = Estimate(rest - own, rest - own - width, rest - own + width)
    money = Estimate(*(revenue_per_period * v for v in (periods.value, periods.low, periods.high)))
    numbers = {"horizon": horizon, "begin": pair.begin, "own": own, "rest": rest}
    months = {name: number * months_per_period for name, number in numbers.items()}
    return LifetimeLost(
        stay=restricted_mean(pair, horizon, 0),
        others=restricted_mean(pair, horizon, 1),
        periods=periods,
        money=money,
        text=_sentence(segment, months, money.value),
    )


_SHORTER = (
    "Of the first {horizon} months a client of {segment} stays {own}, other clients {rest}: "
    "about {money} less from each."
)
_LONGER = (
    "Of the first {horizon} months a client of {segment} stays {own}, other clients {rest}: "
    "about {money} more from each."
)
_SHORTER_SINCE = (
    "Of those still there after {begin} months, a client of {segment} stays {own} of the first "
    "{horizon}, other clients {rest}: about {money} less from each."
)
_LONGER_SINCE = (
    "Of those still there after {begin} months, a client of {segment} stays {own} of the first "
    "{horizon}, other clients {rest}: about {money} more from each."
)


def _sentence(segment: Segment, months: dict[str, float], money: float) -> Text:
    """`months` are the horizon, where it begins, and those of the segment and of the others."""
    values: dict[str, Any] = {
        "segment": {"type": "segment", "value": {k: list(v) for k, v in segment.items()}},
        "money": {"type": "money", "value": abs(money)},
        **{name: {"type": "number", "value": number} for name, number in months.items()},
    }
    shorter = months["own"] < months["rest"]
    if months["begin"] > 0:
        return Text(_SHORTER_SINCE if shorter else _LONGER_SINCE, values)
    del values["begin"]
    return Text(_SHORTER if shorter else _LONGER, values)


def _labelled(
    groups: npt.ArrayLike | None, size: int, smallest: int
) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Return each spell's group number, −1 for none or too small a group, and the labels."""
    import pandas as pd

    if groups is None:
        return np.zeros(size, dtype=np.intp), ("",)
    codes, labels = pd.factorize(pd.Series(groups), sort=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    shown = counts >= smallest
    renumbered = np.where(shown, np.cumsum(shown) - 1, -1)
    codes = np.where(codes >= 0, renumbered[codes], -1) if len(labels) else codes
    return codes, tuple(str(label) for label, keep in zip(labels, shown, strict=True) if keep)


def _greenwood(at_risk: Floats, events: Floats) -> Floats:
    """Variance of the log of survival after each time (without end once nobody is left)."""
    left = at_risk * (at_risk - events)
    return np.cumsum(np.where(left > 0, events / np.where(left > 0, left, 1.0), 0.0))


def _restricted(table: RiskTable, horizon: float, group: int) -> tuple[float, float]:
    """Area under the survival curve up to the horizon, and its standard error."""
    inside = table.times < horizon
    at_risk, events = table.at_risk[group, inside], table.events[group, inside]
    survival = np.concatenate(([1.0], np.cumprod(1.0 - events / np.maximum(at_risk, 1.0))))
    areas = survival * np.diff(np.concatenate(([0.0], table.times[inside], [horizon])))
    later = np.cumsum(areas[::-1])[::-1][1:]
    left = at_risk * (at_risk - events)
    steps = np.where(left > 0, events / np.where(left > 0, left, 1.0), 0.0)
    return float(areas.sum()), float(np.sqrt(np.sum(later**2 * steps) / table.informed))


def times_drawn(at_risk: Floats, smallest: int) -> int:
    """Return for how many times a curve is drawn: until fewer than `smallest` are left at risk.

    That few are under observation at the earliest ones, not yet, does not end it.
    """
    enough = at_risk >= smallest
    begin = int(np.argmax(enough)) if len(enough) else 0
    later = enough[begin:]
    return begin + (len(later) if later.all() else int(np.argmin(later)))


def _attribute_curves(attribute: str, table: RiskTable, smallest: int) -> list[SurvivalCurve]:
    made = []
    for group, label in enumerate(table.labels):
        own = table.only(group).settled()
        shown = times_drawn(own.at_risk[0], smallest)
        if shown == 0 or own.clients[0] < smallest:
            continue
        curve = kaplan_meier(own)
        made.append(
            SurvivalCurve(
                attribute=attribute,
                value=label,
                tenure=(own.begin, *curve.times[:shown].tolist()),
                survival=(1.0, *curve.value[:shown].tolist()),
                low=(1.0, *curve.low[:shown].tolist()),
                high=(1.0, *curve.high[:shown].tolist()),
                clients=int(own.clients[0]),
                departures=round(float(own.events.sum())),
            )
        )
    return made
