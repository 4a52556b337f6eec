"""What is not known of an issue, and what would decide it?"""

from __future__ import annotations

from churnlens.results import Evidence, Text
from churnlens.why import second_opinion
from churnlens.why.candidates import Candidate
from churnlens.why.case import Case
from churnlens.why.checks import came_first, came_late, dose_refuted, only_after
from churnlens.why.verdicts import FEW

OF_NO_DRIVER = Text(
    "No change of a recorded driver explains it. What would decide: ask ten of these clients and "
    "ten comparable ones who stayed, and record from now on what they name (a competitor's offer, "
    "prices, people who left, service)."
)
OF_NO_DATE = Text(
    "There is no date at which it began, so nobody saw it change; whether clients who get more of "
    "it differ in some unrecorded way, only a trial can tell."
)
_OF_TWO_WAYS = Text(
    "Two ways of estimating how many departures it costs disagree (see the checks). What would "
    "decide: undo it for a part of these clients, drawn by lot, and compare after a quarter."
)
_OF_WHO_WAS_HIT = Text(
    "All clients of the segment are taken to be hit alike; whether those hit harder leave more "
    "cannot be told yet."
)
_OF_LATE_DEPARTURES = Text(
    "Departures of the last months are partly estimates: a client's silence must last before it "
    "says anything."
)


def of_a_change(case: Case, verdict: str, evidence: tuple[Evidence, ...]) -> tuple[Text, ...]:
    """Return what is not known of a driver's change that explains a rise, the weightiest first.

    `verdict` is `cause` or `cannot_tell`; `evidence` are the answers of the checks.
    """
    failed = {e.check for e in evidence if e.outcome == "fail"}
    out = [_OF_TWO_WAYS] if second_opinion.NAME in failed else []
    apart = next((r.candidate for r in case.rivals if r.relation == "inseparable"), None)
    if apart is not None:
        out.append(_moved_too(case, apart))
    elif verdict == "cannot_tell":
        out.append(_doubt(case, failed))
    told = any(e.check == "dose_response" and e.outcome != "skip" for e in evidence)
    if case.candidate.shape == "flat" and not told:
        out.append(_OF_WHO_WAS_HIT)
    return (*out, _OF_LATE_DEPARTURES)


def _moved_too(case: Case, rival: Candidate) -> Text:
    """Say of a driver that cannot be told apart when it moved in the same clients."""
    start, calendar = rival.move.start, case.baseline.panel.calendar
    values = {
        "driver": {"type": "driver", "value": rival.move.exposure.subject},
        "date": {"type": calendar.period, "value": calendar.starts[start].isoformat()},
    }
    if start != case.candidate.move.start:
        return Text(
            "{driver} moved in the same clients too, in {date}. What would decide: change only one "
            "of the two for a part of these clients, and compare after a quarter.",
            values,
        )
    return Text(
        "{driver} moved in the same clients at the same time. What would decide: change only one "
        "of the two for a part of these clients, and compare after a quarter.",
        values,
    )


def _doubt(case: Case, failed: set[str]) -> Text:
    """Why a driver that no other stands beside may not be called the cause."""
    if came_first(case):
        return Text(
            "Departures of these clients rose before it changed, so it may be an answer to them. "
            "What would decide: find what else changed for these clients in the months before."
        )
    if came_late(case):
        return Text(
            "Departures of these clients rose only long after it changed, so it may have nothing "
            "to do with them. What would decide: find what else changed for these clients then."
        )
    if only_after(case):
        return Text(
            "It stands out among leavers only after they began to leave, so it may be an answer to "
            "them. What would decide: undo it for a part of these clients, drawn by lot, and "
            "compare after a quarter."
        )
    if dose_refuted(case):
        return Text(
            "Departures do not follow how much of it each client got. What would decide: "
            "record it for every order, or undo it for a part of these clients and compare."
        )
    if failed & FEW:
        return Text(
            "It rests on one account, or on few clients (see the checks). What would decide: undo "
            "it for a part of these clients, drawn by lot, and compare after a quarter."
        )
    if "elsewhere" in failed:
        return Text(
            "Others got as much of it and stayed, and whether those of the segment left who got "
            "more cannot be seen. What would decide: ask ten of these clients what has changed for "
            "them alone, or undo it for a part of them, drawn by lot, and compare after a quarter."
        )
    return Text(
        "The rise is so small that chance, or something that nobody recorded, may be behind it "
        "(see the checks). What would decide: undo it for a part of these clients, drawn by lot, "
        "and compare after a quarter."
    )
