from __future__ import annotations

import dataclasses

from churnlens.report.privacy import masked, merged_bands
from churnlens.results import DosePoint, Estimate, LagPoint, PeriodPoint, Review, TierRow


def band(low: float, clients: int, rate: float = 10.0) -> DosePoint:
    return DosePoint(low, low + 1, clients, 1, Estimate(rate, rate - 1, rate + 1))


def test_small_bands_are_merged_with_their_neighbour():
    merged = merged_bands((band(0, 3, 8), band(1, 9, 20), band(2, 50), band(3, 2)), 5)
    assert [(b.low, b.high, b.clients) for b in merged] == [(0, 2, 12), (2, 4, 52)]
    assert merged[0].rate == Estimate(17.0, 7.0, 21.0)


def test_bands_that_stay_small_are_left_out():
    assert merged_bands((band(0, 1), band(1, 2)), 5) == ()


def test_no_group_under_five_is_left_anywhere(review: Review):
    issue = dataclasses.replace(
        review.issues[0],
        series=(*review.issues[0].series, PeriodPoint("2025-01-01", 1, 1.0, 4)),
        lead_lag=(LagPoint(0, Estimate(0, 0, 0), 4),),
    )
    tiny = dataclasses.replace(review.issues[1], clients=4)
    tiers = (TierRow("top", 4, 1, 1, 1, Estimate(1, 1, 1)), *review.book.tiers)
    shown = masked(
        dataclasses.replace(
            review,
            issues=(issue, tiny),
            book=dataclasses.replace(review.book, tiers=tiers),
        )
    )
    assert len(shown.issues[0].series) == 36
    assert shown.issues[0].lead_lag == ()
    assert shown.issues[1].series == ()
    assert shown.issues[1].waterfall == ()
    assert all(tier.clients >= 5 for tier in shown.book.tiers)
    assert all(curve.clients >= 5 for curve in shown.book.survival)
    book = shown.book
    groups = (*book.tenure_risk, *book.lifetimes, *book.exits, *book.lexis.cells)
    assert all(group.clients >= 5 for group in groups)
    assert len(book.lexis.cells) == len(review.book.lexis.cells) - 1
