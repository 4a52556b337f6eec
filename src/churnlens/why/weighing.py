"""Which explanations of the rises stand, once they have been checked?"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.config import Settings
from churnlens.panel.threads import import_ahead, over_chunks
from churnlens.results import Evidence
from churnlens.which.baseline import Baseline
from churnlens.which.scan import Scan
from churnlens.which.segments import Attribute
from churnlens.why.attribution import Attribution, Settled, attribute
from churnlens.why.candidates import Candidate
from churnlens.why.case import Case
from churnlens.why.checks import standing_evidence, window_evidence
from churnlens.why.model import fit
from churnlens.why.precedence import leads, timing_of
from churnlens.why.registry import checks, classifiers
from churnlens.why.selection import (
    Explained,
    Explanation,
    explained_risk,
    in_place,
    one_matter,
    select,
)
from churnlens.why.standing import Standing, find_standing
from churnlens.why.verdicts import Aside, Resolved, doubtful, fails, frailty, refutation, resolve
from churnlens.why.within import Within

Array = npt.NDArray[Any]

LEAST_ATTRIBUTED = 1.0  # departures: an issue that accounts for fewer is none


@dataclass(frozen=True)
class Given:
    """What is weighed: the departures, what was searched, and how the analyst wants it done.

    `search` is the departure scan, `attributes` are the segments of drivers, `others` the same book
    under the other churn definitions, `controls` the changes of negative controls.
    """

    baseline: Baseline
    search: Scan
    attributes: tuple[Attribute, ...]
    others: dict[str, Baseline]
    settings: Settings
    controls: tuple[Candidate, ...]


@dataclass(frozen=True)
class Weighed:
    """What explains the departures, checked.

    `standing` and `cases` are by the position of their part, `evidence` is of each; `unsure` are
    drivers that are higher where more leave all along; `aside` is what drivers turned out to be
    that had been taken for a cause.
    """

    explained: Explained
    resolved: tuple[Resolved, ...]
    standing: dict[int, Standing]
    unsure: tuple[Within, ...]
    settled: Settled
    cases: dict[int, Case]
    evidence: tuple[tuple[Evidence, ...], ...]
    aside: dict[str, Aside]

    @property
    def drivers(self) -> tuple[str | None, ...]:
        """The driver of each part of the explanation; None for a rise that no driver explains."""
        return tuple(
            self.standing[k].driver
            if k in self.standing
            else p.candidate.driver
            if p.candidate
            else None
            for k, p in enumerate(self.explained.parts)
        )

    @property
    def named(self) -> frozenset[str]:
        """The drivers that are in the explanation."""
        return frozenset(d for d in self.drivers if d is not None)


def weigh(given: Given, candidates: tuple[Candidate, ...]) -> Weighed:
    """Return what explains the departures, without what turned out to be no cause.

    A driver that came after the rise or too long before it, or whose dose departures go against, is
    not its cause: another that had given way to it is, if it stands up to that itself; else the
    rise is told as unexplained if the scan finds it by itself, or there is only the driver's move
    to tell of. Where a driver's rise hangs on few clients, or something slight would explain it
    away, and the scan does not find it either, there is none to tell. Without these drivers all is
    weighed once more, unless a third would then be named.
    """
    first = _weigh(given, candidates)
    refuted = {k: why for k, c in first.cases.items() if (why := refutation(c)) is not None}
    frail = {
        k: why
        for k in first.cases.keys() - refuted.keys()
        if (why := frailty(first.evidence[k])) is not None
    }
    if not refuted and not frail:
        return first
    because = {
        first.cases[k].candidate.driver: why for k, why in (*refuted.items(), *frail.items())
    }
    wrong, weak = (tuple(first.cases[k].candidate for k in own) for own in (refuted, frail))
    behind = _one_matter_with(given.baseline, candidates, wrong)
    for spared in (behind, ()) if behind else ((),):
        again = _without(given, candidates, wrong, weak, spared)
        sound = _sound(again, spared)
        told = [c for c in (*wrong, *weak) if _is_told(given, again, c, sound)]
        others = again.named - {c.driver for c in sound}
        if told == list(wrong) and others <= first.named - because.keys():
            return replace(again, aside={**again.aside, **because})
    return first


def _one_matter_with(
    baseline: Baseline, candidates: tuple[Candidate, ...], some: tuple[Candidate, ...]
) -> tuple[Candidate, ...]:
    """Changes of other drivers that had given way to some, being of one matter with them."""
    drivers = {c.driver for c in some}
    return tuple(
        c
        for c in candidates
        if c.driver not in drivers and any(one_matter(baseline, c, d) for d in some)
    )


def _without(
    given: Given,
    candidates: tuple[Candidate, ...],
    wrong: tuple[Candidate, ...],
    weak: tuple[Candidate, ...],
    spared: tuple[Candidate, ...],
) -> Weighed:
    """Weigh all anew without some changes and, unless spared, those of one matter with them."""

    def is_one_of(c: Candidate, some: tuple[Candidate, ...]) -> bool:
        return any(c is s for s in some)

    def is_out(c: Candidate) -> bool:
        along = any(one_matter(given.baseline, c, d) for d in (*wrong, *weak))
        return is_one_of(c, (*wrong, *weak)) or (along and not is_one_of(c, spared))

    free = tuple(c for c in candidates if not is_out(c))
    aside = tuple(c for c in candidates if is_out(c) and not is_one_of(c, wrong))
    return _weigh(given, free, aside, wrong)


def _sound(weighed: Weighed, spared: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Those spared that explain a rise now, and stand up to what the others did not."""
    return tuple(
        c.candidate
        for k, c in weighed.cases.items()
        if c.candidate.driver in {s.driver for s in spared}
        and refutation(c) is None
        and frailty(weighed.evidence[k]) is None
    )


def _is_told(
    given: Given, weighed: Weighed, dropped: Candidate, sound: tuple[Candidate, ...]
) -> bool:
    """Whether the rise that a change would have explained is told without it."""
    windows = [p.window for p in weighed.explained.parts if p.window is not None]
    attributes = given.search.attributes
    return any(one_matter(given.baseline, c, dropped) for c in sound) or any(
        in_place(given.baseline, dropped, w, attributes) for w in windows
    )


def _weigh(
    given: Given,
    candidates: tuple[Candidate, ...],
    aside: tuple[Candidate, ...] = (),
    wrong: tuple[Candidate, ...] = (),
) -> Weighed:
    """Select among candidates what explains the departures.

    Those aside explain none, but what is taken may not be told from them; those that are wrong may
    be told from anything.
    """
    baseline = given.baseline
    chosen = select(baseline, candidates, given.search, given.others)
    chosen = replace(chosen, left=(*chosen.left, *aside))
    explained, named = resolve(baseline, chosen)
    explained = replace(explained, left=(*explained.left, *wrong))
    if named:
        import_ahead("sklearn.ensemble")  # for the second opinion on them
    explained, standing, unsure = _with_standing(baseline, explained, given.attributes)
    explained, standing, settled = _that_account(baseline, explained, standing)
    frail = _frail(given, standing, settled)
    if frail:
        kept = [k for k in range(len(explained.parts)) if k not in frail]
        explained, standing = _only(baseline, explained, standing, kept)
        explained, standing, settled = _that_account(baseline, explained, standing)
    cases = _cases(given, explained, named, settled)
    evidence = tuple(
        _evidence(given, explained, k, settled.parts[k], cases.get(k), standing.get(k))
        for k in range(len(explained.parts))
    )
    set_aside = {s.driver: doubtful(baseline, s) for s in frail.values()}
    return Weighed(explained, named, standing, unsure, settled, cases, evidence, set_aside)


def _evidence(
    given: Given,
    explained: Explained,
    k: int,
    attribution: Attribution,
    case: Case | None,
    standing: Standing | None,
) -> tuple[Evidence, ...]:
    """The answers of all checks that may be asked of a part of the explanation."""
    if case is not None:
        return tuple(over_chunks(lambda check: check(case), checks(given.settings)))
    if standing is not None:
        return _of_standing(given, standing, attribution)
    part, baseline = explained.parts[k], given.baseline
    assert part.window is not None  # neither a driver's change nor a standing cause
    risk = _risk_of_others(baseline, explained, part)
    attributes = given.search.attributes
    return window_evidence(baseline, part.window, part.term, risk, attributes, given.others)


def _risk_of_others(baseline: Baseline, explained: Explained, part: Explanation) -> Array:
    """Factor by which all parts but one raise what is expected, float32[n, T]."""
    rest = fit(baseline, tuple(p.term for p in explained.parts if p is not part))
    return explained_risk(baseline, rest)


def _of_standing(
    given: Given, standing: Standing, attribution: Attribution
) -> tuple[Evidence, ...]:
    return standing_evidence(
        given.baseline, standing, attribution, given.others, given.settings.seed
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


def _frail(given: Given, standing: dict[int, Standing], settled: Settled) -> dict[int, Standing]:
    """The standing causes that fail a check that no cause may, or may account for none, by place.

    Where a rise fails one it is still a rise; where clients left so all along, nothing remains.
    """
    return {
        k: s
        for k, s in standing.items()
        if settled.parts[k].attributable.low <= 0 or fails(_of_standing(given, s, settled.parts[k]))
    }


def _cases(
    given: Given, explained: Explained, named: tuple[Resolved, ...], settled: Settled
) -> dict[int, Case]:
    baseline, settings = given.baseline, given.settings
    resolved = {id(n.part): n for n in named}
    cases = {}
    for k, part in enumerate(explained.parts):
        if id(part) not in resolved:
            continue
        who = resolved[id(part)]
        c = who.candidate
        seed = settings.seed + zlib.crc32(c.driver.encode())
        risk = _risk_of_others(baseline, explained, part)
        cases[k] = Case(
            baseline,
            c,
            part.term,
            part.whole,
            tuple(p.whole for p in explained.parts if p is not part),
            settled.parts[k],
            who.rivals,
            timing_of(baseline, c),
            given.others,
            given.controls,
            seed,
            leads(baseline, c, risk),
            classifiers(settings),
        )
    return cases
