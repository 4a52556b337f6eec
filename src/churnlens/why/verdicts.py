"""What is each driver: cause, symptom, bystander, without effect, or can the data not tell?

The rules, in this order:

1. A driver whose change explains a rise is its **cause**, unless
   - another driver moved with it and departures follow the other's dose: then that one is taken;
   - it is the way in which a measured trouble upstream works: then the upstream one is taken;
   - departures rose before it changed or only long after, or clients who got more of it clearly
     did not leave more (a **bystander**), or it changed for leavers only after they began to leave
     (a **symptom**): then the rise is unexplained, if the scan finds it by itself;
   - it rests on one account or on few clients, or clients drawn at random show as much, or a weak
     unrecorded cause would explain it away: then **cannot tell**, and no issue unless the scan
     finds the rise by itself (`weighing`);
   - the departures it accounts for may be none (their 95 % interval ends at nought), or another
     moved with it and nothing parts them, or others got as much of it and stayed, and within the
     segment departures do not follow the dose: then **cannot tell**.
2. A driver left aside is a **symptom** if it is the channel of a cause, or stands out among leavers
   only after they began to leave; it **cannot be told** where clients who got more of it left more
   but all whom it hit did not, where it may add to what was taken, is higher for clients who leave
   more all along, or goes with leaving all along but fails a check (a symptom where leavers stood
   out in it only as leaving neared); it is a **bystander** if it changed at the time of a rise
   without explaining it; it **cannot be told** where so few left that not even a twofold effect
   would have been seen; else it has **no effect** that these data could show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churnlens.results import Evidence, RuledOut, Text
from churnlens.when.power import smallest_rise
from churnlens.which.baseline import Baseline
from churnlens.why.candidates import Candidate
from churnlens.why.case import Case
from churnlens.why.checks import (
    CLEAR_AHEAD,
    as_leaving_nears,
    came_first,
    came_late,
    comes_up,
    dose_refuted,
    only_after,
)
from churnlens.why.lead_lag import LeadLag, lead_lag
from churnlens.why.model import fit
from churnlens.why.rivals import Relation, Rival, rivals
from churnlens.why.selection import (
    DRIVER_ALPHA,
    KEEP,
    Explained,
    Explanation,
    driver_p,
    one_matter,
)
from churnlens.why.standing import Standing
from churnlens.why.within import Within

Array = npt.NDArray[Any]
Aside = tuple[Literal["symptom", "bystander", "no_effect", "cannot_tell"], Text]

# Checks no cause may fail. Other definitions may: few see that a client leaves in part.
FEW = frozenset({"leave_one_account_out", "held_out"})  # it hangs on few clients
DECISIVE = FEW | {"lead_lag", "placebo", "sensitivity"}
TWOFOLD = 2.0  # risk ratio that must have been visible for a driver to be called without effect
NEAR = 6.0  # months between a driver's change and a rise that happened "at the time"


@dataclass(frozen=True)
class Resolved:
    """An explanation after its rivals have been looked at.

    `candidate` is the driver to name; `part.term` is what departures are explained by (the
    driver's own dose, or that of the channel through which it works).
    """

    part: Explanation
    candidate: Candidate
    rivals: tuple[Rival, ...]


def resolve(baseline: Baseline, explained: Explained) -> tuple[Explained, tuple[Resolved, ...]]:
    """Let each driver that was taken give way to a better or an upstream one."""
    parts, named = [], []
    for part in explained.parts:
        if part.candidate is None:
            parts.append(part)
            continue
        taken, found = part.candidate, rivals(baseline, part.candidate, explained)
        free = _free(baseline, found, explained, part)
        better = _first(free, "upstream") or _first(free, "stronger")
        if better is not None:
            upstream = better.relation == "upstream"
            others = [c for c in explained.left if c is not better.candidate]
            left = replace(explained, left=(*others, taken))
            part = replace(
                part,
                candidate=better.candidate,
                term=part.term if upstream else better.candidate.term,
                lasting=part.lasting if upstream else better.candidate.lasting,
            )
            found = rivals(baseline, better.candidate, left)
            if upstream and not any(r.candidate is taken for r in found):
                found = (*found, Rival(taken, "channel"))
            taken = better.candidate
        parts.append(part)
        named.append(Resolved(part, taken, found))
    fitted = fit(baseline, tuple(p.term for p in parts))
    used = {id(p.candidate) for p in parts}
    everything = (*explained.left, *(p.candidate for p in explained.parts if p.candidate))
    left_over = tuple(c for c in everything if id(c) not in used)
    return replace(explained, parts=tuple(parts), fit=fitted, left=left_over), tuple(named)


def _free(
    baseline: Baseline, found: tuple[Rival, ...], explained: Explained, part: Explanation
) -> tuple[Rival, ...]:
    """Those that may take a part's place: no other part is of the same matter and won over them."""
    beside = [p.candidate for p in explained.parts if p is not part and p.candidate is not None]
    return tuple(
        r for r in found if not any(one_matter(baseline, r.candidate, other) for other in beside)
    )


def _first(found: tuple[Rival, ...], relation: str) -> Rival | None:
    matching = [r for r in found if r.relation == relation]
    return max(matching, key=lambda r: r.candidate.dose_gain, default=None)


def verdict(case: Case, evidence: tuple[Evidence, ...]) -> Literal["cause", "cannot_tell"]:
    """Return whether a driver that explains a rise may be called its cause.

    `evidence` are the answers of the checks.
    """
    if fails(evidence) or any(r.relation == "inseparable" for r in case.rivals):
        return "cannot_tell"
    if case.attribution.attributable.low <= 0:
        return "cannot_tell"  # once it is chosen among many, an effect looks surer than it is
    answers = {e.check: e.outcome for e in evidence}
    # Others got as much and stayed: then only those who left by its dose speak for it.
    if answers.get("elsewhere") == "fail" and answers.get("dose_response") != "pass":
        return "cannot_tell"
    return "cause" if refutation(case) is None else "cannot_tell"


def fails(evidence: tuple[Evidence, ...]) -> bool:
    """Whether one of the checks fails that no cause may fail."""
    return any(e.outcome == "fail" and e.check in DECISIVE for e in evidence)


def frailty(evidence: tuple[Evidence, ...]) -> Aside | None:
    """What a driver is, and why, whose rise hangs on few clients or is soon explained away."""
    return ("cannot_tell", _FRAIL) if fails(evidence) else None


def doubtful(baseline: Baseline, standing: Standing) -> Aside:
    """What a driver is, and why, that goes with leaving all along but fails a check."""
    timing = symptom_timing(baseline, standing.driver)
    if timing is not None and timing.is_symptom:
        return "symptom", _FOLLOWS
    growth = as_leaving_nears(baseline, standing)
    if not comes_up(growth):
        return "cannot_tell", _DOUBTFUL
    # What leavers clearly stood out in long before as well may have cost some of them.
    return ("cannot_tell", _GROWS) if growth.long_z >= CLEAR_AHEAD else ("symptom", _COMES_UP)


def refutation(case: Case) -> Aside | None:
    """What a driver is, and why, that explains a rise and yet cannot be its cause; None: it may."""
    if came_first(case):
        return "bystander", _TOO_LATE
    if came_late(case):
        return "bystander", _TOO_EARLY
    if dose_refuted(case):
        return "bystander", _BYSTANDER
    return ("symptom", _FOLLOWS) if only_after(case) else None


def rule_out(
    baseline: Baseline,
    driver: str,
    candidates: tuple[Candidate, ...],
    named: tuple[Resolved, ...],
    explained: Explained,
    higher: tuple[Within, ...] = (),
    aside: Aside | None = None,
) -> RuledOut:
    """Say what a driver is that is in no issue.

    `candidates` are its own changes, `higher` the segments that leave more all along in which it is
    higher and may be why; `aside` is what it was found to be after it had been taken for a cause.
    """
    timing = symptom_timing(baseline, driver, _scopes(candidates, named))
    beside = {r.relation: n for n in named for r in n.rivals if r.candidate.driver == driver}
    kind = next((k for k in _BESIDE if k in beside), None)
    if kind is not None:
        shown = {"cause": {"type": "driver", "value": beside[kind].candidate.driver}}
        said, text = _BESIDE[kind][0], replace(_BESIDE[kind][1], values=shown)
    elif aside is not None:
        said, text = aside
    elif timing is not None and timing.is_symptom:
        said, text = "symptom", _FOLLOWS
    elif _follows_a_dose(candidates):
        said, text = "cannot_tell", _BY_DOSE
    elif _adds(baseline, candidates, explained):
        said, text = "cannot_tell", _ADDS
    elif higher:
        said, text = "cannot_tell", _where_more_leave(higher)
    elif beside or _moved_at_a_rise(baseline, candidates, explained):
        said, text = "bystander", _BYSTANDER
    elif (hardly := _hardly_seen(baseline)) is not None:
        said, text = "cannot_tell", hardly
    else:
        said, text = "no_effect", _CHANGED if candidates else _UNCHANGED
    return RuledOut(driver, said, str(text), text)


_BESIDE: dict[Relation, Aside] = {  # where issues differ, the first of these
    "inseparable": (
        "cannot_tell",
        Text(
            "It moved for the same clients as {cause}; the records cannot tell which of the two it "
            "is."
        ),
    ),
    "channel": (
        "symptom",
        Text("It rises where {cause} rises, client by client: the way in which that works."),
    ),
}
_FOLLOWS = Text(
    "It follows the decline: it stands out among leavers only after they began to leave."
)
_DOUBTFUL = Text(
    "It goes with leaving all along, but that hangs on few clients, or something slight and "
    "unrecorded would explain it."
)
_COMES_UP = Text(
    "It comes up among leavers as leaving nears, and long before they hardly stood out in it: a "
    "sign of leaving rather than its cause."
)
_GROWS = Text(
    "Leavers stood out in it long before, but far more as leaving neared; these data cannot tell "
    "whether it is a cause or a sign."
)
_FRAIL = Text(
    "It changed where more left, but that hangs on few clients, or something slight and unrecorded "
    "would explain it."
)
_TOO_EARLY = Text("It changed where more left, but they began to leave only long after it did.")
_TOO_LATE = Text("It changed where more left, but they had begun to leave before it did.")
_ADDS = Text(
    "It may cost clients besides what is named; the records cannot part the two. What would "
    "decide: change it for part of these clients, and compare after a quarter."
)
_BY_DOSE = Text(
    "Clients who got more of it left more, but its whole group did not clearly do so; these data "
    "cannot tell whether it is a cause or a sign. What would decide: change it for part of these "
    "clients, and compare after a quarter."
)
_HIGHER = Text(
    "It is higher for {segment}, who leave more all along; whether they leave for it, these data "
    "cannot tell. What would decide: change it for part of these clients, and compare after a "
    "quarter."
)
_LOWER = Text(
    "It is lower for {segment}, who leave more all along; whether they leave for it, these data "
    "cannot tell. What would decide: change it for part of these clients, and compare after a "
    "quarter."
)
_BYSTANDER = Text("It changed at the time of a rise, but departures do not follow it.")
_CHANGED = Text("It changed, and nobody left for it that these data could show.")
_UNCHANGED = Text(
    "It did not change for any group of clients, and those with more of it left no more."
)


_FEW = Text(
    "Too few departures to tell: had the half of the clients with more of it left {times} times as "
    "often as the others, even that would have been missed in one of five cases."
)
_HARDLY = Text("Too few departures to tell whether clients with more of it leave more.")


def _hardly_seen(baseline: Baseline) -> Text | None:
    """Say that not even a twofold effect would have been seen; None: it would.

    In four of five cases, on the departures that are told for sure, were half of the clients to
    have more of a driver: no other split of them shows a smaller one.
    """
    half = float(baseline.observed.sum(dtype=np.float64)) / 2
    seen = smallest_rise(half, compared=half)
    if seen is None:
        return _HARDLY
    times = {"times": {"type": "number", "value": round(seen, 1)}}
    return replace(_FEW, values=times) if seen > TWOFOLD else None


def _where_more_leave(higher: tuple[Within, ...]) -> Text:
    clearest = max(higher, key=lambda w: w.z)
    segment = {"segment": {"type": "clients", "value": clearest.segment}}
    return replace(_HIGHER if clearest.sign > 0 else _LOWER, values=segment)


def _moved_at_a_rise(
    baseline: Baseline, candidates: tuple[Candidate, ...], explained: Explained
) -> bool:
    near = baseline.panel.calendar.span(NEAR)
    begun = [b.start for p in explained.parts if (b := p.candidate or p.window) is not None]
    return any(abs(c.move.start - s) <= near for c in candidates for s in begun)


def _adds(baseline: Baseline, candidates: tuple[Candidate, ...], explained: Explained) -> bool:
    """Whether one of a driver's changes surely explains something beside what was taken.

    It was not taken, as it explains mostly the same departures as another; but it is not cleared.
    """
    known = tuple(p.term for p in explained.parts)
    gains = (
        fit(baseline, (*known, c.term)).gain - explained.fit.gain - c.price
        for c in candidates
        if c.flat_gain >= KEEP
    )
    return bool(known) and any(driver_p(gain, 1) <= DRIVER_ALPHA for gain in gains)


def _follows_a_dose(candidates: tuple[Candidate, ...]) -> bool:
    """Whether clients who got more of a change surely left more, though its group did not.

    It may have cost those clients, or be what they do before they leave.
    """
    return any(
        driver_p(c.dose_gain, len(candidates)) <= DRIVER_ALPHA and c.flat_gain < KEEP
        for c in candidates
    )


def _scopes(candidates: tuple[Candidate, ...], named: tuple[Resolved, ...]) -> tuple[Array, ...]:
    """Segments in which a driver itself moved, or something else did that made clients leave."""
    return tuple(c.inside for c in (*candidates, *(n.candidate for n in named)))


def symptom_timing(
    baseline: Baseline, driver: str, scopes: tuple[Array, ...] = ()
) -> LeadLag | None:
    """Return the driver's lead and lag, the clearest of its measures.

    Leavers are held against those who stayed in and out of the same `scopes` (bool[n, T] each):
    what the firm changed for a whole segment, some of whom left, is no reaction to their leaving.

    Fewer events after an onset are no sign of anything where events come with orders; only more of
    a driver can be a reaction of the firm or of the client.
    """
    found = [
        lead_lag(baseline, e, scopes, 1)
        for e in baseline.panel.exposures
        if e.driver == driver and e.measure in ("mean", "count")
    ]
    return max(found, key=lambda f: f.after_z, default=None)
