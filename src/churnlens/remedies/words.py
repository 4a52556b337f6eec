"""The sentences on a remedy, in words that a manager would use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from churnlens.remedies import rates
from churnlens.remedies.carried_out import Move
from churnlens.remedies.rates import Counts
from churnlens.remedies.reading import Reading
from churnlens.remedies.scope import Remedy
from churnlens.remedies.windows import Windows
from churnlens.results import Issue, TestPlan, Text

Verdict = Literal["worked", "did_not", "too_early", "cannot_tell"]

WORSE_THAN_USUAL = 1.2  # the run-up's rate over the base's, from which it is worth saying
MANY_NEWCOMERS = 0.3  # share of client-periods in the scope, from which it is worth saying
SPILLED = -2.58  # standard errors by which the clients outside fell at the same date

NOBODY = Text("Fewer than five clients lie in the scope of this remedy, so nothing is said of it.")
FEW = Text("So few clients left that nothing can be said of this remedy.")
NO_PAST = Text(
    "The data reach back less than nine months before the remedy began, so there is no level to"
    " measure it against."
)
ENDED = Text(
    "This remedy ended within a quarter of its beginning, before an effect could settle, so nothing"
    " is said of it."
)
TOO_FEW = Text(
    "Too few clients leave in the scope of this remedy: even the full effect would not stand out"
    " from chance within five years."
)


def no_such_issue(remedy: Remedy) -> Text:
    """Say that the issue it names is in neither review."""
    return Text(
        "It names the issue {id}, which is not among the issues of this review or the last one, so"
        " it is judged by departures alone.",
        {"id": remedy.issue_id},
    )


def no_such_attribute(name: str) -> Text:
    """Say that the scope hangs on an attribute by which clients are not told apart."""
    return Text(
        "Its scope is given by {attribute}, which is not used to tell clients apart, so nothing is"
        " said of it.",
        {"attribute": {"type": "driver", "value": name}},
    )


def answer(reading: Reading, plan: TestPlan) -> Text | None:
    """Say how what was measured stands beside what the test written beforehand asked for.

    That is the effect of full reach, also where the remedy was carried out in part only.
    """
    reached = reading.hazard_ratio
    if reached is None:
        return None
    names = ("reached", "high", "low")
    measured = zip(names, (reached.value, reached.low, reached.high), strict=True)
    return Text(
        "The test written beforehand asked for {asked} fewer departures. Measured so far, once the"
        " effect had set in: {reached} fewer; anything from {low} to {high} is possible.",
        {name: {"type": "percent", "value": 1 - ratio} for name, ratio in measured}
        | {"asked": {"type": "percent", "value": 1 - plan.risk_ratio_full_reach}},
    )


def worked(reading: Reading) -> Text:
    """Say that departures fell by more than chance: since the start, or once the effect was there.

    The verdict rests on the time after the effect had set in; all since the start may tell less.
    """
    if reading.avoided is None or reading.avoided.low <= 0:
        return Text(
            "{observed} clients left in its scope since it began; without it, it would have been"
            " about {without}. Once the effect had set in, the difference is more than chance.",
            _figures(reading),
        )
    return Text(
        "{observed} clients left in its scope since it began; without it, it would have been"
        " about {without}. The difference is more than chance.",
        _figures(reading),
    )


def did_not(reading: Reading) -> Text:
    """Say that the effect hoped for would have shown."""
    return Text(
        "{observed} clients left in its scope since it began; without it, it would have been"
        " about {without}. An effect of the size hoped for ({hoped} fewer departures) would have"
        " shown by now.",
        _figures(reading),
    )


def rose(reading: Reading) -> Text:
    """Say that clearly more left than without it, where no good effect could have been seen."""
    return Text(
        "{observed} clients left in its scope since it began; without it, it would have been"
        " about {without}: clearly more left, not fewer. Whether for it or for something else that"
        " came at the same time, the data cannot tell.",
        _figures(reading),
    )


def in_between(reading: Reading) -> Text:
    """Say that the interval holds both no effect and the one hoped for."""
    return Text(
        "{observed} clients left in its scope since it began; without it, it would have been"
        " about {without}. That fits a weak effect as well as none; another quarter will tell.",
        _figures(reading),
    )


def too_early(reading: Reading) -> Text:
    """Say from when the remedy can be judged."""
    return Text(
        "It can be judged from {date} on: only then would {hoped} fewer departures stand out from"
        " chance.",
        _figures(reading),
    )


def falling_before(reading: Reading) -> Text:
    """Say that the scope was getting better before the start."""
    return Text(
        "Departures in its scope were falling already before it began, so the {observed} since"
        " then, against about {without} expected, cannot be put down to it.",
        _figures(reading),
    )


def started_at_once(reading: Reading) -> Text:
    """Say that a short bad spell and a working remedy look alike here."""
    return Text(
        "Departures fell after it began, but it began so soon after they had risen that a bad spell"
        " which passed by itself would look the same. A record of what it was meant to change"
        " would decide it.",
        _figures(reading),
    )


def announced(issue: Issue, move: Move) -> Text:
    """Say that the driver did not move: announced, not carried out."""
    return Text(
        "Announced, but not carried out: {driver} has hardly changed in its scope since it began"
        " (from {before} to {after}).",
        _driver(issue, move),
    )


def fell_without_driver(reading: Reading, issue: Issue, move: Move) -> Text:
    """Say that departures fell although the driver stayed."""
    return Text(
        "Departures fell after it began, but {driver} has hardly changed in its scope (from"
        " {before} to {after}), so something else may have done it.",
        {**_figures(reading), **_driver(issue, move)},
    )


def notes(
    counts: Counts, windows: Windows, others: Sequence[Remedy], newcomers: float
) -> tuple[Text, ...]:
    """Return what a reader of the verdict should know about how it was reached.

    `newcomers` is the share of client-periods since the start that came in only after it.
    """
    found = [
        _compared_with(counts),
        _run_up(counts, windows),
        _spill_over(counts, windows),
        _composition(newcomers),
    ]
    found += [
        Text(
            "Another remedy, {action}, began in the same scope within the time compared; what each"
            " of them did cannot be told apart.",
            {"action": other.action},
        )
        for other in others
    ]
    return tuple(text for text in found if text is not None)


def _compared_with(counts: Counts) -> Text:
    if counts.outside_seen is None:
        return Text(
            "No comparable clients were left out of this remedy, so it is measured against the"
            " level before it. That assumes that nothing else changed at the same time."
        )
    return Text(
        "Measured against clients outside its scope over the same months. That assumes that both"
        " groups would have gone the same way without it."
    )


def _run_up(counts: Counts, windows: Windows) -> Text | None:
    if not windows.run_up.any():
        return None
    change = rates.change(counts.alone(), windows.base, windows.run_up)
    if change.log_ratio <= 0 or change.ratio < WORSE_THAN_USUAL:
        return None
    return Text(
        "The months just before the start were {times} times as bad as the time before them. Such"
        " a spell tends to pass by itself, so it is not counted as the level to beat.",
        {"times": round(change.ratio, 1)},
    )


def _spill_over(counts: Counts, windows: Windows) -> Text | None:
    if counts.outside_seen is None or not windows.after.any():
        return None
    if rates.change(counts.outside(), windows.base, windows.after).z > SPILLED:
        return None
    return Text(
        "Departures outside its scope fell at the same time. If the remedy reached those clients"
        " too, it did more than is shown here."
    )


def _composition(newcomers: float) -> Text | None:
    if newcomers < MANY_NEWCOMERS:
        return None
    return Text(
        "{share} of the clients in its scope since then came only after it began. How long each"
        " has been a client is allowed for, but they may be different clients.",
        {"share": {"type": "percent", "value": newcomers}},
    )


def _figures(reading: Reading) -> dict[str, object]:
    observed, avoided = round(reading.observed), reading.avoided
    figures: dict[str, object] = {
        "observed": observed,
        "without": observed + (round(avoided.value) if avoided else 0),
        "hoped": {"type": "percent", "value": 1 - reading.hoped},
    }
    if reading.readable is not None:
        figures["date"] = {"type": "date", "value": reading.readable.isoformat()}
    return figures


def _driver(issue: Issue, move: Move) -> dict[str, object]:
    return {
        "driver": {"type": "driver", "value": issue.driver},
        "before": {"type": "number", "value": move.before},
        "after": {"type": "number", "value": move.after},
    }
