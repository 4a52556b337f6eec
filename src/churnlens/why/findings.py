"""An explanation as an issue: what the review says of it, in sentences, numbers and series."""

from __future__ import annotations

import datetime as dt
from dataclasses import astuple, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churnlens.panel.exposures import BEYOND, Exposure
from churnlens.panel.periods import Calendar
from churnlens.results import (
    Z95,
    DateEstimate,
    DefinitionsAgreeing,
    Departures,
    Effect,
    Estimate,
    Evidence,
    Issue,
    Segment,
    Text,
)
from churnlens.when.change import ChangeDate, date_counts, date_of, ramps_of
from churnlens.when.shapes import weigh_counts
from churnlens.which.baseline import Baseline
from churnlens.which.composition import MixIssue
from churnlens.which.mix import mix_bars
from churnlens.which.scan import Window
from churnlens.which.since import REACH, log_evidence
from churnlens.why import doubts
from churnlens.why.attribution import Attribution, Settled
from churnlens.why.case import Case
from churnlens.why.model import Term, agreeing
from churnlens.why.moves import Move
from churnlens.why.selection import Explanation
from churnlens.why.series import dose_points, driver_series, segment_series
from churnlens.why.standing import Standing
from churnlens.why.titles import hedged, mix_title, shift_title, standing_title, window_title
from churnlens.why.waterfall import waterfall

Array = npt.NDArray[Any]

WELL_AFTER = 2  # months from a change to departures, from which a title tells the two apart


@dataclass(frozen=True)
class Finding:
    """What is needed to write one issue down, besides the data."""

    part: Explanation
    term: Term
    attribution: Attribution
    evidence: tuple[Evidence, ...]
    others: dict[str, Baseline]
    drivers: tuple[str | None, ...]  # of all parts of the explanation
    place: int  # of this one among them


def period_start(cal: Calendar, period: int) -> str:
    """Return the first day of a period, ISO 8601."""
    return cal.starts[int(np.clip(period, 0, len(cal.starts) - 1))].isoformat()


def period_end(cal: Calendar, period: int) -> str:
    """Return the last day of a period, ISO 8601."""
    return cal.last_day(int(np.clip(period, 0, len(cal.starts) - 1))).isoformat()


def shift_issue(
    finding: Finding, case: Case, settled: Settled, verdict: Literal["cause", "cannot_tell"]
) -> Issue:
    """Return the issue of a driver's change that explains a rise."""
    move, cal = case.candidate.move, settled.panel.calendar
    onset = DateEstimate(
        period_start(cal, move.start), _earliest(cal, move), period_end(cal, move.high)
    )
    driver = case.candidate.driver
    direction: Literal["more", "less"] = "more" if move.shift > 0 else "less"
    subject = move.exposure.subject
    apart = (r.candidate for r in case.rivals if r.relation == "inseparable")
    rivals = tuple(c.move.exposure.subject for c in apart)
    back = _last_period(move, cal)
    outlasted = _outlasted(case.lasting, move)
    # What goes with its change ends when that does, as it began then: the lag is said apart.
    until = _last_departures(case.lasting, cal) if outlasted else back
    dates = (onset, until)
    late = case.candidate.lag >= cal.span(WELL_AFTER)
    followed = period_start(cal, case.candidate.start) if late else None
    title = shift_title(
        subject, direction, move.segment, dates, cal.period, verdict, rivals, outlasted, followed
    )
    unit = _step(move.exposure, abs(move.shift))
    inside = case.candidate.inside
    return replace(
        _issue(finding, settled, "shift", title, move.segment, inside, unit, until),
        onset=onset,
        driver=driver,
        direction=direction,
        verdict=verdict,
        exposure=move.exposure.measure,
        beyond=move.exposure.limit,
        rivals=rivals,
        driver_onset=onset,
        driver_until=back,
        driver_change=(move.before, move.after),
        lag_periods=float(case.candidate.lag),
        gradual=move.gradual,
        driver_series=driver_series(case.baseline, case.candidate),
        dose=dose_points(settled, case.baseline, case.candidate),
        lead_lag=case.timing.points,
        unknown=doubts.of_a_change(case, verdict, finding.evidence),
    )


def _earliest(cal: Calendar, move: Move) -> str:
    """First day on which a change may have begun, ISO 8601."""
    low = int(np.clip(move.low, 0, len(cal.starts) - 1))
    first = cal.starts[low]
    back = (first - cal.starts[low - 1]).days if low else 0
    return (first - dt.timedelta(days=int(np.ceil(move.earlier * back)))).isoformat()


def _last_departures(term: Term, cal: Calendar) -> DateEstimate | None:
    """Return the last period in which departures are put down to a change; None: they go on."""
    last = int(np.flatnonzero(term.dose.any(axis=0)).max(initial=0))
    if last >= len(cal.starts) - 1:
        return None
    day = period_start(cal, last)
    return DateEstimate(day, day, period_end(cal, last))


def _outlasted(term: Term, move: Move) -> bool:
    """Whether departures go on for longer than the change that they are put down to."""
    during = np.flatnonzero(term.dose.any(axis=0))
    return move.end is not None and len(during) > move.end - move.start


def _last_period(move: Move, cal: Calendar) -> DateEstimate | None:
    """Return the last period of a change that has passed; None while it lasts."""
    if move.end is None:
        return None
    last = period_start(cal, move.end - 1)
    return DateEstimate(last, last, period_end(cal, move.end - 1))


def _step(exposure: Exposure, size: float) -> str:
    """A step of a driver as the effect's unit."""
    if exposure.measure == BEYOND:
        return f"{100 * size:.3g} % of orders with {exposure.driver} above {exposure.limit:.3g}"
    return f"{size:.3g} {exposure.subject}"


def unexplained_issue(finding: Finding, baseline: Baseline, settled: Settled) -> Issue:
    """Return the issue of a rise that no recorded driver explains."""
    window = finding.part.window
    assert window is not None  # the caller sorts parts by what they are
    onset, until, gradual = _date_window(baseline, window, finding.term.inside)
    title = window_title(window.segment, onset, until, settled.panel.calendar.period)
    inside = np.broadcast_to(finding.term.inside, settled.panel.active.shape)
    unit = "while it lasted" if until else "since the onset"
    issue = replace(
        _issue(finding, settled, "unexplained", title, window.segment, inside, unit, until),
        onset=onset,
        gradual=gradual,
        also_matches=window.also,
        unknown=(doubts.OF_NO_DRIVER,),
    )
    return hedged(issue) if issue.hint else issue


def standing_issue(finding: Finding, standing: Standing, settled: Settled) -> Issue:
    """Return the issue of a driver that costs clients all along."""
    direction: Literal["more", "less"] = "more" if standing.direction == "more" else "less"
    title = standing_title(standing.segment, standing.exposure.subject, direction)
    inside = np.broadcast_to(standing.inside, settled.panel.active.shape)
    finding = replace(finding, attribution=_at_most(finding.attribution, inside, settled))
    unit = f"{abs(standing.usual - standing.low):.3g} {standing.driver}"
    return replace(
        _issue(finding, settled, "standing", title, standing.segment, inside, unit),
        driver=standing.driver,
        direction=direction,
        verdict="cause",
        exposure=standing.exposure.measure,
        unknown=(doubts.OF_NO_DATE,),
    )


def _at_most(a: Attribution, inside: Array, settled: Settled) -> Attribution:
    """Widen what a standing cause accounts for to all that its segment leaves more than others.

    Its figure rests on those of the segment who have more of it than their like. That the segment
    as a whole has more of it and leaves more may be its doing too; nobody saw it otherwise.
    """
    found, active = settled.panel.found, settled.panel.active
    if inside.all():
        return a
    elsewhere = found[~inside].sum() / max(float(active[~inside].sum()), 1e-9)
    there = float(found[inside].sum(dtype=np.float64))
    more = there - elsewhere * float(active[inside].sum()) + Z95 * np.sqrt(there)
    more = min(float(more), a.observed)
    if more <= a.attributable.high:
        return a
    wider = more / max(a.attributable.high, 1e-9)

    def widened(estimate: Estimate) -> Estimate:
        if estimate.value < 0:  # a loss, as of margin below nought
            return replace(estimate, low=estimate.low * wider)
        return replace(estimate, high=estimate.high * wider)

    return replace(
        a,
        attributable=replace(a.attributable, high=more),
        revenue=widened(a.revenue),
        margin=None if a.margin is None else widened(a.margin),
    )


def composition_issue(found: MixIssue) -> Issue:
    """Return the issue of a rise that the book's composition made, no segment having got worse."""
    title = mix_title(found.segment)
    shares = Text(
        "Their share of the book went from {before} to {after}.",
        {
            "before": {"type": "percent", "value": found.share_before},
            "after": {"type": "percent", "value": found.share_after},
        },
    )
    return Issue(
        id="",
        rank=0,
        kind="mix",
        title=str(title),
        title_text=title,
        driver=None,
        direction=None,
        verdict=None,
        segment={k: tuple(v) for k, v in found.segment.items()},
        onset=found.onset,
        departures=found.departures,
        revenue_per_year=found.revenue,
        margin_per_year=found.margin,
        effect=None,
        evidence=(Evidence("mix", "pass", str(shares), shares),),
        definitions_agreeing=DefinitionsAgreeing(1, 1),
        status=None,
        recommendation=(),
        waterfall=mix_bars(found.change),
        p_value=None,  # the split is counted, not tested
    )


def _issue(
    finding: Finding,
    settled: Settled,
    kind: Literal["shift", "unexplained", "standing"],
    title: Text,
    segment: Segment,
    inside: Array,
    unit: str,
    until: DateEstimate | None = None,
) -> Issue:
    """An issue with what all kinds have; `unit` is what the risk ratio is for."""
    a = finding.attribution
    agree = 1 + agreeing(finding.term, finding.others)
    seen = round(a.observed)  # no bound may exceed the whole number that it is a part of
    due = Estimate(*(min(v, seen) for v in astuple(a.attributable)))
    return Issue(
        id="",
        rank=0,
        kind=kind,
        title=str(title),
        title_text=title,
        driver=None,
        direction=None,
        verdict=None,
        segment={k: tuple(v) for k, v in segment.items()},
        onset=None,
        until=until,
        departures=Departures(seen, a.expected, due),
        revenue_per_year=a.revenue,
        margin_per_year=a.margin,
        effect=Effect("risk_ratio", a.ratio.value, a.ratio.low, a.ratio.high, unit),
        evidence=finding.evidence,
        definitions_agreeing=DefinitionsAgreeing(agree, 1 + len(finding.others)),
        status=None,
        recommendation=(),
        clients=settled.panel.clients(np.flatnonzero((settled.panel.active * inside).any(axis=1))),
        accounts=a.accounts,
        p_value=finding.part.p_value,
        revenue_per_month_of_waiting=None if until else _waiting(settled, a),
        series=segment_series(settled, inside),
        waterfall=waterfall(settled, finding.drivers, inside, finding.place),
    )


def _date_window(
    baseline: Baseline, window: Window, inside: Array
) -> tuple[DateEstimate, DateEstimate | None, bool | None]:
    """Date the rise, and where it has passed its last period: read backwards, an end is a start.

    The last says whether the rise came in over several periods (None: not told).
    """
    cal = baseline.panel.calendar
    o = (baseline.observed * inside).sum(axis=0, dtype=np.float64).clip(0)
    e = (baseline.expected * inside).sum(axis=0, dtype=np.float64)
    end = len(o) if window.end is None else window.end
    whole = np.broadcast_to(inside, baseline.expected.shape)
    told = None if window.end is not None else log_evidence(baseline, whole, window.start)
    onset = _dated(o[:end], e[:end], window.start, cal) if told is None else date_of(told)
    start = DateEstimate(
        period_start(cal, onset[0]), period_start(cal, onset[1]), period_end(cal, onset[2])
    )
    gradual = onset[3]
    if window.end is None:
        return start, None, gradual
    since, close = window.start, len(o) - window.end
    back = _dated(o[since:][::-1], e[since:][::-1], close, cal)
    last, high, low = (len(o) - 1 - k for k in back[:3])
    until = DateEstimate(period_start(cal, last), period_start(cal, low), period_end(cal, high))
    return start, until, gradual


def _dated(
    observed: Array, expected: Array, otherwise: int, cal: Calendar
) -> tuple[int, int, int, bool | None]:
    """First raised period and its interval, and whether it came in over several (None: untold).

    Where the counts by themselves give no date, or another's, it is `otherwise`, and the interval
    holds 95 % of the chances of the periods at most eight months from it.
    """
    change = date_counts(
        observed, expected, rng=np.random.default_rng(0), draws=99, ramps=ramps_of(cal)
    )
    if (
        isinstance(change, ChangeDate)
        and change.ratio > 1
        # Departures are counted from the window's start: a date that cannot be it is another's.
        and change.low <= otherwise <= change.high
    ):
        return change.start, change.low, change.high, change.is_gradual
    weighed = weigh_counts(observed, np.maximum(expected, 1e-9 * expected.sum()), (0,))
    away = np.abs(np.arange(len(observed)) - otherwise) > cal.span(REACH)
    _, low, high, _ = date_of(np.where(away, -np.inf, weighed.log_evidence), edge=1)
    return otherwise, min(low, otherwise), max(high, otherwise), None


def _waiting(settled: Settled, a: Attribution) -> Estimate:
    """Money a year that each further month of waiting adds, at the pace of the last year."""
    cal = settled.panel.calendar
    year = cal.per_year
    recent = float((settled.panel.found[:, -year:] * a.share[:, -year:]).sum(dtype=np.float64))
    active = (a.share[:, -year:] > 0).any(axis=0).sum()
    pace = recent / max(a.attributable.value, 1e-9) / max(active, 1) * (year / 12)
    r = a.revenue
    return Estimate(r.value * pace, r.low * pace, r.high * pace)
