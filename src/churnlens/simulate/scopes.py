"""Where something may happen: segments of one or two attributes, of a sensible size."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from churnlens.results import Segment
from churnlens.simulate import names
from churnlens.simulate.clients import Bools, Clients

Found = list[tuple[Segment, Bools]]


def candidates(clients: Clients) -> Found:
    """List every value, and every pair of values of two attributes, with its members.

    Managers are left out: each serves too few.
    """
    single: Found = [
        ({attribute: (str(value),)}, values == value)
        for attribute, values in clients.attributes.items()
        if attribute not in names.MANAGER_COLUMNS
        for value in np.unique(values)
    ]
    double: Found = [
        ({**a, **b}, x & y) for (a, x), (b, y) in combinations(single, 2) if a.keys() != b.keys()
    ]
    return [*single, *double]


def of_share(found: Found, low: float, high: float) -> Found:
    """Keep the segments that hold between two shares of the clients."""
    return [(s, m) for s, m in found if low <= m.mean() <= high]


def overlapping(found: Found, other: Bools) -> Found:
    """Keep the segments that share some, not most, of their members with others."""
    return [(s, m) for s, m in found if 0.1 <= (m & other).sum() / max((m | other).sum(), 1) <= 0.6]


def draw(
    rng: np.random.Generator,
    clients: Clients,
    beside: Bools | None = None,
    *,
    fewest: float = 40,
    large: bool = False,
) -> Segment:
    """Draw a scope of one or two attributes.

    Parameters
    ----------
    rng, clients
        Source of chance and the book.
    beside
        Members of another segment with which this one is to overlap.
    fewest
        Members wanted.
    large
        Whether to take between a quarter and a half of the clients.
    """
    every = candidates(clients)
    low, high = (0.25, 0.45) if large else (max(0.1, min(fewest / len(clients), 0.3)), 0.45)
    fits = of_share(every, low, high)
    if beside is not None:
        fits = overlapping(fits, beside) or overlapping(every, beside) or fits
    if not fits:
        return min(every, key=lambda c: abs(c[1].mean() - 0.25))[0]
    arity = 1 + int(rng.random() < 0.5)
    chosen = [s for s, _ in fits if len(s) == arity] or [s for s, _ in fits]
    return chosen[int(rng.integers(len(chosen)))]


def part_of(clients: Clients, scope: Segment) -> Segment:
    """Narrow a scope by one more attribute to about a half of its members."""
    inside = clients.members(scope)
    options: list[tuple[float, Segment]] = []
    for attribute, values in clients.attributes.items():
        if attribute in scope or attribute in names.MANAGER_COLUMNS:
            continue
        kept = tuple(sorted(np.unique(values).tolist())[::2])
        share = float(np.isin(values[inside], kept).mean())
        options.append((abs(share - 0.5), {**scope, attribute: kept}))
    return min(options, key=lambda option: option[0])[1]
