"""Why do clients leave? From the scans to issues and to what was ruled out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnlens.config import Settings
from churnlens.panel.threads import over_chunks
from churnlens.results import Bar, Issue, RuledOut
from churnlens.which.baseline import Baseline
from churnlens.which.scan import Scan
from churnlens.which.segments import Attribute
from churnlens.why.attribution import Settled
from churnlens.why.candidates import Candidate, find_candidates
from churnlens.why.findings import Finding, shift_issue, standing_issue, unexplained_issue
from churnlens.why.verdicts import rule_out, verdict
from churnlens.why.waterfall import waterfall
from churnlens.why.weighing import Given, Weighed, weigh


@dataclass(frozen=True)
class Answer:
    """Issues in no order yet, what was ruled out, and the departures as they stand explained."""

    issues: tuple[Issue, ...]
    ruled_out: tuple[RuledOut, ...]
    settled: Settled
    waterfall: tuple[Bar, ...] = ()  # of the whole book


def answer(
    baseline: Baseline,
    search: Scan,
    attributes: tuple[Attribute, ...],
    others: dict[str, Baseline],
    settings: Settings,
    remedied: npt.NDArray[np.bool_] | None = None,
) -> Answer:
    """Decide what each recorded driver is, and what each cause accounts for.

    Parameters
    ----------
    baseline
        Departures observed and expected had nothing changed.
    search
        The departure scan, prepared on the same baseline.
    attributes
        Segment attributes for the scans of drivers.
    others
        The baseline under each other churn definition, by its name.
    remedied
        Client-periods that a remedy has reached, bool[n, T].
    """
    cal = baseline.panel.calendar
    season = len(cal.starts) >= 2 * cal.per_year
    everything = find_candidates(baseline, attributes, season=season, remedied=remedied)
    controls = tuple(c for c in everything if c.move.exposure.role == "negative_control")
    candidates = tuple(c for c in everything if c.move.exposure.role == "candidate")
    given = Given(baseline, search, attributes, others, settings, controls)
    weighed = weigh(given, candidates)
    issues = tuple(over_chunks(lambda k: _issue(given, weighed, k), range(len(weighed.evidence))))
    everyone = np.ones((1, 1), bool)
    return Answer(
        issues,
        _ruled_out(baseline, issues, candidates, weighed),
        weighed.settled,
        waterfall(weighed.settled, weighed.drivers, everyone),
    )


def _issue(given: Given, weighed: Weighed, k: int) -> Issue:
    part, settled, evidence = weighed.explained.parts[k], weighed.settled, weighed.evidence[k]
    finding = Finding(part, part.term, settled.parts[k], evidence, given.others, weighed.drivers, k)
    if k in weighed.cases:
        case = weighed.cases[k]
        return shift_issue(finding, case, settled, verdict(case, evidence))
    if k in weighed.standing:
        return standing_issue(finding, weighed.standing[k], settled)
    return unexplained_issue(finding, given.baseline, settled)


def _ruled_out(
    baseline: Baseline,
    issues: tuple[Issue, ...],
    candidates: tuple[Candidate, ...],
    weighed: Weighed,
) -> tuple[RuledOut, ...]:
    taken = {i.driver for i in issues}
    drivers = sorted({e.driver for e in baseline.panel.exposures} - taken)

    def what(driver: str) -> RuledOut:
        own = tuple(c for c in candidates if c.driver == driver)
        higher = tuple(w for w in weighed.unsure if w.exposure.driver == driver)
        aside = weighed.aside.get(driver)
        return rule_out(baseline, driver, own, weighed.resolved, weighed.explained, higher, aside)

    return tuple(over_chunks(what, drivers))
