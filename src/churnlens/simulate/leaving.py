"""When each client begins to leave, with the causes and without them.

Not a logistic hazard on monthly dummies: in continuous time, each client has a gamma frailty for
the departures that happen anyway, and for every cause a store of dissatisfaction that fills with
its own exposure, may be forgotten, and makes it go when it crosses its own threshold. The same
thresholds serve the world without the cause (common random numbers), so that what a cause brought
about is known client by client.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from churnlens.simulate.clients import MONTH, YEAR, Bools, Floats, Ints
from churnlens.simulate.plan import Cause, Move, Plan

STEP = 7.0  # days between the points at which stores are worked out; crossings lie between
NEVER = np.inf


@dataclass(frozen=True)
class Leaving:
    """What becomes of every client (arrays over n clients, days from the start of the data)."""

    onset: Floats  # day ordering begins to fall; inf: stays
    without: Floats  # (causes + 1) × n: onset without cause c; the last row without any
    by: Ints  # index of the cause that brought the onset about; -1 none, -2 stays
    closed: Floats  # day of a given exit; inf: none
    keep: Floats  # share of volume kept; 0 for a whole departure, 1 for one who stays
    shrinks_basket: Bools  # partial leavers: smaller baskets instead of fewer orders
    fade: Floats  # days over which ordering falls
    returns: Floats  # day a lapsed client comes back; inf: never
    expected: Floats  # per cause: caused departures expected before chance
    rises: Floats  # per cause: day from which a step in the expected rate fits best
    expected_any: float
    remedy_ratio: float | None  # true risk ratio in the remedy's scope after its start

    @property
    def leaves(self) -> Bools:
        """Who leaves within the data."""
        return np.isfinite(self.onset)


def run(
    plan: Plan,
    rng: np.random.Generator,
    felt: list[Floats],
    untreated: Floats,
    first: Floats,
) -> Leaving:
    """Play the departures.

    Parameters
    ----------
    plan
        The world.
    rng
        Source of chance.
    felt
        For every cause the exposure as felt, clients × weeks.
    untreated
        The first cause's, had there been no remedy; the same where there is none.
    first
        Day of each client's first order in the data; nobody leaves before it. inf: none.
    """
    n = len(plan.clients)
    limit = np.minimum(_closed(plan, rng), plan.days)
    known = _known(plan, first)
    calm = _baseline(plan, known)
    times = [_crossing(calm, rng.exponential(1.0, n))]
    survived = [np.exp(-calm)]
    rises: list[float] = []
    ratio = None if plan.remedy is None else 1.0
    for place, (cause, exposure) in enumerate(zip(plan.causes, felt, strict=True)):
        alone = _store(cause, (exposure if place else untreated) * known)
        scale = _scale(plan, cause, alone, calm)
        fill = _store(cause, exposure * known) * scale
        rises.append(_rise(calm, fill, cause))
        times.append(_crossing(fill, rng.gamma(cause.shape, 1.0, n)))
        survived.append(_erlang(cause.shape, fill))
        if plan.remedy is not None and place == 0:
            there = np.array(times).min(0) > plan.remedy.day
            ratio = _remedy_ratio(plan, cause, there, limit, (calm, fill, alone * scale))
    later = np.maximum(np.array(times), first + 1)  # within a week, crossings lie on a line
    settled = _settle(plan, rng, later, limit)
    by_cause, by_any = _expected(plan, survived, limit)
    return replace(
        settled,
        expected=by_cause,
        expected_any=by_any,
        rises=np.array(rises),
        remedy_ratio=ratio,
    )


def _expected(plan: Plan, survived: list[Floats], limit: Floats) -> tuple[Floats, float]:
    """Caused departures expected before chance, by cause and together."""
    open_still = grid(plan)[None, 1:] < limit[:, None]
    open_still &= ~plan.clients.one_off[:, None]

    def leave(parts: list[Floats]) -> float:
        return float((-np.diff(np.prod(parts, axis=0), axis=1) * open_still).sum())

    everything = leave(survived)
    without = [leave(survived[: c + 1] + survived[c + 2 :]) for c in range(len(plan.causes))]
    return everything - np.array(without), everything - leave(survived[:1])


def _settle(
    plan: Plan,
    rng: np.random.Generator,
    times: Floats,
    limit: Floats,
) -> Leaving:
    """Earliest reason wins; the world without a cause leaves its times out."""
    n, causes = len(plan.clients), len(plan.causes)
    live = np.where(times < limit, times, NEVER)
    live[:, plan.clients.one_off] = NEVER
    onset = live.min(0)
    partial = rng.random(n) < plan.partial
    kept = np.where(partial, rng.uniform(0.15, 0.45, n), 0.0)
    fade = plan.fade * rng.uniform(0.5, 1.5, n)
    back = np.isfinite(onset) & (kept == 0) & (rng.random(n) < 0.05)
    return Leaving(
        onset=onset,
        without=np.array([np.delete(live, c + 1, 0).min(0) for c in range(causes)] + [live[0]]),
        by=np.where(np.isfinite(onset), live.argmin(0) - 1, -2),
        closed=np.where((limit < plan.days) & ~np.isfinite(onset), limit, NEVER),
        keep=np.where(np.isfinite(onset), kept, 1.0),
        shrinks_basket=rng.random(n) < plan.basket_share,
        fade=fade,
        returns=np.where(back, onset + fade + rng.uniform(6, 15, n) * MONTH, NEVER),
        expected=np.zeros(causes),
        expected_any=0.0,
        rises=np.zeros(causes),
        remedy_ratio=None,
    )


def grid(plan: Plan) -> Floats:
    """Days at which stores are worked out."""
    return np.arange(0.0, plan.days + STEP, STEP)


def felt(plan: Plan, cause: Cause, move: Move, rng: np.random.Generator) -> Floats:
    """Return exposure as felt, clients × weeks: by own dose, own sensitivity, and late."""
    clients, days = plan.clients, grid(plan)
    who = np.flatnonzero(move.dose > 0)
    late = cause.lag * rng.uniform(0.7, 1.3, len(who))
    when = days[None, :] - late[:, None]
    index = np.broadcast_to(who[:, None], when.shape)
    share = move.share(index, when) * clients.sensitivity[who, None]
    inside = np.zeros((len(clients), len(days)), dtype=np.float64)
    inside[who] = share * (days[None, :] >= clients.entry[who, None])
    return inside


def _store(cause: Cause, felt: Floats) -> Floats:
    """Fill the store week by week, forget at the half-life; the highest level so far counts."""
    if cause.half_life is None:
        return np.asarray(np.cumsum(felt, axis=1))
    stay = 0.5 ** (STEP / cause.half_life)
    level = np.zeros(felt.shape)
    for week in range(1, felt.shape[1]):
        level[:, week] = level[:, week - 1] * stay + felt[:, week]
    return np.asarray(np.maximum.accumulate(level, axis=1))


def _known(plan: Plan, first: Floats) -> Floats:
    """Share of each week, clients × weeks, after the client's first order in the data."""
    start = np.minimum(first, 2 * plan.days)[:, None]
    return np.asarray(np.clip((grid(plan)[None, :] - start) / STEP, 0.0, 1.0))


def _baseline(plan: Plan, known: Floats) -> Floats:
    """Cumulative baseline hazard, clients × weeks: frailty, tenure, the churn-prone group."""
    clients = plan.clients
    before = np.maximum(-clients.entry, 0.0)[:, None]
    settling = YEAR / 2
    extra = plan.new_client_factor - 1

    def total(tenure: Floats) -> Floats:
        return np.asarray(tenure + extra * settling * (1 - np.exp(-tenure / settling)))

    factor = clients.hazard / clients.hazard.mean()
    if plan.oddities.risky is not None:
        group, times = plan.oddities.risky
        factor = factor * np.where(clients.members(group), times, 1.0)
    turn = 2 * np.pi * grid(plan) / YEAR + clients.peak[0]
    calendar = 1 + plan.oddities.leaving_season * np.cos(turn)
    since = np.maximum(grid(plan)[None, :] - clients.entry[:, None], before)
    weekly = np.diff(total(since), axis=1, prepend=total(since[:, :1])) * calendar * known
    return np.asarray(factor[:, None] * np.cumsum(weekly, axis=1) * plan.baseline / YEAR)


def _rise(calm: Floats, fill: Floats, cause: Cause) -> float:
    """Day from which a step explains the expected departures of the scope best.

    The maximum of the expected Poisson log-likelihood ratio over start days: what a scan would
    find, were there no chance. Exposure that ramps up and stores that fill make it later than
    the first day on which the cause is felt.
    """
    inside = cause.move.dose > 0
    there = np.exp(-calm[inside]) * _erlang(cause.shape, fill[inside])
    usual = (there[:, :-1] * np.diff(calm[inside], axis=1)).sum(0)
    gone = there[:, :-1].sum(0) - there[:, 1:].sum(0)
    seen, expected = np.cumsum(gone[::-1])[::-1], np.cumsum(usual[::-1])[::-1]
    seen, expected = np.maximum(seen, expected), np.maximum(expected, 1e-9)
    ratio = seen * np.log(np.maximum(seen, 1e-9) / expected) - (seen - expected)
    return float(STEP * ratio.argmax())


def _crossing(level: Floats, threshold: Floats) -> Floats:
    """Day at which a rising level crosses a client's threshold; inf if it never does."""
    week = (level < threshold[:, None]).sum(1)
    crossed = week < level.shape[1]
    hit = np.clip(week, 1, level.shape[1] - 1)
    rows = np.arange(len(level))
    low, high = level[rows, hit - 1], level[rows, hit]
    part = (threshold - low) / np.maximum(high - low, 1e-12)
    return np.where(crossed, STEP * (hit - 1 + np.clip(part, 0, 1)), NEVER)


def _at(level: Floats, day: Floats) -> Floats:
    """Level at a day of each client's own, straight lines between weeks."""
    place = np.clip(day / STEP, 0, level.shape[1] - 1.000001)
    low = place.astype(int)
    rows = np.arange(len(level))
    part = place - low
    return np.asarray(level[rows, low] * (1 - part) + level[rows, low + 1] * part)


def _erlang(shape: int, level: Floats) -> Floats:
    """Chance that a Gamma(shape) threshold, shape whole, lies above a level."""
    term, total = np.ones_like(level), np.ones_like(level)
    for j in range(1, shape):
        term = term * level / j
        total = total + term
    return np.asarray(np.exp(-level) * total)


def _scale(plan: Plan, cause: Cause, store: Floats, calm: Floats) -> float:
    """Scale a store so that the scope loses, beyond the baseline, the share aimed at."""
    inside = cause.move.dose > 0
    if not inside.any() or cause.excess <= 0:
        return 0.0
    begin = 0.0 if cause.standing else min(cause.move.day + cause.lag, plan.days)
    years = (plan.days - begin) / YEAR
    aim = 1 - np.exp(-cause.excess * plan.baseline * years)
    last = store[inside, -1]
    ends = np.exp(-(calm[inside, -1]))
    starts = np.exp(-_at(calm, np.full(len(calm), begin)))[inside]
    weight = np.where(plan.clients.entry[inside] < begin + YEAR / 2, starts, ends)
    low, high = -12.0, 12.0
    for _ in range(60):
        middle = (low + high) / 2
        lost = np.average(1 - _erlang(cause.shape, last * np.exp(middle)), weights=weight)
        low, high = (middle, high) if lost < aim else (low, middle)
    return float(np.exp(low))


def _closed(plan: Plan, rng: np.random.Generator) -> Floats:
    """Draw exits that are given: one or two in a hundred clients a year, by chance."""
    rate = rng.uniform(0.008, 0.02) / YEAR
    day = (
        np.maximum(plan.clients.entry, 0) + 2 * MONTH + rng.exponential(1 / rate, len(plan.clients))
    )
    return np.where((day < plan.days) & ~plan.clients.one_off, day, NEVER)


def _remedy_ratio(
    plan: Plan,
    cause: Cause,
    there: Bools,
    limit: Floats,
    levels: tuple[Floats, Floats, Floats],
) -> float:
    """Return the true risk ratio: departures expected with the remedy over those without it.

    Taken over all of its scope from its start to the end of the data, those who came only later
    too; `levels` are the baseline and the store with and without the remedy.
    """
    if plan.remedy is None:
        return 1.0
    calm, treated, untreated = levels
    start = np.maximum(plan.remedy.day, plan.clients.entry)
    there = there & plan.clients.members(plan.remedy.scope) & (limit > start)
    quiet = np.exp(_at(calm, start) - _at(calm, limit))

    def lost(fill: Floats) -> float:
        at_start = np.maximum(_erlang(cause.shape, _at(fill, start)), 1e-12)
        stay = quiet * _erlang(cause.shape, _at(fill, limit)) / at_start
        return float((1 - stay)[there].sum())

    return lost(treated) / max(lost(untreated), 1e-12)
