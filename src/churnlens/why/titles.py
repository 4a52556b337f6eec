"""What is an issue called? Its verdict in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from churnlens.config import PeriodName
from churnlens.results import DateEstimate, Issue, RemedyResult, Segment, Text


def shift_title(
    driver: str,
    direction: str,
    segment: Segment,
    dates: tuple[DateEstimate, DateEstimate | None],
    period: PeriodName,
    verdict: str,
    rivals: tuple[str, ...],
    outlasted: bool = False,
    followed: str | None = None,
) -> Text:
    """Return the title of an issue whose driver changed.

    `driver` is as it is to be said, `dates` the first day of the first `period` of the change and,
    where they have passed, of the last of its departures; `rivals` are drivers that it cannot be
    told from. `outlasted`: the change has passed, and departures went on for longer than it did.
    `followed` is the first period of departures where they came well after the change.
    """
    onset, until = dates
    values: dict[str, Any] = {
        "date": {"type": period, "value": onset.date},
        "segment": {"type": "clients", "value": segment},
        "driver": {"type": "driver", "value": driver},
    }
    if verdict == "cannot_tell" and rivals:
        values["rival"] = {"type": "driver", "value": rivals[0]}
    if until is not None:
        values["end"] = {"type": period, "value": until.date}
    said = _of_the_time(until is not None, outlasted)
    if followed is not None and said is _TITLES and verdict == "cause":
        said, values["later"] = _TITLES_LATER, {"type": period, "value": followed}
    if verdict == "cannot_tell":
        return replace(said["rivals" if rivals else "cannot_tell"], values=values)
    return replace(said[direction], values=values)


def window_title(
    segment: Segment, onset: DateEstimate, until: DateEstimate | None, period: PeriodName
) -> Text:
    """Return the title of a rise that no driver explains; `until` is where it has passed."""
    values = {
        "date": {"type": period, "value": onset.date},
        "segment": {"type": "clients", "value": segment},
    }
    if until is None:
        return Text(
            "Since {date}, {segment} leave more often, and nothing on record explains it.", values
        )
    return Text(
        "From {date} to {end}, {segment} left more often than before and after, and nothing on "
        "record explains it; it has passed.",
        {**values, "end": {"type": period, "value": until.date}},
    )


def hedged(issue: Issue) -> Issue:
    """Return an unexplained rise that may be chance with a title that says so."""
    assert issue.title_text is not None
    title = Text(
        "Since {date}, {segment} may leave more often; nothing on record explains it.",
        issue.title_text.values,
    )
    if issue.until is not None:
        title = Text(
            "From {date} to {end}, {segment} may have left more often than before and after; "
            "nothing on record explains it, and it has passed.",
            issue.title_text.values,
        )
    return replace(issue, title=str(title), title_text=title)


def standing_title(segment: Segment, driver: str, direction: str) -> Text:
    """Return the title of a driver, as it is to be said, that costs clients all along."""
    values = {
        "segment": {"type": "clients", "value": segment},
        "driver": {"type": "driver", "value": driver},
    }
    if direction == "more":
        return Text("All along, {segment} leave more often the higher their {driver}.", values)
    return Text("All along, {segment} leave more often the lower their {driver}.", values)


def mix_title(segment: Segment) -> Text:
    """Return the title of a rise that the book's composition made."""
    return Text(
        "A larger part of the clients leaves because the book now holds more {segment}, who have "
        "always left more often; no group of clients leaves more than it did.",
        {"segment": {"type": "clients", "value": segment}},
    )


def as_mended(issue: Issue, remedies: Sequence[RemedyResult]) -> Issue:
    """Return an issue with its title in the past where a remedy has ended it; else as it is."""
    ended = [remedy for remedy in remedies if remedy.ended(issue)]
    dated = issue.onset is not None and issue.until is None
    if not ended or not dated or issue.hint or issue.title_text is None:
        return issue
    start = {"type": "month", "value": ended[-1].start_date}
    told = replace(_of_what_ended(issue), values={**issue.title_text.values, "start": start})
    return replace(issue, title=str(told), title_text=told)


def _of_what_ended(issue: Issue) -> Text:
    """Return the sentence on an issue that is over; of its driver only where that is the cause."""
    if issue.verdict != "cause" or issue.direction is None or issue.outlasted:
        return _ENDED
    assert issue.title_text is not None
    later = "later" in issue.title_text.values
    return (_ENDED_LATER if later else _ENDED_CAUSES)[issue.direction]


def _of_the_time(passed: bool, outlasted: bool) -> dict[str, Text]:
    if outlasted:
        return _TITLES_OVER if passed else _TITLES_OUTLASTED
    return _TITLES_PASSED if passed else _TITLES


_TITLES = {
    "rivals": Text(
        "Since {date}, {segment} leave more often; {driver} and {rival} changed, and the data "
        "cannot tell which of them is the cause."
    ),
    "cannot_tell": Text(
        "Since {date}, {segment} leave more often; {driver} changed then, but the data cannot "
        "tell whether it is the cause."
    ),
    "more": Text("Since {date}, {segment} leave more often: {driver} rose."),
    "less": Text("Since {date}, {segment} leave more often: {driver} fell."),
}
_TITLES_LATER = {
    "more": Text("Since {driver} rose in {date}, {segment} leave more often, from {later} on."),
    "less": Text("Since {driver} fell in {date}, {segment} leave more often, from {later} on."),
}
_TITLES_PASSED = {
    "rivals": Text(
        "From {date} to {end}, {segment} left more often; {driver} and {rival} were changed for "
        "that time, and the data cannot tell which of them was the cause."
    ),
    "cannot_tell": Text(
        "From {date} to {end}, {segment} left more often; {driver} was changed for that time, but "
        "the data cannot tell whether it was the cause."
    ),
    "more": Text("From {date} to {end}, {segment} left more often: {driver} rose for that time."),
    "less": Text("From {date} to {end}, {segment} left more often: {driver} fell for that time."),
}
_TITLES_OUTLASTED = {
    "rivals": Text(
        "Since {date}, {segment} leave more often; {driver} and {rival} were changed then for a "
        "time, and the data cannot tell which of them is the cause."
    ),
    "cannot_tell": Text(
        "Since {date}, {segment} leave more often; {driver} was changed then for a time, but the "
        "data cannot tell whether it is the cause."
    ),
    "more": Text(
        "Since {date}, {segment} leave more often: {driver} rose then for a time, and the effect "
        "has stayed."
    ),
    "less": Text(
        "Since {date}, {segment} leave more often: {driver} fell then for a time, and the effect "
        "has stayed."
    ),
}
_TITLES_OVER = {
    "rivals": Text(
        "From {date} to {end}, {segment} left more often; {driver} and {rival} were changed for a "
        "part of that time, and the data cannot tell which of them was the cause."
    ),
    "cannot_tell": Text(
        "From {date} to {end}, {segment} left more often; {driver} was changed for a part of that "
        "time, but the data cannot tell whether it was the cause."
    ),
    "more": Text(
        "From {date} to {end}, {segment} left more often: {driver} rose for a part of that time."
    ),
    "less": Text(
        "From {date} to {end}, {segment} left more often: {driver} fell for a part of that time."
    ),
}

_ENDED = Text(
    "From {date} on, {segment} left more often; since the remedy of {start} they no longer do."
)
_ENDED_CAUSES = {
    "more": Text(
        "From {date} on, {segment} left more often: {driver} had risen. Since the remedy of "
        "{start} they no longer do."
    ),
    "less": Text(
        "From {date} on, {segment} left more often: {driver} had fallen. Since the remedy of "
        "{start} they no longer do."
    ),
}
_ENDED_LATER = {
    "more": Text(
        "From {later} on, {segment} left more often: {driver} had risen in {date}. Since the "
        "remedy of {start} they no longer do."
    ),
    "less": Text(
        "From {later} on, {segment} left more often: {driver} had fallen in {date}. Since the "
        "remedy of {start} they no longer do."
    ),
}
