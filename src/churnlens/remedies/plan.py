"""The test of a remedy, written down before it can be read: what effect, when, which measure."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from churnlens.remedies import rates
from churnlens.remedies.fading import Fading
from churnlens.remedies.power import FIRST, look, periods_needed
from churnlens.remedies.rates import Booleans, ByClient, Counts
from churnlens.remedies.scope import first_whole_period, moments
from churnlens.results import Issue, Skipped, TestPlan, Text

if TYPE_CHECKING:
    from churnlens.panel import Panel

SMALLEST_RATIO = 0.05
LARGEST_RATIO = 0.95
FEWEST_OUTSIDE = 10.0
FEW_A_QUARTER = 5.0
SMALL_EFFECT = 0.7
MEASURE = "departures per client and quarter in the scope, against clients outside it"
MEASURE_ALONE = "departures per client and quarter in the scope, against the level before the start"

UNDER_WAY = Text(
    "A remedy is under way for all of these clients, so no new test is written; whether it works is"
    " said with the remedies."
)
PASSED = Text("It has passed, so there is nothing left that a remedy could be tested by.")
SMALL = Text("Too few departures are put down to this issue for a remedy to be tested by them.")
OF_MIX = Text(
    "No remedy undoes it: these clients leave as often as they always did. Judge it by the share of"
    " {segment} among new clients."
)
NEVER_READABLE = Text(
    "Too few clients leave here: even a remedy that undid all of it would not stand out from"
    " chance within five years. Judge it by what it was to change instead."
)
NEVER_COMPARABLE = Text(
    "There are too few other clients to compare these with: even a remedy that undid all of it"
    " could not be told within five years from what departures do by themselves. Judge it by what"
    " it was to change instead, or begin with a part of the clients."
)
NEVER_LARGE = Text(
    "Most who leave here would leave in any case: even a remedy that undid all of it would not"
    " stand out from chance within five years. Judge it by what it was to change instead."
)


def plan_test(
    panel: Panel,
    issue: Issue,
    *,
    as_of: dt.date,
    departures: ByClient,
    remedied: Booleans | None = None,
) -> TestPlan | Skipped:
    """Write the test for an open issue, for a remedy that begins with the next period.

    The effect of full reach takes away the departures attributable to the issue and leaves the
    others. It is measured as `judge` will measure it: against the level since the onset, beside
    clients outside the segment.

    Parameters
    ----------
    panel : Panel
    issue : Issue
    as_of : date
        Last day of the data.
    departures : ByClient
        Departures observed and expected from the baseline.
    remedied : bool[n, T], optional
        Client-periods that a remedy has reached.

    Returns
    -------
    TestPlan or Skipped
        Skipped where the trouble has passed, where a remedy is under way for all of it, where
        nothing is attributable to the issue, or where the effect would not stand out within five
        years.
    """
    if issue.kind == "mix":
        values = {"segment": {"type": "clients", "value": dict(issue.segment)}}
        return _skipped("judged_by_the_mix", replace(OF_MIX, values=values), issue)
    inside = moments(panel, issue.segment)
    now = inside[:, -1]
    if remedied is not None and now.any() and remedied[now, -1].all():
        return _skipped("remedy_under_way", UNDER_WAY, issue)
    if issue.until is not None:
        return _skipped("trouble_has_passed", PASSED, issue)
    seen = issue.departures
    ratio = 1 - seen.attributable.value / max(seen.observed, 1)
    if ratio > LARGEST_RATIO:
        return _skipped("small_effect", SMALL, issue)
    ratio = max(ratio, SMALLEST_RATIO)
    counts = _counts(inside, departures)
    needed, compared = _periods(panel, departures, counts, inside, issue, ratio)
    usual = _per_quarter(panel, issue, inside)
    if needed is None:
        return _skipped("never_readable", _why_never(counts, usual, ratio, compared), issue)
    readable = panel.calendar.last_day(len(panel.periods) + needed - 1)
    return TestPlan(
        text=_text(issue, as_of, readable, ratio, usual),
        readable_from=readable.isoformat(),
        risk_ratio_full_reach=ratio,
        measure=MEASURE if counts.outside_seen is not None else MEASURE_ALONE,
    )


def _skipped(code: str, text: Text, issue: Issue) -> Skipped:
    return Skipped(code, f"{issue.id}: {text}", text)


def _why_never(counts: Counts, usual: float, ratio: float, compared: int | None) -> Text:
    """Say why a risk ratio would not stand out where `usual` leave a quarter.

    `compared` is the number of periods it would take were it known what goes on by itself.
    """
    if usual < FEW_A_QUARTER:
        return NEVER_READABLE
    others = counts.outside_seen
    if compared is not None and (others is None or others.sum() < counts.seen.sum()):
        return NEVER_COMPARABLE
    return NEVER_LARGE if ratio > SMALL_EFFECT else NEVER_READABLE


def _counts(inside: Booleans, departures: ByClient) -> Counts:
    counts = rates.count(departures, inside, ~inside)
    theirs = counts.outside_seen
    enough = theirs is not None and theirs.sum() >= FEWEST_OUTSIDE
    return counts if enough else counts.alone()


def _periods(
    panel: Panel,
    departures: ByClient,
    counts: Counts,
    inside: Booleans,
    issue: Issue,
    ratio: float,
) -> tuple[int | None, int | None]:
    """Periods until the effect can be read, and until it could were all else known; None: never."""
    span, quarter = np.arange(len(panel.periods)), panel.calendar.span(3)
    step = _first_raised(panel, issue)
    stretches = {"base": span >= step} | ({"calm": span < step} if step else {})
    compared = (inside,) if counts.outside_seen is None else (inside, ~inside)
    seen = [look(panel, departures, who, stretches, len(span)) for who in compared]
    inflation = rates.quarterly_inflation(counts, tuple(stretches.values()), quarter)
    needed = periods_needed(
        seen,
        ratio,
        settling=quarter,
        power=FIRST,
        fading=Fading.of(seen[0].levels, panel, inside, stretches, len(span)),
        inflation=inflation,
    )
    known = periods_needed(
        seen[:1], ratio, settling=quarter, power=FIRST, inflation=inflation, drift=0.0
    )
    return needed, known


def _per_quarter(panel: Panel, issue: Issue, inside: Booleans) -> float:
    """Departures a quarter over the last year, or since the onset, as the issue's chart shows."""
    left = [point.observed for point in issue.series] or rates.by_period(panel.found, inside)
    first = max(len(left) - panel.calendar.per_year, 0)
    quarter = panel.calendar.span(3)
    raised = min(_first_raised(panel, issue), max(len(left) - quarter, 0))
    return float(np.mean(left[max(first, raised) :])) * quarter


def _first_raised(panel: Panel, issue: Issue) -> int:
    """First period of an issue's departures; 0 where it has no date."""
    if issue.onset is None:
        return 0
    step = first_whole_period(panel.periods, dt.date.fromisoformat(issue.onset.date))
    return min(step + round(issue.lag_periods or 0), len(panel.periods) - 1)


def _text(issue: Issue, as_of: dt.date, readable: dt.date, ratio: float, now: float) -> Text:
    values = {
        "segment": {"type": "clients", "value": dict(issue.segment)},
        "driver": {"type": "driver", "value": issue.driver},
        "fall": {"type": "percent", "value": 1 - ratio},
        "now": round(now),
        "then": round(now * ratio),
        "start": {"type": "month", "value": (as_of + dt.timedelta(days=1)).isoformat()},
        "date": {"type": "date", "value": readable.isoformat()},
    }
    # What is not shown to be the cause, or is over, is nothing that a remedy could be seen to undo.
    shown = issue.driver is not None and issue.verdict == "cause"
    if not shown or issue.driver_until is not None:
        return Text(
            "If a remedy undid all of the rise among {segment}, departures there would fall by"
            " {fall}, from about {now} a quarter to about {then}. Begun in {start}, that would"
            " stand out from chance by {date}, with four chances in five. We shall judge it by"
            " departures there beside those of clients elsewhere over the same months.",
            values,
        )
    return Text(
        "If {driver} stopped driving clients away among {segment}, departures there would fall by"
        " {fall}, from about {now} a quarter to about {then}. A remedy begun in {start} would stand"
        " out from chance by {date}, with four chances in five. We shall judge it first by whether"
        " {driver} moved, then by departures there beside those of clients elsewhere over the same"
        " months.",
        values,
    )
