"""Whether a remedy worked, without praising it for luck.

The level it is measured against is the one that has held since the cause began (its onset, or
the last step found in the scope's own past), but never the quarter just before the start: remedies
are begun when things look worst, and the worst quarter falls back by itself (regression to the
mean). Comparable clients outside the scope carry what changed for everybody; dates on which nothing
was started say how much such comparisons vary by themselves. See docs/adr/0006-remedy-effects.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.remedies import rates, words
from churnlens.remedies.carried_out import Move, Periods, driver_move
from churnlens.remedies.effect import NEVER
from churnlens.remedies.event_study import event_study
from churnlens.remedies.fading import Fading
from churnlens.remedies.power import look
from churnlens.remedies.rates import Booleans, ByClient, Counts
from churnlens.remedies.reading import Reading, read_change
from churnlens.remedies.scope import Remedy, first_whole_period, members, read_remedies, unknown_in
from churnlens.remedies.windows import Windows, last_countable, lay_out
from churnlens.remedies.worth import lost_revenue
from churnlens.results import Estimate, Issue, LagPoint, RemedyResult, Review, TestPlan, Text

if TYPE_CHECKING:
    from churnlens.panel import Panel

FEWEST_CLIENTS = 5
FEWEST_OUTSIDE = 10.0  # departures outside, below which they are no comparison
FALLING = -2.33  # slope before the start (standard errors) at which the scope was mending already
OVERLAP = 0.5  # of the scope must lie in an issue for the two to be tied without an id


def judge_remedies(
    panel: Panel,
    table: pd.DataFrame | None,
    issues: Sequence[Issue],
    *,
    as_of: dt.date,
    departures: ByClient,
    previous: Review | None = None,
    shown: npt.NDArray[np.floating[Any]] | None = None,
) -> tuple[RemedyResult, ...]:
    """Judge every remedy of the remedies table.

    Parameters
    ----------
    panel : Panel
    table : DataFrame or None
        The remedies table.
    issues : sequence of Issue
        Of this review. A remedy is tied to the issue with its `issue_id`; one without an id to the
        first issue that covers half of its scope and began before it.
    as_of : date
        Last day of the data.
    departures : ByClient
        Departures observed and expected from the baseline (tenure, season, chance of being seen).
    previous : Review, optional
        The review before: an issue that the remedy ended is only there, and so is the test that
        was written down beforehand.
    shown : float[n, T], optional
        Departures as the charts of the review count them; those of the panel if not given.

    Returns
    -------
    tuple of RemedyResult
        In the order of the table.
    """
    remedies = read_remedies(table)
    known = (*issues, *(previous.issues if previous else ()))
    return tuple(
        judge(
            panel,
            remedy,
            as_of=as_of,
            aim=_as_planned(remedy, find_aim(panel, remedy, known), previous),
            departures=departures,
            others=[other for other in remedies if other is not remedy],
            shown=shown,
        )
        for remedy in remedies
    )


def unread_remedies(
    panel: Panel, table: pd.DataFrame | None, previous: Review | None
) -> tuple[RemedyResult, ...]:
    """Say of every remedy that too few clients left to judge it; its test stays written down."""
    known = previous.issues if previous else ()
    return tuple(
        _unread(remedy, _as_planned(remedy, find_aim(panel, remedy, known), previous), words.FEW)
        for remedy in read_remedies(table)
    )


def find_aim(panel: Panel, remedy: Remedy, issues: Sequence[Issue]) -> Issue | None:
    """Return the issue that a remedy is to mend, None when no issue fits."""
    if remedy.issue_id is not None:
        return next((issue for issue in issues if issue.id == remedy.issue_id), None)
    inside = members(panel, remedy.segment)
    for issue in sorted(issues, key=lambda i: i.driver is None):  # a remedy mends something known
        began = issue.onset is None or dt.date.fromisoformat(issue.onset.date) < remedy.start
        shared = (inside & members(panel, issue.segment)).sum()
        if began and issue.kind != "mix" and shared >= OVERLAP * max(inside.sum(), 1):
            return issue
    return None


def _as_planned(remedy: Remedy, aim: Issue | None, previous: Review | None) -> Issue | None:
    """Give an issue the test that was written down before the remedy began, None where none was."""
    if aim is None:
        return None
    return replace(aim, test_plan=None if previous is None else _plan(remedy, aim, previous))


def _plan(remedy: Remedy, aim: Issue, previous: Review) -> TestPlan | None:
    start = remedy.start.isoformat()
    for told in previous.remedies:
        if _is_of(told, remedy):
            return told.plan  # the last review quoted it already
    if start <= previous.as_of:
        return None
    return next((issue.test_plan for issue in previous.issues if issue.id == aim.id), None)


def _is_of(told: RemedyResult, remedy: Remedy) -> bool:
    """Tell whether a result is of this remedy: one action may begin in several groups at once."""
    scopes = [{n: set(values) for n, values in one.segment.items()} for one in (told, remedy)]
    return (
        (told.action, told.start_date) == (remedy.action, remedy.start.isoformat())
        and scopes[0] == scopes[1]
        and remedy.issue_id in (None, told.issue_id)
    )


def judge(
    panel: Panel,
    remedy: Remedy,
    *,
    as_of: dt.date,
    departures: ByClient,
    aim: Issue | None = None,
    others: Sequence[Remedy] = (),
    shown: npt.NDArray[np.floating[Any]] | None = None,
) -> RemedyResult:
    """Judge one remedy.

    Parameters
    ----------
    panel : Panel
    remedy : Remedy
    as_of : date
        Last day of the data.
    departures : ByClient
        Departures observed and expected from the baseline.
    aim : Issue, optional
        What the remedy is to mend: its onset sets the level to measure against, its driver is
        looked at for whether the remedy was carried out, its test plan is answered.
    others : sequence of Remedy
        The other remedies; clients they reached are no comparison.
    shown : float[n, T], optional
        Departures as the charts of the review count them; those of the panel if not given.

    Returns
    -------
    RemedyResult
    """
    lacking = unknown_in(panel, remedy.segment)
    if lacking is not None:
        return _unread(remedy, aim, words.no_such_attribute(lacking))
    inside = members(panel, remedy.segment)
    if inside.sum() < FEWEST_CLIENTS:
        return _unread(remedy, aim, words.NOBODY)
    outside = ~inside & ~_reached(panel, inside, others, as_of)
    outside, same_cause = _peers(panel, outside, aim)
    counts = rates.count(departures, inside, outside)
    last = last_countable(counts.expected, rates.due(panel, departures, inside))
    windows = lay_out(panel, remedy, aim, counts, last)
    if windows is None:
        return _unread(remedy, aim, words.NO_PAST)
    if windows.brief:
        return _unread(remedy, aim, words.ENDED)
    counts = counts if _comparable(counts, windows) else counts.alone()
    move = _move(panel, inside, windows, aim)
    compared = (inside,) if counts.outside_seen is None else (inside, outside)
    seen = [look(panel, departures, w, windows.stretches, windows.start) for w in compared]
    fading = Fading.of(seen[0].levels, panel, inside, windows.stretches, windows.start)
    left = rates.by_period(panel.found if shown is None else shown, inside)
    reading = read_change(
        panel.calendar, counts, windows, seen, left, aim, move, None if same_cause else fading
    )
    verdict, detail = _verdict(remedy, windows, reading, move, aim)
    return replace(
        _unread(remedy, aim, detail),
        verdict=verdict,
        departures_avoided=reading.avoided,
        risk_ratio=reading.risk_ratio,
        readable_from=_readable_from(reading, verdict, as_of),
        driver_moved=None if move is None else move.moved,
        money_saved=_times(reading.avoided, lost_revenue(panel, inside)),
        pre_trend=_event_study(panel, departures, inside, others, windows),
        observed=round(reading.observed),
        driver_change=None if move is None else (move.before, move.after),
        still_at_stake=reading.still_at_stake,
        notes=_notes(panel, remedy, aim, counts, windows, reading, others),
    )


def _notes(
    panel: Panel,
    remedy: Remedy,
    aim: Issue | None,
    counts: Counts,
    windows: Windows,
    reading: Reading,
    others: Sequence[Remedy],
) -> tuple[Text, ...]:
    """Return what a reader of the verdict should know of how it came about."""
    inside = members(panel, remedy.segment)
    sharing = _shares_scope(panel, inside, others, windows)
    plan = None if aim is None else aim.test_plan
    return tuple(
        text
        for text in (
            words.no_such_issue(remedy) if remedy.issue_id and aim is None else None,
            None if plan is None else words.answer(reading, plan),
            *words.notes(counts, windows, sharing, _newcomers(panel, inside, windows)),
        )
        if text is not None
    )


def _readable_from(reading: Reading, verdict: words.Verdict, as_of: dt.date) -> str | None:
    """Return the date set for the verdict; today where it is plain before or falls due today."""
    if verdict == "worked" or reading.readable_now:
        return min(reading.readable or as_of, as_of).isoformat()
    return None if reading.readable is None else reading.readable.isoformat()


def _reached(panel: Panel, inside: Booleans, others: Sequence[Remedy], as_of: dt.date) -> Booleans:
    """Return the clients that another remedy has reached by now and the scope has not: bool[n].

    One that reached all of the scope as well makes no difference between the two.
    """
    reached = np.zeros(len(panel.attributes), dtype=bool)
    for other in others:
        theirs = members(panel, other.segment)
        if other.start <= as_of and not theirs[inside].all():
            reached |= theirs
    return reached


def _peers(panel: Panel, outside: Booleans, aim: Issue | None) -> tuple[Booleans, bool]:
    """Prefer clients whom the same cause reaches and the remedy does not, where they suffice."""
    if aim is None or not aim.segment:
        return outside, False
    peers = outside & members(panel, aim.segment)
    enough = bool(panel.found[peers].sum() >= 4 * FEWEST_OUTSIDE)
    return (peers if enough else outside), enough


def _comparable(counts: Counts, windows: Windows) -> bool:
    if counts.outside_seen is None:
        return False
    return bool(counts.outside_seen[windows.base].sum() >= FEWEST_OUTSIDE)


def _move(panel: Panel, inside: Booleans, windows: Windows, aim: Issue | None) -> Move | None:
    """Look at the driver of the issue, once a quarter has passed since the start."""
    exposure = _exposure(panel, aim)
    if aim is None or exposure is None or windows.since.sum() < windows.quarter:
        return None
    periods = Periods(windows.calm, windows.base, windows.since)
    return driver_move(exposure, panel.active > 0, inside, periods, aim.direction)


def _exposure(panel: Panel, aim: Issue | None) -> npt.NDArray[np.float32] | None:
    """Return the side of the driver that the issue blames; its first where it names none."""
    if aim is None or aim.driver_until is not None:  # what has passed no remedy can move
        return None
    sides = [e for e in (*panel.exposures, *panel.sides) if e.driver == aim.driver]
    named = [e for e in sides if aim.exposure in (e.name, e.measure)]
    return next((e.values for e in [*named, *sides]), None)


def _verdict(
    remedy: Remedy, windows: Windows, reading: Reading, move: Move | None, aim: Issue | None
) -> tuple[words.Verdict, Text]:
    if move is not None and not move.moved and aim is not None:
        if reading.fell and remedy.issue_id is None:  # tied to the issue by us: no proof
            return "cannot_tell", words.fell_without_driver(reading, aim, move)
        return "did_not", words.announced(aim, move)
    if reading.clear and move is not None and move.moved:
        return "worked", words.worked(reading)
    plain = reading.fell and reading.a_year_on
    if reading.readable is None and not plain:
        return "cannot_tell", words.rose(reading) if reading.rose else words.TOO_FEW
    if not reading.readable_now and not plain:
        return "too_early", words.too_early(reading)
    if reading.fell and reading.trend_before <= FALLING:
        return "cannot_tell", words.falling_before(reading)
    if reading.fell and windows.close and move is None:
        return "cannot_tell", words.started_at_once(reading)
    if reading.fell:
        return "worked", words.worked(reading)
    if reading.missed:
        return "did_not", words.did_not(reading)
    return "cannot_tell", words.in_between(reading)


def _event_study(
    panel: Panel,
    departures: ByClient,
    inside: Booleans,
    others: Sequence[Remedy],
    windows: Windows,
) -> tuple[LagPoint, ...]:
    """Run the event study with the period in which each client was first reached, -1 never."""
    never = len(panel.periods)
    starts = np.full(len(inside), never)
    for other in others:
        reached = members(panel, other.segment)
        date = first_whole_period(panel.periods, other.start)
        starts[reached] = np.minimum(starts[reached], date)
    starts[starts == never] = NEVER
    starts[inside] = windows.start
    return event_study(panel, departures, inside, starts, windows)


def _shares_scope(
    panel: Panel, inside: Booleans, others: Sequence[Remedy], windows: Windows
) -> tuple[Remedy, ...]:
    """Return other remedies that began in the same scope within the windows compared."""
    first, last = np.flatnonzero(windows.base)[0], np.flatnonzero(windows.since)
    return tuple(
        other
        for other in others
        if (inside & members(panel, other.segment)).any()
        and len(last) > 0
        and first <= first_whole_period(panel.periods, other.start) <= last[-1]
    )


def _newcomers(panel: Panel, inside: Booleans, windows: Windows) -> float:
    """Return the share of client-periods since the start of those who came only after it."""
    there = panel.active[inside][:, windows.since].sum(axis=1, dtype=np.float64)
    return float(there[panel.entry[inside] >= windows.start].sum() / max(there.sum(), 1e-9))


def _times(estimate: Estimate | None, factor: float | None) -> Estimate | None:
    if estimate is None or factor is None:
        return None
    return estimate.times(factor)


def _unread(remedy: Remedy, aim: Issue | None, detail: Text) -> RemedyResult:
    return RemedyResult(
        action=remedy.action,
        issue_id=remedy.issue_id or (aim.id if aim else None),
        segment=remedy.segment,
        start_date=remedy.start.isoformat(),
        verdict="cannot_tell",
        departures_avoided=None,
        risk_ratio=None,
        readable_from=None,
        detail=detail,
        owner=remedy.owner,
        plan=aim.test_plan if aim else None,
    )
