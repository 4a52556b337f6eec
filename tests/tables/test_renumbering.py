"""Many ids that end as as many begin: said, and closed; departures and arrivals alone are not."""

import numpy as np
import pandas as pd

from churnlens.config import Settings
from churnlens.panel import build, open_book

MONTHS = pd.date_range("2022-01-01", periods=24, freq="MS")
CHANGE = 13


def book(opened, *, new_ids=True, gone=True):
    """Write 120 clients with two orders a month; those of depot N get new ids, or leave."""
    rng = np.random.default_rng(3)
    rows, clients = [], []
    for c in range(120):
        depot = "N" if c < 50 else "S"
        moved = depot == "N" and gone
        clients.append(f"c{c},{depot}")
        if moved and new_ids:
            clients.append(f"n{c},{depot}")
        for m, month in enumerate(MONTHS):
            after = moved and m >= CHANGE
            if after and not new_ids:
                continue
            stem = f"{'n' if after else 'c'}{c},{month:%Y-%m}"
            days = rng.integers(1, 28, 2)
            rows += [f"{stem}-{day:02d},{rng.integers(5, 9)}" for day in days]
    return opened(
        orders="client_id,order_date,amount\n" + "\n".join(rows) + "\n",
        clients="client_id,depot\n" + "\n".join(clients) + "\n",
    )


def test_a_depot_with_new_ids_is_said_and_none_of_it_left(opened):
    tables = book(opened)
    (said,) = [f for f in tables.findings if f.code == "renumbered"]
    assert said.count == 50
    assert (said.text.values["attribute"], said.text.values["value"]) == ("depot", "N")
    assert said.text.values["month"]["value"][:7] in ("2023-01", "2023-02")
    panel = build(open_book(tables, Settings()), "cadence")
    assert panel.found.sum() < 3


def test_clients_who_leave_together_are_not_renumbered(opened):
    assert book(opened, new_ids=False).renumbered is None


def test_a_book_where_nothing_happens_says_nothing(opened):
    assert book(opened, gone=False).renumbered is None
