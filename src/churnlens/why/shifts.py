"""In which segment did a driver shift most clearly?

Each client's mean from a period on less its mean otherwise, summed over every segment: the whole
book, values, unions of values, pairs of attributes. The likelihood gain of a segment is that of one
common shift among its clients (a client is the unit, so what its own periods share does not count
twice), less the price of the segment's complexity. What is found is then narrowed: no segment
stands where a part of it moved and the rest did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.panel.periods import Calendar
from churnlens.which.segments import (
    Attribute,
    Cells,
    Group,
    collapse,
    dense_sums,
    groups,
    has_many,
    named,
    sets_of_size,
    value_sets,
)

Array = npt.NDArray[Any]

LEAST_T = 5.0  # t statistic of a shift against the differences between the segment's clients
REST_T = 3.0  # the same of the rest around it, where only one such test is made
FARTHEST = 3.0  # standard deviations at which a client's own difference is cut for that
LEAST_CLIENTS = 10
BEFORE = 4  # months of data needed before a change
# Months for which a change that passes is looked for; one of another length shows in the nearest,
# a pulse of one or two months too, as it counts only where it is huge.
LENGTHS = (3, 6, 12)
SHORTEST = 3  # months a change that passes must last, and data needed after it
ENOUGH = 2_000  # clients that the noise between clients is read from
CLEARLY = 3.0  # log-likelihood by which a part must beat the segment it is a part of
RARE = 0.15  # part of the records that differ, up to which noise is that of counts: no median


@dataclass(frozen=True)
class Search:
    """What is looked at: cells of clients alike in all attributes, groups, prices by order.

    `rare`: of most clients the driver is the same throughout.
    """

    cells: Cells
    groups: tuple[Group, ...]
    prices: dict[int, float]
    cal: Calendar
    rare: bool = False


@dataclass(frozen=True)
class Shift:
    """A segment that shifted, and the sums of each cell at its clearest start, [cells, 5].

    The sums are of weight, pull, clients, and of clients' differences and their squares in units of
    the noise, each cut; `noise` is the variance at that start.
    """

    score: float
    segment: dict[str, tuple[str, ...]]
    sides: list[tuple[Attribute, Array]]
    sums: Array
    noise: float


def search_of(
    attributes: tuple[Attribute, ...], clients: int, cal: Calendar, *, rare: bool = False
) -> Search:
    """Return the search through all segments of the attributes."""
    cells = collapse(attributes, clients)
    looked = groups(cells.attributes)
    prices = {k: np.log1p(sum(g.segments for g in looked if g.order == k)) for k in (1, 2)}
    return Search(cells, looked, {**prices, 0: 0.0}, cal, rare)


def strongest(values: Array, look: Search) -> Shift | None:
    """Return the clearest shift, to the end of the data or for a time, cut to where it is."""
    cal, periods = look.cal, values.shape[1]
    first, edge = cal.span(BEFORE), cal.span(SHORTEST)
    fitting = [k for k in (cal.span(m) for m in LENGTHS) if first + k + edge <= periods]
    running = _running(values)
    found = [_shifted(_contrasts(*running), look, slice(first, periods - 1), 0.0)]
    for lasts in fitting:
        where = slice(first, periods - lasts - edge + 1)
        # Every length is one more search, and an end one more date to choose.
        price = float(np.log(len(fitting) * periods))
        found.append(_shifted(_contrasts(*running, lasts), look, where, price))
    best = max((f for f in found if f is not None), key=lambda f: f.score, default=None)
    return None if best is None else _narrowed(_widened(best, look), look)


def contrasts(values: Array, lasts: int | None = None) -> tuple[Array, Array]:
    """Return each client's mean from a period on less its mean otherwise, and its weight, [n, T].

    `lasts` is how many periods a change goes on before it has passed; None: to the end of the data.
    The weight is n₀n₁/(n₀+n₁) of the periods recorded without and with it: the precision of the
    difference for noise that is alike in all periods. 0 where either side is missing.
    """
    return _contrasts(*_running(values), lasts)


def _running(values: Array) -> tuple[Array, Array]:
    """Running sums of each client's records, and of their number, [n, T + 1]."""
    there = np.isfinite(values)
    return cumulative(np.where(there, values, 0)), cumulative(there.astype(np.float32))


def _contrasts(sums: Array, counts: Array, lasts: int | None = None) -> tuple[Array, Array]:
    periods = sums.shape[1] - 1
    until = np.arange(periods) + (periods if lasts is None else lasts)
    until = np.minimum(until, periods)
    s1, n1 = sums[:, until] - sums[:, :-1], counts[:, until] - counts[:, :-1]
    s0, n0 = sums[:, -1:] - s1, counts[:, -1:] - n1
    both = (n0 > 0) & (n1 > 0)
    difference = np.where(both, s1 / np.maximum(n1, 1) - s0 / np.maximum(n0, 1), 0)
    weight = np.where(both, n0 * n1 / np.maximum(n0 + n1, 1), 0)
    return difference.astype(np.float32), weight.astype(np.float32)


def score_of(
    values: Array, inside: Array, start: int, end: int | None, price: float, rare: bool
) -> float:
    """Return the score of one shift of the clients in `inside` (bool[n, T]), its window given."""
    difference, weight, noise = _in_window(values, start, end, rare)
    member = inside.any(axis=1)
    sums = _by_client(difference[member], weight[member], noise).sum(axis=0, dtype=np.float64)
    gain, clear = _gain(sums[None, :, None], noise)
    return float(gain[0, 0]) - price if clear[0, 0] else 0.0


def moved_too(values: Array, inside: Array, start: int, end: int | None, sign: int) -> bool:
    """Return whether clients surely shifted one way in a window that was found elsewhere.

    `values` is float[n, T], NaN where not read; `inside` tells the clients, bool[n].
    """
    difference, weight, noise = _in_window(values, start, end, is_rare(values))
    own = _by_client(difference[inside], weight[inside], noise).sum(axis=0, dtype=np.float64)
    _, pull, heads, lean, square = own[:, None]
    enough = heads[0] >= LEAST_CLIENTS and pull[0] * sign > 0
    return bool(enough and _common(lean, square, heads, REST_T)[0])


def common_shift(
    values: Array, inside: Array, start: int, end: int | None
) -> tuple[float, float] | None:
    """Return by how much clients shifted in a window, and its standard error, in their unit.

    None where fewer than `LEAST_CLIENTS` are recorded in it and beside it. Parameters as in
    `moved_too`.
    """
    difference, weight, noise = _in_window(values, start, end, is_rare(values))
    total = float(weight[inside].sum(dtype=np.float64))
    if (weight[inside] > 0).sum() < LEAST_CLIENTS:
        return None
    shift = float((weight * difference)[inside].sum(dtype=np.float64)) / total
    return shift, float(np.sqrt(noise[0] / total))


def _in_window(
    values: Array, start: int, end: int | None, rare: bool
) -> tuple[Array, Array, Array]:
    """Each client's difference in a given window, its weight, [n, 1], and their noise, [1]."""
    lasts = None if end is None else end - start
    difference, weight = (part[:, [start]] for part in contrasts(values, lasts))
    return difference, weight, _noise(difference, weight, rare)


def _by_client(difference: Array, weight: Array, noise: Array) -> Array:
    """What is summed over clients: weight, pull, heads, lean and square, [n, 5T]."""
    typical = np.clip(np.sqrt(weight / noise) * difference, -FARTHEST, FARTHEST)
    there = (weight > 0).astype(np.float32)
    return np.hstack([weight, weight * difference, there, typical, typical**2])


def _gain(sums: Array, noise: Array) -> tuple[Array, Array]:
    """Log-likelihood gain of a common shift, and whether it is clear, [..., 5, T] to [..., T]."""
    total, pull, heads, lean, square = np.moveaxis(sums, -2, 0)
    gain = pull**2 / np.maximum(total, 1e-9) / noise / 2
    return gain, (heads >= LEAST_CLIENTS) & _common(lean, square, heads)


def _shifted(
    contrast: tuple[Array, Array], look: Search, where: slice, price: float
) -> Shift | None:
    """The clearest shift among contrasts whose start is in `where`; `price` is that of its end."""
    difference, weight = (part[:, where] for part in contrast)
    noise = _noise(difference, weight, look.rare)
    stacked = look.cells.sums(_by_client(difference, weight, noise))
    best: tuple[float, int, list[tuple[Attribute, Array]]] | None = None
    for group in look.groups:
        by_cell = dense_sums(group, stacked)
        sums = group.add_up(by_cell)
        gain, clear = _gain(sums.reshape(len(sums), 5, -1), noise)
        gain = np.where(clear, gain, 0)
        if gain.size and gain.max() > 0:
            s, at = map(int, np.unravel_index(gain.argmax(), gain.shape))
            score = float(gain[s, at]) - look.prices[group.order]
            if best is None or score > best[0]:
                best = (score, at, group.sides(s))
        if group.order == 1 and group.a is not None and has_many(group.a):
            union = _union(group.a, by_cell.reshape(len(by_cell), 5, -1), noise, look.prices[1])
            best = union if best is None or union[0] > best[0] else best
    if best is None:
        return None
    score, at, sides = best
    sums = stacked.reshape(len(stacked), 5, -1)[:, :, at]
    return Shift(score - price, _segment(sides), sides, sums, float(noise[at]))


def _segment(sides: list[tuple[Attribute, Array]]) -> dict[str, tuple[str, ...]]:
    return {attribute.name: attribute.named(mask) for attribute, mask in sides}


def _union(
    attribute: Attribute, by_value: Array, noise: Array, least: float
) -> tuple[float, int, list[tuple[Attribute, Array]]]:
    """Score, start and sides of the best union of the values of an attribute with many.

    Values are put in the order of their shift at each start and the first, or last, two, three, …
    taken: of all sets of a size, the one with the largest gain is among these (Neill 2012). Every
    set of the size is paid for, and only one that stands apart from the other values counts.
    """
    chosen = np.array(named(attribute))
    sums = by_value[chosen]  # [k, 5, T]
    mean = sums[:, 1] / np.maximum(sums[:, 0], 1e-9)
    best: tuple[float, int, list[tuple[Attribute, Array]]] = (-np.inf, 0, [])
    for order in (np.argsort(-mean, axis=0), np.argsort(mean, axis=0)):
        added = np.cumsum(np.take_along_axis(sums, order[:, None, :], 0), axis=0)[1:-1]
        gain, clear = _gain(added, noise)
        choices = sets_of_size(len(chosen), np.arange(2, len(chosen)))[:, None]
        clear &= (gain > 0) & _apart(added, sums.sum(axis=0), choices)
        score = np.where(clear, gain - np.maximum(choices, least), -np.inf)
        size, at = map(int, np.unravel_index(score.argmax(), score.shape))
        if score[size, at] > best[0]:
            mask = np.zeros(len(attribute.values), bool)
            mask[chosen[order[: size + 2, at]]] = True
            best = (float(score[size, at]), at, [(attribute, mask)])
    return best


def _widened(part: Shift, look: Search) -> Shift:
    """The segment of one attribute fewer, where the rest of it moved as well.

    The rest must have shifted the same way for sure, and its clients differ from those of the
    part by no more than among themselves: then the part is only who got most of it.
    """
    inside = _inside(part.sides, look)
    for dropped in part.sides:
        sides = [side for side in part.sides if side is not dropped]
        around = _inside(sides, look)
        own, whole = (part.sums[place].sum(axis=0)[:, None] for place in (inside, around))
        rest = whole - own
        noise, order = np.array([part.noise]), len(sides)
        moved = (
            _common(rest[3], rest[4], rest[2], REST_T)[0]
            and _gain(rest, noise)[0][0] >= CLEARLY
            and own[1] * rest[1] > 0
        )
        choices = np.log1p(len(value_sets(dropped[0], single=True)))
        if moved and not _apart(own, whole, choices)[0]:
            score = float(_gain(whole, noise)[0][0]) - look.prices[order]
            return _widened(Shift(score, _segment(sides), sides, part.sums, part.noise), look)
    return part


def _inside(sides: list[tuple[Attribute, Array]], look: Search) -> Array:
    place = np.ones(look.cells.count, bool)
    for attribute, mask in sides:
        place &= mask[_codes(attribute, look)]
    return place


def _narrowed(whole: Shift, look: Search) -> Shift:
    """The part of a segment that moved, in the same window, where that is clearly better.

    The values of one more attribute, or of one it has, are chosen anew, the other given: a search
    over pairs looks at few unions, and where only a few of many values moved the book is found.
    """
    best = whole
    tried = look.cells.attributes if len(whole.sides) < 2 else tuple(a for a, _ in whole.sides)
    for attribute in tried:
        given = [(a, mask) for a, mask in whole.sides if a.name != attribute.name]
        place = _inside(given, look)
        codes = _codes(attribute, look)[place]
        by_value = np.zeros((len(attribute.values), 5))
        np.add.at(by_value, codes, whole.sums[place])
        part = _best_values(attribute, by_value, whole, look.prices[len(given) + 1])
        if part is not None and part[0] > best.score + CLEARLY:
            sides = [*given, (attribute, part[1])]
            best = Shift(part[0], _segment(sides), sides, whole.sums, whole.noise)
    return best if best is whole else _narrowed(best, look)


def _codes(attribute: Attribute, look: Search) -> Array:
    return next(a.codes for a in look.cells.attributes if a.name == attribute.name)


def _best_values(
    attribute: Attribute, by_value: Array, whole: Shift, price: float
) -> tuple[float, Array] | None:
    """Score and values of the part with the largest gain, bool[values]; each number paid for."""
    noise = np.array([whole.noise])
    if has_many(attribute):
        score, _, sides = _union(attribute, by_value[:, :, None], noise, 0.0)
        return (score - price, sides[0][1]) if sides else None
    masks = value_sets(attribute, single=True)
    sums, choices = (masks @ by_value)[:, :, None], np.log1p(len(masks))
    gain, clear = _gain(sums, noise)
    clear &= _apart(sums, by_value.sum(axis=0)[:, None], choices)
    k = int(np.where(clear, gain, 0)[:, 0].argmax())
    return (float(gain[k, 0]) - price - choices, masks[k]) if clear[k, 0] else None


def _apart(part: Array, whole: Array, choices: Array | float) -> Array:
    """Whether clients differ in and out of a part by more than they do among themselves.

    Likelihood ratio of two means of the clients' differences in units of the noise (each cut)
    against one, the variance being their own; the log of the number of `choices` is paid. Clients
    get unequal doses, so of many values some always move more: who got most of it is no segment,
    and neither are all but a few. [..., 5, T] and [5, T] to [..., T].
    """
    rest = whole - part
    between = sum(s[..., 3, :] ** 2 / np.maximum(s[..., 2, :], 1) for s in (part, rest))
    heads, lean, square = np.maximum(whole[2], 1), whole[3], whole[4]
    total = square - lean**2 / heads
    within = np.maximum(square - between, 1e-9)
    gain = heads / 2 * np.log(np.maximum(total / within, 1))
    return np.asarray((gain >= choices + CLEARLY) & (rest[..., 2, :] >= LEAST_CLIENTS))


def _common(lean: Array, square: Array, heads: Array, least: float = LEAST_T) -> Array:
    """Whether a shift also stands out against the differences between the segment's own clients.

    The squared t statistic of the clients' differences in units of the noise, each cut at
    `FARTHEST`, so that neither a few wild records make a shift nor unequal doses hide one.
    """
    part = lean**2 / np.maximum(square, 1e-12)
    return np.asarray(part / np.maximum(1 - part / np.maximum(heads, 1), 1e-3) >= least**2)


def _noise(difference: Array, weight: Array, rare: bool) -> Array:
    """Variance of a weighted difference between clients, by period, robust to those that moved.

    From the median distance to the median; never under half the plain standard deviation,
    nor under all of it for a rare share: of most clients it is 0 throughout.
    """
    some = slice(None, None, max(len(weight) // ENOUGH, 1))
    difference, weight = difference[some], weight[some]
    scaled = np.where(weight > 0, np.sqrt(weight) * difference, np.nan).T
    counts = (weight > 0).sum(axis=0)
    away = np.abs(scaled - _medians(scaled, counts)[:, None])
    robust = 1.4826 * _medians(away, counts)
    sums = np.nansum(scaled, axis=1), np.nansum(scaled**2, axis=1)
    mean, square = (s / np.maximum(counts, 1) for s in sums)
    plain = np.sqrt(np.maximum(square - mean**2, 0))
    return np.asarray(np.maximum(np.maximum(robust, (1.0 if rare else 0.5) * plain) ** 2, 1e-12))


def is_rare(recorded: Array) -> bool:
    """Whether hardly any record differs from the least, or the largest: tails, rare events."""
    there = recorded[np.isfinite(recorded)]
    if not there.size:
        return False
    ends = (there == there.min()).mean(), (there == there.max()).mean()
    return bool(max(ends) >= 1 - RARE)


def _medians(rows: Array, counts: Array) -> Array:
    """Median of each row's `counts` numbers, the rest NaN; 0 of a row without any."""
    ordered, at = np.sort(rows, axis=1), np.arange(len(rows))  # NaN last
    middle = ordered[at, (counts - 1) // 2] + ordered[at, counts // 2]
    return np.where(counts > 0, middle / 2, 0)
