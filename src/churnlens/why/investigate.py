"""Why do clients leave? The order of the steps, from the scans to the verdicts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.config import Settings
from churnlens.errors import ConfigError
from churnlens.panel.threads import import_ahead, over_chunks
from churnlens.plugins import load_function
from churnlens.results import Bar, Evidence, Issue, RuledOut
from churnlens.which.baseline import Baseline
from churnlens.which.scan import Scan
from churnlens.which.segments import Attribute
from churnlens.why.attribution import Settled, attribute
from churnlens.why.candidates import Candidate, find_candidates
from churnlens.why.case import Case, Check
from churnlens.why.checks import CHECKS, standing_evidence, window_evidence
from churnlens.why.findings import Finding, shift_issue, standing_issue, unexplained_issue
from churnlens.why.model import fit
from churnlens.why.nuisances import Maker
from churnlens.why.precedence import head_start, timing_of
from churnlens.why.selection import Explained, Explanation, explained_risk, select
from churnlens.why.standing import Standing, find_standing
from churnlens.why.verdicts import DECISIVE, Resolved, resolve, rule_out, verdict
from churnlens.why.waterfall import waterfall
from churnlens.why.within import Within

Array = npt.NDArray[Any]

LEAST_ATTRIBUTED = 1.0  # departures: an issue that accounts for fewer is none


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
    explained, named = resolve(baseline, select(baseline, candidates, search, others))
    if named:
        import_ahead("sklearn.ensemble")  # for the second opinion on them
    explained, standing, unsure = _with_standing(baseline, explained, attributes)
    explained, standing, settled = _that_account(baseline, explained, standing)
    doubtful = _doubtful(baseline, standing, settled, others, settings)
    if doubtful:
        kept = [k for k in range(len(explained.parts)) if k not in doubtful]
        explained, standing = _only(baseline, explained, standing, kept)
        explained, standing, settled = _that_account(baseline, explained, standing)
    cases = _cases(baseline, explained, named, settled, others, controls, settings)

    def issue(k: int) -> Issue:
        return _issue(
            baseline, settled, explained, k, cases, standing, others, search.attributes, settings
        )

    issues = tuple(over_chunks(issue, range(len(explained.parts))))
    everyone = np.ones((1, 1), bool)
    return Answer(
        issues,
        _ruled_out(
            baseline, issues, candidates, named, explained, unsure, frozenset(doubtful.values())
        ),
        settled,
        waterfall(settled, _drivers(explained, standing), everyone),
    )


def _with_standing(
    baseline: Baseline, explained: Explained, attributes: tuple[Attribute, ...]
) -> tuple[Explained, dict[int, Standing], tuple[Within, ...]]:
    """Add the drivers that cost clients all along, by the position they take among the parts.

    The last are drivers of which that cannot be told.
    """
    taken = {p.candidate.driver for p in explained.parts if p.candidate is not None}
    taken |= {e.driver for e in baseline.panel.exposures if e.role == "negative_control"}
    risk = explained_risk(baseline, explained.fit)
    found = find_standing(baseline, risk, attributes, taken, _since_moved(explained.left))
    parts = list(explained.parts)
    at = {}
    for standing in found.causes:
        at[len(parts)] = standing
        parts.append(Explanation(None, None, standing.term, float("nan"), standing.score))
    if not found.causes:
        return explained, {}, found.open
    fitted = fit(baseline, tuple(p.term for p in parts))
    return Explained(tuple(parts), fitted, explained.left), at, found.open


def _since_moved(left: tuple[Candidate, ...]) -> dict[str, Array]:
    """Client-periods since a change of a driver that explains nothing, by driver, bool[n, T]."""
    since: dict[str, Array] = {}
    for c in left:
        t = np.arange(c.dose.shape[1])
        now = c.inside & (t >= c.move.low)
        since[c.driver] = since[c.driver] | now if c.driver in since else now
    return since


def _that_account(
    baseline: Baseline, explained: Explained, standing: dict[int, Standing]
) -> tuple[Explained, dict[int, Standing], Settled]:
    """Attribute departures, and drop what accounts for none once they are weighed anew.

    What was taken by effective departures may be left without any beside the others; a rise that
    no driver explains must also stand clear of none.
    """
    settled = attribute(baseline, explained)
    kept = [
        k
        for k, (part, found) in enumerate(zip(explained.parts, settled.parts, strict=True))
        if found.attributable.value >= LEAST_ATTRIBUTED
        and (part.window is None or found.attributable.low > 0)
    ]
    if len(kept) == len(explained.parts):
        return explained, standing, settled
    return _that_account(baseline, *_only(baseline, explained, standing, kept))


def _only(
    baseline: Baseline, explained: Explained, standing: dict[int, Standing], kept: list[int]
) -> tuple[Explained, dict[int, Standing]]:
    """Some parts of the explanation, weighed anew; the candidates of the others are left aside."""
    parts = tuple(explained.parts[k] for k in kept)
    idle = (p.candidate for k, p in enumerate(explained.parts) if k not in kept)
    left = (*explained.left, *(c for c in idle if c is not None))
    at = {place: standing[k] for place, k in enumerate(kept) if k in standing}
    return Explained(parts, fit(baseline, tuple(p.term for p in parts)), left), at


def _doubtful(
    baseline: Baseline,
    standing: dict[int, Standing],
    settled: Settled,
    others: dict[str, Baseline],
    settings: Settings,
) -> dict[int, str]:
    """The drivers of standing causes that fail a check that no cause may, by their place.

    Where a rise fails one it is still a rise; where clients left so all along, nothing remains.
    """

    def fails(k: int) -> bool:
        found = standing_evidence(baseline, standing[k], settled.parts[k], others, settings.seed)
        return any(e.outcome == "fail" and e.check in DECISIVE for e in found)

    return {k: found.driver for k, found in standing.items() if fails(k)}


def _cases(
    baseline: Baseline,
    explained: Explained,
    named: tuple[Resolved, ...],
    settled: Settled,
    others: dict[str, Baseline],
    controls: tuple[Candidate, ...],
    settings: Settings,
) -> dict[int, Case]:
    resolved = {id(n.part): n for n in named}
    cases = {}
    for k, part in enumerate(explained.parts):
        if id(part) not in resolved:
            continue
        who = resolved[id(part)]
        c = who.candidate
        seed = settings.seed + zlib.crc32(c.driver.encode())
        rest = fit(baseline, tuple(p.term for p in explained.parts if p is not part))
        cases[k] = Case(
            baseline,
            c,
            part.term,
            part.whole,
            tuple(p.whole for p in explained.parts if p is not part),
            settled.parts[k],
            who.rivals,
            timing_of(baseline, c),
            others,
            controls,
            seed,
            head_start(baseline, c, explained_risk(baseline, rest)),
            classifiers(settings),
        )
    return cases


def _issue(
    baseline: Baseline,
    settled: Settled,
    explained: Explained,
    k: int,
    cases: dict[int, Case],
    standing: dict[int, Standing],
    others: dict[str, Baseline],
    attributes: tuple[Attribute, ...],
    settings: Settings,
) -> Issue:
    part = explained.parts[k]
    case = cases.get(k)
    if case is not None:
        evidence = tuple(check(case) for check in checks(settings))
    elif k in standing:
        evidence = standing_evidence(baseline, standing[k], settled.parts[k], others, settings.seed)
    else:
        evidence = window_evidence(baseline, part.term, attributes, others)
    drivers = _drivers(explained, standing)
    finding = Finding(part, part.term, settled.parts[k], evidence, others, drivers, k)
    if case is not None:
        return shift_issue(finding, case, settled, verdict(case, evidence))
    if k in standing:
        return standing_issue(finding, standing[k], settled)
    return unexplained_issue(finding, baseline, settled)


def _drivers(explained: Explained, standing: dict[int, Standing]) -> tuple[str | None, ...]:
    """The driver of each part of the explanation; None for a rise that no driver explains."""
    return tuple(
        standing[k].driver if k in standing else p.candidate.driver if p.candidate else None
        for k, p in enumerate(explained.parts)
    )


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return the registered checks and the analyst's own.

    Raises
    ------
    ConfigError
        When a plugin cannot be loaded.
    """
    return (*CHECKS.values(), *map(_own_check, settings.plugins.checks))


def _own_check(name: str) -> Check:
    function = load_function(name, "check")

    def check(case: Case) -> Evidence:
        said = function(case)
        if not isinstance(said, Evidence):
            raise ConfigError(f"check '{name}' gives {type(said).__name__}, not Evidence.")
        if said.outcome not in ("pass", "fail", "skip"):
            raise ConfigError(f"check '{name}' says '{said.outcome}', not pass, fail or skip.")
        return said

    return check


def classifiers(settings: Settings) -> tuple[tuple[str, Maker], ...]:
    """Return the analyst's classifiers for the second opinion, by name.

    Raises
    ------
    ConfigError
        When one cannot be loaded, or gives no classifier.
    """
    return tuple((name, _maker(name)) for name in settings.plugins.models)


def _maker(name: str) -> Maker:
    make = load_function(name, "model")
    made = make()
    missing = [part for part in ("fit", "predict_proba") if not hasattr(made, part)]
    if missing:
        raise ConfigError(
            f"model '{name}' gives {type(made).__name__}, which has no {' and no '.join(missing)}; "
            "it must be a function without arguments that gives a classifier as scikit-learn's are."
        )
    return make


def _ruled_out(
    baseline: Baseline,
    issues: tuple[Issue, ...],
    candidates: tuple[Candidate, ...],
    named: tuple[Resolved, ...],
    explained: Explained,
    unsure: tuple[Within, ...],
    doubtful: frozenset[str],
) -> tuple[RuledOut, ...]:
    taken = {i.driver for i in issues}
    drivers = sorted({e.driver for e in baseline.panel.exposures} - taken)

    def what(driver: str) -> RuledOut:
        own = tuple(c for c in candidates if c.driver == driver)
        higher = tuple(w for w in unsure if w.exposure.driver == driver)
        return rule_out(baseline, driver, own, named, explained, higher, driver in doubtful)

    return tuple(over_chunks(what, drivers))
