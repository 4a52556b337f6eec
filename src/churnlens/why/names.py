"""Which clients stand behind an issue? Only for a report that may name them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from churnlens.why.attribution import Attribution, Settled

MOST = 20
LEAST = 0.1  # of a departure that must be due to the issue, as in `Attribution.accounts`


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
    money = np.where(due > LEAST, due * panel.yearly(panel.revenue), 0.0)
    by_client = np.bincount(panel.client, weights=money, minlength=len(client_ids))
    largest = np.argsort(-by_client, kind="stable")[:MOST]
    return tuple(str(client_ids[row]) for row in largest if by_client[row] > 0)
