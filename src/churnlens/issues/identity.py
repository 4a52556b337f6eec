"""Which issue of this quarter is which of the last, and is it worse, the same or better.

An issue keeps its id while its driver and kind stay and its members overlap, also when the
segment's edge moves. A driver that was mapped anew counts as the same when its old name is no
longer recorded and segment, onset and kind stay. A rise that nothing explained and that a driver
explains now, or the other way round, is the same matter where members and onset agree. What is not
found again is gone, unless the data have become too thin, or lack the driver, so that it could not
be seen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from churnlens.results import Z95, Gone, Issue, Kind, PeriodPoint, Review, Segment

Status = Literal["new", "worse", "same", "better"]

LEAST_OVERLAP = 0.2  # Jaccard index of members; below this it is another segment
RENAMED_OVERLAP = 0.5  # and for a driver that was mapped anew
RENAMED_DAYS = 100  # by which the two onsets may differ then
EXPLAINED_DAYS = 200  # the same, where a driver's date stands for that of the departures
HALF_KNOWN = 0.5  # overlap credited where only one segment names an attribute
SEARCH = 3.5  # standard errors a rise must measure to stand out among all segments and dates
RECENT = 12  # periods in which the size of two books is compared
SLUG = 40


@dataclass(frozen=True)
class Sight:
    """What the new quarter's data can show of an issue of the last one.

    `drivers` are the drivers recorded now, None when not known. `overlap` gives the share of
    client-periods (0 to 1, intersection over union) that two segments have in common. `expected`
    gives the departures expected now in an old issue's segment since its onset.
    """

    drivers: frozenset[str] | None
    overlap: Callable[[Segment, Segment], float]
    expected: Callable[[Issue], float]


@dataclass(frozen=True)
class Matched:
    """The issues with kept ids and a status, the old issue of each (by new id), and the rest."""

    issues: tuple[Issue, ...]
    before: dict[str, Issue]
    gone: tuple[Gone, ...]


def issue_id(kind: Kind, driver: str | None, segment: Segment) -> str:
    """Return the id of a new issue: a readable part and a hash of driver, segment and kind."""
    scope = sorted((name, sorted(values)) for name, values in segment.items())
    digest = hashlib.sha256(repr((kind, driver, scope)).encode()).hexdigest()[:6]
    words = [driver or kind, *(value for _, values in scope for value in values)]
    slug = re.sub(r"[\W_]+", "-", " ".join(words).lower()).strip("-")
    return f"{slug[:SLUG].rstrip('-')}-{digest}"


def match(previous: Review | None, issues: Sequence[Issue], sight: Sight) -> Matched:
    """Give this quarter's issues their ids and statuses.

    Parameters
    ----------
    previous : Review or None
        The last review; without it every id is new and no status is given.
    issues : sequence of Issue
        This quarter's.
    sight : Sight
        What the data can show now; `sight_of_reviews` where only the reviews are at hand.

    Returns
    -------
    Matched
    """
    fresh = [replace(i, id=issue_id(i.kind, i.driver, i.segment)) for i in issues]
    if previous is None:
        return Matched(_apart(fresh), {}, ())
    pairs = _pair(previous.issues, fresh, sight)
    taken = {previous.issues[old].id for old in pairs.values()}
    kept, before = [], {}
    for number, issue in enumerate(fresh):
        old = previous.issues[pairs[number]] if number in pairs else None
        name = old.id if old else _free(issue.id, taken)
        taken.add(name)
        status = compare_sizes(old, issue, previous.as_of) if old else "new"
        kept.append(replace(issue, id=name, status=status))
        if old:
            before[name] = old
    left = [i for n, i in enumerate(previous.issues) if n not in pairs.values()]
    return Matched(tuple(kept), before, tuple(_farewell(issue, sight) for issue in left))


def unseen(previous: Review | None) -> tuple[Gone, ...]:
    """Say of every issue of the last review that too little is left in the data to see it."""
    issues = previous.issues if previous else ()
    return tuple(_gone(issue, "cannot_be_seen") for issue in issues)


def compare_sizes(old: Issue, new: Issue, until: str) -> Literal["worse", "same", "better"]:
    """Say whether an issue changed by more than chance since the last review.

    Where the new review has the segment's departures by period, the excess per client since
    `until` (ISO date) is set against the excess from the onset to it; otherwise the revenue lost a
    year, by both reviews.
    """
    z = _since(new, until)
    if z is None:
        z = _by_interval(old, new)
    if abs(z) < Z95:
        return "same"
    return "worse" if z > 0 else "better"


def sight_of_reviews(old: Review, new: Review) -> Sight:
    """Return what two reviews tell without the data: sizes of the books, drivers named."""
    growth = _recent(new.book.series) / max(_recent(old.book.series), 1e-9)
    known = bool(old.book.series) and bool(new.book.series)
    named = {i.driver for i in new.issues if i.driver} | {r.driver for r in new.ruled_out}
    return Sight(
        drivers=frozenset(named) if new.ruled_out else None,
        overlap=overlap_of_values,
        expected=lambda issue: issue.departures.expected * (growth if known else 1.0),
    )


def overlap_of_values(a: Segment, b: Segment) -> float:
    """Return how far two segments overlap by their values alone, from 0 to 1.

    The Jaccard index of the values of each attribute, multiplied; an attribute that only one of
    them names counts half, since the share of its other values is not known.
    """
    parts = [_jaccard(a.get(name), b.get(name)) for name in {*a, *b}]
    return float(np.prod(parts)) if parts else 1.0


def _jaccard(a: Iterable[str] | None, b: Iterable[str] | None) -> float:
    if a is None or b is None:
        return HALF_KNOWN
    left, right = set(a), set(b)
    return len(left & right) / max(len(left | right), 1)


def _pair(old: Sequence[Issue], new: Sequence[Issue], sight: Sight) -> dict[int, int]:
    """Return the old issue of each new one, the nearest pairs first: in members, then in date."""
    scores = sorted(
        (
            (-score, _days_apart(before, issue), n, o)
            for n, issue in enumerate(new)
            for o, before in enumerate(old)
            if (score := _likeness(before, issue, sight)) > 0
        ),
    )
    pairs: dict[int, int] = {}
    for _, _, n, o in scores:
        if n not in pairs and o not in pairs.values():
            pairs[n] = o
    return pairs


def _likeness(old: Issue, new: Issue, sight: Sight) -> float:
    """How alike two issues are: 0 for different ones, above 1 where the driver is the same."""
    overlap = sight.overlap(old.segment, new.segment)
    if overlap < LEAST_OVERLAP:
        return 0.0
    if (old.kind, old.driver) == (new.kind, new.driver):
        return 1 + overlap
    if {old.kind, new.kind} == {"shift", "unexplained"}:
        return overlap if _days_apart(old, new) <= EXPLAINED_DAYS else 0.0
    renamed = old.kind == new.kind and old.driver is not None and not _recorded(old, sight)
    alike = overlap >= RENAMED_OVERLAP and _days_apart(old, new) <= RENAMED_DAYS
    return overlap if renamed and alike else 0.0


def _recorded(issue: Issue, sight: Sight) -> bool:
    return sight.drivers is None or issue.driver is None or issue.driver in sight.drivers


def _days_apart(old: Issue, new: Issue) -> float:
    if old.onset is None or new.onset is None:
        return 0.0 if old.onset is new.onset else float("inf")
    return abs((_date(old.onset.date) - _date(new.onset.date)).days)


def _since(issue: Issue, until: str) -> float | None:
    """Change of the excess per client at risk since a date, in standard errors."""
    first = issue.onset.date if issue.onset else ""
    points = [p for p in issue.series if p.period >= first]
    early, late = [p for p in points if p.period <= until], [p for p in points if p.period > until]
    if not early or not late:
        return None
    (was, was_error), (now, now_error) = _excess(early), _excess(late)
    return float((now - was) / max(np.hypot(was_error, now_error), 1e-12))


def _excess(points: Sequence[PeriodPoint]) -> tuple[float, float]:
    observed = sum(p.observed for p in points)
    risk = max(sum(p.at_risk for p in points), 1)
    excess = observed - sum(p.expected for p in points)
    return excess / risk, float(np.sqrt(max(observed, 1))) / risk


def _by_interval(old: Issue, new: Issue) -> float:
    """Difference of the revenue lost a year, in standard errors of both."""
    a, b = old.revenue_per_year, new.revenue_per_year
    error = np.hypot(a.high - a.low, b.high - b.low) / (2 * Z95)
    return float((b.value - a.value) / max(error, 1e-12))


def _farewell(issue: Issue, sight: Sight) -> Gone:
    seen = issue.departures
    size = np.log(max(seen.observed, 1) / max(seen.expected, 1e-9))
    enough = size * np.sqrt(max(sight.expected(issue), 0.0)) >= SEARCH
    lost = not _recorded(issue, sight) or (issue.kind != "mix" and not enough)
    return _gone(issue, "cannot_be_seen" if lost else "gone")


def _gone(issue: Issue, reason: Literal["gone", "cannot_be_seen"]) -> Gone:
    return Gone(issue.id, issue.title, reason, issue.title_text, issue.clients)


def _apart(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """Number the ids that several issues would share: two rises of one group are two issues."""
    taken: set[str] = set()
    named = []
    for issue in issues:
        named.append(replace(issue, id=_free(issue.id, taken)))
        taken.add(named[-1].id)
    return tuple(named)


def _free(name: str, taken: set[str]) -> str:
    """Return the id, numbered when another issue already carries it."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _recent(series: Sequence[PeriodPoint]) -> float:
    return sum(point.expected for point in series[-RECENT:])


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
