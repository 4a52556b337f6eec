"""Is it really the cause? The checks, each a small function that answers in one sentence.

A check is `Case -> Evidence` and one line in `CHECKS` (or a `"my_module:name"` string in the
config). It passes, fails, or is skipped with the reason; it never decides alone (see `verdicts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.results import Estimate, Evidence, Outcome, Text
from churnlens.which.baseline import Baseline
from churnlens.which.confirm import found_again
from churnlens.which.scan import Window
from churnlens.which.segments import Attribute
from churnlens.why.attribution import Attribution
from churnlens.why.candidates import CLEARLY
from churnlens.why.case import Case, Check, say
from churnlens.why.elsewhere import elsewhere
from churnlens.why.lead_lag import Nearing, is_seen, nearing
from churnlens.why.lead_lag import lead_lag as lead_lag_of
from churnlens.why.model import DOSES, Term, agreeing, fit, gains_alone, tally_by_client
from churnlens.why.placebo import MOST_BEATEN, beaten
from churnlens.why.precedence import only_answers
from churnlens.why.second_opinion import second_opinion
from churnlens.why.selection import DRIVER_ALPHA, KEEP, driver_p, explained_risk
from churnlens.why.standing import Standing

Array = npt.NDArray[Any]
# Ways of halving the clients, the gain from which a half shows a cause by itself, and the part of
# the halvings in which both must. One halving is a lottery: a sure cause fails in one of fifty.
HALVINGS, SHOWS, MOSTLY = 50, 0.3, 2 / 3
SURE = 2.71  # log-likelihood gain that chance gives one time in a hundred, one-sided
# Log-likelihood by which "all alike" must beat "by dose" to refute a cause, and the part of it that
# a dose must fail to explain. An unrecorded cause that struck the same clients in the same month is
# itself a coincidence, and this must outweigh it; where nearly all leave, the dose has little left
# to tell; and doses are never recorded so well that a large effect follows them to the last.
NO_DOSE, MISSED = 10.0, 0.5
EVERYDAY = 1.25  # risk ratio that something unrecorded may well have, by convention
CLEAR_AHEAD = 2.0  # standard errors by which a standing trouble stands out before clients leave
GROWS = 2.33  # standard errors by which what came up as leaving neared is most of it: 1 in 100


def lead_lag(case: Case) -> Evidence:
    """The driver stood out before clients began to leave, not only afterwards."""
    if came_first(case):
        text = Text(
            "Departures of these clients rose before it changed; it may be an answer to them."
        )
        return say("lead_lag", "fail", text)
    if came_late(case):
        text = Text("Departures of these clients rose only long after it changed.")
        return say("lead_lag", "fail", text)
    if not is_seen(case.timing, case.baseline.panel.calendar):
        return say("lead_lag", "skip", Text("Too few departures to see what came first."))
    if only_after(case):
        return say(
            "lead_lag", "fail", Text("It stands out among leavers only after they began to leave.")
        )
    return say(
        "lead_lag",
        "pass",
        Text("It changed before clients began to leave, and for those who stayed as well."),
    )


def came_first(case: Case) -> bool:
    """Whether departures of the segment clearly rose before the driver changed."""
    return case.leads.is_before


def came_late(case: Case) -> bool:
    """Whether departures of the segment clearly rose only well after the driver's change."""
    return case.leads.is_long_after


def only_after(case: Case) -> bool:
    """Whether the driver stands out among leavers only once they have begun to leave.

    That would be no wonder where its whole segment surely left more: who stays in part goes on
    getting what those who left do not.
    """
    whole = driver_p(case.candidate.flat_gain, 1) <= DRIVER_ALPHA
    return not whole and only_answers(case.candidate, case.timing)


def peers(case: Case) -> Evidence:
    """What changed for everyone in the segment predicts, not only what happened to the leaver."""
    gain = case.candidate.flat_gain
    if gain >= SURE:
        return say(
            "peers",
            "pass",
            Text(
                "What the other clients of the segment lived through predicts departures as well."
            ),
        )
    return say(
        "peers",
        "fail",
        Text("Only the client's own records predict its leaving; those of its peers do not."),
    )


def dose_response(case: Case) -> Evidence:
    """Clients who got more of it left more."""
    c = case.candidate
    if _alike(case):
        return say("dose_response", "skip", Text("All clients of the segment got about the same."))
    if dose_refuted(case):
        return say(
            "dose_response",
            "fail",
            Text("Clients who got more of it did not leave more than those who got little."),
        )
    if c.dose_gain >= KEEP and c.dose_gain >= c.flat_gain - CLEARLY:
        return say("dose_response", "pass", Text("Clients who got more of it left more."))
    return say(
        "dose_response",
        "skip",
        Text("The data cannot show whether clients who got more of it left more."),
    )


def dose_refuted(case: Case) -> bool:
    """Whether clients got clearly different doses and departures clearly do not follow them."""
    c = case.candidate
    through = any(r.relation == "channel" for r in case.rivals)  # then its channel's dose counts
    ahead = c.flat_gain - c.dose_gain
    if through or _alike(case) or ahead < max(NO_DOSE, MISSED * c.flat_gain):
        return False
    flat = Term("all alike", ((case.term.dose > 0) * 1.0).astype(np.float32), c.inside)
    own = Term("dose", np.where(case.term.dose > 0, c.dose, 0).astype(np.float32), c.inside)
    both = fit(case.baseline, (flat, own)).gain
    return both - fit(case.baseline, (flat,)).gain < 0.5


def _alike(case: Case) -> bool:
    last = case.candidate.dose[:, -1][case.candidate.inside[:, -1]]
    return bool(last.std() < 0.2) if len(last) else True


def placebo(case: Case) -> Evidence:
    """The same change given to other clients at random explains nothing.

    What other causes explain is no rise of those drawn.
    """
    expected = case.baseline.expected * explained_risk(
        case.baseline, fit(case.baseline, case.beside)
    )
    share = beaten(case.baseline, case.candidate.inside, case.term.dose, expected)
    if share is None:
        return say("placebo", "skip", Text("Everyone was hit; there is nobody to compare with."))
    if share <= MOST_BEATEN:
        return say(
            "placebo",
            "pass",
            Text("Given to clients drawn at random, the same change explains nothing."),
        )
    return say(
        "placebo",
        "fail",
        Text(
            "Clients drawn at random show as much: {share} of the draws.",
            {"share": {"type": "percent", "value": share}},
        ),
    )


def negative_control(case: Case) -> Evidence:
    """A driver that cannot matter explains nothing."""
    if not case.controls:
        return say("negative_control", "skip", Text("No driver is named as a negative control."))
    worst = max(case.controls, key=lambda c: c.gain)
    shown = {"driver": {"type": "driver", "value": worst.driver}}
    if driver_p(worst.gain, len(case.controls)) < 0.05:
        return say(
            "negative_control",
            "fail",
            Text(
                "{driver}, which cannot matter, seems to matter too: something else is at work.",
                shown,
            ),
        )
    return say(
        "negative_control", "pass", Text("{driver}, which cannot matter, shows nothing.", shown)
    )


def channel(case: Case) -> Evidence:
    """What else rose with it is the way it works, not a second cause."""
    ways = [r.candidate for r in case.rivals if r.relation == "channel"]
    if not ways:
        text = Text("Nothing else was found through which it works.")
        return say("channel", "skip", text)
    return say(
        "channel",
        "pass",
        Text(
            "{driver} rose with it, client by client: the way in which it works.",
            {"driver": {"type": "driver", "value": ways[0].driver}},
        ),
    )


def overlap(case: Case) -> Evidence:
    """There are clients enough inside and outside to compare."""
    inside = case.candidate.inside
    due_in = float(case.baseline.expected[inside].sum())
    due_out = float(case.baseline.expected[~inside].sum())
    late = case.term.dose > 0
    before = float(case.baseline.expected[inside & ~late].sum())
    if min(due_in, max(due_out, before)) < 5:
        return say("overlap", "fail", Text("There are hardly any clients to compare with."))
    if due_out < 5:
        return say(
            "overlap",
            "pass",
            Text("Everyone was hit; the comparison is with the same clients before."),
        )
    return say(
        "overlap", "pass", Text("There are comparable clients who were not hit, and a time before.")
    )


def sensitivity(case: Case) -> Evidence:
    """How strong would an unrecorded cause have to be to explain this away?"""
    shown, outcome = _explained_away(case.attribution.ratio)
    text = Text(
        "An unrecorded cause would have to make both the change and leaving {value} times as "
        "likely to explain this away ({low} times for the lower end).",
        shown,
    )
    return say("sensitivity", outcome, text)


def _explained_away(ratio: Estimate) -> tuple[dict[str, Any], Outcome]:
    """The E-values of a ratio and of its lower end, and whether the latter is large enough."""
    value, low = (round(e_value(r), 1) for r in (ratio.value, ratio.low))
    shown = {
        "value": {"type": "number", "value": value},
        "low": {"type": "number", "value": low},
    }
    return shown, "pass" if e_value(ratio.low) >= EVERYDAY else "fail"


def e_value(ratio: float) -> float:
    """Return the E-value of a risk ratio (VanderWeele & Ding 2017)."""
    up = 1 / ratio if ratio < 1 else ratio
    return float(up + np.sqrt(up * (up - 1)))


def leave_one_account_out(case: Case) -> Evidence:
    """It does not hang on one account."""
    return _without_one_account(case.baseline, case.term, case.attribution)


def _without_one_account(baseline: Baseline, term: Term, attribution: Attribution) -> Evidence:
    panel = baseline.panel
    due = (attribution.share * panel.found).sum(axis=1)
    whale = panel.client == panel.by_client(due).argmax()
    without = term.dose.copy()
    without[whale] = 0
    inside = np.broadcast_to(term.inside, without.shape).copy()
    inside[whale] = False
    left = fit(baseline, (Term("without", without, inside),)).gain
    share = {"share": {"type": "percent", "value": attribution.largest_account}}
    if left < KEEP:
        return say("leave_one_account_out", "fail", Text("Without one account nothing is left."))
    if attribution.largest_account > 0.5:
        return say(
            "leave_one_account_out",
            "pass",
            Text(
                "It holds without any one account, but one account is {share} of the money.", share
            ),
        )
    return say("leave_one_account_out", "pass", Text("It holds without any one account."))


def definitions(case: Case) -> Evidence:
    """It holds under the other definitions of leaving."""
    return _under_other_definitions(case.term, case.others)


def _under_other_definitions(term: Term, others: dict[str, Baseline]) -> Evidence:
    if not others:
        text = Text("There is no other definition to compare with.")
        return say("definitions", "skip", text)
    agree = agreeing(term, others)
    text = Text(
        "It holds in {agree} of {of} other definitions of leaving.",
        {"agree": agree, "of": len(others)},
    )
    return say("definitions", "pass" if 2 * agree >= len(others) else "fail", text)


def held_out(case: Case) -> Evidence:
    """Each half of the clients shows it by itself, however they are halved."""
    return _halved(case.baseline, case.term, case.seed)


def _halved(baseline: Baseline, term: Term, seed: int) -> Evidence:
    seen, due = tally_by_client(baseline, term)
    rng = np.random.default_rng(seed)
    half = (rng.random((HALVINGS, len(seen))) < 0.5).astype(np.float32)
    one, other = (gains_alone(side @ seen, side @ due, DOSES) for side in (half, 1 - half))
    both = float(np.mean(np.minimum(one, other) > SHOWS))
    shown = {"share": {"type": "percent", "value": both}}
    if both >= MOSTLY:
        text = Text(
            "However its clients are halved, both halves show it by themselves ({share} of the "
            "halvings).",
            shown,
        )
        return say("held_out", "pass", text)
    text = Text(
        "It hangs on few clients: halved at random, both halves show it in {share} of the "
        "halvings only.",
        shown,
    )
    return say("held_out", "fail", text)


def window_evidence(
    baseline: Baseline,
    window: Window,
    term: Term,
    explained: Array,
    attributes: tuple[Attribute, ...],
    others: dict[str, Baseline],
) -> tuple[Evidence, ...]:
    """Return what speaks for a rise that no driver explains: is it found again elsewhere?

    `explained` is the factor by which all else raises what is expected, float32[n, T].
    """
    held = (
        say(
            "held_out",
            "pass",
            Text(
                "Looked for in one half of the clients, it is found in the other, each way round."
            ),
        )
        if found_again(baseline, attributes, window, explained) == 2
        else say(
            "held_out",
            "fail",
            Text("Looked for in one half of the clients, it is not surely found in the other."),
        )
    )
    return held, _under_other_definitions(term, others)


def standing_evidence(
    baseline: Baseline,
    standing: Standing,
    attribution: Attribution,
    others: dict[str, Baseline],
    seed: int,
) -> tuple[Evidence, ...]:
    """Return what speaks for a driver that costs clients all along.

    As nobody saw it change, peers, doses of a change and clients drawn at random say nothing.
    """
    shown, outcome = _explained_away(attribution.ratio)
    hidden = Text(
        "Something unrecorded would have to make both having it and leaving {value} times as "
        "likely to explain this away ({low} times for the lower end).",
        shown,
    )
    return (
        _ahead(baseline, standing),
        say("sensitivity", outcome, hidden),
        _without_one_account(baseline, standing.term, attribution),
        _under_other_definitions(standing.term, others),
        _halved(baseline, standing.term, seed),
    )


def _ahead(baseline: Baseline, standing: Standing) -> Evidence:
    if comes_up(as_leaving_nears(baseline, standing)):
        text = Text(
            "What sets leavers apart in it came up for the most part in the months before they "
            "left."
        )
        return say("lead_lag", "fail", text)
    timing = lead_lag_of(baseline, standing.exposure, *_where(baseline, standing))
    if not is_seen(timing, baseline.panel.calendar) or timing.before_z < CLEAR_AHEAD:
        text = Text("Whether it stood out among leavers before they began to leave cannot be seen.")
        return say("lead_lag", "skip", text)
    text = Text("It stood out among leavers well before they began to leave.")
    return say("lead_lag", "pass", text)


def as_leaving_nears(baseline: Baseline, standing: Standing) -> Nearing:
    """Return how far leavers stood out in a standing cause long before, and shortly before."""
    return nearing(baseline, standing.exposure, *_where(baseline, standing))


def comes_up(growth: Nearing) -> bool:
    """Whether most of what leavers have beyond others clearly came up as leaving neared."""
    return growth.z >= GROWS


def _where(baseline: Baseline, standing: Standing) -> tuple[tuple[Array, ...], int]:
    inside = np.broadcast_to(standing.inside, baseline.expected.shape)
    return (inside,), 1 if standing.direction == "more" else -1


CHECKS: dict[str, Check] = {
    "lead_lag": lead_lag,
    "peers": peers,
    "dose_response": dose_response,
    "elsewhere": elsewhere,
    "placebo": placebo,
    "negative_control": negative_control,
    "channel": channel,
    "overlap": overlap,
    "sensitivity": sensitivity,
    "second_opinion": second_opinion,
    "leave_one_account_out": leave_one_account_out,
    "definitions": definitions,
    "held_out": held_out,
}
