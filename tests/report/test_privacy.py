from __future__ import annotations

import dataclasses
import re

from churnlens.report import render
from churnlens.report.privacy import masked, merged_bands
from churnlens.results import (
    DataFinding,
    Departures,
    DosePoint,
    DriverPoint,
    Estimate,
    Gone,
    LagPoint,
    Outlook,
    PeriodPoint,
    RegisterEntry,
    Review,
    Text,
    TierRow,
)


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


def test_an_issue_of_too_few_clients_is_not_named_anywhere(review: Review):
    group = {"district": ("Zwettl",)}
    said = Text("Since 2023, {segment} leave.", {"segment": {"type": "clients", "value": group}})
    few = dataclasses.replace(
        review.issues[0],
        segment=group,
        title=str(said),
        title_text=said,
        clients=19,
        departures=Departures(31_749, 1.0, Estimate(31_749, 31_000, 31_749)),
        also_matches=({"district": ("Zwettl", "Horn")},),
        named_clients=("Zwettl Paper",),
    )
    told = {"title_text": said, "clients": 19}
    whole = dataclasses.replace(
        review,
        issues=(few, *review.issues[1:]),
        verdict=(said, Text("It accounts for 31,749 departures in Zwettl.")),
        gone=(Gone("z1", str(said), **told),),
        register=tuple(
            RegisterEntry(day, "seen", issue, str(said), **told)
            for day, issue in (("2024-06-30", "z0"), ("2024-09-30", few.id))
        ),
        book=dataclasses.replace(
            review.book,
            outlook=(Outlook(few.id, Estimate(31_749, 31_000, 32_000), Estimate(1, 1, 1)),),
        ),
    )
    assert {"Zwettl", "31,749"} <= set(re.findall(r"Zwettl|31,749", render(whole)))
    for lang, who in (("en", "A group too small to show"), ("zh", "客户太少而不显示的群体")):
        html = render(whole, lang=lang, smallest_group=20)
        assert not re.findall(r"Zwettl|31,749", html)
        assert who in html
    shown = masked(whole, 20)
    assert shown.issues[0].revenue_per_year == few.revenue_per_year
    assert [e.outcome for e in shown.issues[0].evidence] == [e.outcome for e in few.evidence]


def test_a_mean_of_too_few_clients_is_left_out(review: Review):
    point = DriverPoint("2024-01-01", 1.5, 2.5, 12, 300)
    issue = dataclasses.replace(review.issues[0], driver_series=(point,))
    shown = masked(dataclasses.replace(review, issues=(issue,)), 20).issues[0].driver_series[0]
    assert (shown.inside, shown.outside) == (None, 2.5)


def test_what_was_found_in_the_data_of_too_few_clients_is_left_out(review: Review):
    few, many = (
        DataFinding("silent_value", "warning", Text(name), 30, clients)
        for name, clients in (("Zwettl", 6), ("Horn", 20))
    )
    whole = dataclasses.replace(review, data_findings=(few, many))
    assert masked(whole, 20).data_findings == (many,)
    assert masked(whole).data_findings == (few, many)
