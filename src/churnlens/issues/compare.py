"""What became of each issue between two reviews, with the figures of both."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from churnlens.errors import ReviewError
from churnlens.issues.identity import Matched, match, sight_of_reviews
from churnlens.results import Estimate, Issue, Review, Text

Explanation = Literal["explained since", "no longer explained", "driver renamed"]
Fate = Literal["new", "worse", "same", "better", "gone", "cannot_be_seen"]

WORDS = {"cannot_be_seen": "can no longer be seen"}


@dataclass(frozen=True)
class Figures:
    """An issue's size in one review."""

    observed: int
    expected: float
    attributable: Estimate
    revenue_per_year: Estimate


@dataclass(frozen=True)
class Change:
    """One issue in both reviews; `more_than_chance` is None where it stands in one only."""

    id: str
    title: str
    status: Fate
    old: Figures | None
    new: Figures | None
    more_than_chance: bool | None
    explained: Explanation | None = None  # where the old review named another driver, or none


@dataclass(frozen=True)
class Comparison:
    """Two reviews side by side: the new one's issues in its order, then what is gone."""

    old_as_of: str
    new_as_of: str
    currency: str
    issues: tuple[Change, ...]
    warning: str | None = None  # what else may lie behind the differences


def require_comparable(old: Review, period: str, currency: str) -> None:
    """Refuse an earlier review whose figures are of another kind.

    Raises
    ------
    ReviewError
        When its period or its currency is another.
    """
    for what, then, now in (
        ("period", old.period, period),
        ("currency", old.currency, currency),
    ):
        if then != now:
            raise ReviewError(
                f"the earlier review, as of {old.as_of}, has the {what} {then}, and this one {now}:"
                f" their figures cannot be compared. Run the earlier quarter again with {now}."
            )


def redefined(old: Review, definition: str) -> Text | None:
    """Say that an earlier review has another definition of leaving than the one named; else None.

    Its issues are the same matters and can be found again, unlike figures of another currency.
    """
    then = old.departure_definition.name
    if then == definition:
        return None
    return Text(
        "The earlier review, as of {date}, has another definition of leaving ({then}, and this one "
        "{now}): what is new, gone, worse or better may come of that alone. Run the earlier "
        "quarter again with {now} to be sure.",
        {"date": {"type": "day", "value": old.as_of}, "then": then, "now": definition},
    )


def compare(old: Review, new: Review) -> Comparison:
    """Compare two reviews.

    Parameters
    ----------
    old, new : Review
        In time order. Issues are matched anew by driver, kind and members, so the two need not
        have been made with `--previous`. Another definition of leaving is warned of.

    Returns
    -------
    Comparison

    Raises
    ------
    ReviewError
        When the two have another period or currency, or do not stand in time order.
    """
    require_comparable(old, new.period, new.currency)
    if old.as_of > new.as_of:
        raise ReviewError(
            f"the first review is as of {old.as_of}, the second as of {new.as_of}: name the "
            "earlier one first."
        )
    matched = match(old, new.issues, sight_of_reviews(old, new))
    there = [_change(issue, matched) for issue in matched.issues]
    before = {issue.id: issue for issue in old.issues}
    gone = [
        Change(g.id, g.title, g.reason, _figures(before[g.id]), None, None) for g in matched.gone
    ]
    other = redefined(old, new.departure_definition.name)
    return Comparison(
        old.as_of, new.as_of, new.currency, (*there, *gone), None if other is None else str(other)
    )


def to_json(comparison: Comparison) -> str:
    """Return a comparison as JSON text."""
    return json.dumps(dataclasses.asdict(comparison), indent=2, ensure_ascii=False) + "\n"


def to_text(comparison: Comparison) -> str:
    """Return a comparison as a table for the terminal, one line an issue, under its warning."""
    warning = f"! {comparison.warning}\n" if comparison.warning else ""
    return warning + _table(comparison)


def _table(comparison: Comparison) -> str:
    if not comparison.issues:
        return f"No issues in {comparison.old_as_of} nor in {comparison.new_as_of}.\n"
    head = (
        "status",
        f"departures {comparison.old_as_of}",
        comparison.new_as_of,
        f"{comparison.currency} a year {comparison.old_as_of}",
        comparison.new_as_of,
        "issue",
    )
    rows = [head, *(_row(change) for change in comparison.issues)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "".join(_line(row, widths) for row in rows)


def _change(issue: Issue, matched: Matched) -> Change:
    old = matched.before.get(issue.id)
    return Change(
        id=issue.id,
        title=issue.title,
        status=issue.status or "new",
        old=_figures(old) if old else None,
        new=_figures(issue),
        more_than_chance=issue.status != "same" if old else None,
        explained=_explained(old, issue) if old else None,
    )


def _explained(old: Issue, new: Issue) -> Explanation | None:
    if old.driver == new.driver:
        return None
    if old.driver is None:
        return "explained since"
    return "no longer explained" if new.driver is None else "driver renamed"


def _figures(issue: Issue) -> Figures:
    seen = issue.departures
    return Figures(seen.observed, seen.expected, seen.attributable, issue.revenue_per_year)


def _row(change: Change) -> tuple[str, ...]:
    sides = (change.old, change.new)
    return (
        WORDS.get(change.status, change.status),
        *(f"{f.attributable.value:,.0f}" if f else "–" for f in sides),
        *(f"{f.revenue_per_year.value:,.0f}" if f else "–" for f in sides),
        change.title + (f" ({change.explained})" if change.explained else ""),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = row
    middle = [text.rjust(width) for text, width in zip(numbers, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *middle, last]).rstrip() + "\n"
