"""Where clients leave more all along and a driver is higher: do those who get most of it leave?

That a segment leaves more and has more of a driver proves nothing, since segments differ in a
hundred ways. But it says where to look, at the price of one look instead of the hundreds of
segments that a search pays for (weights from independent information: Genovese, Roeder &
Wasserman 2006). What is tested is another thing: among the segment's own clients, alike in all
other attributes, do those with more of the driver leave sooner? The totals of a segment say
nothing of that.

Where a driver costs many clients, they leave soon after their first orders. So every onset after
the first order counts here, not only those of clients that were established by then, departures
are weighed under the segment's own life table, and a client that is too young to have a past
without its last months is read from its first records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.panel.exposures import Exposure
from churnlens.panel.onsets import OnsetLikelihood, posterior
from churnlens.which.baseline import Baseline
from churnlens.which.segments import Attribute, dense_sums, groups, members

Array = npt.NDArray[Any]

MOST_SEGMENTS = 3
CLEARLY_MORE = 3.0  # log-likelihood, the search paid for, by which a segment must leave more
STANDS_OUT = 0.5  # standard deviations between clients by which a driver must be higher there
CLEARLY_HIGHER = 5.0  # standard errors
LEAST_FOUND = 20.0  # departures of a segment
LEFT_OUT = 3  # months just before a period that are not read
FIRST_READ = 2  # months from the first order that are read of a client without an older past
ROUNDS = 5
ROUNDING = 1e-6  # of the largest level: what single precision cannot tell from none
DENIED = 1.645  # standard errors, one-sided 5 %, by which those with more of it leave later
PRIOR = 3.0  # pseudo-departures that hold a life table's factor near the baseline


@dataclass(frozen=True)
class Within:
    """A driver that is higher where more leave, and how it goes with who leaves there.

    `z` is above 0 where those with more (sign 1) or less (sign −1) of it leave sooner; `price` is
    the log of how many such tests there were. `level` and `known` are what was read of each client,
    float32[n, T] and bool[n, T].
    """

    exposure: Exposure
    segment: dict[str, tuple[str, ...]]
    sign: int
    z: float
    price: float
    level: Array
    known: Array

    @property
    def is_open(self) -> bool:
        """Whether the segment may leave more for the driver: its clients do not clearly deny it.

        That those with more of it leave no sooner does not clear it. Where all have about the same
        trouble, who has a little more of it says little.
        """
        return self.z > -DENIED

    @property
    def score(self) -> float:
        """Log-likelihood gain, the number of tests paid for."""
        return self.z * abs(self.z) / 2 - self.price


def look_within(
    baseline: Baseline,
    explained: Array,
    attributes: tuple[Attribute, ...],
    exposures: tuple[Exposure, ...],
    still: Mapping[str, Array],
) -> tuple[Within, ...]:
    """Test each driver within each segment that leaves more all along and in which it is higher.

    Parameters
    ----------
    explained
        Factor by which what is known already raises what is expected, float32[n, T].
    still
        By driver, the client-periods before it changed, which alone are read; bool[n, T].
    """
    lasting = tuple(a for a in attributes if a.codes.ndim == 1)
    pointed = [
        (segment, inside, exposure, sign)
        for segment, inside in worst_segments(baseline, explained, lasting)
        for exposure in exposures
        if (sign := _stands_out(baseline, exposure, inside)) != 0
    ]
    price = float(np.log(max(len(pointed), 1)))
    return tuple(
        _within(baseline, explained, lasting, p, still[p[2].driver], price) for p in pointed
    )


def worst_segments(
    baseline: Baseline, explained: Array, attributes: tuple[Attribute, ...]
) -> list[tuple[dict[str, tuple[str, ...]], Array]]:
    """Return segments that leave more all along than others as old, the worst first, and who is in.

    Each is found with those before it explained; bool[n] tells its members.
    """
    panel = baseline.panel
    found = panel.found.sum(axis=1, dtype=np.float64)
    age, ages = _ages(panel.active > 0)
    there = panel.active * explained
    table = np.bincount(age.ravel(), panel.found.ravel(), ages) / np.maximum(
        np.bincount(age.ravel(), there.ravel(), ages), 1e-9
    )
    due = (table[age] * there).sum(axis=1)
    looked = groups(attributes)[1:]
    out: list[tuple[dict[str, tuple[str, ...]], Array]] = []
    for _ in range(MOST_SEGMENTS):
        segment = _worst(looked, found, due)
        if segment is None:
            break
        inside = members(segment, attributes, panel.active.shape)[:, 0]
        out.append((segment, inside))
        due = np.where(inside, due * found[inside].sum() / due[inside].sum(), due)
    return out


def _worst(looked: tuple[Any, ...], found: Array, due: Array) -> dict[str, tuple[str, ...]] | None:
    best, which = CLEARLY_MORE, None
    for group in looked:
        o = group.add_up(dense_sums(group, found[:, None]))[:, 0].astype(np.float64)
        e = group.add_up(dense_sums(group, due[:, None]))[:, 0].astype(np.float64)
        total, all_due = found.sum(), due.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = o * np.log(o / e) + (total - o) * np.log((total - o) / (all_due - e))
        of_order = sum(g.segments for g in looked if g.order == group.order)
        gain = np.where((o >= LEAST_FOUND) & (o > e), gain, -np.inf) - np.log1p(of_order)
        s = int(np.nan_to_num(gain, nan=-np.inf).argmax())
        if gain[s] > best:
            best, which = float(gain[s]), group.segment(s)
    return which


def _ages(there: Array) -> tuple[Array, int]:
    """Periods since each spell could first be left, int[n, T], and one more than their most."""
    return (np.cumsum(there, axis=1) - 1).clip(0), there.shape[1]


def _stands_out(baseline: Baseline, exposure: Exposure, inside: Array) -> int:
    """1 where the segment's clients have more of the driver than others, −1 less, 0 neither."""
    panel = baseline.panel
    there = np.isfinite(exposure.values) & panel.own & panel.before_onset
    count = there.sum(axis=1)
    own = np.where(there, exposure.values, 0).sum(axis=1) / np.maximum(count, 1)
    a, b = own[inside & (count > 0)], own[~inside & (count > 0)]
    if min(len(a), len(b)) < LEAST_FOUND:
        return 0
    apart, scatter = a.mean() - b.mean(), np.sqrt((a.var() + b.var()) / 2)
    error = np.sqrt(a.var() / len(a) + b.var() / len(b))
    clear = abs(apart) >= max(STANDS_OUT * scatter, CLEARLY_HIGHER * error)
    return int(np.sign(apart)) if clear else 0


def early_level(baseline: Baseline, exposure: Exposure) -> tuple[Array, Array, Array]:
    """Return each client's mean level from its past, where it is known, and orders read a period.

    Read up to three months before a period, and of a client without so old a past its first two
    months, before the period in question; float32[n, T], bool[n, T], float32[n, T].
    """
    activity, cal = baseline.panel.activity, baseline.panel.calendar
    first, t = activity.first[:, None], np.arange(exposure.values.shape[1])
    there = np.isfinite(exposure.values) & (t >= first)
    # A period with three orders tells three times as much of a measure; of events all tell alike.
    weight = np.where(there, np.maximum(activity.orders, 1) if exposure.measure == "mean" else 1, 0)
    weight = weight.astype(np.float32)
    sums = cumulative(weight * np.where(there, exposure.values, 0))
    counts = cumulative(weight)
    young = np.minimum(first + cal.span(FIRST_READ), t)
    end = np.maximum(t - cal.span(LEFT_OUT), young).clip(0)
    rows = np.arange(len(first))[:, None]
    count = counts[rows, end]
    mean = np.where(count > 0, sums[rows, end] / np.maximum(count, 1e-9), 0)
    read = cumulative(activity.orders)[rows, end] / np.maximum(end - first, 1)
    return mean.astype(np.float32), count > 0, read.astype(np.float32)


def _within(
    baseline: Baseline,
    explained: Array,
    attributes: tuple[Attribute, ...],
    pointed: tuple[dict[str, tuple[str, ...]], Array, Exposure, int],
    still: Array,
    price: float,
) -> Within:
    """Score of "more of it, sooner gone" among a segment's clients."""
    segment, inside, exposure, sign = pointed
    rows = np.flatnonzero(inside)
    found, due, age = _weighed(baseline, explained, rows)
    level, known, read = early_level(baseline, exposure)
    known = known & still
    weight = np.where(known[rows], due, 0)
    alike = _alike(attributes, rows, age, read[rows], weight)
    apart, _ = among_alike(level[rows], weight, alike)
    pull = np.where(known[rows], apart * (found - due), 0).sum(axis=1, dtype=np.float64)
    # Each client's sum is one draw; what its periods share is not counted many times.
    spread = max(float(np.sqrt((pull**2).sum())), 1e-9)
    return Within(exposure, segment, sign, sign * float(pull.sum()) / spread, price, level, known)


def _weighed(baseline: Baseline, explained: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Departures found and due, and periods since each could first be left, of some spells.

    Under the baseline hazard times a factor by age of the segment's own (EM).
    """
    panel, likelihood = baseline.panel, baseline.panel.likelihood
    hazard = baseline.hazard[rows] * explained[rows]
    if likelihood is None:  # a definition that says yes or no
        found, due = panel.found[rows], hazard * panel.active[rows]
        age, ages = _ages(due > 0)
        return found, _in_line(found, due, age, ages)[age] * due, age
    log_ratio = likelihood.log_ratio[rows]
    part = OnsetLikelihood(log_ratio, log_ratio > -np.inf)
    age, ages = _ages(part.possible)
    factor = np.ones(ages)
    for _ in range(ROUNDS):
        now = posterior(part, (hazard * factor[age]).clip(0, 0.9))
        factor = _in_line(now.found, hazard * now.active, age, ages)
    return now.found, factor[age] * hazard * now.active, age


def _in_line(found: Array, due: Array, age: Array, ages: int) -> Array:
    """Factor by age that brings what is due in line with what was found."""
    seen = np.bincount(age.ravel(), found.ravel(), ages)
    return np.asarray((seen + PRIOR) / (np.bincount(age.ravel(), due.ravel(), ages) + PRIOR))


def _alike(
    attributes: tuple[Attribute, ...], rows: Array, age: Array, read: Array, weight: Array
) -> list[Array]:
    """Codes of what clients must be alike in: attributes, age, and how often they ordered."""
    edges = np.quantile(read[weight > 0], (0.2, 0.4, 0.6, 0.8)) if weight.any() else np.zeros(0)
    often = np.searchsorted(np.unique(edges), read)
    return [age, often, *(a.codes[rows][:, None] for a in attributes)]


def among_alike(level: Array, weight: Array, alike: list[Array]) -> tuple[Array, float]:
    """Return a level less what the codes alone give, in standard deviations up to 3; and that SD.

    Both are 0 where the codes give all of it: what is left is then the rounding of its numbers.
    `level` and `weight` are float[n, T]; `alike` are the codes of what clients must be alike in,
    int[n, T] each, or int[n, 1] of what a client keeps. By alternating projections.
    """
    rest, total = level.astype(np.float64), max(float(weight.sum(dtype=np.float64)), 1e-12)
    own = weight.sum(axis=1, dtype=np.float64)
    changing = [(c, _held(c, weight)) for c in alike if c.shape[1] > 1]
    kept = [(c[:, 0], _held(c[:, 0], own)) for c in alike if c.shape[1] == 1]
    for _ in range(3):
        for codes, held in changing:
            rest -= (np.bincount(codes.ravel(), (rest * weight).ravel()) / held)[codes]
        left, taken = np.einsum("ij,ij->i", rest, weight), np.zeros(len(rest))
        for codes, held in kept:  # sums by client are enough: it keeps its code in all periods
            taken += (np.bincount(codes, left - taken * own) / held)[codes]
        rest -= taken[:, None]
    deviation = float(np.sqrt(np.einsum("ij,ij,ij->", rest, rest, weight) / total))
    if deviation <= ROUNDING * float(np.abs(level).max(initial=0)):
        return np.zeros_like(rest), 0.0
    return (rest / deviation).clip(-3, 3), deviation


def _held(codes: Array, weight: Array) -> Array:
    return np.maximum(np.bincount(codes.ravel(), weight.ravel()), 1e-12)
