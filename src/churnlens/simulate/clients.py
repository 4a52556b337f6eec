"""Who the clients of a planted world are, and what each would do if nothing happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnlens.results import Segment
from churnlens.simulate import names

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]

YEAR = 365.25
MONTH = YEAR / 12

PLAIN: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "size": (("key", "mid", "small"), (0.24, 0.36, 0.40)),
    "region": (("north", "south", "east", "west"), (0.3, 0.3, 0.2, 0.2)),
    "industry": (("foundry", "food", "chemicals", "printing", "building"), (0.2,) * 5),
    "channel": (("direct", "web", "partner"), (0.5, 0.3, 0.2)),
}


@dataclass(frozen=True)
class Clients:
    """The book: one entry a client in every array (n clients). Days count from the data's start."""

    ids: Strings
    attributes: Mapping[str, Strings]
    numeric_name: str
    numeric: Floats
    entry: Floats  # day of the first order's earliest date; negative: before the data begin
    rate: Floats  # orders a day
    regularity: Ints  # Erlang shape of the gaps between orders; 1 is a Poisson process
    basket: Floats  # mean amount of an order
    margin: Floats  # share of the amount
    hazard: Floats  # a client's own multiple of the baseline departure rate
    sensitivity: Floats  # how much a client minds
    peak: Floats  # day of the year at which its trade peaks
    one_off: Bools  # a bulk buyer that never was a client

    def __len__(self) -> int:
        return len(self.ids)

    def members(self, scope: Segment) -> Bools:
        """Which clients belong to a segment."""
        inside = np.ones(len(self), dtype=bool)
        for attribute, values in scope.items():
            inside &= np.isin(self.attributes[attribute], values)
        return inside


def draw(rng: np.random.Generator, n: int, days: float, *, plain: bool, turnover: float) -> Clients:
    """Draw a book of `n` clients over `days`; `turnover` is the yearly share that is replaced."""
    attributes = _plain_attributes(rng, n) if plain else _attributes(rng, n)
    first = next(iter(attributes.values()))
    big = _per_value(rng, first, spread=0.35)
    if plain:
        big = np.select([first == "key", first == "mid"], [1.7, 1.0], 0.7)
    shape = rng.uniform(1.2, 2.5)
    monthly = np.exp(rng.uniform(np.log(0.5), np.log(3.5))) if not plain else 1.6
    rate = monthly * big * rng.gamma(shape, 1 / shape, n)
    rate = np.clip(rate, 0.3, 8.0) / MONTH
    amount = np.exp(rng.uniform(4.5, 8.0))
    return Clients(
        ids=_ids(rng, n),
        attributes=attributes,
        numeric_name="employees" if plain else names.pick(rng, names.NUMERIC),
        numeric=np.round(rng.lognormal(3.5, 1.0, n)),
        entry=_entries(rng, n, days, turnover),
        rate=rate,
        regularity=rng.choice([1, 2, 4], n, p=[0.5, 0.35, 0.15]),
        basket=amount * big * _per_value(rng, first, spread=0.4) * rng.lognormal(0, 0.5, n),
        margin=rng.beta(6, 18, n),
        hazard=rng.gamma(3.0, 1 / 3.0, n) * _per_value(rng, first, spread=0.12),
        sensitivity=rng.lognormal(0, rng.uniform(0.2, 0.5), n),
        peak=_peaks(rng, list(attributes.values())[2]),
        one_off=np.zeros(n, dtype=bool),
    )


def _ids(rng: np.random.Generator, n: int) -> Strings:
    width = max(5, len(str(n * 4)))
    numbers = rng.choice(n * 4, n, replace=False)
    return np.array([f"{number:0{width}d}" for number in numbers])


def _plain_attributes(rng: np.random.Generator, n: int) -> dict[str, Strings]:
    drawn = {k: rng.choice(np.array(v), n, p=np.array(p)) for k, (v, p) in PLAIN.items()}
    drawn["account_manager"] = _managers(rng, drawn["region"], 10)
    return drawn


def _attributes(rng: np.random.Generator, n: int) -> dict[str, Strings]:
    """Three to five text attributes with uneven shares, and a manager tied to one of them."""
    chosen = rng.choice(np.array(list(names.ATTRIBUTES)), int(rng.integers(3, 6)), replace=False)
    drawn: dict[str, Strings] = {}
    for name in chosen.tolist():
        values = np.array(names.ATTRIBUTES[name])
        kept = rng.permutation(values)[: max(2, int(rng.integers(3, len(values) + 1)))]
        drawn[name] = rng.choice(kept, n, p=rng.dirichlet(np.full(len(kept), 6.0)))
    if n >= 300:
        tied = drawn[chosen.tolist()[1]]
        drawn[names.pick(rng, names.MANAGER_COLUMNS)] = _managers(rng, tied, 12)
    return drawn


def _managers(rng: np.random.Generator, tied: Strings, count: int) -> Strings:
    """Draw managers who mostly serve one value of another attribute."""
    people = rng.permutation(np.array(names.MANAGERS))[:count]
    values, codes = np.unique(tied, return_inverse=True)
    home = rng.integers(len(values), size=count)
    weight = np.where(home[None, :] == np.arange(len(values))[:, None], 8.0, 1.0)
    edges = np.cumsum(weight / weight.sum(1, keepdims=True), axis=1)
    drawn = (rng.random((len(tied), 1)) > edges[codes]).sum(1)
    return np.asarray(people[np.minimum(drawn, count - 1)])


def _per_value(rng: np.random.Generator, values: Strings, *, spread: float) -> Floats:
    """Draw a factor with mean near 1 for every value of an attribute."""
    distinct, codes = np.unique(values, return_inverse=True)
    return np.asarray(rng.lognormal(-(spread**2) / 2, spread, len(distinct))[codes])


def _peaks(rng: np.random.Generator, values: Strings) -> Floats:
    distinct, codes = np.unique(values, return_inverse=True)
    return np.asarray(rng.uniform(0, YEAR, len(distinct))[codes] + rng.normal(0, 20, len(codes)))


def _entries(rng: np.random.Generator, n: int, days: float, turnover: float) -> Floats:
    """Most clients are older than the data; the rest come in evenly, as many as leave."""
    years = days / YEAR
    newcomers = rng.random(n) < turnover * years / (1 + turnover * years)
    old = -rng.exponential(3.0 * YEAR, n)
    return np.where(newcomers, rng.uniform(0, days, n), np.maximum(old, -12 * YEAR))
