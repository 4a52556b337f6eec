"""Which recorded changes of drivers could explain a rise, and how well does each?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import Calendar
from churnlens.panel.threads import over_chunks
from churnlens.which.baseline import Baseline
from churnlens.which.segments import Attribute, members
from churnlens.why.dose import change_dose, lived_through
from churnlens.why.lead_lag import lead_lag
from churnlens.why.model import DOSES, Term, gains_alone, tally
from churnlens.why.moves import Move, find_moves, readable
from churnlens.why.narrowing import parts_that_mind

Array = npt.NDArray[Any]
LAGS = (0, 1, 2, 3, 4, 5, 7)  # months from the change to the first departures
# Months after a change at which those who mind begin to leave, on average, as it is thought
# beforehand: the later the less likely (exponential). Lags are weighted by it, the weights having
# mean 1, so that the error rate over all of them stays (Genovese, Roeder & Wasserman 2006).
USUAL_LAG = 2.0
CLEARLY = 3.0  # log-likelihood by which one reading is clearly better: odds of twenty to one
SHORTEST = 3  # months a rise goes on at least: who minds a short trouble leaves within a season
LENGTHS = (6, 12)  # months a rise goes on where it does not last
NEAR = 3  # months between two measures of a driver that show one change
# What an effect that outlasts a change that has passed is charged: it is taken only where it is
# clearly better than one that passes with its cause.
OUTLASTING = CLEARLY
# Months for which an event may be minded by those who had it; the second is longer than any book.
MEMORIES = (6, 120)
NONE_OR_ALL = np.array([0.0, 1.0])  # doses of a change that hits all alike
STAYED = 0.75  # of a change that is left after a remedy, from which it has not been mended
MOST_CLIENTS = 8_000  # clients read; a driver's change needs no more
Shape = Literal["dose", "flat"]


@dataclass(frozen=True)
class Candidate:
    """A driver's change with the way of reading it that explains departures best.

    `shape` tells whether departures follow each client's own dose or hit all members alike; `lag`
    is the number of periods from the change to the first departures, `lasts` how many periods they
    went on (those who mind most leave first, so a rise may ebb though its cause stays; what was
    done once may be minded for long); `gain` the log-likelihood gain on its own, less the `price`
    of what was assumed for it (a lag, a length, a part of those it hit). `flat_gain` and
    `dose_gain` are the best of either shape. `dose` is each client's own, `level` the same by how
    its level changed: they differ where departures follow a client's own events.
    """

    move: Move
    term: Term
    lasting: Term  # the same, going on for as long as the change itself did, or its effect
    shape: Shape
    lag: int
    lasts: int
    gain: float
    dose_gain: float
    flat_gain: float
    price: float
    dose: Array
    level: Array
    inside: Array

    @property
    def driver(self) -> str:
        """Name of the driver."""
        return self.move.exposure.driver

    @property
    def start(self) -> int:
        """First period in which departures may follow."""
        return self.move.start + self.lag


def find_candidates(
    baseline: Baseline,
    attributes: tuple[Attribute, ...],
    *,
    season: bool,
    remedied: Array | None = None,
) -> tuple[Candidate, ...]:
    """Return every driver's changes as candidate explanations, one a driver and segment.

    `remedied` (bool[n, T]) are client-periods that a remedy has reached: a change that was mended
    is dated and sized by what came before it, where that shows the change. A driver measured in
    several ways (how many, their value, a visit's level) gives one candidate a segment and start:
    the way in which it moved most clearly.
    """
    usable = readable(baseline)
    sample = _sample(usable)
    some = tuple(replace(a, codes=a.codes[sample]) for a in attributes)
    part = baseline.rows(sample)
    untouched = None if remedied is None or not remedied.any() else usable & ~remedied

    def moves(sides: list[Exposure], where: Array) -> list[Move]:
        found = over_chunks(
            lambda e: find_moves(e.rows(sample), part, where[sample], some, season), sides
        )
        return [
            replace(move, exposure=e) for e, own in zip(sides, found, strict=True) for move in own
        ]

    def read_for_those_who_mind(move: Move) -> Candidate:
        return _minded(candidate(move, baseline, attributes), baseline, attributes)

    def of_driver(driver: str) -> list[Candidate]:
        sides = [e for e in baseline.panel.exposures if e.driver == driver]
        plain = moves(sides, usable)
        if untouched is not None and not _goes_on(plain, attributes, usable, untouched):
            plain = moves(sides, untouched) or plain
        tails = [e for e in baseline.panel.sides if e.driver == driver]
        seen = [
            *plain,
            *_of_tails(moves(tails, usable), sides, baseline),
        ]
        return over_chunks(read_for_those_who_mind, _distinct(seen, baseline.panel.calendar))

    drivers = sorted({e.driver for e in baseline.panel.exposures})
    return tuple(c for found in over_chunks(of_driver, drivers) for c in found)


def _goes_on(
    moves: list[Move], attributes: tuple[Attribute, ...], usable: Array, untouched: Array
) -> bool:
    """Whether a driver's changes stayed as they were where a remedy had reached their clients.

    Then they are read from all client-periods: what a remedy of another matter left untouched may
    be so little that a change would be dated, and its clients be named, by chance.
    """
    return bool(moves) and not any(_mended(m, attributes, usable, untouched) for m in moves)


def _mended(move: Move, attributes: tuple[Attribute, ...], usable: Array, untouched: Array) -> bool:
    """Whether a change is over, or clearly smaller where a remedy had reached its clients."""
    if move.end is not None:
        return True
    values = move.exposure.values
    since = members(move.segment, attributes, values.shape) & usable & np.isfinite(values)
    since = since & (np.arange(values.shape[1]) >= move.high)
    before, after = values[since & untouched], values[since & ~untouched]
    if not before.size or not after.size:
        return False
    kept = (after.mean(dtype=np.float64) - move.before) * np.sign(move.shift)
    full = (before.mean(dtype=np.float64) - move.before) * np.sign(move.shift)
    return bool(kept < STAYED * full)


def _of_tails(moves: list[Move], plain: list[Exposure], baseline: Baseline) -> list[Move]:
    """Of the changes of a measure's far tail those that are not the leavers' or a drift's.

    A tail is a few clients, and they are the leavers where the firm reacts to them; a tail that
    grows for everyone is what any measure shows that drifts.
    """
    kept = [m for m in moves if m.segment]
    if not kept or any(lead_lag(baseline, e, (), 1).is_symptom for e in plain):
        return []
    return kept


def _sample(usable: Array) -> Array:
    """Clients that are read for drivers' changes: all, or an even sample where there are many."""
    there = np.flatnonzero(usable.any(axis=1))
    if len(there) <= MOST_CLIENTS:
        return there
    return np.asarray(there[np.linspace(0, len(there) - 1, MOST_CLIENTS).astype(int)])


def _distinct(moves: list[Move], cal: Calendar) -> list[Move]:
    """Of the moves of one driver, the clearest of each segment; the plain measure first."""
    kept: list[Move] = []
    for move in sorted(
        moves, key=lambda m: (m.exposure.measure not in ("mean", "count"), -m.score)
    ):
        if not any(_same_matter(move, other, cal.span(NEAR)) for other in kept):
            kept.append(move)
    return kept


def _same_matter(a: Move, b: Move, near: int) -> bool:
    """Whether two measures of a driver show one change; opposite ones are two (see `rivals`).

    So are those of other clients: what is sent to everybody may say much worse things to some.
    """
    return (
        a.exposure.measure != b.exposure.measure
        and a.segment == b.segment
        and a.direction == b.direction
        and a.low <= b.high + near
        and b.low <= a.high + near
    )


def _minded(whole: Candidate, baseline: Baseline, attributes: tuple[Attribute, ...]) -> Candidate:
    """Return a change for those who mind it, where some of those it hit clearly do not."""
    move = whole.move
    parts = parts_that_mind(baseline, whole.inside, move.segment, move.start, attributes)
    narrow = [
        candidate(replace(move, segment=p.segment), baseline, attributes, p.price) for p in parts
    ]
    best = max(narrow, key=lambda c: c.gain, default=whole)
    return best if best.gain > whole.gain + CLEARLY else whole


def candidate(
    move: Move, baseline: Baseline, attributes: tuple[Attribute, ...], price: float = 0.0
) -> Candidate:
    """Read a move in every shape, lag and length, and keep what explains departures best.

    `price` is what the search for its segment costs beside that for the move.
    """
    return read(move, baseline, members(move.segment, attributes, baseline.expected.shape), price)


def read(move: Move, baseline: Baseline, inside: Array, price: float = 0.0) -> Candidate:
    """Return `candidate` of a move whose clients are known, bool[n, T]."""
    shape = baseline.expected.shape
    flat = (inside & (np.arange(shape[1]) >= move.start)).astype(np.float32)
    level = change_dose(move, move.exposure.values, inside)
    by_dose, dose = _best_dose(baseline, move, level, inside)
    by_flat = _best(baseline, move, flat, inside)
    kind: Shape = "dose" if by_dose[0] >= by_flat[0] else "flat"
    gain, lag, lasts = by_dose if kind == "dose" else by_flat
    shaped = dose if kind == "dose" else flat
    term = Term(move.exposure.name, _during(shaped, move, lag, lasts), inside)
    whole = max(lasts, _own_length(move, baseline))
    lasting = replace(term, dose=_during(shaped, move, lag, whole))
    return Candidate(
        move=move,
        term=term,
        lasting=lasting,
        shape=kind,
        lag=lag,
        lasts=lasts,
        gain=gain - price,
        dose_gain=by_dose[0],
        flat_gain=by_flat[0],
        price=_price(baseline, move, lag, lasts) + price,
        dose=dose,
        level=level,
        inside=inside,
    )


def _best_dose(
    baseline: Baseline, move: Move, level: Array, inside: Array
) -> tuple[tuple[float, int, int], Array]:
    """The best gain by dose, and the dose: by the client's level or, of events, by its own."""
    gain, dose = _best(baseline, move, level, inside), level
    if move.exposure.source != "events" or move.direction == "less":
        return gain, dose
    for months in MEMORIES:
        memory = baseline.panel.calendar.span(months)
        own = lived_through(move, move.exposure.values, inside, memory)
        found, lag, lasts = _best(baseline, move, own, inside)
        found -= float(np.log1p(len(MEMORIES)))
        if found > gain[0]:
            gain, dose = (found, lag, lasts), own
    return gain, dose


def _best(baseline: Baseline, move: Move, dose: Array, inside: Array) -> tuple[float, int, int]:
    """Gain less the price of lag and length, and those two, that explain departures best.

    A rise must show against what was before it as well as against all the rest: a segment that left
    more from the first day and less of late did not begin to leave.
    """
    tried = _lags_and_lengths(baseline, move)
    windows = [_window(move, lag, lasts, dose.shape[1]) for lag, lasts in tried]
    seen, due = tally(baseline, dose, inside)
    against_rest, against_before = (
        gains_alone(_by_dose(seen, windows, after), _by_dose(due, windows, after), DOSES)
        for after in (True, False)
    )
    gains = np.minimum(against_rest, against_before)
    priced = [
        (float(gain) - _price(baseline, move, lag, lasts), lag, lasts)
        for gain, (lag, lasts) in zip(gains, tried, strict=True)
    ]
    return max(priced, key=lambda x: x[0])


def gains_as_whole(baseline: Baseline, move: Move, seen: Array, due: Array) -> Array:
    """Return what many groups of clients would gain, had a change hit each of them alike.

    Parameters
    ----------
    seen, due
        Departures observed and expected of each group by period, float[k, T].

    Returns
    -------
    Float[k]: the gain less their price in the lag and length that explain departures best, as
    `flat_gain` of a candidate.
    """
    tried = _lags_and_lengths(baseline, move)
    best = np.full(len(seen), -np.inf)
    for lag, lasts in tried:
        begin, end = _window(move, lag, lasts, seen.shape[1])
        within = [a[:, begin:end].sum(axis=1) for a in (seen, due)]
        rest = [a.sum(axis=1) - w for a, w in zip((seen, due), within, strict=True)]
        before = [a[:, :begin].sum(axis=1) for a in (seen, due)]
        gain = np.minimum(
            *(
                gains_alone(np.stack([o, within[0]], 1), np.stack([e, within[1]], 1), NONE_OR_ALL)
                for o, e in (rest, before)
            )
        )
        best = np.maximum(best, gain - _price(baseline, move, lag, lasts))
    return best


def _lags_and_lengths(baseline: Baseline, move: Move) -> list[tuple[int, int]]:
    """Every lag and length, in periods, in which a change is read."""
    cal = baseline.panel.calendar
    own, all_periods = _own_length(move, baseline), baseline.expected.shape[1]
    lengths = {own, all_periods, *(cal.span(m) for m in LENGTHS)}
    return [
        (lag, lasts)
        for lag in _lags(cal)
        for lasts in sorted(lengths, key=lambda n: (n != own, n))  # of two alike its own
    ]


def _lags(cal: Calendar) -> list[int]:
    """Every lag in which a change is read, in periods: quarters know fewer than months."""
    return sorted({cal.span(m) if m else 0 for m in LAGS})


def _by_dose(table: Array, windows: list[tuple[int, int]], after: bool) -> Array:
    """Sums by dose where only the periods of a window have any, [STEPS, T] to [windows, STEPS].

    Without `after`, periods past the window's end are left out.
    """
    running = np.concatenate([np.zeros((len(table), 1)), np.cumsum(table, axis=1)], axis=1)
    begin, end = np.array(windows).T
    within = (running[:, end] - running[:, begin]).T
    rest = table.sum() - within.sum(axis=1) if after else running[:, begin].sum(axis=0)
    within[:, 0] += rest
    return np.asarray(within)


def _own_length(move: Move, baseline: Baseline) -> int:
    """Periods of the change itself, in which departures go on once its lag is over."""
    if move.end is None:
        return int(baseline.expected.shape[1])
    return max(move.end - move.start, baseline.panel.calendar.span(SHORTEST))


def _window(move: Move, lag: int, lasts: int, periods: int) -> tuple[int, int]:
    """First period in which departures may follow, and one past the last."""
    begin = min(move.start + lag, periods)
    return begin, min(begin + lasts, periods)


def _during(dose: Array, move: Move, lag: int, lasts: int) -> Array:
    begin, end = _window(move, lag, lasts, dose.shape[1])
    t = np.arange(dose.shape[1])
    return np.where((t >= begin) & (t < end), dose, np.float32(0))


def _price(baseline: Baseline, move: Move, lag: int, lasts: int) -> float:
    """What a lag and a length cost in log-likelihood; the change's own length costs nothing."""
    outlasts = lasts > _own_length(move, baseline)
    return _lag_price(baseline.panel.calendar, lag) + (OUTLASTING if outlasts else 0.0)


def _lag_price(cal: Calendar, lag: int) -> float:
    """What a lag costs in log-likelihood: a short one is credited, a long one paid for."""
    usual = USUAL_LAG * cal.per_year / 12
    weights = np.exp(-np.array(_lags(cal)) / usual)
    return float(lag / usual + np.log(weights.mean()))
