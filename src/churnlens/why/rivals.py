"""Which of two drivers that moved together is it, or can nobody tell?

Drivers that moved in the same clients at the same time explain the same rise. What parts them is
the dose: if clients got different doses of each, departures follow the doses of the cause and not
those of the bystander. If the doses go together, one of them may be the way the other works
(complaints that rise because deliveries are late), or nothing in the records can part them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.results import Z95
from churnlens.which.baseline import Baseline
from churnlens.why.candidates import CLEARLY, Candidate
from churnlens.why.precedence import untimely
from churnlens.why.selection import KEEP, Explained, at_once, together
from churnlens.why.widening import part_had

Array = npt.NDArray[Any]

SAME_DOSE_P = 0.02  # doses correlated so surely are one dose measured twice
LIVED = 2  # periods since both began to change, before which a dose says nothing
FEWEST_DOSES = 10  # clients
# The like where one is an event that a measured trouble may bring about. It is to be expected then,
# and counts of rare events tell little: a stricter level would miss it more often than it errs.
CHANNEL_P = 0.1
AS_MUCH = 0.5  # part of a change from which clients had it, and below which they were spared

Relation = Literal["weaker", "stronger", "channel", "upstream", "inseparable"]


@dataclass(frozen=True)
class Rival:
    """How another driver's change stands to the one taken."""

    candidate: Candidate
    relation: Relation


def rivals(baseline: Baseline, taken: Candidate, explained: Explained) -> tuple[Rival, ...]:
    """Return how the changes that were left aside stand to one that was taken.

    `weaker`: it moved along but departures do not follow its dose; `stronger`: they follow its dose
    rather than the taken one's; `channel`: the way the taken one works; `upstream`: the taken one
    is its channel; `inseparable`: the records cannot part them.
    """
    return tuple(
        Rival(other, _standing_of(baseline, taken, other))
        for other in explained.left
        if (other.driver != taken.driver or _opposite(taken, other))
        and other.flat_gain >= KEEP
        and together(baseline, taken, other)
    )


def _opposite(a: Candidate, b: Candidate) -> bool:
    """Whether two ways to measure a driver moved in opposite directions: one kind for another."""
    return a.move.exposure.name != b.move.exposure.name and a.move.direction != b.move.direction


def _standing_of(baseline: Baseline, taken: Candidate, other: Candidate) -> Relation:
    """Relation of the other to the taken one.

    One that explains far less is weaker in any case; so is one that changed only after departures
    had risen, or long before: it explains what it could not bring about.
    """
    moved_together = at_once(baseline, taken, other)
    relation = _relation(baseline, taken, other) if moved_together else _by_date(taken, other)
    if relation not in ("inseparable", "stronger"):
        return relation
    far = other.gain < taken.gain - max(2 * CLEARLY, 0.5 * taken.gain)
    return "weaker" if far or untimely(baseline, other) else relation


def _by_date(taken: Candidate, other: Candidate) -> Relation:
    """Relation of two that moved one after the other: what each explains, its lag paid for."""
    if abs(taken.gain - other.gain) < CLEARLY:
        return "inseparable"
    return "weaker" if taken.gain > other.gain else "stronger"


def _relation(baseline: Baseline, taken: Candidate, other: Candidate) -> Relation:
    p = same_dose_p(baseline, taken, other)
    follows = _may_follow(baseline, other, taken)
    leads = _may_follow(baseline, taken, other)
    if p < CHANNEL_P and follows:
        return "channel"
    if p < CHANNEL_P and leads:
        return "upstream"
    if p < SAME_DOSE_P:
        return "inseparable"
    # An event tells better who minded than a measure tells who was hit; that it explains more does
    # not make it the source where it may be the way in which the measure works.
    more = (taken.dose_gain - taken.price) - (other.dose_gain - other.price)
    if more >= _needed(taken):
        return "inseparable" if leads else "weaker"
    if -more >= _needed(other):
        return "inseparable" if follows else "stronger"
    # Where doses tell nothing, who was hit may: of those for whom the other moved only some left.
    hit_others = taken.gain - other.gain >= CLEARLY and not leads
    return "weaker" if hit_others and other.price > taken.price else "inseparable"


def _needed(better: Candidate) -> float:
    """By how much a dose must explain more than another's to be the one departures follow.

    By more than it falls behind "all alike": of two doses that departures go against neither is it.
    """
    return max(CLEARLY, better.flat_gain - better.dose_gain)


def _may_follow(baseline: Baseline, event: Candidate, measure: Candidate) -> bool:
    """Whether an event that became more frequent may be what a measured trouble brings about."""
    return (
        event.move.exposure.source == "events"
        and event.move.direction == "more"
        and measure.move.exposure.source == "orders"
        and event.move.high >= measure.move.low
        and not _had_apart(baseline, event, measure)
        and not _had_apart(baseline, measure, event)
    )


def _had_apart(baseline: Baseline, one: Candidate, other: Candidate) -> bool:
    """Whether clients surely had the one change, and surely not the other: then neither makes it.

    What a measured trouble brings about comes where the trouble is, and only there.
    """
    hit, spared = (np.asarray(c.inside.any(axis=1)) for c in (one, other))
    clients, apart = hit & ~spared, ~(hit | spared)
    if not clients.any() or not apart.any():
        return False
    had, lacked = (part_had(baseline, c.move, clients, apart) for c in (one, other))
    return (
        had is not None
        and lacked is not None
        and had[0] - Z95 * had[1] > AS_MUCH
        and lacked[0] + Z95 * lacked[1] < AS_MUCH
    )


def same_dose_p(baseline: Baseline, a: Candidate, b: Candidate) -> float:
    """Return the one-sided p-value of doses going together among the clients that got both.

    Each client's doses are those it had while it was there, less what was usual then: after a
    departure an order has no measure, and a client without orders has no complaints. Doses are
    shrunk by how little is known of them, so a client counts for as much as it tells.
    """
    t = np.arange(a.level.shape[1])
    lived = t >= max(a.move.start, b.move.start) + LIVED
    both = a.inside & b.inside & (baseline.panel.active > 0.5) & lived
    rows = np.flatnonzero(both.any(axis=1))
    last = both.shape[1] - 1 - both[rows, ::-1].argmax(axis=1)
    x, y = (_unusual(c.level, both)[rows, last] for c in (a, b))
    known = (x != 0) & (y != 0)  # a client without records has the usual dose
    return pearson_p(x[known], y[known]) if known.sum() >= FEWEST_DOSES else 1.0


def _unusual(dose: Array, where: Array) -> Array:
    """Doses less the median of their period, 0 in periods in which nobody is."""
    usual = [np.median(d[w]) if w.any() else 0.0 for d, w in zip(dose.T, where.T, strict=True)]
    return np.asarray(np.where(where, dose - np.array(usual, np.float32), 0))


def pearson_p(x: Array, y: Array) -> float:
    """Return the p-value of a correlation above 0 (Student's t; Fisher 1915).

    Float[k] each, at least 3; NaN where either is constant. `scipy.stats` has the same, and takes
    as long to import as a small book takes to read.
    """
    x, y = x - x.mean(dtype=np.float64), y - y.mean(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1, 1)
        t = r * np.sqrt((len(x) - 2) / ((1 + r) * (1 - r)))
    return float(special.stdtr(len(x) - 2, -t))
