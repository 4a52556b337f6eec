"""What a churn definition hands over, and how a client's time is cut into spells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.activity import Activity
from churnlens.panel.onsets import OnsetLikelihood
from churnlens.panel.returns import not_made_up

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Departures:
    """One row a spell of a client, m rows by T periods.

    `client` is the client's code, `begin` the spell's first period and `end` one past its last (T,
    or where the client came back or closed). `onset` is the period in which ordering first fell
    (int[m], −1: it did not), `low` and `high` its 95 % interval, `declared` the period in which the
    data first showed it. `likelihood` is that of every onset where the definition weighs them all,
    None where it only says yes or no. `watched`, bool[m, T], are the periods in which a departure
    could begin and be declared; None: wherever the client is established.
    """

    client: Array
    begin: Array
    end: Array
    onset: Array
    low: Array
    high: Array
    declared: Array
    likelihood: OnsetLikelihood | None = None
    watched: Array | None = None

    def in_order(self) -> Departures:
        """Return the same rows by client and, for each, by begin."""
        order = np.lexsort((self.begin, self.client))
        whole = self.likelihood
        return Departures(
            client=self.client[order],
            begin=self.begin[order],
            end=self.end[order],
            onset=self.onset[order],
            low=self.low[order],
            high=self.high[order],
            declared=self.declared[order],
            likelihood=whole and OnsetLikelihood(whole.log_ratio[order], whole.possible[order]),
            watched=None if self.watched is None else self.watched[order],
        )


def spells(activity: Activity, limit: float) -> tuple[Array, Array, Array]:
    """Return client, first period and one past the last period of every spell, int[m] each.

    A silence beyond the limit (orders missed over scatter) ends a spell, unless it was made up for;
    the order after it begins the client's next one. A closing ends the last.
    """
    due, after = activity.missed
    gone = not_made_up(activity, due >= limit, after)
    return spells_after(activity, gone, activity.orders > 0)


def spells_after(activity: Activity, gone: Array, there: Array) -> tuple[Array, Array, Array]:
    """Return the spells of clients who were `gone` at a period's end and `there` in the next.

    Both are bool[n, T]; what is returned is as in `spells`.
    """
    periods = activity.orders.shape[1]
    back = np.zeros(activity.orders.shape, bool)
    back[:, 1:] = there[:, 1:] & gone[:, :-1]
    back[np.arange(len(back)), activity.first] = True
    client, begin = np.nonzero(back)
    last = np.append(client[1:] != client[:-1], True) if len(client) else np.zeros(0, bool)
    end = np.where(last, periods, np.append(begin[1:], periods)[: len(begin)])
    end = np.minimum(end, activity.closing[client])  # silence after a closing says nothing
    return client, begin, np.maximum(end, begin + 1)


def yes_or_no(client: Array, begin: Array, end: Array, declared: Array, start: Array) -> Departures:
    """Return departures by a yes-or-no rule: the first period declared, and the start it names.

    `declared` (bool) and `start` (the period of the onset were it declared now) are [m, T].
    """
    at = np.where(declared.any(axis=1), declared.argmax(axis=1), -1)
    onset = np.where(at >= 0, start[np.arange(len(at)), np.maximum(at, 0)], -1)
    return Departures(client, begin, end, onset, onset, onset, at)


def unsound(found: Departures, shape: tuple[int, ...]) -> str | None:
    """Say what cannot be in departures of a book of `shape` clients and periods; None: nothing."""
    clients, periods = shape
    names = ("client", "begin", "end", "onset", "low", "high", "declared")
    parts = {name: np.asarray(getattr(found, name)) for name in names}
    for name, part in parts.items():
        if part.ndim != 1 or len(part) != len(parts["client"]) or part.dtype.kind not in "iu":
            return f"'{name}' is not one whole number a spell"
    client, begin, end, onset, low, high, declared = parts.values()
    gone = onset >= 0
    holds = {
        f"'client' is a row of the {clients} clients": (client >= 0) & (client < clients),
        f"begin < end, within the {periods} periods": (begin >= 0)
        & (begin < end)
        & (end <= periods),
        "begin <= onset < end, or onset is -1": ~gone | ((begin <= onset) & (onset < end)),
        "low <= onset <= high": ~gone | ((low <= onset) & (onset <= high)),
        "onset <= declared, within the periods": ~gone
        | ((onset <= declared) & (declared < periods)),
    }
    return next((f"not everywhere {rule}" for rule, kept in holds.items() if not kept.all()), None)
