"""What the charts of an issue are drawn from: departures, the driver and doses, in numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.results import DosePoint, DriverPoint, PeriodPoint
from churnlens.when.calendar import period_points
from churnlens.when.rates import informed_part, left_within_a_year
from churnlens.which.baseline import Baseline
from churnlens.why.attribution import Settled
from churnlens.why.candidates import Candidate

Array = npt.NDArray[Any]

DOSE_BANDS = 4
SMALLEST = 5


def segment_series(settled: Settled, inside: Array) -> tuple[PeriodPoint, ...]:
    """Return departures seen and expected without the explanations, by period, in a segment."""
    panel = settled.panel
    due = _due(settled) * inside
    return period_points(
        [day.isoformat() for day in panel.periods],
        (panel.found * inside).sum(axis=0, dtype=np.float64),
        due.sum(axis=0, dtype=np.float64),
        (panel.active * inside).sum(axis=0, dtype=np.float64),
    )


def _due(settled: Settled) -> Array:
    return settled.usual * settled.panel.active


def driver_series(baseline: Baseline, candidate: Candidate) -> tuple[DriverPoint, ...]:
    """Return the driver's mean by period in the segment and outside, groups under five left out."""
    values, inside = candidate.move.exposure.values, candidate.inside
    panel = baseline.panel
    there = np.isfinite(values) & panel.own & panel.before_onset  # a row, then, is a client

    def means(where: Array) -> zip[tuple[float, int]]:
        count = where.sum(axis=0)
        total = np.where(where, values, 0).sum(axis=0, dtype=np.float64)
        mean = np.where(count >= SMALLEST, total / np.maximum(count, 1), np.nan)
        return zip(mean, map(int, count), strict=True)

    sides = means(there & inside), means(there & ~inside)
    return tuple(
        DriverPoint(day.isoformat(), _or_none(i), _or_none(o), n, rest)
        for day, (i, n), (o, rest) in zip(baseline.panel.periods, *sides, strict=True)
    )


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def dose_points(
    settled: Settled, baseline: Baseline, candidate: Candidate
) -> tuple[DosePoint, ...]:
    """Return departures a year by how much of the driver clients got since its change.

    `baseline` says what part of them the data tell, on which intervals rest.
    """
    panel, move = settled.panel, candidate.move
    late = candidate.inside & (np.arange(panel.active.shape[1]) >= candidate.start)
    dose = candidate.dose[late]
    if dose.size == 0 or dose.std() < 0.05:
        return ()
    weight, found = panel.active[late], panel.found[late]
    told = baseline.expected[late]
    due = baseline.hazard[late] * baseline.panel.active[late]
    rows = np.nonzero(late)[0]
    edges = np.unique(np.quantile(dose, np.linspace(0, 1, DOSE_BANDS + 1)))
    out = []
    for low, high in pairwise(edges):
        here = (dose >= low) & ((dose < high) | (high == edges[-1]))
        clients = panel.clients(rows[here & (weight > 0.5)])
        if clients < SMALLEST:
            continue
        a, b = move.before + low * move.shift, move.before + high * move.shift
        out.append(
            DosePoint(
                float(min(a, b)),
                float(max(a, b)),
                clients,
                round(float(found[here].sum())),
                left_within_a_year(
                    float(found[here].sum()),
                    float(weight[here].sum()),
                    informed_part(float(told[here].sum()), float(due[here].sum())),
                    periods_a_year=panel.calendar.per_year,
                ),
            )
        )
    return tuple(sorted(out, key=lambda p: p.low))
