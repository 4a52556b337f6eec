"""Which groups are too small to show, also in the tables behind the charts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from churnlens.report.words import TOO_SMALL
from churnlens.results import (
    Book,
    DataFinding,
    DosePoint,
    DriverPoint,
    Estimate,
    Gone,
    Issue,
    LagPoint,
    LexisMap,
    PeriodPoint,
    RegisterEntry,
    RemedyResult,
    Review,
    Text,
)

SMALLEST_GROUP = 5


_TITLE = Text("In a group of fewer than {smallest} clients, which is not shown, too many left.")
_PLAN = Text("The test stands in review.json: it names the group.")


def masked(review: Review, smallest: int = SMALLEST_GROUP) -> Review:
    """Return the review without groups of fewer than `smallest` clients.

    Neighbouring dose bands are merged until they hold enough; periods, lags, tiers and curves of
    too few clients are left out. An issue of too few clients, open or gone, keeps since when, the
    driver, the checks' outcomes and the money, under a title that does not name it; who they are
    and its other figures are left out, and so is what was found in the data of too few clients. Two
    things stay: what a review says of remedies, whose scope is the user's own, and an issue of a
    review that did not count its clients yet.
    """
    few = {issue.id for issue in review.issues if _is_few(issue, smallest)}
    return dataclasses.replace(
        review,
        verdict=_verdict(review, smallest),
        issues=tuple(_issue(issue, smallest) for issue in review.issues),
        gone=tuple(
            dataclasses.replace(g, title_text=_title(smallest)) if _is_few(g, smallest) else g
            for g in review.gone
        ),
        register=tuple(
            dataclasses.replace(e, title_text=_title(smallest)) if _is_few(e, smallest) else e
            for e in review.register
        ),
        remedies=tuple(_remedy(remedy, smallest) for remedy in review.remedies),
        book=_book(review.book, smallest, few),
        data_findings=tuple(f for f in review.data_findings if not _is_few(f, smallest)),
    )


def _is_few(what: Issue | Gone | RegisterEntry | DataFinding, smallest: int) -> bool:
    return 0 < what.clients < smallest


def _title(smallest: int) -> Text:
    return dataclasses.replace(_TITLE, values={"smallest": smallest})


def _verdict(review: Review, smallest: int) -> tuple[Text, ...]:
    """The first page's sentences; where they are about too few clients, without their figures."""
    if not (review.verdict and review.issues and _is_few(review.issues[0], smallest)):
        return review.verdict
    return (_title(smallest), *review.verdict[2:])


def _issue(issue: Issue, smallest: int) -> Issue:
    if _is_few(issue, smallest):
        return _unnamed(issue, smallest)
    return dataclasses.replace(
        issue,
        series=_periods(issue.series, smallest),
        driver_series=_means(issue.driver_series, smallest),
        dose=merged_bands(issue.dose, smallest),
        lead_lag=_lags(issue.lead_lag, smallest),
    )


def _unnamed(issue: Issue, smallest: int) -> Issue:
    plan = issue.test_plan
    return dataclasses.replace(
        issue,
        title_text=_title(smallest),
        segment=TOO_SMALL,
        clients=0,
        effect=None,
        driver_change=None,
        evidence=tuple(dataclasses.replace(e, detail="", text=None) for e in issue.evidence),
        series=(),
        driver_series=(),
        dose=(),
        lead_lag=(),
        waterfall=(),
        also_matches=(),
        named_clients=(),
        test_plan=dataclasses.replace(plan, text=_PLAN) if plan else None,
    )


def _means(points: Iterable[DriverPoint], smallest: int) -> tuple[DriverPoint, ...]:
    def shown(mean: float | None, clients: int | None) -> float | None:
        return mean if clients is None or clients >= smallest else None

    return tuple(
        dataclasses.replace(
            p,
            inside=shown(p.inside, p.inside_clients),
            outside=shown(p.outside, p.outside_clients),
        )
        for p in points
    )


def _remedy(remedy: RemedyResult, smallest: int) -> RemedyResult:
    return dataclasses.replace(remedy, pre_trend=_lags(remedy.pre_trend, smallest))


def _book(book: Book, smallest: int, few: set[str]) -> Book:
    return dataclasses.replace(
        book,
        series=_periods(book.series, smallest),
        survival=tuple(curve for curve in book.survival if curve.clients >= smallest),
        tenure_risk=tuple(band for band in book.tenure_risk if band.clients >= smallest),
        lifetimes=tuple(row for row in book.lifetimes if row.clients >= smallest),
        exits=tuple(curve for curve in book.exits if curve.clients >= smallest),
        lexis=_map(book.lexis, smallest),
        tiers=tuple(tier for tier in book.tiers if tier.clients >= smallest),
        outlook=tuple(row for row in book.outlook if row.group not in few),
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
