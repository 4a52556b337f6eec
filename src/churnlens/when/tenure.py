"""How long do clients stay, of whom, and in which way do they leave? By time since they came.

Survival and the risk of leaving by tenure, what a group's shorter stay costs, the shares that leave
in each way, and departures over tenure and calendar together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.panel import Panel
from churnlens.panel.attributes import POOLED, UNKNOWN
from churnlens.panel.worth import TIER, TIERS
from churnlens.results import (
    CohortSplit,
    ExitCurve,
    LexisCell,
    LexisMap,
    Lifetime,
    Skipped,
    SurvivalCurve,
    TenureRisk,
    Text,
)
from churnlens.when.calendar import Lexis, age_period_cohort, lexis
from churnlens.when.competing import cumulative_incidence
from churnlens.when.rates import left_within_a_year, within_a_year
from churnlens.when.survival import (
    GroupTest,
    RiskTable,
    compare,
    curves,
    lifetime_lost,
    risk_table,
    times_drawn,
    weighed_table,
)

Array = npt.NDArray[Any]
Groups = dict[str, "pd.Series[Any]"]

LEVEL = 0.05
SMALLEST = 5
ATTRIBUTES_SHOWN = 3
MOST_VALUES = 6  # an attribute with more values gives no readable chart
WAYS: tuple[Literal["lapsed", "shrunk", "closed"], ...] = ("lapsed", "shrunk", "closed")
HORIZON = 36  # months of a client's time looked at, where groups were watched for so long
SHORTEST_HORIZON = 6
RISK_BANDS = (6, 12, 24, 48)  # months
BAND_WIDTHS = (3, 6, 12)  # months to a band of the Lexis map
MOST_BANDS = 20
FULL_CELL = 1.5  # departures in a cell of it, on average, below which bands are made wider


@dataclass(frozen=True)
class Spells:
    """Tenure at which each spell came under observation and left or was last seen, in periods.

    `event` is True where it left, `closed` where it was closed; `rows` are the panel's rows that
    they belong to.
    """

    rows: Array
    entry: Array
    leaving: Array
    event: Array
    closed: Array


@dataclass(frozen=True)
class Stay:
    """What is said of tenure; empty where the data do not bear it."""

    survival: tuple[SurvivalCurve, ...]
    risk: tuple[TenureRisk, ...]
    lifetimes: tuple[Lifetime, ...]
    exits: tuple[ExitCurve, ...]
    lexis: LexisMap | None
    cohorts: CohortSplit | None
    skipped: tuple[Skipped, ...]


def describe_stay(panel: Panel, until: int, informed: float = 1.0) -> Stay:
    """Say how long clients stay, from departures that can be told: those before period `until`.

    `informed` is the part of them that the data tell, on which intervals rest.
    """
    seen = spells(panel, until)
    if not seen.event.any():
        text = Text("No departure of a client of known age was seen, so no curve of stay is drawn.")
        return Stay((), (), (), (), None, None, (Skipped("no_survival", str(text), text),))
    attributes = _tiers(panel, seen.rows) | _labels(panel, seen.rows)
    tests = compare(seen.entry, seen.leaving, seen.event, attributes)
    tables = {
        name: _weighed(panel, seen, until, informed, attributes.get(name))
        for name in ("", *_shown(attributes, tests))
    }
    split = cohort_split(panel, until)
    return Stay(
        survival=curves(tables),
        risk=risk_by_tenure(_lexis(panel, until, 1), panel, seen, informed),
        lifetimes=lifetimes(panel, seen, attributes, tests, tables),
        exits=exit_curves(panel, seen),
        lexis=lexis_map(panel, until),
        cohorts=None if isinstance(split, Skipped) else split,
        skipped=(split,) if isinstance(split, Skipped) else (),
    )


def spells(panel: Panel, until: int) -> Spells:
    """Return when each spell came under observation and left, by tenure.

    A client is under observation from its first period at risk on (after its third order, or the
    start of the data: delayed entry) up to its departure, closing, or period `until`. Clients who
    were there before the data began and whose age is not known are left out.
    """
    there = panel.active[:, :until] > 0
    rows = np.flatnonzero(there.any(axis=1) & ~panel.known_from_start)
    if len(rows) == 0:
        nobody = np.zeros(0, dtype=bool)
        return Spells(rows, rows, rows, nobody, nobody)
    first = there[rows].argmax(axis=1)
    last = until - 1 - there[rows, ::-1].argmax(axis=1)
    onset = panel.onset[rows]
    event = (onset >= first) & (onset < until)
    end = np.where(event, onset, last)
    entry = panel.entry[rows]
    closed = ~event & (panel.kind[rows] == "closed") & (last < until - 1)
    return Spells(rows, first - entry, end - entry + 1, event, closed)


def _weighed(
    panel: Panel, seen: Spells, until: int, informed: float, labels: pd.Series[Any] | None
) -> RiskTable:
    """Departures by tenure as the rates have them: probable ones summed, not counted."""
    there, found = panel.active[seen.rows, :until], panel.found[seen.rows, :until]
    entry = panel.entry[seen.rows]
    return weighed_table(entry, there, found, labels, informed=informed, smallest=SMALLEST)


def _shown(groups: Groups, tests: tuple[GroupTest, ...]) -> list[str]:
    """Value tier, and the at most three attributes whose groups differ most by log-rank."""
    return [
        name
        for name in (TIER, *[n for n in _differing(tests) if n != TIER][:ATTRIBUTES_SHOWN])
        if name in groups
    ]


def _differing(tests: tuple[GroupTest, ...]) -> list[str]:
    """Attributes whose groups leave unlike, the clearest first."""
    ranked = sorted(tests, key=lambda test: (test.corrected, -test.statistic))
    return [t.attribute for t in ranked if t.corrected < LEVEL]


def lifetimes(
    panel: Panel,
    seen: Spells,
    groups: Groups,
    tests: tuple[GroupTest, ...],
    tables: dict[str, RiskTable],
) -> tuple[Lifetime, ...]:
    """Say how much shorter or longer each group's clients stay than all others, and the money.

    Of the attributes whose groups differ after correction for their number, tiers among them,
    those groups whose stay surely differs.
    """
    corrected = {test.attribute: test.corrected for test in tests}
    return tuple(
        row
        for name in _differing(tests)
        if name in tables
        for row in _lifetimes_of(panel, seen, name, groups[name], corrected[name], tables[name])
        if row.lost.low > 0 or row.lost.high < 0
    )


def _lifetimes_of(
    panel: Panel,
    seen: Spells,
    name: str,
    labels: pd.Series[Any],
    p_value: float,
    table: RiskTable,
) -> list[Lifetime]:
    cal = panel.calendar
    horizon = min(_watched(table), cal.span(HORIZON))
    if len(table.labels) < 2 or horizon < cal.span(SHORTEST_HORIZON):
        return []
    months = 12 / cal.per_year
    rows = []
    for number, label in enumerate(table.labels):
        lost = lifetime_lost(
            table,
            label,
            horizon=horizon,
            revenue_per_period=_revenue(panel, seen.rows[(labels == label).to_numpy()]),
            segment={name: (label,)},
            months_per_period=months,
        )
        rows.append(
            Lifetime(
                attribute=name,
                value=label,
                clients=int(table.clients[number]),
                horizon=horizon,
                stay=lost.stay,
                others=lost.others,
                lost=lost.periods,
                money=lost.money,
                p_value=p_value,
                text=lost.text,
            )
        )
    return rows


def _watched(table: RiskTable) -> int:
    """Longest tenure, in periods, at which every group still has clients enough at risk."""
    enough = (table.at_risk >= SMALLEST).all(axis=0)
    return int(table.times[enough].max(initial=0.0))


def _revenue(panel: Panel, rows: Array) -> float:
    """Revenue a client brings in a period while it is there."""
    there = panel.active[rows] > 0
    brought = (panel.revenue[rows] * there).sum(dtype=np.float64)
    return float(brought / max(int(there.sum()), 1))


def exit_curves(panel: Panel, seen: Spells) -> tuple[ExitCurve, ...]:
    """Draw what share has left in each way by each tenure; none where nobody was closed.

    Whoever is closed can no longer leave, so the shares are Aalen and Johansen's, not one minus
    survival. Ways of fewer than five clients are left out, and curves end where fewer are at risk;
    they start where enough are.
    """
    if seen.closed.sum() < SMALLEST:
        return ()
    cause = np.where(seen.event, panel.kind[seen.rows], np.where(seen.closed, "closed", ""))
    table = risk_table(seen.entry, seen.leaving, cause != "").settled()
    later = seen.leaving > table.begin
    entry = np.maximum(seen.entry[later], table.begin)
    found = cumulative_incidence(entry, seen.leaving[later], cause[later])
    shown = times_drawn(table.at_risk[0], SMALLEST)
    return tuple(
        ExitCurve(
            kind=WAYS[way],
            tenure=(table.begin, *found.times[:shown].tolist()),
            share=(0.0, *found.value[k, :shown].tolist()),
            low=(0.0, *found.low[k, :shown].tolist()),
            high=(0.0, *found.high[k, :shown].tolist()),
            clients=found.events[k],
        )
        for way, k in sorted((WAYS.index(name), k) for k, name in enumerate(found.causes))
        if found.events[k] >= SMALLEST
    )


def _lexis(panel: Panel, until: int, width: int) -> Lexis:
    """Return the counts over tenure and calendar of clients of known age.

    Departures are probabilities, summed: those of the last months, too uncertain to count, would
    be missing from a count, and the times would seem to have mended.
    """
    rows = ~panel.known_from_start
    there, found = panel.active[rows, :until], panel.found[rows, :until]
    return lexis(there, found, panel.entry[rows], width=width)


def risk_by_tenure(
    table: Lexis, panel: Panel, seen: Spells, informed: float
) -> tuple[TenureRisk, ...]:
    """Say how many of 100 clients leave in a year in each band of tenure.

    `table` is by single periods; `informed` is as in `describe_stay`. Bands with under five clients
    are left out.
    """
    cal, tenures = panel.calendar, len(table.at_risk)
    edges = [0, *(cal.span(m) for m in RISK_BANDS), tenures]
    bands = [(a, min(b, tenures)) for a, b in pairwise(edges) if a < tenures]
    found = [
        TenureRisk(
            low=low,
            high=None if high == tenures else high,
            clients=int(((seen.entry < high) & (seen.leaving > low)).sum()),
            departures=round(float(table.departures[low:high].sum())),
            rate=left_within_a_year(
                float(table.departures[low:high].sum()),
                float(table.at_risk[low:high].sum()),
                informed,
                periods_a_year=cal.per_year,
            ),
        )
        for low, high in bands
    ]
    return tuple(band for band in found if band.clients >= SMALLEST)


def lexis_map(panel: Panel, until: int) -> LexisMap | None:
    """Return how many leave within a year by bands of tenure and calendar, as a heat map shows it.

    Bands are a quarter wide, or wider where that would give more than twenty, or cells too empty to
    tell anything; all clients of more than twenty bands of tenure are taken together. Cells of
    under five clients are left out, and dates before the first and after the last of the others.
    """
    width = band_width(panel, until)
    table = _folded(_lexis(panel, until, width))
    rates = within_a_year(table.rates() * 100 * panel.calendar.per_year)
    whole = max(until - int(panel.activity.first.min()), 0) // width
    rates[:, : rates.shape[1] - whole] = np.nan  # a part of a band would be drawn as a whole one
    filled = np.flatnonzero(np.isfinite(rates).any(axis=0))
    if np.isfinite(rates).sum() < 2:
        return None
    bands = range(int(filled[0]), int(filled[-1]) + 1)
    day = {t: panel.periods[until - width * (rates.shape[1] - t)].isoformat() for t in bands}
    cells = tuple(
        LexisCell(
            tenure=int(k * width),
            period=day[t],
            clients=int(table.clients[k, t]),
            departures=round(float(table.departures[k, t])),
            rate=float(rates[k, t]),
        )
        for k, t in np.argwhere(np.isfinite(rates)).tolist()
    )
    return LexisMap(width, MOST_BANDS * width, tuple(day.values()), cells)


def band_width(panel: Panel, until: int) -> int:
    """Return how many periods wide the bands of a Lexis map are."""
    widths = [panel.calendar.span(months) for months in BAND_WIDTHS]

    def readable(width: int) -> bool:
        table = _folded(_lexis(panel, until, width))
        full = table.departures.sum() >= FULL_CELL * (table.at_risk > 0).sum()
        return until <= MOST_BANDS * width and bool(full)

    return next((width for width in widths if readable(width)), widths[-1])


def _folded(table: Lexis) -> Lexis:
    """Put all tenures of twenty bands and more into one."""

    def fold(counts: Array) -> Array:
        rest = counts[MOST_BANDS:].sum(axis=0, keepdims=True)
        return np.concatenate([counts[:MOST_BANDS], rest]) if len(counts) > MOST_BANDS else counts

    return Lexis(table.width, *(fold(c) for c in (table.at_risk, table.departures, table.clients)))


def cohort_split(panel: Panel, until: int) -> CohortSplit | Skipped:
    """Say what tenure, calendar and the date of winning are known to do, and what cannot be."""
    width = band_width(panel, until)
    a_year = panel.calendar.per_year / width
    split = age_period_cohort(_lexis(panel, until, width), bands_a_year=a_year)
    if isinstance(split, Skipped):
        return split
    return CohortSplit(
        drift=split.drift,
        tenure_trend=split.tenure_trend,
        tenure_p=split.tenure.p_value,
        calendar_p=split.calendar.p_value,
        cohort_p=split.cohort.p_value,
        text=split.text,
    )


def _tiers(panel: Panel, rows: Array) -> Groups:
    """Value tier when each spell came under observation."""
    there = panel.active[rows] > 0
    code = np.asarray(panel.tiers[rows, there.argmax(axis=1)], dtype=np.int64)
    if len(np.unique(code[code >= 0])) < 2:
        return {}
    return {TIER: pd.Series(pd.Categorical.from_codes(code, pd.Index(TIERS)))}


def _labels(panel: Panel, rows: Array) -> Groups:
    """Values of each attribute with few of them; pooled and unknown ones are missing."""
    labels: Groups = {}
    for name in panel.attributes:
        column = panel.attributes[name].iloc[rows].reset_index(drop=True).cat
        unnamed = [v for v in column.categories if v in (POOLED, UNKNOWN)]
        if 2 <= len(column.categories) - len(unnamed) <= MOST_VALUES:
            labels[str(name)] = column.remove_categories(unnamed)
    return labels
