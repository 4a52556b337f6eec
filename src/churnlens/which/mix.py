"""Say whether departures rose because of whom we serve, or because of how often they leave.

The change of a rate between two spans is split after Kitagawa (1955): what moved because the shares
of the groups moved, at the mean of their rates, and what moved because the rates moved, at the mean
of their shares. With two parts that is the Shapley value of each, and they sum to the change. The
groups are cells of tenure and of at most two attributes, those whose movement did most.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from churnlens.panel.attributes import TIER
from churnlens.results import Bar, Estimate, Skipped, Text
from churnlens.when.rates import departure_rate, informed_part
from churnlens.which.baseline import TENURE_BANDS, Baseline
from churnlens.which.segments import Attribute, attributes_of

Array = npt.NDArray[Any]

FEWEST = 20  # departures in either span
RIDGE = 5.0  # pseudo-departures by which a cell's rate is shrunk to the book's
SECOND = 1.1  # a second attribute must make the part of the mix larger by this factor
DRAWS = 500


@dataclass(frozen=True)
class MixChange:
    """A change in the departure rate between two spans, split in two; rates per 100 clients a year.

    `by_mix` and `by_rate` sum to `rate_after` − `rate_before`; `by_attributes` is the part of
    `by_mix` that is there among clients of the same tenure. `p_value` is one-sided, of a rise.
    `before` and `after` are the periods of the spans (first, one past the last); `departures` and
    `client_years` are those of the two.
    """

    rate_before: Estimate
    rate_after: Estimate
    by_mix: Estimate
    by_rate: Estimate
    by_attributes: Estimate
    p_value: float
    attributes: tuple[str, ...]
    before: tuple[int, int]
    after: tuple[int, int]
    departures: tuple[float, float]
    client_years: tuple[float, float]


@dataclass(frozen=True)
class Cells:
    """Departures and clients by cell, in the span before and the span after: float[2, cells]."""

    found: Array
    active: Array
    informed: tuple[float, float]


def kitagawa(share: Array, rate: Array) -> tuple[float, float]:
    """Split the change of a rate into composition and rates proper.

    Parameters
    ----------
    share, rate
        Share of each group and its rate, before and after: float[2, groups].

    Returns
    -------
    The part made by the shares, and the part made by the rates; they sum to the change.
    """
    by_mix = float(((share[1] - share[0]) * rate.mean(axis=0)).sum())
    return by_mix, float(((rate[1] - rate[0]) * share.mean(axis=0)).sum())


def mix_change(baseline: Baseline) -> MixChange | Skipped:
    """Split the change of the last year against the years before into mix and rate.

    Only whole years are compared, so that season falls out. `Skipped` under two years, or where
    either span has fewer than 20 departures.
    """
    spans = _spans(baseline)
    if isinstance(spans, Skipped):
        return spans
    book = _book(baseline, spans)
    if book.found.sum(axis=1).min() < FEWEST:
        return _too_few(int(book.found.sum(axis=1).min()))
    named = tuple(a for a in attributes_of(baseline.panel, tiers=False) if a.name != TIER)
    chosen = _chosen(baseline, spans, named)
    return _split(baseline, spans, book, chosen)


def mix_bars(change: MixChange) -> tuple[Bar, ...]:
    """Return the steps from the departures a year before to those of the last year.

    More clients to lose, other clients than before, and clients who leave more or less often.
    """
    years = (change.before[1] - change.before[0]) / (change.after[1] - change.after[0])
    first, last = change.departures[0] / years, change.departures[1]
    clients = (change.client_years[0] / years, change.client_years[1])
    size = (clients[1] - clients[0]) * (change.rate_before.value + change.rate_after.value) / 200
    mean = sum(clients) / 200
    more = clients[1] >= clients[0]
    return (
        Bar("before", "start", first, Text("A year, before")),
        Bar("size", "mix", size, Text("More clients to lose" if more else "Fewer clients to lose")),
        Bar("mix", "mix", change.by_mix.value * mean, Text("Who we serve")),
        Bar("rate", "unexplained", change.by_rate.value * mean, Text("How often they leave")),
        Bar("after", "end", last, Text("Last year")),
    )


def _spans(baseline: Baseline) -> tuple[tuple[int, int], tuple[int, int]] | Skipped:
    """Whole years before the last one, and the last one, of the periods with clients at risk."""
    year = baseline.panel.calendar.per_year
    periods = baseline.panel.active.shape[1]
    there = np.flatnonzero(baseline.panel.active.any(axis=0))
    years = (periods - there[0]) // year if len(there) else 0
    if years < 2:
        text = Text("Two whole years are needed to part who we serve from how often they leave.")
        return Skipped("too_short_for_mix", str(text), text)
    return (periods - years * year, periods - year), (periods - year, periods)


def _too_few(seen: int) -> Skipped:
    text = Text(
        "Too few departures to part who we serve from how often they leave: {seen} in a year, "
        "{needed} are needed.",
        {"seen": seen, "needed": FEWEST},
    )
    return Skipped("too_few_for_mix", str(text), text)


def _informed(baseline: Baseline, first: int, end: int) -> float:
    """Part of a span's departures that the data tell."""
    part = slice(first, end)
    due = (baseline.hazard[:, part] * baseline.panel.active[:, part]).sum(dtype=np.float64)
    told = baseline.expected[:, part].sum(dtype=np.float64)
    return informed_part(float(told), float(due))


def _sums(values: Array, spans: tuple[tuple[int, int], ...], codes: Array, size: int) -> Array:
    """Sum [n, T] by span and cell, float[2, size]; codes are [n, 1] or [n, T]."""
    out = []
    for first, end in spans:
        part = values[:, first:end]
        if codes.shape[1] == 1:
            out.append(np.bincount(codes[:, 0], part.sum(axis=1), minlength=size))
        else:
            out.append(np.bincount(codes[:, first:end].ravel(), part.ravel(), minlength=size))
    return np.stack(out)


def cells_of(
    baseline: Baseline, spans: tuple[tuple[int, int], ...], codes: Array, size: int
) -> Cells:
    """Add up departures and clients by span and cell; codes are int[n, 1] or int[n, T]."""
    panel = baseline.panel
    return Cells(
        _sums(panel.found, spans, codes, size),
        _sums(panel.active, spans, codes, size),
        (_informed(baseline, *spans[0]), _informed(baseline, *spans[1])),
    )


def _book(baseline: Baseline, spans: tuple[tuple[int, int], ...]) -> Cells:
    return cells_of(baseline, spans, np.zeros((len(baseline.panel.client), 1), int), 1)


def _mix_part(found: Array, active: Array) -> Array:
    """Part of the change made by shares, per client-period; found is float[…, 2, cells].

    A cell's rate is shrunk to its rate over both spans, and that to the book's, so that a cell
    that is nearly empty in one of the two does not set the answer.
    """
    share = active / active.sum(axis=-1, keepdims=True)
    book = found.sum(axis=-1, keepdims=True) / active.sum(axis=-1, keepdims=True)
    due = (active * book).sum(axis=-2, keepdims=True)
    own = book * (found.sum(axis=-2, keepdims=True) + RIDGE) / (due + RIDGE)
    rate = (found + RIDGE) / (active + RIDGE / np.maximum(own, 1e-12))
    return np.asarray(((share[1] - share[0]) * rate.mean(axis=-2)).sum(axis=-1))


def _chosen(
    baseline: Baseline, spans: tuple[tuple[int, int], ...], attributes: tuple[Attribute, ...]
) -> tuple[Attribute, ...]:
    """Choose the attribute whose movement did most, or a pair where a second one adds to it."""
    best: tuple[float, tuple[Attribute, ...]] = (0.0, ())
    pairs = itertools.combinations(attributes, 2)
    for looked in [(a,) for a in attributes] + list(pairs):
        codes, size = joint(looked)
        cells = cells_of(baseline, spans, codes, size)
        moved = abs(float(_mix_part(cells.found, cells.active)))
        moved /= SECOND if len(looked) == 2 else 1.0
        if moved > best[0]:
            best = (moved, looked)
    names = sorted(best[1], key=lambda a: -_alone(baseline, spans, a))
    return tuple(names)


def _alone(baseline: Baseline, spans: tuple[tuple[int, int], ...], attribute: Attribute) -> float:
    codes, size = joint((attribute,))
    cells = cells_of(baseline, spans, codes, size)
    return abs(float(_mix_part(cells.found, cells.active)))


def joint(attributes: tuple[Attribute, ...]) -> tuple[Array, int]:
    """Return the cell of each client, int[n, 1], and the number of cells."""
    codes, size = np.zeros(1, np.int64), 1
    for attribute in attributes:
        codes = codes * len(attribute.values) + attribute.codes
        size *= len(attribute.values)
    return codes[:, None], size


def _tenure(baseline: Baseline) -> tuple[Array, int]:
    """Tenure band by client and period, int[n, T], and number of bands."""
    panel = baseline.panel
    bands = np.array([panel.calendar.span(m) for m in TENURE_BANDS])
    band = np.searchsorted(bands, panel.tenure, side="right")
    return np.where(panel.known_from_start[:, None], len(bands) + 1, band), len(bands) + 2


def _split(
    baseline: Baseline,
    spans: tuple[tuple[int, int], tuple[int, int]],
    book: Cells,
    chosen: tuple[Attribute, ...],
) -> MixChange:
    year = baseline.panel.calendar.per_year
    band, bands = _tenure(baseline)
    codes, size = joint(chosen)
    fine = cells_of(baseline, spans, codes * bands + band, size * bands)
    by_tenure = _mix_part(*_coarse(fine.found, fine.active, bands))
    drawn = _redrawn(fine)
    parts = 100 * year * np.array([_mix_part(fine.found, fine.active), by_tenure])
    draws = (
        100
        * year
        * np.stack([_mix_part(drawn, fine.active), _mix_part(*_coarse(drawn, fine.active, bands))])
    )
    rise = 100 * year * float(np.diff(book.found[:, 0] / book.active[:, 0])[0])
    rises = 100 * year * np.diff(drawn.sum(axis=-1) / book.active[:, 0], axis=-1)[:, 0]
    rates = [
        departure_rate(*side, periods_a_year=year)
        for side in zip(book.found[:, 0], book.active[:, 0], book.informed, strict=True)
    ]
    return MixChange(
        rate_before=rates[0],
        rate_after=rates[1],
        by_mix=_between(parts[0], draws[0]),
        by_rate=_between(rise - parts[0], rises - draws[0]),
        by_attributes=_between(parts[0] - parts[1], draws[0] - draws[1]),
        p_value=_p_of_rise(book),
        attributes=tuple(a.name for a in chosen),
        before=spans[0],
        after=spans[1],
        departures=(float(book.found[0, 0]), float(book.found[1, 0])),
        client_years=(float(book.active[0, 0]) / year, float(book.active[1, 0]) / year),
    )


def _coarse(found: Array, active: Array, bands: int) -> tuple[Array, Array]:
    """Cells of attributes × tenure added up to tenure alone."""
    return (
        found.reshape(*found.shape[:-1], -1, bands).sum(axis=-2),
        active.reshape(*active.shape[:-1], -1, bands).sum(axis=-2),
    )


def _redrawn(cells: Cells) -> Array:
    """Departures of each cell drawn again with what chance gives them, float[draws, 2, cells]."""
    informed = np.array(cells.informed)[:, None]
    rng = np.random.default_rng(0)
    effective = cells.found * informed
    return np.asarray(rng.gamma(effective, size=(DRAWS, *effective.shape)) / informed)


def _between(value: float, draws: Array) -> Estimate:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))


def _p_of_rise(book: Cells) -> float:
    """One-sided p-value that the rate rose: the log ratio of two Poisson rates."""
    effective = book.found[:, 0] * np.array(book.informed)
    ratio = np.diff(np.log(book.found[:, 0] / book.active[:, 0]))[0]
    return float(special.ndtr(-ratio / np.sqrt((1 / effective).sum())))
