"""How sure are we, in words: verdicts, checks and chance for readers who are no statisticians."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from churnlens.results import Bar, Evidence, Issue, Segment, Skipped, Text

SURE_P, OFTEN_P = 0.001, 0.3
MOST_TIMES = 100  # risk ratios are written up to here

TOO_SMALL: Segment = {"": ("",)}  # stands for a segment of too few clients to be shown

TWOFOLD = 2.0  # a rise beyond it is said in times, not in percent
_POWER = Text(
    "Over the last year, a rise of {rise} or more in the whole book would have been seen in four "
    "of five cases."
)
_POWER_IN_TIMES = Text(
    "Over the last year, a rise in the whole book would have been seen in four of five cases only "
    "if {times} times as many had left as usually do."
)

KINDS: Mapping[str, Text] = {
    "shift": Text("A change"),
    "unexplained": Text("A change without a known cause"),
    "standing": Text("A standing loss"),
    "mix": Text("A change in who we serve"),
}

STATUS: Mapping[str, Text] = {
    "new": Text("new"),
    "worse": Text("worse than last time"),
    "same": Text("same as last time"),
    "better": Text("better than last time"),
    "gone": Text("gone"),
    "cannot_be_seen": Text("can no longer be seen"),
}

DRIVER_VERDICTS: Mapping[str, Text] = {
    "symptom": Text("symptom"),
    "bystander": Text("bystander"),
    "no_effect": Text("no effect"),
    "cannot_tell": Text("cannot tell"),
}

DRIVER_VERDICTS_MEANING: Mapping[str, Text] = {
    "symptom": Text("It follows clients who are already leaving. It does not make them leave."),
    "bystander": Text("It changed at the same time, but those it changed for left no more."),
    "no_effect": Text("Clients with more of it and clients with less of it left alike."),
    "cannot_tell": Text("The records do not decide it."),
}

REMEDY_VERDICTS: Mapping[str, Text] = {
    "worked": Text("It worked"),
    "did_not": Text("It did not work"),
    "too_early": Text("Too early to tell"),
    "cannot_tell": Text("Cannot tell"),
}

TIERS: Mapping[str, Text] = {
    "top fifth": Text("Those that bring most"),
    "middle": Text("The middle"),
    "bottom fifth": Text("Those that bring least"),
    "costs more than it brings": Text("Those that cost more than they bring"),
    "large without margin": Text("Large buyers without margin"),
    "only at a discount": Text("Those loyal only to discounts"),
}

OUTCOMES: Mapping[str, Text] = {
    "pass": Text("passed"),
    "fail": Text("failed"),
    "skip": Text("could not be made"),
}

# Each check as the question that it answers; a check of an analyst's own shows its name.
CHECKS: Mapping[str, Text] = {
    "lead_lag": Text("Did it come before the leaving?"),
    "peers": Text("Does it hold for what was done to everyone, not to this client alone?"),
    "dose_response": Text("The more of it, the more leave?"),
    "elsewhere": Text("Did all whom it reached leave more?"),
    "placebo": Text("Does it vanish when the records are shuffled?"),
    "negative_control": Text("Is a record that cannot matter found harmless?"),
    "channel": Text("Is it the source, not only the way another cause works?"),
    "overlap": Text("Are there comparable clients with more and with less of it?"),
    "sensitivity": Text("Would it take a strong hidden cause to explain it away?"),
    "second_opinion": Text("Does another way of estimating come to as many departures?"),
    "leave_one_account_out": Text("Does it hold without the largest account?"),
    "definitions": Text("Does it hold however leaving is defined?"),
    "held_out": Text("Does each half of the clients show it by itself?"),
    "mix": Text("Did the make-up of the book change?"),
}
# A rise without a driver was searched for in one half of the clients and looked for in the other.
_CHECKS_OF_A_SEARCH = {"held_out": Text("Is it found again on clients left out of the search?")}

# The package's own ways to define leaving; an analyst's own shows its name.
DEFINITIONS: Mapping[str, Text] = {
    "cadence": Text("Own rhythm"),
    "silence": Text("Silence"),
    "volume": Text("Half the volume"),
    "p_alive": Text("Chance of being a client"),
    "basket": Text("Categories given up"),
}

_CAUSED = Text("Caused by {driver}")
_GOES_WITH = Text("Goes with {driver}; cause not shown")
_GOES_WITH_EITHER = Text("Goes with {driver} or with {rival}; cause not shown")
_EITHER = Text("{driver} or {rival}")
_UNKNOWN = Text("Cannot tell; no record explains it")
_MIX = Text("The book has changed, not how it is served")

_RISE = Text("a rise in {driver}")
_FALL = Text("a fall in {driver}")
_HIGH = Text("a high level of {driver}")
_LOW = Text("a low level of {driver}")

_VERY_SURE = Text("Very sure")
_SURE = Text("Sure")
_FAIRLY_SURE = Text("Fairly sure")
_NOT_SURE = Text("The rise, not why")
_MIX_SURE = Text("Sure, by counting")
_HINT = Text("A hint")
_NEITHER = Text("Not sure of the rise, nor why")

_CHECKS_PASSED = Text("{passed} of the {asked} checks that could be made passed.")
_ALL_PASSED = Text("All {asked} checks that could be made passed.")
_NO_DOSE = Text("Whether clients who got more of it left more cannot be seen.")
_NO_CHANGE = Text("It was so all along: nobody saw it change.")
_HOLDS = Text("Holds in {agree} of {of} ways to define leaving.")
_RARE = Text(
    "Chance alone would show as much in fewer than 1 of 1,000 such searches, "
    "with all the looking counted."
)
_ONE_IN = Text(
    "Chance alone would show as much in about 1 of {n} such searches, with all the looking counted."
)
_OFTEN = Text("Chance alone would often show as much.")
_PLAIN = Text("{driver}")
_BEYOND = Text("share of orders with {driver} above {limit}")

_SINCE_THEN = Text(
    "Since then, a client is {times} times as likely to leave ({low} to {high} times)."
)
_WHILE_IT_LASTED = Text(
    "While it lasted, a client was {times} times as likely to leave ({low} to {high} times)."
)
_EFFECT_OF_MORE = Text(
    "With {step} more of {driver}, a client is {times} times as likely to leave ({low} to {high} "
    "times)."
)
_EFFECT_OF_LESS = Text(
    "With {step} less of {driver}, a client is {times} times as likely to leave ({low} to {high} "
    "times)."
)

_MORE_THAN = Text("more than {n}")


def is_about(skipped: Skipped, issue: Issue) -> bool:
    """Say whether something left out is about one issue; it is then said on that issue's page."""
    return skipped.reason.startswith(f"{issue.id}: ")


def fill(text: Text, **values: Any) -> Text:
    """Return a text with its values filled in."""
    return dataclasses.replace(text, values={**text.values, **values})


def why(issue: Issue) -> Text:
    """Say what an issue comes from, in words as strong as its verdict and no stronger."""
    if issue.kind == "mix":
        return _MIX
    if issue.driver is None:
        return _UNKNOWN
    text = _CAUSED if issue.verdict == "cause" else _GOES_WITH
    if issue.rivals and text is _GOES_WITH:
        return fill(_GOES_WITH_EITHER, driver=driver_phrase(issue), rival=_rival(issue))
    return fill(text, driver=driver_phrase(issue))


def _rival(issue: Issue) -> dict[str, str]:
    return {"type": "driver", "value": issue.rivals[0]}


def by_either(bars: tuple[Bar, ...], issues: Iterable[Issue]) -> tuple[Bar, ...]:
    """Return the steps of a waterfall, a driver that cannot be told from another named with it."""
    apart = {i.driver: _rival(i) for i in issues if i.rivals and i.verdict != "cause"}

    def named(bar: Bar) -> Bar:
        driver = bar.text.values.get("driver") if bar.role == "cause" and bar.text else None
        rival = apart.get(driver["value"]) if isinstance(driver, Mapping) else None
        if rival is None:
            return bar
        return dataclasses.replace(bar, text=fill(_EITHER, driver=driver, rival=rival))

    return tuple(named(bar) for bar in bars)


def question(check: str, driver: str | None) -> Text | None:
    """Return what a check of an issue with such a driver asks; None for an analyst's own."""
    of_a_search = None if driver else _CHECKS_OF_A_SEARCH.get(check)
    return of_a_search or CHECKS.get(check)


def driver_phrase(issue: Issue) -> Text:
    """Return `a rise in approval days`, or all along `a high level` of it; else the bare name.

    Forms that fit a name whether it is singular, plural or ends in a unit.
    """
    driver = {"type": "driver", "value": issue.driver or ""}
    if issue.direction is None:
        return fill(_PLAIN, driver=driver)
    more, less = (_HIGH, _LOW) if issue.kind == "standing" else (_RISE, _FALL)
    return fill(more if issue.direction == "more" else less, driver=driver)


def measured(issue: Issue) -> Text:
    """Return the driver by the side of it that changed: itself, or a share of orders."""
    driver = {"type": "driver", "value": issue.driver or ""}
    if issue.beyond is not None:
        return fill(_BEYOND, driver=driver, limit=issue.beyond)
    return fill(_PLAIN, driver=driver)


def how_sure(issue: Issue) -> Text:
    """Grade an issue by its verdict, its checks and the definitions in which it holds.

    `Very sure` is a cause that failed no check, holds under every definition of leaving, and cost
    more of the clients who got more of it; one of these against makes it `Sure`, more makes it
    `Fairly sure`. So does a change of the whole book by whose dose nobody can be told apart, as
    there is but the time before, a driver that costs clients all along, as nobody saw it change,
    and one to which no departure at all may be due, by the interval. A rise without a cause is a
    hint where chance may have made it.
    """
    if issue.kind == "mix":
        return _MIX_SURE
    if issue.verdict != "cause":
        unsure = _HINT if issue.found_again else _NEITHER
        return unsure if issue.hint else _NOT_SURE
    by_dose = _passed(issue, "dose_response")
    told_apart = issue.segment or by_dose
    if issue.kind == "standing" or not told_apart or issue.departures.attributable.low <= 0:
        return _FAIRLY_SURE
    others = tuple(e for e in issue.evidence if e.check != "dose_response")
    # What only moved where and when more left looks like a cause in all but the dose.
    against = _count(others, "fail") + (not by_dose)
    against += issue.definitions_agreeing.of - issue.definitions_agreeing.agree
    return (_VERY_SURE, _SURE)[against] if against < 2 else _FAIRLY_SURE


def grounds(issue: Issue) -> tuple[Text, ...]:
    """Say what the grade rests on: checks passed, definitions that agree."""
    passed, failed = _count(issue.evidence, "pass"), _count(issue.evidence, "fail")
    failed += bool(issue.rivals)  # nothing tells it from them, which stands among the checks
    said: list[Text] = []
    if passed + failed:
        text = _CHECKS_PASSED if failed else _ALL_PASSED
        said.append(fill(text, passed=passed, asked=passed + failed))
    if issue.kind == "standing":
        said.append(_NO_CHANGE)
    elif issue.verdict == "cause" and not _passed(issue, "dose_response"):
        said.append(_NO_DOSE)
    agreeing = issue.definitions_agreeing
    if agreeing.of:
        said.append(fill(_HOLDS, agree=agreeing.agree, of=agreeing.of))
    return tuple(said)


def _passed(issue: Issue, check: str) -> bool:
    return any(e.check == check and e.outcome == "pass" for e in issue.evidence)


def _count(evidence: tuple[Evidence, ...], outcome: str) -> int:
    return sum(e.outcome == outcome for e in evidence)


def chance(p_value: float | None) -> Text | None:
    """Say a p-value of the search in words; None where there is none."""
    if p_value is None:
        return None
    if p_value <= SURE_P * 1.5:
        return _RARE
    if p_value > OFTEN_P:
        return _OFTEN
    return fill(_ONE_IN, n=round(1 / p_value))


def power(rise: float) -> Text:
    """Say how small a rise of the whole book, a risk ratio, would have been seen."""
    if rise > TWOFOLD:
        return fill(_POWER_IN_TIMES, times={"type": "number", "value": round(rise, 1)})
    return fill(_POWER, rise={"type": "percent", "value": rise - 1})


def effect(issue: Issue, mended: bool = False) -> Text | None:
    """Say how much likelier a departure is since the change, or by a step of the driver.

    Of what has passed or is `mended`: how much likelier one was. None without an effect, or of a
    step of something else.
    """
    found = issue.effect
    if found is None:
        return None
    digits = 2 if found.value < 1.2 else 1
    times = (_times(ratio, digits) for ratio in (found.value, found.low, found.high))
    said: dict[str, Any] = dict(zip(("times", "low", "high"), times, strict=True))
    step = _STEP.fullmatch(found.per)
    if _of_the_change(issue, float(step[1]) if step else None):
        over = mended or issue.until is not None
        return fill(_WHILE_IT_LASTED if over else _SINCE_THEN, **said)
    if step is None or step[2] != issue.driver:
        return None
    driver = {"type": "driver", "value": step[2]}
    more = _EFFECT_OF_LESS if issue.direction == "less" else _EFFECT_OF_MORE
    return fill(more, step=_two_figures(float(step[1])), driver=driver, **said)


def _times(ratio: float, digits: int) -> str | Text:
    """Write a ratio; intervals are cut at `MOST_TIMES`, beyond which only that much is known."""
    if ratio >= MOST_TIMES:
        return fill(_MORE_THAN, n=MOST_TIMES)
    return f"{ratio:.{digits}f}"


_STEP = re.compile(r"([\d.]+(?:e[+-]?\d+)?) (.+)")


def _of_the_change(issue: Issue, step: float | None) -> bool:
    """Say whether an effect is that of the whole change, not of a step of the driver."""
    if issue.kind == "unexplained" or issue.beyond is not None:
        return True
    if step is None or issue.driver_change is None:
        return False
    before, after = issue.driver_change
    return math.isclose(step, abs(after - before), rel_tol=0.02)


def _two_figures(value: float) -> float:
    return float(f"{value:.2g}")
