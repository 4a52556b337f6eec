"""Reviews to render: the model case and the awkward ones, built from results alone."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import sys
from pathlib import Path

import pytest

from churnlens.issues.catalogue import recommend
from churnlens.issues.summary import verdict_sentences
from churnlens.report.context import context
from churnlens.report.language import Language
from churnlens.report.privacy import masked
from churnlens.results import (
    Association,
    Bar,
    Book,
    BookChange,
    CohortSplit,
    DataFinding,
    DateEstimate,
    DefinitionsAgreeing,
    DefinitionSummary,
    DefinitionUsed,
    Departures,
    DosePoint,
    DriverPoint,
    Effect,
    Estimate,
    Evidence,
    ExitCurve,
    Gone,
    Issue,
    LagPoint,
    LexisCell,
    LexisMap,
    Lifetime,
    Outlook,
    OutlookMethod,
    PeriodPoint,
    RegisterEntry,
    RemedyResult,
    ReturnCurve,
    Review,
    RowCounts,
    RuledOut,
    Skipped,
    SurvivalCurve,
    TenureRisk,
    TestPlan,
    Text,
    TierRow,
)

# Helpers beside the tests; pytest's importlib mode leaves the path alone.
sys.path.insert(0, str(Path(__file__).parent))

HOSTILE = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    '=HYPERLINK("http://evil.example","x")',
    "'; DROP TABLE orders; --",
    "\u202egpj.exe\u202c",
    "עברית \u200fשלום",
    "{{ 7*7 }} {% raw %} {named} %(x)s %",
    "</style></svg></title><script>window.hacked=1</script>",
    "N" * 200,
    "line\nbreak\ttab\u0000nul",
)


def months(count: int = 36, first: dt.date = dt.date(2022, 1, 1)) -> list[str]:
    start = 12 * first.year + first.month - 1
    return [dt.date(m // 12, m % 12 + 1, 1).isoformat() for m in range(start, start + count)]


def wave(n: int) -> float:
    return math.sin(n * 1.7) + 0.6 * math.sin(n * 0.9 + 1)


def series(base: float, rise: float, onset: int, at_risk: int) -> tuple[PeriodPoint, ...]:
    points = []
    for n, month in enumerate(months()):
        expected = base * (1 + 0.18 * math.sin(n * math.pi / 6))
        more = rise * min(1, max(0, (n - onset + 1) / 3))
        spread = 1.96 * math.sqrt(expected)
        points.append(
            PeriodPoint(
                month,
                max(0, round(expected + more + 0.7 * math.sqrt(base) * wave(n))),
                expected,
                at_risk - n,
                max(0.0, expected - spread),
                expected + spread,
            )
        )
    return tuple(points)


def driver_series(before: float, after: float, onset: int) -> tuple[DriverPoint, ...]:
    return tuple(
        DriverPoint(
            month,
            before + (after - before) * min(1, max(0, (n - onset + 1) / 2)) + 0.12 * wave(n),
            before + 0.1 * wave(n + 3),
        )
        for n, month in enumerate(months())
    )


def lead_lag(peak: float, centre: float) -> tuple[LagPoint, ...]:
    found = []
    for lag in range(-6, 7):
        value = peak * math.exp(-(((lag - centre) / 2.6) ** 2))
        found.append(LagPoint(lag, Estimate(value, value - 0.09, value + 0.09), 180))
    return tuple(found)


def doses() -> tuple[DosePoint, ...]:
    rates = (
        (0, 1, 220, 9.0),
        (1, 2, 260, 11.5),
        (2, 4, 190, 19.0),
        (4, 6, 120, 31.0),
        (6, 9, 60, 44.0),
    )
    return tuple(
        DosePoint(
            low,
            high,
            n,
            round(n * r / 50),
            Estimate(r, r - 60 / math.sqrt(n), r + 60 / math.sqrt(n)),
        )
        for low, high, n, r in rates
    )


def checks() -> tuple[Evidence, ...]:
    said = (
        (
            "overlap",
            "pass",
            "Approval took 1.1 days before September 2023 and 4.9 days after, for "
            "key accounts only.",
        ),
        (
            "lead_lag",
            "pass",
            "It stood high three months before ordering fell, and no higher afterwards.",
        ),
        (
            "peers",
            "pass",
            "With the mean of a client's peers in place of its own record, it predicts as well.",
        ),
        (
            "dose_response",
            "pass",
            "Of 100 clients, 9 leave in a year at under one day and 44 at more than six.",
        ),
        ("placebo", "pass", "Shuffled within segment and month, it predicts nothing."),
        (
            "channel",
            "pass",
            "Complaints rose because of it; they are the way it works, not a second cause.",
        ),
        (
            "sensitivity",
            "pass",
            "A hidden cause would have to triple the risk and triple the delay to explain it away.",
        ),
        (
            "leave_one_account_out",
            "pass",
            "Without the largest account the cost falls by 6% and the finding stands.",
        ),
        (
            "definitions",
            "fail",
            "Defined by silence alone it is not seen: most key accounts leave in part.",
        ),
        ("negative_control", "skip", "The settings name no record that cannot matter."),
    )
    return tuple(Evidence(c, o, d) for c, o, d in said)  # type: ignore[arg-type]


def approval_issue() -> Issue:
    family, actions = recommend("approval_days", "more")
    return Issue(
        id="a1b2c3",
        rank=1,
        kind="shift",
        title="Key accounts leave because approval takes longer, since September 2023.",
        title_text=Text(
            "Clients with {who} leave more than expected since {since}, because of {driver}.",
            {
                "who": {"type": "segment", "value": {"size": ("key",)}},
                "since": {"type": "date", "value": "2023-09-01"},
                "driver": {"type": "driver", "value": "approval_days"},
            },
        ),
        driver="approval_days",
        direction="more",
        verdict="cause",
        segment={"size": ("key",)},
        onset=DateEstimate("2023-09-01", "2023-08-01", "2023-10-01"),
        departures=Departures(214, 96.4, Estimate(102.0, 81.0, 121.0)),
        revenue_per_year=Estimate(4_240_000, 3_310_000, 5_020_000),
        effect=Effect("risk_ratio", 1.38, 1.27, 1.51, "3.8 approval_days"),
        evidence=checks(),
        definitions_agreeing=DefinitionsAgreeing(2, 3),
        status="worse",
        recommendation=actions,
        driver_family=family,
        driver_onset=DateEstimate("2023-08-01", "2023-07-01", "2023-09-01"),
        driver_change=(1.1, 4.9),
        lag_periods=1.4,
        clients=612,
        accounts=102,
        margin_per_year=Estimate(1_180_000, 910_000, 1_420_000),
        revenue_per_month_of_waiting=Estimate(265_000, 207_000, 314_000),
        p_value=0.001,
        gradual=True,
        series=series(6, 7.5, 20, 640),
        driver_series=driver_series(1.1, 4.9, 19),
        dose=doses(),
        lead_lag=lead_lag(0.9, -2.5),
        waterfall=(
            Bar("Before", "start", 78),
            Bar("Who we serve", "mix", 6),
            Bar("Season", "season", -3),
            Bar("approval_days", "cause", 68),
            Bar("Unexplained", "unexplained", 15),
            Bar("Now", "end", 164),
        ),
        unknown=(
            Text(
                "Whether clients mind the waiting or the extra signatures: record the "
                "number of approval steps beside the days."
            ),
            Text(
                "15 departures are not explained by anything recorded; ask five of these clients."
            ),
        ),
        test_plan=TestPlan(
            Text(
                "If approval goes back under two days for these clients, their "
                "departures should fall from about 14 to about 8 a month."
            ),
            "2025-06-30",
            0.58,
            "departures of these clients against other clients of the same tenure",
        ),
        also_matches=({"size": ("key",), "region": ("north", "south", "east")},),
    )


def unexplained_issue() -> Issue:
    return dataclasses.replace(
        approval_issue(),
        id="d4e5f6",
        rank=2,
        kind="unexplained",
        title="Clients in the north and the west leave more since April 2024; no record says why.",
        title_text=None,
        driver=None,
        direction=None,
        verdict=None,
        segment={"region": ("north", "west")},
        onset=DateEstimate("2024-04-01", "2024-03-01", "2024-06-01"),
        departures=Departures(131, 84.0, Estimate(47.0, 24.0, 69.0)),
        revenue_per_year=Estimate(930_000, 480_000, 1_370_000),
        effect=None,
        evidence=(
            Evidence("held_out", "pass", "Found again on clients left out of the search."),
            Evidence("leave_one_account_out", "pass", "Stands without the largest account."),
        ),
        status="new",
        recommendation=recommend(None, None, kind="unexplained")[1],
        driver_family="unexplained",
        driver_onset=None,
        driver_change=None,
        lag_periods=None,
        clients=1480,
        accounts=47,
        margin_per_year=None,
        revenue_per_month_of_waiting=Estimate(78_000, 40_000, 114_000),
        p_value=0.004,
        gradual=False,
        series=series(11, 6, 27, 1500),
        driver_series=(),
        dose=(),
        lead_lag=(),
        waterfall=(
            Bar("Before", "start", 128),
            Bar("Who we serve", "mix", -4),
            Bar("Unexplained", "unexplained", 55),
            Bar("Now", "end", 179),
        ),
        unknown=(Text("Whether a competitor opened there: record lost orders and to whom."),),
        test_plan=None,
        also_matches=(),
    )


def standing_issue() -> Issue:
    return dataclasses.replace(
        approval_issue(),
        id="g7h8i9",
        rank=3,
        kind="standing",
        title="Late deliveries cost clients all along.",
        title_text=None,
        driver="delivery_delay_days",
        verdict="cause",
        segment={},
        onset=None,
        departures=Departures(402, 351.0, Estimate(51.0, 22.0, 80.0)),
        revenue_per_year=Estimate(410_000, 180_000, 640_000),
        effect=Effect("risk_ratio", 1.09, 1.04, 1.15, "1.2 delivery_delay_days"),
        evidence=(
            Evidence("lead_lag", "pass", "It stood out among leavers well before they left."),
            Evidence("sensitivity", "pass", "Something unrecorded would have to be strong."),
            Evidence("definitions", "pass", "It holds in 2 of 2 other definitions of leaving."),
            Evidence("held_out", "pass", "Both halves show it by themselves."),
        ),
        status="same",
        recommendation=recommend("delivery_delay_days", "more")[1],
        driver_onset=None,
        driver_change=None,
        lag_periods=None,
        clients=3120,
        p_value=0.001,
        gradual=None,
        definitions_agreeing=DefinitionsAgreeing(3, 3),
        driver_series=(),
        dose=(),
        lead_lag=(),
        series=series(16, 0, 99, 3200),
        waterfall=(),
        unknown=(),
        revenue_per_month_of_waiting=Estimate(34_000, 15_000, 53_000),
        also_matches=(),
    )


def twin_issue() -> Issue:
    return dataclasses.replace(
        approval_issue(),
        id="tw1n00",
        rank=4,
        title="Clients of online sales leave more since January 2024; it goes with "
        "billing errors or the new portal.",
        title_text=None,
        driver="billing_errors",
        verdict="cannot_tell",
        rivals=("portal_logins_failed",),
        segment={"channel": ("online",), "industry": ("retail", "catering")},
        onset=DateEstimate("2024-01-01", "2023-12-01", "2024-02-01"),
        driver_onset=DateEstimate("2024-01-01", "2023-12-01", "2024-01-01"),
        driver_change=(0.2, 0.9),
        revenue_per_year=Estimate(212_000, 90_000, 331_000),
        recommendation=recommend("billing_errors", "more")[1],
        series=series(4, 3, 24, 400),
        driver_series=driver_series(0.2, 0.9, 24),
        status="better",
        p_value=0.02,
    )


def mix_issue() -> Issue:
    return dataclasses.replace(
        unexplained_issue(),
        id="m1x000",
        rank=5,
        kind="mix",
        title="More clients leave because the book holds more small web clients, who "
        "always left more.",
        driver=None,
        segment={},
        onset=None,
        departures=Departures(520, 481.0, Estimate(39.0, 30.0, 48.0)),
        revenue_per_year=Estimate(96_000, 74_000, 118_000),
        recommendation=recommend(None, None, kind="mix")[1],
        series=(),
        evidence=(),
        p_value=None,
        status=None,
        unknown=(),
        revenue_per_month_of_waiting=None,
        waterfall=(
            Bar("Before", "start", 441),
            Bar("Who we serve", "mix", 39),
            Bar("Unexplained", "unexplained", 4),
            Bar("Now", "end", 484),
        ),
    )


def curve(attribute: str, value: str, yearly: float, clients: int) -> SurvivalCurve:
    tenure = tuple(float(m) for m in range(0, 61))
    survival = tuple(yearly ** (m / 12) for m in tenure)
    return SurvivalCurve(
        attribute,
        value,
        tenure,
        survival,
        tuple(max(0, s - 0.03) for s in survival),
        tuple(min(1, s + 0.03) for s in survival),
        clients,
        round(clients * (1 - survival[-1])),
    )


def lifetime(
    attribute: str, value: str, own: float, rest: float, money: float, clients: int = 624
) -> Lifetime:
    lost = rest - own
    less = Text(
        "Of the first {horizon} months a client of {segment} stays {own}, other clients {rest}: "
        "about {money} less from each.",
        {
            "segment": {"type": "segment", "value": {attribute: [value]}},
            "money": {"type": "money", "value": abs(money)},
            "horizon": {"type": "number", "value": 36.0},
            "own": {"type": "number", "value": own},
            "rest": {"type": "number", "value": rest},
        },
    )
    return Lifetime(
        attribute,
        value,
        clients,
        36,
        Estimate(own, own - 1.2, own + 1.2),
        Estimate(rest, rest - 0.8, rest + 0.8),
        Estimate(lost, lost - 1.5, lost + 1.5),
        Estimate(money, 0.5 * money, 1.5 * money),
        0.0004,
        less,
    )


def exits(kind: str, yearly: float, clients: int) -> ExitCurve:
    tenure = tuple(float(m) for m in range(0, 61))
    share = tuple(1 - yearly ** (m / 12) for m in tenure)
    low, high = (tuple(max(0.0, s + d) for s in share) for d in (-0.02, 0.02))
    return ExitCurve(kind, tenure, share, low, high, clients)


def lexis_map() -> LexisMap:
    """Twelve quarters by eleven bands of tenure, the last one open; the rise since September."""
    periods = tuple(months(36)[::3])
    cells = tuple(
        LexisCell(3 * k, period, 4 if (k, t) == (2, 2) else 60 - 4 * k, 3, rate)
        for k in range(11)
        for t, period in enumerate(periods)
        for rate in [12 + 10 * (t >= 7) + 6 * (k < 3) + 2 * ((k * t) % 3)]
    )
    return LexisMap(3, 30, periods, cells)


def book() -> Book:
    silence = tuple(x / 4 for x in range(0, 41))
    return Book(
        clients=3120,
        orders=184_223,
        first_date="2022-01-03",
        last_date="2024-12-31",
        set_apart=71,
        series=series(34, 15, 20, 3200),
        change=DateEstimate("2023-09-01", "2023-08-01", "2023-11-01"),
        change_p=0.001,
        mix=(
            Bar("", "start", 392),
            Bar("", "mix", 22),
            Bar("", "unexplained", 148, Text("How they are served")),
            Bar("", "end", 562),
        ),
        waterfall=(
            Bar("", "start", 392),
            Bar("", "mix", 18),
            Bar("", "season", 4),
            Bar("approval_days", "cause", 68),
            Bar("late_days", "cause", 41),
            Bar("", "unexplained", 39),
            Bar("", "end", 562),
        ),
        survival=(
            curve("", "", 0.84, 3120),
            curve("tier", "top fifth", 0.9, 624),
            curve("tier", "middle", 0.85, 1872),
            curve("tier", "bottom fifth", 0.72, 624),
            curve("tier", "tiny", 0.5, 3),
        ),
        changes=(
            BookChange(DateEstimate("2023-09-01", "2023-08-01", "2023-11-01"), 1.42, False, 0.001),
            BookChange(DateEstimate("2024-06-01", "2024-03-01", "2024-09-01"), 0.81, True, 0.03),
        ),
        tenure_risk=(
            TenureRisk(0, 6, 640, 61, Estimate(19.5, 14.9, 25.1)),
            TenureRisk(6, 12, 702, 74, Estimate(21.2, 16.6, 26.6)),
            TenureRisk(12, 24, 1204, 160, Estimate(15.0, 12.7, 17.5)),
            TenureRisk(24, 48, 1530, 301, Estimate(13.1, 11.7, 14.7)),
            TenureRisk(48, None, 1410, 322, Estimate(12.2, 10.9, 13.6)),
            TenureRisk(240, None, 3, 2, Estimate(48.6, 7.7, 90.9)),
        ),
        lifetimes=(
            lifetime("size", "key", 26.1, 30.1, 5_210),
            lifetime("value_tier", "bottom fifth", 24.2, 29.8, 410),
            lifetime("size", "mid", 31.4, 27.5, -1_420),
            lifetime("size", "tiny", 12.0, 29.0, 100, clients=3),
        ),
        exits=(
            exits("lapsed", 0.9, 702),
            exits("shrunk", 0.94, 461),
            exits("closed", 0.99, 26),
        ),
        lexis=lexis_map(),
        cohorts=CohortSplit(
            Estimate(1.03, 1.01, 1.05),
            Estimate(0.98, 0.96, 1.0),
            0.001,
            0.0004,
            0.41,
            Text(
                "At the same tenure, clients leave {share} more often each year. Whether that is "
                "the times or the newer clients cannot be known: the calendar is always tenure "
                "plus the date of winning.",
                {"share": {"type": "percent", "value": 0.12}},
            ),
        ),
        tiers=(
            TierRow("top fifth", 624, 0.71, 0.83, 171, Estimate(12.4, 10.6, 14.3)),
            TierRow("middle", 1872, 0.26, 0.22, 402, Estimate(14.9, 13.5, 16.4)),
            TierRow("bottom fifth", 624, 0.03, -0.05, 214, Estimate(28.0, 24.4, 31.9)),
        ),
        stay=(
            Association(
                Text("They buy from more product groups."),
                "categories",
                5.2,
                3.1,
                Estimate(0.71, 0.62, 0.81),
            ),
            Association(
                Text("They are visited at leadership level at least once a year."),
                "visit_leadership",
                1.8,
                0.7,
                Estimate(0.66, 0.55, 0.79),
            ),
        ),
        returns=ReturnCurve(
            silence,
            tuple(math.exp(-x / 2.4) for x in silence),
            tuple(max(0, math.exp(-x / 2.4) - 0.03) for x in silence),
            tuple(min(1, math.exp(-x / 2.4) + 0.03) for x in silence),
            5.5,
            0.1,
        ),
        definitions=(
            DefinitionSummary(
                "cadence",
                Text("Silent for longer than this client's own rhythm allows, or shrunk by half."),
                1189,
                702,
                461,
                26,
                214,
            ),
            DefinitionSummary("silence", Text("No order for 180 days."), 934, 934, 0, 26, 331),
            DefinitionSummary(
                "volume",
                Text("Volume fell by half or more and stayed down."),
                1077,
                588,
                489,
                26,
                190,
            ),
        ),
        smallest_visible_rise=1.18,
        segments_looked_at=214,
        starts_looked_at=33,
        revenue_last_year=61_400_000,
        outlook_method=OutlookMethod("logistic hazard", 0.31, 0.33, 0.97, 0.94, 8),
        outlook=(
            Outlook("all", Estimate(148, 121, 177), Estimate(2_100_000, 1_600_000, 2_700_000)),
            Outlook("top fifth", Estimate(44, 31, 58), Estimate(1_700_000, 1_200_000, 2_200_000)),
            Outlook("a1b2c3", Estimate(41, 29, 54), Estimate(1_200_000, 850_000, 1_600_000)),
        ),
    )


def model_case() -> Review:
    issues = (approval_issue(), unexplained_issue(), standing_issue(), twin_issue(), mix_issue())
    return Review(
        as_of="2024-12-31",
        period="month",
        currency="EUR",
        rows={
            "orders": RowCounts(541_909, 398_201, 135_080, 8_628),
            "clients": RowCounts(3_204, 3_191, 13, 0),
            "events": RowCounts(48_112, 48_090, 22, 0),
        },
        departure_definition=DefinitionUsed(
            "cadence", "Silent for longer than its own rhythm allows, or shrunk by half."
        ),
        issues=issues,
        verdict=verdict_sentences(issues, book().series, 1.18, until="2024-12-31"),
        book=book(),
        gone=(
            Gone("z1", "Stock-outs cost clients in the south since May 2023."),
            Gone("z2", "Fewer visits cost mid-size clients since January 2023.", "cannot_be_seen"),
        ),
        remedies=(
            RemedyResult(
                "Approval under two days for key accounts in the north",
                "a1b2c3",
                {"size": ("key",), "region": ("north",)},
                "2024-03-01",
                "worked",
                Estimate(19, 8, 30),
                Estimate(0.55, 0.38, 0.79),
                "2024-09-30",
                Text(
                    "Departures fell to about half of what comparable clients outside the "
                    "scope show."
                ),
                True,
                Estimate(720_000, 310_000, 1_130_000),
                tuple(
                    LagPoint(
                        n,
                        Estimate(
                            -0.1 * max(0, n) + 0.05 * wave(n),
                            -0.1 * max(0, n) - 0.2,
                            -0.1 * max(0, n) + 0.2,
                        ),
                        300,
                    )
                    for n in range(-6, 7)
                ),
                "M. Okafor",
                observed=23,
                driver_change=(4.8, 1.7),
                plan=TestPlan(
                    Text(
                        "If approval takes under two days again, departures there should fall "
                        "from 8 to 5 a month."
                    ),
                    "2024-09-30",
                    0.6,
                    "departures",
                ),
                still_at_stake=Estimate(21, 9, 34),
                notes=(
                    Text(
                        "Measured against clients outside its scope over the same months. That "
                        "assumes that both groups would have gone the same way without it."
                    ),
                ),
            ),
            RemedyResult(
                "Weekly call to every online client",
                "tw1n00",
                {"channel": ("online",)},
                "2024-06-01",
                "did_not",
                Estimate(1, -7, 9),
                Estimate(0.97, 0.72, 1.31),
                "2024-11-30",
                Text("Calls were planned, but their number did not change."),
                False,
            ),
            RemedyResult(
                "Second carrier in the south",
                None,
                {"region": ("south",)},
                "2024-11-01",
                "too_early",
                None,
                None,
                "2025-05-31",
            ),
        ),
        ruled_out=(
            RuledOut(
                "discount_pct",
                "symptom",
                "Discounts rose two months after ordering had begun to fall, for those "
                "clients only.",
            ),
            RuledOut("rescue_visits", "symptom", "Visits followed the fall in orders."),
            RuledOut(
                "price_index",
                "bystander",
                "Prices rose in the same month, and those for whom they rose left no "
                "more than the rest.",
            ),
            RuledOut(
                "complaints",
                "no_effect",
                "Complaints are the way approval works; with it held, they add nothing.",
            ),
            RuledOut(
                "stockouts",
                "cannot_tell",
                "Stock-outs were recorded for 4 in 100 orders only; record them for "
                "all orders of one quarter.",
            ),
        ),
        skipped=(
            Skipped(
                "negative_control",
                "No record was named that cannot matter, so that check was not asked.",
            ),
            Skipped(
                "few",
                "Clients of industry fishing: too few departures to date a change: 7, needs 20.",
            ),
        ),
        data_findings=(
            DataFinding(
                "missing_client",
                "warning",
                Text(
                    "{share} of order rows carry no client and were rejected.",
                    {"share": {"type": "percent", "value": 0.249}},
                ),
                135_080,
            ),
            DataFinding(
                "bulk", "info", Text("{n} one-off bulk buyers were set apart.", {"n": 71}), 71
            ),
            DataFinding(
                "gap",
                "warning",
                Text(
                    "No order at all between {low} and {high}: a gap in the records?",
                    {
                        "low": {"type": "date", "value": "2022-12-24"},
                        "high": {"type": "date", "value": "2023-01-04"},
                    },
                ),
            ),
        ),
        previous_as_of="2024-09-30",
        register=(
            *tuple(
                RegisterEntry(
                    date,
                    "seen",
                    "a1b2c3",
                    "Key accounts leave because approval takes longer.",
                    status,
                    None,
                    None,
                    1,
                    80.0,
                    money,
                )
                for date, status, money in (
                    ("2024-03-31", "new", 2100000.0),
                    ("2024-06-30", "worse", 3400000.0),
                    ("2024-09-30", "same", 3500000.0),
                    ("2024-12-31", "worse", 4240000.0),
                )
            ),
            RegisterEntry(
                "2024-06-30",
                "remedy",
                "a1b2c3",
                "Approval under two days in the north",
                "too_early",
            ),
            RegisterEntry(
                "2024-12-31", "remedy", "a1b2c3", "Approval under two days in the north", "worked"
            ),
            RegisterEntry(
                "2024-03-31",
                "seen",
                "z1",
                "Stock-outs cost clients in the south.",
                "new",
                None,
                None,
                2,
                30.0,
                400000.0,
            ),
            RegisterEntry("2024-06-30", "gone", "z1", "Stock-outs cost clients in the south."),
        ),
    )


def quiet_case() -> Review:
    calm = dataclasses.replace(
        book(), series=series(34, 0, 99, 3200), change=None, change_p=0.44, changes=()
    )
    return dataclasses.replace(
        model_case(),
        issues=(),
        verdict=verdict_sentences((), calm.series, 1.18, until="2024-12-31"),
        book=calm,
        gone=(),
        remedies=(),
        previous_as_of=None,
        register=(),
    )


def crowded_case() -> Review:
    """Twelve issues, one of them with forty values of one attribute."""
    many = tuple(f"district {n:02d}" for n in range(40))
    wide = dataclasses.replace(
        approval_issue(),
        segment={"district": many},
        title_text=None,
        title="Clients in forty districts leave more since September 2023.",
    )
    issues = [wide, *(approval_issue() for _ in range(11))]
    return dataclasses.replace(
        model_case(),
        issues=tuple(dataclasses.replace(i, rank=n, id=f"i{n}") for n, i in enumerate(issues, 1)),
    )


def hostile_case() -> Review:
    first, *rest = model_case().issues
    bad = dataclasses.replace(
        first,
        title=HOSTILE[0] + HOSTILE[8],
        title_text=Text(
            "{who} leave.", {"who": {"type": "segment", "value": {HOSTILE[1]: HOSTILE}}}
        ),
        segment={HOSTILE[1]: HOSTILE, HOSTILE[8]: (HOSTILE[3],)},
        driver=HOSTILE[7],
        rivals=HOSTILE,
        effect=Effect("risk_ratio", 1.4, 1.2, 1.7, HOSTILE[0]),
        evidence=tuple(Evidence(value, "fail", value) for value in HOSTILE),
        recommendation=HOSTILE,
        waterfall=(
            Bar("Before", "start", 78),
            *(Bar(v, "cause", 3) for v in HOSTILE),
            Bar("", "end", 108),
        ),
        also_matches=({HOSTILE[0]: (HOSTILE[1],)},),
    )
    base = model_case()
    return dataclasses.replace(
        base,
        issues=(bad, *rest),
        rows={HOSTILE[0]: RowCounts(1, 1, 0, 0)},
        gone=tuple(Gone(v, v) for v in HOSTILE),
        ruled_out=tuple(RuledOut(v, "symptom", v) for v in HOSTILE),
        skipped=tuple(Skipped(v, v) for v in HOSTILE),
        remedies=tuple(dataclasses.replace(base.remedies[0], action=v, owner=v) for v in HOSTILE),
        departure_definition=DefinitionUsed(HOSTILE[0], HOSTILE[1]),
        book=dataclasses.replace(
            base.book,
            tiers=tuple(TierRow(v, 50, 0.1, 0.1, 5, Estimate(10, 8, 12)) for v in HOSTILE),
            survival=tuple(curve(v, v, 0.8, 100) for v in HOSTILE[:4]),
        ),
    )


@pytest.fixture(scope="session")
def review() -> Review:
    return model_case()


@pytest.fixture(scope="session")
def shown(review: Review) -> dict:
    """The report of the model case, as its templates see it."""
    return context(masked(review), Language("en", "EUR", "month"))


@pytest.fixture(scope="session")
def quiet() -> Review:
    return quiet_case()


@pytest.fixture(scope="session")
def crowded() -> Review:
    return crowded_case()


@pytest.fixture(scope="session")
def hostile() -> Review:
    return hostile_case()
