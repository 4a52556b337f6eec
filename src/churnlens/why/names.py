"""Which clients stand behind an issue? Only for a report that may name them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from churnlens.why.attribution import BEHIND, Attribution, Settled

MOST = 20


def behind(settled: Settled, part: Attribution, client_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the clients behind an issue's attributable departures, largest money first.

    Parameters
    ----------
    settled
        The explained panel.
    part
        What the issue accounts for.
    client_ids
        The id of every client, by its row in the book.

    Returns
    -------
    tuple of str
        At most twenty ids; money is attributable departures times yearly revenue.
    """
    panel = settled.panel
    due = (panel.found * part.share).sum(axis=1, dtype=np.float64)
    money = panel.by_client(due * panel.yearly(panel.revenue))
    money = np.where(panel.by_client(due) > BEHIND, money, 0.0)
    largest = np.argsort(-money, kind="stable")[:MOST]
    return tuple(str(client_ids[row]) for row in largest if money[row] > 0)
