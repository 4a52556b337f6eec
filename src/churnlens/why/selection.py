"""Which changes explain the rise together, and which rise stays unexplained?

Step by step the best explanation is added: a driver's change, or a window of the departure scan
that no driver explains. Each pays for its own search: a driver for the number of recorded changes
and lags, a window for the number of segments and starts. A driver that moved in the right place
therefore wins over a window that merely fits the noise better, and a window wins over a driver that
overlaps it by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.panel.threads import over_chunks
from churnlens.when.change import date_of
from churnlens.which.baseline import Baseline
from churnlens.which.scan import Scan, Window, next_window, window_by_orders
from churnlens.which.segments import Attribute, members
from churnlens.which.since import log_evidence
from churnlens.why.candidates import CLEARLY, Candidate
from churnlens.why.model import Fit, Term, able_to_see, agreeing, fit, gain_of_orders
from churnlens.why.placebo import MOST_BEATEN, beaten, chance
from churnlens.why.precedence import only_answers, timing_of
from churnlens.why.widening import as_wide

Array = npt.NDArray[Any]

# Error rate over all recorded changes and lags; half of it for each explanation after the first,
# as every one that is taken is followed by another look.
DRIVER_ALPHA = 0.02
SCAN_ALPHA = 0.015  # error rate of each scan over all segments and starts, by counts and by orders
TESTS_A_MOVE = 6.0  # lags, lengths and shapes are alike: they count as so many independent tests
# Gain below which an explanation is dropped again once the others are in. A driver's change must
# reach it for the segment as a whole, not only by each client's own dose: what the firm does to a
# client because it is leaving follows the client, what it does to everyone shows in everyone.
KEEP = 2.0
SAME = 0.6  # overlap of dosed client-periods from which a window and a driver mean the same
NEAR_WINDOW = 6.0  # months between the two, the window's start being far less sharp
LATE = 5.0  # months before the end from which a rise rests on a silence that may yet end
MOST = 6
TOGETHER = 0.4  # overlap of clients and time from which two changes explain the same rise
NESTED = 0.9  # part of the smaller group in the larger from which it is one of its parts
NEAR = 4.0  # months between two moves that count as the same moment
MOSTLY_NEW = 0.5  # part of a second scope that must be other clients than the first
MOSTLY = 0.5  # part of a change's gain that another must share to explain the same rise


@dataclass(frozen=True)
class Explanation:
    """One part of the explanation: a driver's change or an unexplained window."""

    candidate: Candidate | None
    window: Window | None
    term: Term
    p_value: float
    gain: float  # what the whole loses without it
    lasting: Term | None = None

    @property
    def is_dated(self) -> bool:
        """Whether there was a time before it: not of a driver that costs clients all along."""
        return self.candidate is not None or self.window is not None

    @property
    def whole(self) -> Term:
        """The term for as long as its change goes on: what departures are attributed by."""
        return self.term if self.lasting is None else self.lasting


@dataclass(frozen=True)
class Explained:
    """The explanations taken, their joint fit, and the candidates left aside."""

    parts: tuple[Explanation, ...]
    fit: Fit
    left: tuple[Candidate, ...]


def driver_p(gain: float, moves: int) -> float:
    """Return the p-value of a gain after looking at so many moves (one-sided chi-square)."""
    single = 0.5 * float(special.chdtrc(1, 2 * max(gain, 0.0)))
    return min(1.0, single * max(moves, 1) * TESTS_A_MOVE)


def select(
    baseline: Baseline,
    candidates: tuple[Candidate, ...],
    scan: Scan,
    others: dict[str, Baseline],
) -> Explained:
    """Return what explains the departures together.

    `others` are the baselines under the other churn definitions: a rise that no driver explains and
    that few of them show is more likely a flaw in how silence or season is read.
    """
    parts: list[Explanation] = []
    for _ in range(MOST):
        now = fit(baseline, tuple(p.term for p in parts))
        part = _next(baseline, candidates, scan, others, parts, now)
        if part is None:
            break
        parts.append(part)
    parts = _pruned(baseline, parts)
    used = {id(p.candidate) for p in parts}
    final = fit(baseline, tuple(p.term for p in parts))
    return Explained(
        tuple(over_chunks(lambda p: _with_loss(baseline, parts, p, final), parts)),
        final,
        tuple(_beside(baseline, c, parts) for c in candidates if id(c) not in used),
    )


def _next(
    baseline: Baseline,
    candidates: tuple[Candidate, ...],
    scan: Scan,
    others: dict[str, Baseline],
    parts: list[Explanation],
    now: Fit,
) -> Explanation | None:
    taken = [p.candidate for p in parts if p.candidate is not None]
    terms = tuple(p.term for p in parts)
    gain, best, p = _sure_driver(baseline, candidates, taken, terms, now)
    counted = next_window(baseline, scan, explained_risk(baseline, now))
    window = _open_window(baseline, scan, others, taken, counted)
    # In the same place the driver is taken though the window may fit better: a window has the
    # freer choice of dates, and in a large book any difference is clear.
    if best is not None and window is not None and _same(baseline, best, window, scan.attributes):
        return Explanation(best, None, best.term, p, gain, best.lasting)
    # Orders are asked of the first explanation only: what was taken is sized by counts, and what
    # these are too timid for would show as a rise of its own. What rose apart from all others does
    # not do so because the whole book did.
    if not parts and (window is None or not window.segment):
        told = _open_window(baseline, scan, others, taken, window_by_orders(baseline, scan))
        window = told or window
    if best is not None and (
        window is None
        or _same(baseline, best, window, scan.attributes)
        or not _fits_better(baseline, scan, window, best, candidates, parts, now)
    ):
        return Explanation(best, None, best.term, p, gain, best.lasting)
    if window is None:
        return None
    window = _from_its_date(baseline, scan, window)
    term = _window_term(baseline, scan, window)
    return Explanation(None, window, term, window.p_value, window.gain)


def _from_its_date(baseline: Baseline, scan: Scan, window: Window) -> Window:
    """A rise that lasts, from the date on that its clients' orders give it (see `since`)."""
    inside = members(window.segment, scan.attributes, baseline.expected.shape)
    lasts = window.end is None
    evidence = log_evidence(baseline, inside, window.start) if lasts else None
    return window if evidence is None else replace(window, start=date_of(evidence)[0])


def _fits_better(
    baseline: Baseline,
    scan: Scan,
    window: Window,
    best: Candidate,
    candidates: tuple[Candidate, ...],
    parts: list[Explanation],
    now: Fit,
) -> bool:
    """Whether a window elsewhere explains clearly more than a driver, each having paid its search.

    By counts or, for a first explanation, by what clients ordered; there it need only explain more
    where the driver says nothing that it does not. Two causes may share a window.
    """
    taken = [p.candidate for p in parts if p.candidate is not None]
    terms = tuple(p.term for p in parts)
    search = float(np.log(max(len(candidates), 1) * TESTS_A_MOVE))
    rest = _by_gain(baseline, candidates, [*taken, best], (*terms, best.term), now)
    drivers = [(best,), *((best, second) for _, second in rest[:1])]

    def paid(own: tuple[Candidate, ...]) -> float:
        return sum(c.price + search for c in own)

    def by_counts(own: tuple[Candidate, ...]) -> float:
        return fit(baseline, (*terms, *(c.term for c in own))).gain - now.gain - paid(own)

    def by_orders(own: tuple[Candidate, ...]) -> float:
        return gain_of_orders(baseline, tuple(c.term for c in own)) - paid(own)

    if window.score > max(map(by_counts, drivers)) + CLEARLY:
        return True
    if parts:
        return False
    term = _window_term(baseline, scan, window)
    of_window = gain_of_orders(baseline, (term,))
    added = gain_of_orders(baseline, (term, best.term)) - of_window
    ahead = of_window - (window.gain - window.score) - max(map(by_orders, drivers))
    return ahead > (CLEARLY if added > KEEP else 0)


def _sure_driver(
    baseline: Baseline,
    candidates: tuple[Candidate, ...],
    taken: list[Candidate],
    terms: tuple[Term, ...],
    now: Fit,
) -> tuple[float, Candidate | None, float]:
    """The candidate that explains most of those beyond chance, with its gain and p-value.

    A change that clients drawn at random show as well is passed over: its p-value rests on a
    distribution that does not hold. So is one that answers leavers, each for itself, where the
    segment as a whole has no sure rise.
    """
    expected = baseline.expected * explained_risk(baseline, now)
    level = DRIVER_ALPHA / 2 ** len(terms)
    for gain, c in _by_gain(baseline, candidates, taken, terms, now):
        p = _chance_of(baseline, c, gain, terms, expected, len(candidates), level)
        if p > level or _an_answer(baseline, c, len(candidates)):
            continue
        share = beaten(baseline, c.inside, c.term.dose, expected)
        if share is None or share <= MOST_BEATEN:
            return gain, c, p
    return 0.0, None, 1.0


def _chance_of(
    baseline: Baseline,
    c: Candidate,
    gain: float,
    terms: tuple[Term, ...],
    expected: Array,
    moves: int,
    level: float,
) -> float:
    """The p-value of a candidate beside `terms`, so many changes having been looked at.

    It is worked out until it is `level` or below. Departures as they are counted say too little
    where many leave slowly, so what clients ordered is asked where they leave it open, for the
    segment as a whole. Both allow for more lags and lengths than are really apart; how often
    clients drawn at random rise as much does not. That one is asked of the first explanation only:
    what an explanation leaves over, where it does not fit to the last, lies in its own segment, and
    clients drawn at random are no match for it.
    """
    p = driver_p(gain, moves)
    if p > level:
        alike = (c.inside & c.term.dose.any(axis=0)).astype(np.float32)
        whole = (*terms, Term(c.term.name, alike, c.inside))
        told = gain_of_orders(baseline, whole) - gain_of_orders(baseline, terms)
        p = min(p, driver_p(told - c.price, moves))
    if p > level and not terms:
        by_draws = chance(baseline, c, expected, level / moves)
        p = p if by_draws is None else min(p, by_draws * moves)
    return p


def _an_answer(baseline: Baseline, c: Candidate, moves: int) -> bool:
    if driver_p(c.flat_gain, moves) <= DRIVER_ALPHA:
        return False
    return only_answers(c, timing_of(baseline, c))


def _by_gain(
    baseline: Baseline,
    candidates: tuple[Candidate, ...],
    taken: list[Candidate],
    terms: tuple[Term, ...],
    now: Fit,
) -> list[tuple[float, Candidate]]:
    """Gain over `now` of adding `terms` and each candidate beside them, the largest first."""
    may = [
        c
        for c in candidates
        if c.flat_gain > KEEP and not any(one_matter(baseline, c, other) for other in taken)
    ]
    fits = over_chunks(lambda c: fit(baseline, (*terms, c.term)), may)
    tried = [(f.gain - now.gain - c.price, c) for f, c in zip(fits, may, strict=True)]
    return _where_it_shows(sorted(tried, key=lambda x: -x[0]))


def _where_it_shows(tried: list[tuple[float, Candidate]]) -> list[tuple[float, Candidate]]:
    """Of one driver's changes, none of which clearly explains more, first what its clients show.

    Those who had an event are the same in the segment for which it became frequent and in the whole
    book; only the segment left more as a whole.
    """
    out: list[tuple[float, Candidate]] = []
    for gain, c in tried:
        above = (
            k
            for k, (more, other) in enumerate(out)
            if other.driver == c.driver
            and gain >= more - CLEARLY
            and c.flat_gain >= other.flat_gain + CLEARLY
        )
        out.insert(next(above, len(out)), (gain, c))
    return out


def _open_window(
    baseline: Baseline,
    scan: Scan,
    others: dict[str, Baseline],
    taken: list[Candidate],
    window: Window | None,
) -> Window | None:
    """A rise that the scan found, if it is sure, new, and seen by half of those that could see it.

    `others` are the other definitions of leaving. One that began in the last months rests on a
    silence that is not over: there two of them must see it, else it is one way of counting's own.
    """
    if window is None or window.p_value > SCAN_ALPHA:
        return None
    if any(_same(baseline, c, window, scan.attributes, within=True) for c in taken):
        return None  # what a driver's dose leaves over in its own segment is the same matter
    term = _window_term(baseline, scan, window)
    able = able_to_see(term, float(fit(baseline, (term,)).excess[0]), others)
    cal = baseline.panel.calendar
    late = window.start >= len(cal.starts) - cal.span(LATE)
    needed = max(len(able) / 2, min(2, len(others)) if late else 0)
    return window if agreeing(term, able) >= needed else None


def _window_term(baseline: Baseline, scan: Scan, window: Window) -> Term:
    inside = members(window.segment, scan.attributes, baseline.expected.shape)
    during = window.covers(inside.shape[1])
    return Term(f"window {window.start}", (inside & during).astype(np.float32), inside)


def one_matter(baseline: Baseline, a: Candidate, b: Candidate) -> bool:
    """Return whether two changes cannot be two causes: of one driver and clients, or both at once.

    Of two that moved for the same clients at the same moment, or `a` for a part of those of `b`,
    only one is taken; how the other stands to it is then looked at apart (see `rivals`).
    """
    if a.driver == b.driver and bool((a.inside & b.inside).any()):
        return not _another_scope(baseline, b, a)
    return together(baseline, a, b) or _part_of(baseline, a, b)


def _another_scope(baseline: Baseline, taken: Candidate, other: Candidate) -> bool:
    """Whether a driver moved once more, clearly at another time and mostly for other clients.

    Each change's dose is held against what its own clients had before it, so that clients in both
    scopes count for each change by what it added.
    """
    near = baseline.panel.calendar.span(NEAR)
    first, then = sorted((taken.move, other.move), key=lambda m: m.start)
    new = other.inside & ~taken.inside
    due = [float(baseline.expected[k].sum(dtype=np.float64)) for k in (new, other.inside)]
    return then.low - first.high > near and due[0] >= MOSTLY_NEW * due[1]


def together(baseline: Baseline, a: Candidate, b: Candidate) -> bool:
    """Return whether two drivers' changes explain the same rise.

    They do where they hit the same clients, and either at the same moment or so that most of what
    the one explains the other explains as well (an early bystander, after a long lag).
    """
    t = np.arange(baseline.expected.shape[1])
    late = t > max(a.move.start, b.move.start)
    if overlap(baseline, a.inside & late, b.inside & late) < TOGETHER:
        return False
    return at_once(baseline, a, b) or _competing(baseline, a, b)


def _part_of(baseline: Baseline, small: Candidate, large: Candidate) -> bool:
    """Whether one driver moved for a part of those for whom the other did, at the same moment."""
    late = np.arange(baseline.expected.shape[1]) > max(small.move.start, large.move.start)
    return at_once(baseline, small, large) and _mostly_in(
        baseline, small.inside & late, large.inside
    )


def _mostly_in(baseline: Baseline, small: Array, large: Array) -> bool:
    """Whether nearly all of some client-periods are among others, by expected departures."""
    whole = float(baseline.expected[small].sum(dtype=np.float64))
    return float(baseline.expected[small & large].sum(dtype=np.float64)) >= NESTED * whole


def at_once(baseline: Baseline, a: Candidate, b: Candidate) -> bool:
    """Return whether two drivers moved at the same moment."""
    return abs(a.move.start - b.move.start) <= baseline.panel.calendar.span(NEAR)


def _competing(baseline: Baseline, a: Candidate, b: Candidate) -> bool:
    """Whether two changes explain mostly the same departures."""
    alone = [fit(baseline, (c.term,)).gain for c in (a, b)]
    shared = sum(alone) - fit(baseline, (a.term, b.term)).gain
    return shared > MOSTLY * min(alone) > 0


def _beside(baseline: Baseline, left: Candidate, parts: list[Explanation]) -> Candidate:
    """A change left aside, read for all clients of one that was taken where it moved for them."""
    taken = (p.candidate for p in parts if p.candidate is not None)
    around = next(
        (t for t in taken if t.driver != left.driver and _part_of(baseline, left, t)), None
    )
    return left if around is None else as_wide(baseline, left, around)


def explained_risk(baseline: Baseline, fitted: Fit) -> Array:
    """Return the factor by which explanations raise what is expected, float32[n, T]."""
    risk = np.ones_like(baseline.expected)
    for term, excess in zip(fitted.terms, fitted.excess, strict=True):
        risk += np.float32(excess) * term.dose
    for term, level in zip(fitted.terms, fitted.levels, strict=True):
        risk *= np.where(term.inside, np.float32(np.exp(level)), np.float32(1))
    return risk


def _same(
    baseline: Baseline,
    candidate: Candidate,
    window: Window,
    attributes: tuple[Attribute, ...],
    *,
    within: bool = False,
) -> bool:
    """Whether a window is of the clients and, once both have begun, of the time of a change.

    `within`: or of some of these clients only.
    """
    if abs(window.start - candidate.start) > baseline.panel.calendar.span(NEAR_WINDOW):
        return False
    inside = members(window.segment, attributes, baseline.expected.shape)
    late = np.arange(inside.shape[1]) >= max(window.start, candidate.start)
    hit, now = candidate.inside & late, inside & late
    return overlap(baseline, hit, now) >= SAME or (within and _mostly_in(baseline, now, hit))


def in_place(
    baseline: Baseline, candidate: Candidate, window: Window, attributes: tuple[Attribute, ...]
) -> bool:
    """Return whether a window is of the rise that a change would explain: of many of its clients.

    When it began says nothing: it may have been before the change.
    """
    inside = members(window.segment, attributes, baseline.expected.shape)
    late = np.arange(inside.shape[1]) >= max(window.start, candidate.start)
    return overlap(baseline, candidate.inside & late, inside & late) >= TOGETHER


def overlap(baseline: Baseline, a: Array, b: Array) -> float:
    """Return the Jaccard overlap of two sets of client-periods, by expected departures."""
    both = float(baseline.expected[a & b].sum(dtype=np.float64))
    either = float(baseline.expected[a | b].sum(dtype=np.float64))
    return both / either if either > 0 else 0.0


def _pruned(baseline: Baseline, parts: list[Explanation]) -> list[Explanation]:
    """Drop, one by one, what the others have made superfluous."""
    while len(parts) > 1:
        whole = fit(baseline, tuple(p.term for p in parts)).gain
        losses = [
            whole - fit(baseline, tuple(q.term for q in parts if q is not p)).gain for p in parts
        ]
        weakest = int(np.argmin(losses))
        if losses[weakest] >= KEEP:
            break
        parts = [p for k, p in enumerate(parts) if k != weakest]
    return parts


def _with_loss(
    baseline: Baseline, parts: list[Explanation], part: Explanation, final: Fit
) -> Explanation:
    rest = tuple(p.term for p in parts if p is not part)
    return replace(part, gain=final.gain - fit(baseline, rest).gain)
