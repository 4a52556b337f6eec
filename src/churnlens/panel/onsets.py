"""Since when has a client ordered less, if it has? The likelihood of every onset, for all at once.

A client orders at a steady rate of its own (gamma distributed over clients) until an onset; from
then on it fades over 0 to 6 months to a kept part of its orders, or keeps ordering smaller baskets.
For every client and period the likelihood of "the fall began here" over "nothing fell" is summed
over those courses, each weighted by how common it is in this book (empirical Bayes, EM). With a
prior hazard that gives the posterior of the onset: how probable it is that the client has begun to
leave in each period, given all it ordered. Silence that is too short to judge simply leaves the
posterior near the prior, so recent departures of slow clients are neither missed nor invented.
A client that orders less often but as much more each time (or in smaller parts, more often) has not
left in part; that is one more way of having stayed. So is ordering somewhat less than before.

It extends Pareto/NBD-like models (Schmittlein, Morrison & Colombo 1987), whose customers die at
once and for good, to fading and partial churn; one change point by likelihood ratio as in Hinkley
(1970). A course costs two matrix products whatever the number of clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.activity import Activity
from churnlens.panel.silence import allowance, curve, silent_exposure
from churnlens.panel.threads import over_chunks, over_rows, products_on_one_core

Array = npt.NDArray[Any]

FADES = (0.0, 1.0, 2.0, 4.0, 6.0)  # months from the first fall to the last
KEPT = (0.02, 0.2, 0.4)  # parts of the orders that a departing client keeps
BASKET_FADES, BASKET_KEPT = (0.0, 2.0, 5.0), (0.2, 0.4)
# Ordering otherwise but not less: so many times as often, with baskets that make up for it.
REARRANGED = (0.1, 0.18, 0.32, 0.57, 2.0)
# Ordering less but still more than half: part of the orders, or of their size, that is left. It
# lies between; without it a market that shrinks by a third looks like clients who left in part.
SOMEWHAT_LESS = (0.7,)
WAYS_OF_STAYING = len(REARRANGED) + 2 * len(SOMEWHAT_LESS)
LEAST_ORDERS = 3.0  # orders before anybody counts as a client who can leave
LEAST_MONTHS = 2  # from a client's first order: one purchase may be split over many orders
CHUNK = 1_000  # clients at a time, so that all their courses stay in the cache
LEARN = 4_000  # clients that the courses' shares are learned from
FIRST_HAZARD = 0.015


@dataclass(frozen=True)
class OnsetLikelihood:
    """`log_ratio[i, t]`: log-likelihood of an onset in t over that of none, float32[m, T].

    `possible` is bool[m, T]: the client is established and not yet closed, so a departure in t
    counts. A fall may have begun before, while nobody could know it for a client: `log_ratio` is
    given there too, so that such a fall is not taken for one that began later; −inf elsewhere.
    """

    log_ratio: Array
    possible: Array

    @cached_property
    def by_book(self) -> OnsetPosterior:
        """The posterior under the one hazard of the book: it is asked for twice."""
        return posterior(self, book_hazard(self))


@dataclass(frozen=True)
class OnsetPosterior:
    """`found[i, t]`: probability that i began to leave in t; `active[i, t]`: of not before t.

    Both float32[m, T], 0 where a departure is not possible. If departures happen at the prior
    hazard h, then found − h·active has mean zero in every period, whatever can be seen of it.
    """

    found: Array
    active: Array


def onset_likelihood(
    activity: Activity, begin: Array, end: Array, last_possible: Array
) -> OnsetLikelihood:
    """Return the likelihood of every onset of every spell.

    Parameters
    ----------
    activity
        m spells (rows) by T periods.
    begin, end
        First period of each spell and one past its last, int[m].
    last_possible
        One past the last period in which leaving is possible (a closing ends it), int[m].
    """
    t = np.arange(activity.orders.shape[1])
    conceivable = (t > begin[:, None]) & (t < last_possible[:, None])
    possible = np.zeros_like(conceivable)
    possible[:, 1:] = established(activity, begin)[:, :-1]
    possible &= conceivable
    conceivable &= possible.any(axis=1, keepdims=True)
    prior = _rate_prior(activity)
    months = 12 / activity.calendar.per_year
    learn = (
        np.unique(np.linspace(0, len(begin) - 1, LEARN).astype(int)) if len(begin) else np.arange(0)
    )
    fits = _course_fits(activity.rows(learn), begin[learn], end[learn], prior, months)
    share, hazard = _course_shares(fits, conceivable[learn])
    ratio = np.full(possible.shape, -np.inf, np.float32)

    def fill(low: int) -> None:
        rows = slice(low, low + CHUNK)
        fits = _course_fits(activity.rows(rows), begin[rows], end[rows], prior, months)
        log_ratio = _over_staying(fits, share, hazard, conceivable[rows])
        np.copyto(ratio[rows], log_ratio, where=conceivable[rows])

    over_chunks(fill, range(0, len(begin), CHUNK))
    return OnsetLikelihood(ratio, possible)


def established(activity: Activity, begin: Array) -> Array:
    """Whether a spell has made a client by the end of each period, bool[m, T]."""
    out = np.empty(activity.orders.shape, bool)

    def fill(rows: slice) -> None:
        out[rows] = _established(activity.rows(rows), begin[rows])

    over_rows(fill, len(begin))
    return out


def _established(activity: Activity, begin: Array) -> Array:
    t = np.arange(activity.orders.shape[1])
    orders = activity.orders * (t >= begin[:, None])
    later = t >= activity.first[:, None] + activity.calendar.span(LEAST_MONTHS)
    came_back = np.cumsum(orders * later, axis=1) > 0
    return np.asarray(came_back & (np.cumsum(orders, axis=1) >= LEAST_ORDERS))


def posterior(likelihood: OnsetLikelihood, hazard: Array | float) -> OnsetPosterior:
    """Return the onset's posterior under a prior hazard (per period, broadcastable to [m, T])."""
    shape = likelihood.possible.shape
    prior = np.broadcast_to(np.asarray(hazard, np.float32), shape)
    found, active = np.empty(shape, np.float32), np.empty(shape, np.float32)

    def fill(low: int) -> None:
        rows = slice(low, low + CHUNK)
        possible = likelihood.possible[rows]
        onset = _onset(likelihood.log_ratio[rows], prior[rows])
        gone = np.cumsum(onset, axis=1)
        found[rows] = onset * possible
        active[rows] = (1 - gone + onset).clip(0, 1) * possible

    over_chunks(fill, range(0, shape[0], CHUNK))
    return OnsetPosterior(found, active)


def _onset(log_ratio: Array, hazard: Array) -> Array:
    """Probability of an onset in each period, float32[m, T]."""
    h = np.where(log_ratio > -np.inf, hazard, 0).clip(0, 0.9).astype(np.float32)
    keep = np.log1p(-h)
    stay = np.cumsum(keep, axis=1)
    with np.errstate(divide="ignore"):
        joint = np.log(h, out=h)
    joint += log_ratio
    joint += stay
    joint -= keep
    top = np.maximum(joint.max(axis=1, keepdims=True), stay[:, -1:])
    joint -= top
    weight = np.exp(joint, out=joint)
    weight /= weight.sum(axis=1, keepdims=True) + np.exp(stay[:, -1:] - top)
    return np.asarray(weight)


@products_on_one_core()
def book_hazard(likelihood: OnsetLikelihood, rounds: int = 8) -> float:
    """Return the one hazard h per period that best explains the book (EM).

    With one hazard an onset in a client's k-th period has weight ratio · h(1 − h)^(k−1), and none
    at all (1 − h)^K, so a round needs three weighted sums over each client's row.
    """
    ratio, onsets, losses, top = _weighed_by_row(likelihood)
    t = np.arange(ratio.shape[1])
    conceivable = likelihood.log_ratio > -np.inf
    end = conceivable.argmax(axis=1) + np.count_nonzero(conceivable, axis=1)
    there = np.count_nonzero(likelihood.possible, axis=1)
    highest = min(0.9, -np.expm1(-80 / max(len(t), 1)))  # powers of its rest stay above 0
    hazard = FIRST_HAZARD
    for _ in range(rounds):
        stay = np.log1p(-hazard)
        # (1 − h)^t for (1 − h)^(k − 1), as if all were there from the start: a row's factor cancels
        weight = (hazard * np.exp(stay * t)).astype(np.float32)
        whole, onset, lost = (a @ weight for a in (ratio, onsets, losses))
        whole = whole + np.exp(stay * end - top)
        active = float((there - lost / whole).sum())
        hazard = float((onset / whole).sum()) / active if active > 0 else hazard
        hazard = min(hazard, highest)
    return hazard


def _weighed_by_row(likelihood: OnsetLikelihood) -> tuple[Array, Array, Array, Array]:
    """Likelihoods of every onset, of those that count, and the periods that each loses after it.

    Over the largest of the row, or of staying: its log comes last.
    """
    ratio, onsets, losses = (np.empty(likelihood.possible.shape, np.float32) for _ in range(3))
    top = np.empty(len(ratio), np.float32)
    later = np.tri(likelihood.possible.shape[1], k=-1, dtype=np.float32)

    def fill(rows: slice) -> None:
        log_ratio, counted = likelihood.log_ratio[rows], likelihood.possible[rows]
        top[rows] = np.maximum(log_ratio.max(axis=1, initial=-np.inf), 0)
        np.exp(log_ratio - top[rows, None], out=ratio[rows])
        np.multiply(ratio[rows], counted, out=onsets[rows])
        np.multiply(ratio[rows], counted.astype(np.float32) @ later, out=losses[rows])

    over_rows(fill, len(ratio))
    return ratio, onsets, losses, top


def _rate_prior(activity: Activity) -> tuple[float, float]:
    """Gamma shape and rate of the order rates between clients, by moments."""
    t = np.arange(activity.orders.shape[1])
    alive = (t <= activity.last[:, None]) * activity.exposure
    length = np.maximum(alive.sum(axis=1), 1)
    rate = (activity.orders.sum(axis=1) - 0.5) / length
    known = activity.days >= LEAST_ORDERS
    if known.sum() < 10:
        return 1.0, 1.0
    mean, spread = rate[known].mean(), rate[known].var() - (rate[known] / length[known]).mean()
    shape = float(np.clip(mean**2 / max(spread, 0.05 * mean**2), 0.3, 20))
    return shape, shape / float(mean)


def _course_fits(
    activity: Activity, begin: Array, end: Array, prior: tuple[float, float], months: float
) -> Array:
    """Log-likelihood of every course and onset over a steady rate, float32[courses, m, T].

    Courses of leaving first, then those of a client that stays and orders otherwise.
    """
    t = np.arange(activity.orders.shape[1])
    live = ((t >= begin[:, None]) & (t < end[:, None])).astype(np.float32)
    rows = np.arange(len(begin))
    orders, exposure = activity.orders * live, activity.exposure * live
    orders[rows, begin] -= 1  # the order that made it a client says nothing of its rate
    exposure[rows, begin] *= 0.5
    silent = silent_exposure(activity.orders * live, exposure)
    by_orders = _fits(
        orders,
        exposure,
        activity.order_scatter,
        prior,
        [(f / months, k) for f in FADES for k in KEPT],
        silent,
    )
    basket_scatter = np.maximum(activity.volume_scatter - activity.order_scatter, 0.05)
    volume, baskets = activity.volume * live, activity.orders * live
    fading = [(f / months, k) for f in BASKET_FADES for k in BASKET_KEPT]
    making_up = [(0.0, 1 / k) for k in REARRANGED]
    less = [(0.0, k) for k in SOMEWHAT_LESS]
    by_basket = _fits(volume, baskets, basket_scatter, (2.0, 2.0), fading + making_up + less)
    rarer = [(0.0, k) for k in REARRANGED]
    often = _fits(orders, exposure, activity.order_scatter, prior, rarer + less, silent)
    leaving, smaller = np.split(by_basket, [len(fading)])
    otherwise = often[: len(rarer)] + smaller[: len(rarer)]
    somewhat = (often[len(rarer) :], smaller[len(rarer) :])
    return np.concatenate([by_orders, leaving, otherwise, *somewhat])


def _fits(
    x: Array,
    e: Array,
    scatter: Array,
    prior: tuple[float, float],
    courses: list[tuple[float, float]],
    silent: Array | None = None,
) -> Array:
    """Gamma–Poisson marginal likelihood of counts x with exposure e, the rate integrated out.

    `silent` is the exposure since the last order, of whose silence counts alone make too much.
    """
    a, b = prior
    scatter = scatter[:, None]
    x, e = x / scatter, e / scatter
    shape_after = a + x.sum(axis=1, keepdims=True)
    total = b + e.sum(axis=1, keepdims=True)
    steady = shape_after * np.log(total)
    if silent is not None:
        silent = silent / scatter
        power, reach = curve(scatter)
        steady -= allowance(shape_after * silent.sum(axis=1, keepdims=True) / total, scatter)
    out = np.empty((len(courses), *x.shape), np.float32)
    for fit, (fade, kept) in zip(out, courses, strict=True):
        course = course_shape(x.shape[1], fade, kept)
        np.matmul(e, course, out=fit)
        fit += b
        if silent is not None:
            due = silent @ course
            due *= shape_after
            due /= fit
            due *= reach
            due = np.log1p(due, out=due)
            due *= power
        np.log(fit, out=fit)
        fit *= -shape_after
        fit += x @ np.log(course)
        fit += steady
        if silent is not None:
            fit += due
    return out


@cache
def course_shape(periods: int, fade: float, kept: float) -> Array:
    """Relative rate in period i (rows) when the fall starts in the middle of period t (columns)."""
    since = np.arange(periods)[:, None] - np.arange(periods)[None, :]
    gone = np.clip(since / fade, 0, 1) if fade else (since > 0).astype(float)
    gone[since == 0] = min(0.5, 0.125 / fade) if fade else 0.5
    return np.asarray(1 - (1 - kept) * np.where(since < 0, 0.0, gone), dtype=np.float32)


def _over_staying(fits: Array, share: Array, hazard: float, conceivable: Array) -> Array:
    """Log-likelihood of an onset in each period over that of staying, float32[m, T].

    Who stays orders steadily, or began to order otherwise or somewhat less in some period: the
    chances of these add up to one.
    """
    leaving = len(fits) - WAYS_OF_STAYING
    onset = _log_mixture(fits[:leaving], share[:leaving] / share[:leaving].sum())
    otherwise = _log_mixture(fits[leaving:], hazard * share[leaving:])
    past = np.cumsum(conceivable, axis=1)
    goes_on = np.log1p(-hazard * share[leaving:].sum())
    begun = np.where(conceivable, otherwise + goes_on * (past - 1), -np.inf)
    steady = goes_on * past[:, -1:]
    stayed = np.logaddexp(np.logaddexp.reduce(begun, axis=1, keepdims=True), steady)
    return np.asarray(onset - stayed, dtype=np.float32)


def _course_shares(fits: Array, possible: Array) -> tuple[Array, float]:
    """How common each course is, float[courses], and how common any is a period (EM)."""
    top = np.maximum(np.where(possible, fits, -np.inf).max(axis=(0, 2)), 0)
    likelihood = np.exp(np.minimum(fits - top[None, :, None], 0)) * possible
    share, hazard = np.full(len(fits), 1 / len(fits)), FIRST_HAZARD
    for _ in range(15):
        stay = np.cumprod(1 - hazard * possible, axis=1)
        prior = stay * hazard / (1 - hazard) * possible
        by_course = share[:, None] * np.einsum("knt,nt->kn", likelihood, prior)
        total = by_course.sum(axis=0) + stay[:, -1] * np.exp(-top)
        member = by_course / np.maximum(total, 1e-30)
        share = (member.sum(axis=1) + 1) / (member.sum() + len(fits))
        hazard = float(np.clip(member.sum() / max(possible.sum() * 0.8, 1), 1e-4, 0.2))
    return np.asarray(share), hazard


def _log_mixture(fits: Array, share: Array) -> Array:
    top = fits.max(axis=0)
    total = np.zeros_like(top)
    for fit, part in zip(fits, share.astype(np.float32), strict=True):
        total += part * np.exp(fit - top)
    return np.asarray(np.log(total) + top)
