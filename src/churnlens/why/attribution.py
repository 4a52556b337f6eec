"""How many departures, and how much money, does each explanation account for?

The departures are weighed again under the hazard with the explanations in it (EM), so that recent
and slow ones count as what they most probably are. The additive model then shares each departure
between its client's baseline and the doses it had: what would not have happened had the driver
stayed as it was (g-computation in the model), without anything counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.threads import over_chunks
from churnlens.results import Z95, Estimate
from churnlens.which.baseline import Baseline
from churnlens.which.windows import LEVEL_PRIOR
from churnlens.why.model import Fit, Term, fit
from churnlens.why.selection import Explained, explained_risk

Array = npt.NDArray[Any]

ROUNDS = 5
# Relative error of the count beside chance: some who leave are never seen to, and some would have
# left by now in any case. In planted worlds either is about a sixth; they pull against each other.
COUNT_ERROR = 0.15
MOST_RATIO = 100.0  # a larger one is not told: what is divided by is as good as nothing
BEHIND = 0.1  # of a departure that must be due to it for a client to be one of its accounts
MONEY_ERROR = 0.1  # relative error of what a client would have gone on to bring


@dataclass(frozen=True)
class Attribution:
    """What one explanation accounts for since its start.

    `observed` departures of the segment (probable ones counted as parts), `expected` without the
    explanation, `attributable` and its interval; `ratio` is the risk at a dose of 1 (the driver's
    whole shift) over none.
    `share[i, t]` is the part of a departure of client i in t that is due to it, float32[n, T].
    """

    observed: float
    expected: float
    attributable: Estimate
    ratio: Estimate
    revenue: Estimate
    margin: Estimate | None
    share: Array
    accounts: int
    largest_account: float  # its part of the money


@dataclass(frozen=True)
class Settled:
    """The explained panel: `found` departures under the explained hazard, and each part's share.

    `usual` is the hazard without the explanations, each segment at its own level, float32[n, T].
    """

    panel: Panel
    usual: Array
    parts: tuple[Attribution, ...]


def attribute(baseline: Baseline, explained: Explained) -> Settled:
    """Return what every explanation accounts for."""
    terms = tuple(p.whole for p in explained.parts)
    if not terms:
        return Settled(baseline.panel, baseline.hazard, ())
    start = fit(baseline, terms)
    settled, fitted = _settle(baseline, terms, start)
    levels = replace(fitted, excess=np.zeros_like(fitted.excess))
    usual = baseline.hazard * explained_risk(baseline, levels)

    def part(k: int) -> Attribution:
        return _attribution(baseline, settled, fitted, k, start, explained.parts[k].is_dated)

    return Settled(settled, usual, tuple(over_chunks(part, range(len(terms)))))


def _settle(baseline: Baseline, terms: tuple[Term, ...], start: Fit) -> tuple[Panel, Fit]:
    """Departures weighed under the explained hazard, and the model fitted to them (EM)."""
    panel, fitted = baseline.panel, start
    if panel.likelihood is None:
        return panel, fitted
    rows = np.flatnonzero(np.any([t.inside.any(axis=1) for t in terms], axis=0))
    part = baseline.rows(rows)
    some = tuple(replace(t, dose=t.dose[rows], inside=t.inside[rows]) for t in terms)
    now = part.panel
    for _ in range(ROUNDS):
        risk = explained_risk(part, replace(fitted, terms=some))
        now = part.panel.weigh(part.hazard * risk)
        whole = Baseline(now, part.hazard, part.hazard * now.active, now.found)
        fitted = fit(whole, some, fitted)
    found, active = panel.found.copy(), panel.active.copy()
    found[rows], active[rows] = now.found, now.active
    return replace(panel, found=found, active=active), replace(fitted, terms=terms)


def _attribution(
    baseline: Baseline, panel: Panel, fitted: Fit, k: int, effective: Fit, is_dated: bool
) -> Attribution:
    term = fitted.terms[k]
    total = 1 + sum(
        np.float32(b) * t.dose for b, t in zip(fitted.excess, fitted.terms, strict=True)
    )
    share = np.float32(fitted.excess[k]) * term.dose / total
    during = term.dose > 0
    observed = float(panel.found[during].sum(dtype=np.float64))
    due = panel.found * share
    value = float(due.sum(dtype=np.float64))
    error = float(effective.errors[k] / effective.excess[k]) if effective.excess[k] > 0 else np.inf
    if is_dated:
        chance = _spread(baseline, term, observed, observed - value)
    else:  # there is no time before: what is sure of its count is what is sure of its effect
        chance = error * float((due / total).sum(dtype=np.float64)) if value > 0 else 0.0
    spread = float(np.hypot(chance, COUNT_ERROR * value))
    reach = Z95 * spread
    money, largest, accounts = _money(panel, due, panel.revenue)
    margin = None if panel.margin is None else _money(panel, due, panel.margin)[0]
    return Attribution(
        observed=observed,
        expected=observed - value,
        attributable=Estimate(value, max(value - reach, 0), min(value + reach, observed)),
        ratio=_ratio(float(fitted.excess[k]), error),
        revenue=_scaled(money, spread / max(value, 1e-9)),
        margin=None if margin is None else _scaled(margin, spread / max(value, 1e-9)),
        share=share,
        accounts=accounts,
        largest_account=largest,
    )


def _spread(baseline: Baseline, term: Term, observed: float, expected: float) -> float:
    """Standard error of departures observed less those expected at the segment's own level.

    Both rest on effective departures: what was found since the start is as uncertain as a count of
    those it can be told from, and the level before it likewise.
    """
    during = term.dose > 0
    since = float(baseline.observed[during].sum(dtype=np.float64))
    before = float(baseline.observed[term.inside & ~during].sum(dtype=np.float64))
    return float(
        np.hypot(
            observed / np.sqrt(max(since, 1.0)),
            expected / np.sqrt(max(before, 0.0) + LEVEL_PRIOR),
        )
    )


def _ratio(excess: float, relative: float) -> Estimate:
    """The risk ratio, its excess (never below 0) being log-normal with that relative error."""
    low = excess * np.exp(-Z95 * relative)
    high = excess * np.exp(min(Z95 * relative, np.log(MOST_RATIO))) if excess > 0 else MOST_RATIO
    return Estimate(float(1 + excess), float(1 + low), float(min(1 + high, MOST_RATIO)))


def _money(panel: Panel, due: Array, values: Array) -> tuple[float, float, int]:
    """Money a year that went, the largest account's part of it, and the accounts behind it."""
    by_spell = due.sum(axis=1, dtype=np.float64)
    known = panel.onset >= 0
    usual = float(1 - np.nanmean(panel.kept[known])) if known.any() else 1.0
    gone = np.where(known & np.isfinite(panel.kept), 1 - np.nan_to_num(panel.kept), usual)
    money = panel.by_client(by_spell * panel.yearly(values) * gone)
    total = float(money.sum())
    largest = float(money.max() / total) if total > 0 else 0.0
    return total, largest, int((panel.by_client(by_spell) > BEHIND).sum())


def _scaled(value: float, relative: float) -> Estimate:
    """Interval of money: that of the departures, and the scatter of what clients bring.

    It ends at nought on one side, also for a loss (clients whose margin is below it).
    """
    wide = float(np.hypot(relative, MONEY_ERROR))
    ends = value * max(1 - Z95 * wide, 0.0), value * (1 + Z95 * wide)
    return Estimate(value, min(ends), max(ends))
