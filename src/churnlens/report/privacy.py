"""Which groups are too small to show, also in the tables behind the charts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from churnlens.results import (
    Book,
    DosePoint,
    Estimate,
    Issue,
    LagPoint,
    LexisMap,
    PeriodPoint,
    RemedyResult,
    Review,
)

SMALLEST_GROUP = 5


def masked(review: Review, smallest: int = SMALLEST_GROUP) -> Review:
    """Return the review without groups of fewer than `smallest` clients.

    Neighbouring dose bands are merged until they hold enough; periods, lags, tiers and curves of
    too few clients are left out; an issue of too few clients keeps its sentence and money but
    shows neither its members' attributes nor its figures.
    """
    return dataclasses.replace(
        review,
        issues=tuple(_issue(issue, smallest) for issue in review.issues),
        remedies=tuple(_remedy(remedy, smallest) for remedy in review.remedies),
        book=_book(review.book, smallest),
    )


def _issue(issue: Issue, smallest: int) -> Issue:
    if 0 < issue.clients < smallest:
        return dataclasses.replace(
            issue, series=(), driver_series=(), dose=(), lead_lag=(), waterfall=(), also_matches=()
        )
    return dataclasses.replace(
        issue,
        series=_periods(issue.series, smallest),
        dose=merged_bands(issue.dose, smallest),
        lead_lag=_lags(issue.lead_lag, smallest),
    )


def _remedy(remedy: RemedyResult, smallest: int) -> RemedyResult:
    return dataclasses.replace(remedy, pre_trend=_lags(remedy.pre_trend, smallest))


def _book(book: Book, smallest: int) -> Book:
    return dataclasses.replace(
        book,
        series=_periods(book.series, smallest),
        survival=tuple(curve for curve in book.survival if curve.clients >= smallest),
        tenure_risk=tuple(band for band in book.tenure_risk if band.clients >= smallest),
        lifetimes=tuple(row for row in book.lifetimes if row.clients >= smallest),
        exits=tuple(curve for curve in book.exits if curve.clients >= smallest),
        lexis=_map(book.lexis, smallest),
        tiers=tuple(tier for tier in book.tiers if tier.clients >= smallest),
    )


def _map(found: LexisMap | None, smallest: int) -> LexisMap | None:
    if found is None:
        return None
    cells = tuple(cell for cell in found.cells if cell.clients >= smallest)
    return dataclasses.replace(found, cells=cells) if cells else None


def _periods(points: Iterable[PeriodPoint], smallest: int) -> tuple[PeriodPoint, ...]:
    return tuple(point for point in points if point.at_risk >= smallest)


def _lags(points: Iterable[LagPoint], smallest: int) -> tuple[LagPoint, ...]:
    return tuple(point for point in points if point.clients >= smallest)


def merged_bands(points: Sequence[DosePoint], smallest: int) -> tuple[DosePoint, ...]:
    """Merge neighbouring bands until each holds at least `smallest` clients.

    A merged band's rate is the mean of its parts weighted by clients, its interval their hull.
    """
    bands: list[DosePoint] = []
    for point in points:
        if bands and bands[-1].clients < smallest:
            bands[-1] = _union(bands[-1], point)
        else:
            bands.append(point)
    if len(bands) > 1 and bands[-1].clients < smallest:
        last = bands.pop()
        bands[-1] = _union(bands[-1], last)
    return tuple(band for band in bands if band.clients >= smallest)


def _union(first: DosePoint, last: DosePoint) -> DosePoint:
    clients = first.clients + last.clients
    rate = (first.rate.value * first.clients + last.rate.value * last.clients) / max(clients, 1)
    hull = Estimate(rate, min(first.rate.low, last.rate.low), max(first.rate.high, last.rate.high))
    return DosePoint(first.low, last.high, clients, first.departures + last.departures, hull)
