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

from churnlens.results import Bar, Estimate, Skipped, Text
from churnlens.when.rates import departure_rate, informed_part
from churnlens.which.baseline import TENURES, Baseline, tenure_of
from churnlens.which.segments import Attribute, attributes_of

Array = npt.NDArray[Any]

FEWEST = 20  # departures in either span
RIDGE = 5.0  # pseudo-departures by which a cell's rate is shrunk to the book's
SECOND = 1.1  # a second attribute must make the part of the mix larger by this factor
DRAWS = 500
_ONE_YEAR = Text("Departures in the year before")
_MEAN_YEAR = Text("Departures in a year before, on average")


@dataclass(frozen=True)
class MixChange:
    """A change in the departure rate between two spans, split in two; rates per 100 clients a year.

    `by_mix` and `by_rate` sum to `rate_after` − `rate_before`; `by_attributes` is the part of
    `by_mix` that attributes make, what tenure could have made as well halved between the two.
    `p_value` is one-sided, of a rise.
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

    @property
    def clients(self) -> tuple[float, float]:
        """Clients on average there, before and after."""
        years = (self.before[1] - self.before[0]) / (self.after[1] - self.after[0])
        return self.client_years[0] / years, self.client_years[1]


@dataclass(frozen=True)
class Cells:
    """Departures and clients by cell, in the span before and the span after: float[2, …cells].

    `informed` is the part of the departures that the data tell, before and after.
    """

    found: Array
    active: Array
    informed: tuple[float, float]


def kitagawa(share: Array, rate: Array) -> tuple[Array, Array]:
    """Split the change of a rate into composition and rates proper.

    Parameters
    ----------
    share, rate
        Share of each group and its rate, before and after: float[…, 2, groups].

    Returns
    -------
    The part made by the shares, and the part made by the rates, float[…]; they sum to the change.
    """
    moved, changed = np.diff(share, axis=-2)[..., 0, :], np.diff(rate, axis=-2)[..., 0, :]
    by_mix = (moved * rate.mean(axis=-2)).sum(axis=-1)
    return np.asarray(by_mix), np.asarray((changed * share.mean(axis=-2)).sum(axis=-1))


def mix_change(baseline: Baseline) -> MixChange | Skipped:
    """Split the change of the last year against the years before into mix and rate.

    Only whole years are compared, so that season falls out. `Skipped` under two years, or where
    either span has fewer than 20 departures.
    """
    spans = _spans(baseline)
    if isinstance(spans, Skipped):
        return spans
    clients = tally(baseline, spans)
    fewest = clients.found.sum(axis=(1, 2)).min()
    if fewest < FEWEST:
        return _too_few(int(fewest))
    chosen = _chosen(over_tenure(clients), attributes_of(baseline.panel, tiers=False))
    return _split(clients, spans, chosen, baseline.panel.calendar.per_year)


def mix_bars(change: MixChange) -> tuple[Bar, ...]:
    """Return the steps from the departures a year before to those of the last year.

    More clients to lose, clients of other kinds than before and of another tenure, and clients who
    leave more or less often.
    """
    years = (change.before[1] - change.before[0]) / (change.after[1] - change.after[0])
    first, last = change.departures[0] / years, change.departures[1]
    clients = change.clients
    size = (clients[1] - clients[0]) * (change.rate_before.value + change.rate_after.value) / 200
    mean = sum(clients) / 200
    mixed, kinds = change.by_mix.value * mean, change.by_attributes.value * mean
    more = clients[1] >= clients[0]
    return (
        Bar("before", "start", first, _ONE_YEAR if round(years) == 1 else _MEAN_YEAR),
        Bar("size", "mix", size, Text("More clients to lose" if more else "Fewer clients to lose")),
        Bar("kinds", "mix", kinds, Text("Who we serve")),
        Bar("tenure", "mix", mixed - kinds, Text("How long we have served them")),
        Bar("rate", "unexplained", change.by_rate.value * mean, Text("How often they leave")),
        Bar("after", "end", last, Text("Departures in the last year")),
    )


def _spans(baseline: Baseline) -> tuple[tuple[int, int], tuple[int, int]] | Skipped:
    """Whole years before the last one, and the last one, of the periods with clients at risk."""
    year = baseline.panel.calendar.per_year
    periods = baseline.panel.active.shape[1]
    there = np.flatnonzero(baseline.panel.active.any(axis=0))
    years = (periods - int(there[0])) // year if len(there) else 0
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


def tally(baseline: Baseline, spans: tuple[tuple[int, int], ...]) -> Cells:
    """Add up departures and clients by span, client and tenure band: float[2, n, bands]."""
    panel = baseline.panel
    n, bands = len(panel.client), TENURES
    cell = np.arange(n)[:, None] * bands + tenure_of(panel)

    def add(values: Array) -> Array:
        sums = [
            np.bincount(cell[:, a:b].ravel(), values[:, a:b].ravel(), minlength=n * bands)
            for a, b in spans
        ]
        return np.stack(sums).reshape(2, n, bands)

    informed = (_informed(baseline, *spans[0]), _informed(baseline, *spans[1]))
    return Cells(add(panel.found), add(panel.active), informed)


def over_tenure(clients: Cells) -> Cells:
    """Add up a tally over tenure bands: float[2, n]."""
    return Cells(clients.found.sum(axis=2), clients.active.sum(axis=2), clients.informed)


def by_code(clients: Cells, codes: Array, size: int) -> Cells:
    """Add up clients of the same code (int[n]), tenure bands together: float[2, size]."""

    def add(values: Array) -> Array:
        return np.stack([np.bincount(codes, side, minlength=size) for side in values])

    return Cells(add(clients.found), add(clients.active), clients.informed)


def _by_code_and_tenure(clients: Cells, codes: Array, size: int) -> Cells:
    """Add up a tally over clients of the same code, tenure bands apart: float[2, size × bands]."""
    bands = clients.found.shape[2]
    cell = (codes[:, None] * bands + np.arange(bands)).ravel()

    def add(values: Array) -> Array:
        return np.stack([np.bincount(cell, v.ravel(), minlength=size * bands) for v in values])

    return Cells(add(clients.found), add(clients.active), clients.informed)


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
    return kitagawa(share, rate)[0]


def _chosen(clients: Cells, attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Choose the attribute whose movement did most, or a pair where a second one adds to it."""
    each = {a.name: _moved(clients, (a,)) for a in attributes}
    ranked = sorted(attributes, key=lambda a: -each[a.name])
    pairs = list(itertools.combinations(ranked, 2))
    moved = [_moved(clients, pair) for pair in pairs]
    best = int(np.argmax(moved)) if pairs else 0
    if pairs and moved[best] > SECOND * each[ranked[0].name]:
        return pairs[best]
    return tuple(ranked[:1])


def _moved(clients: Cells, attributes: tuple[Attribute, ...]) -> float:
    """Size of the part that the shares of some attributes' cells made."""
    cells = by_code(clients, *joint(attributes, clients.found.shape[1]))
    return abs(float(_mix_part(cells.found, cells.active)))


def joint(attributes: tuple[Attribute, ...], n: int) -> tuple[Array, int]:
    """Return the cell of each of n clients, int[n], and the number of cells."""
    codes, size = np.zeros(n, np.int64), 1
    for attribute in attributes:
        codes = codes * len(attribute.values) + attribute.codes
        size *= len(attribute.values)
    return codes, size


def _split(
    clients: Cells,
    spans: tuple[tuple[int, int], tuple[int, int]],
    chosen: tuple[Attribute, ...],
    year: int,
) -> MixChange:
    found, active = clients.found.sum(axis=(1, 2)), clients.active.sum(axis=(1, 2))
    before, after = (
        departure_rate(*side, periods_a_year=year)
        for side in zip(found, active, clients.informed, strict=True)
    )
    n, bands = clients.found.shape[1:]
    fine = _by_code_and_tenure(clients, *joint(chosen, n))
    drawn = _redrawn(fine)
    mix, by_attributes = _parts(fine.found, fine.active, bands)
    mixes, by_attribute = _parts(drawn, fine.active, bands)
    rise = np.diff(found / active)[0]
    rises = np.diff(drawn.sum(axis=-1) / active, axis=-1)[:, 0]
    return MixChange(
        rate_before=before,
        rate_after=after,
        by_mix=_between(mix, mixes, 100 * year),
        by_rate=_between(rise - mix, rises - mixes, 100 * year),
        by_attributes=_between(by_attributes, by_attribute, 100 * year),
        p_value=_p_of_rise(found, active, np.array(clients.informed)),
        attributes=tuple(a.name for a in chosen),
        before=spans[0],
        after=spans[1],
        departures=(float(found[0]), float(found[1])),
        client_years=(float(active[0]) / year, float(active[1]) / year),
    )


def _parts(found: Array, active: Array, bands: int) -> tuple[Array, Array]:
    """Part of the change made by shares, and the attributes' share of that beside tenure's.

    What both could have made (newcomers of a leaky kind are young too) is halved between them
    (Shapley's value for two).
    """
    whole = _mix_part(found, active)
    by_tenure = _mix_part(_by_band(found, bands), _by_band(active, bands))
    by_kind = _mix_part(_by_kind(found, bands), _by_kind(active, bands))
    return whole, (whole - by_tenure + by_kind) / 2


def _by_band(cells: Array, bands: int) -> Array:
    """Cells of attributes × tenure added up to tenure alone."""
    return np.asarray(cells.reshape(*cells.shape[:-1], -1, bands).sum(axis=-2))


def _by_kind(cells: Array, bands: int) -> Array:
    """Cells of attributes × tenure added up to attributes alone."""
    return np.asarray(cells.reshape(*cells.shape[:-1], -1, bands).sum(axis=-1))


def _redrawn(cells: Cells) -> Array:
    """Departures of each cell drawn again with what chance gives them, float[draws, 2, cells]."""
    informed = np.array(cells.informed)[:, None]
    rng = np.random.default_rng(0)
    effective = cells.found * informed
    return np.asarray(rng.gamma(effective, size=(DRAWS, *effective.shape)) / informed)


def _between(value: Any, draws: Array, scale: float) -> Estimate:
    low, high = scale * np.quantile(draws, [0.025, 0.975])
    return Estimate(float(scale * value), float(low), float(high))


def _p_of_rise(found: Array, active: Array, informed: Array) -> float:
    """One-sided p-value that the rate rose: the log ratio of two Poisson rates."""
    before, after = found / active
    error = np.sqrt((1 / (found * informed)).sum())
    return float(special.ndtr(-np.log(after / before) / error))
