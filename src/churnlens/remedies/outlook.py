"""What the next quarter brings if nothing is done: departures and money, by group only.

A classifier reads from each client's last months how likely it is to begin to leave within a
quarter. Boosted trees and a logistic hazard are both tried on the past quarters, each predicted
from the quarters before it, and the one that did better is used. Its chances are corrected for
what those quarters showed, and its intervals are as wide as it was wrong on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from churnlens.panel.worth import TIERS
from churnlens.remedies import rates
from churnlens.remedies.features import Features
from churnlens.remedies.learners import (
    MODELS,
    Cases,
    Model,
    calibrate,
    corrected,
    join,
    log_loss,
    sample,
)
from churnlens.remedies.rates import Booleans, ByClient, Floats, Integers
from churnlens.remedies.scope import moments
from churnlens.remedies.windows import last_countable
from churnlens.remedies.worth import part_lost
from churnlens.results import (
    Z95,
    Estimate,
    Issue,
    Outlook,
    OutlookCheck,
    OutlookMethod,
    Skipped,
    Text,
)

if TYPE_CHECKING:
    from churnlens.panel import Panel

FEWEST_DEPARTURES = 60.0
OUTER = 0.025  # part of chance beyond either end of an interval
LEARNED, CHECKED, MOST_QUARTERS = 4, 4, 16
SMALLEST_GROUP = 5
THERE = 0.01  # a client that has left with near certainty is no longer forecast


@dataclass(frozen=True)
class Forecast:
    """The outlook by group, its record on past quarters, and the model behind it."""

    outlook: tuple[Outlook, ...]
    checks: tuple[OutlookCheck, ...]
    method: OutlookMethod


@dataclass(frozen=True)
class _Quarter:
    """A quarter as seen on its first day: the clients there (rows of the panel) and their cases."""

    begin: int
    rows: Integers
    cases: Cases

    @property
    def left(self) -> Floats:
        """Departures that began within the quarter, by client."""
        return self.cases.chance * self.cases.weight


@dataclass(frozen=True)
class _Tried:
    """One model on the checked quarters, each predicted from those before it."""

    model: Model
    quarters: tuple[_Quarter, ...]
    predicted: tuple[Floats, ...]

    @property
    def loss(self) -> float:
        """Log loss over all checked quarters."""
        return log_loss(np.concatenate(self.predicted), join([q.cases for q in self.quarters]))

    def correction(self, without: int | None = None) -> tuple[float, float]:
        """Shift and slope fitted on the checked quarters, one of them left out."""
        used = [n for n in range(len(self.quarters)) if n != without]
        return calibrate(
            np.concatenate([self.predicted[n] for n in used]),
            join([self.quarters[n].cases for n in used]),
        )


def forecast(
    panel: Panel, issues: Sequence[Issue], *, departures: ByClient, seed: int = 0
) -> Forecast | Skipped:
    """Forecast the quarter after the data.

    Parameters
    ----------
    panel : Panel
    issues : sequence of Issue
        Each one's segment is a group of the outlook, beside all clients and the value tiers.
    departures : ByClient
        Says from when on departures cannot be judged yet.
    seed : int
        Of the sample that models are fitted on.

    Returns
    -------
    Forecast or Skipped
        Skipped with fewer than eight quarters that can be judged, or sixty departures, and where
        no client is known to be still there at the end of the data.
    """
    last = last_countable(
        departures.expected.sum(axis=0, dtype=np.float64),
        rates.due(panel, departures, np.ones(len(panel.client), dtype=bool)),
    )
    length, features = panel.calendar.span(3), Features.of(panel)
    begins = list(range(last + 1 - length, length - 1, -length))[:MOST_QUARTERS]
    past = [_quarter(panel, features, begin) for begin in reversed(begins)]
    past = [quarter for quarter in past if quarter.left.sum() >= 1]
    if len(past) < LEARNED + CHECKED or sum(q.left.sum() for q in past) < FEWEST_DEPARTURES:
        return _skipped(len(past))
    now = _quarter(panel, features, panel.active.shape[1])
    if not len(now.rows):  # all gone, or a definition that sees a departure months later only
        text = Text(
            "No outlook for the next quarter: of no client is it known yet that it is still there."
        )
        return Skipped("no_outlook", str(text), text)
    draw = np.random.default_rng(seed)
    best, other = sorted(_try(past, draw), key=lambda tried: tried.loss)
    groups = {issue.id: moments(panel, issue.segment) for issue in issues}
    checks = _checks(panel, best, groups)
    learned = sample(join([q.cases for q in past]), draw)
    chance = corrected(MODELS[best.model](learned, now.cases.features), best.correction())
    return Forecast(
        outlook=_outlook(panel, now, chance * now.cases.weight, groups, _spread(checks)),
        checks=checks,
        method=OutlookMethod(
            model=best.model,
            log_loss=best.loss,
            log_loss_other=other.loss,
            slope=best.correction()[1],
            coverage=_coverage(checks),
            quarters=CHECKED,
        ),
    )


def _skipped(quarters: int) -> Skipped:
    text = Text(
        "No outlook for the next quarter: it takes eight past quarters and sixty departures to"
        " learn from and to be checked on, and there are {quarters} quarters with departures.",
        {"quarters": quarters},
    )
    return Skipped("no_outlook", str(text), text)


def _quarter(panel: Panel, features: Features, begin: int) -> _Quarter:
    """Read a quarter; one that begins after the data has no departures yet."""
    end = panel.active.shape[1]
    there = panel.active[:, min(begin, end - 1)].astype(np.float64)
    if begin == end:
        there = there - panel.found[:, end - 1]
    rows = np.flatnonzero(there > THERE)
    left = panel.found[rows, begin : begin + panel.calendar.span(3)].sum(axis=1, dtype=np.float64)
    chance = np.clip(left / there[rows], 0.0, 1.0)
    return _Quarter(begin, rows, Cases(features.at(begin, rows), chance, there[rows]))


def _try(past: Sequence[_Quarter], draw: np.random.Generator) -> list[_Tried]:
    checked = tuple(past[-CHECKED:])
    before = [
        sample(join([q.cases for q in past if q.begin < quarter.begin]), draw)
        for quarter in checked
    ]
    return [
        _Tried(
            name,
            checked,
            tuple(
                fit(learned, quarter.cases.features)
                for learned, quarter in zip(before, checked, strict=True)
            ),
        )
        for name, fit in MODELS.items()
    ]


def _checks(panel: Panel, tried: _Tried, groups: dict[str, Booleans]) -> tuple[OutlookCheck, ...]:
    """Compare each checked quarter with what the others' correction would have said of it."""
    pairs: list[tuple[int, str, float, float]] = []
    for number, quarter in enumerate(tried.quarters):
        chance = corrected(tried.predicted[number], tried.correction(without=number))
        due = chance * quarter.cases.weight
        pairs += [
            (number, name, float(due[inside].sum()), float(quarter.left[inside].sum()))
            for name, inside in _inside(panel, quarter, groups)
        ]
    return tuple(
        OutlookCheck(
            panel.periods[tried.quarters[number].begin].isoformat(),
            name,
            _interval(due, due, _relative_error([p[2:] for p in pairs if p[0] != number])),
            came,
        )
        for number, name, due, came in pairs
    )


def _outlook(
    panel: Panel, now: _Quarter, due: Floats, groups: dict[str, Booleans], spread: float
) -> tuple[Outlook, ...]:
    worth = (panel.yearly(panel.revenue) * part_lost(panel))[now.rows]
    return tuple(
        Outlook(
            group=name,
            departures=_interval(due[inside].sum(), due[inside].sum(), spread),
            revenue=_interval((due * worth)[inside].sum(), (due * worth**2)[inside].sum(), spread),
        )
        for name, inside in _inside(panel, now, groups)
    )


def _inside(
    panel: Panel, quarter: _Quarter, groups: dict[str, Booleans]
) -> list[tuple[str, Booleans]]:
    """Return who is in which group on the quarter's first day; small groups are not shown."""
    first = min(quarter.begin, panel.tiers.shape[1] - 1)
    tier = panel.tiers[quarter.rows, first]
    found = [("all", np.ones(len(quarter.rows), dtype=bool))]
    found += [(name, tier == code) for code, name in enumerate(TIERS)]
    found += [(name, inside[quarter.rows, first]) for name, inside in groups.items()]
    return [(name, inside) for name, inside in found if inside.sum() >= SMALLEST_GROUP]


def _interval(value: float, variance: float, spread: float) -> Estimate:
    """Interval of a sum by chance (`variance`) and by the model's error (`spread`, relative).

    A sum of what is never below zero is skewed, as a gamma distribution is: no client lost brings
    nothing. Clients who send back more than they buy bring less than nothing; theirs is symmetric.
    """
    total = float(variance + (spread * value) ** 2)
    if value <= 0 or total <= 0:
        reach = Z95 * float(np.sqrt(total))
        return Estimate(float(value), float(value) - reach, float(value) + reach)
    shape = float(value) ** 2 / total
    low, high = special.gammaincinv(shape, [OUTER, 1 - OUTER]) * (total / float(value))
    return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)))


def _spread(checks: Sequence[OutlookCheck]) -> float:
    return _relative_error([(c.departures.value, c.observed) for c in checks])


def _relative_error(pairs: Sequence[tuple[float, float]]) -> float:
    """Return how far off totals were beyond chance, as a share of them (root mean square)."""
    due, came = np.array(pairs).T
    return float(np.sqrt(max(((came - due) ** 2 - due).sum(), 0.0) / max((due**2).sum(), 1e-9)))


def _coverage(checks: Sequence[OutlookCheck]) -> float:
    return float(np.mean([c.departures.low <= c.observed <= c.departures.high for c in checks]))
