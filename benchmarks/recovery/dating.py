"""How well departures are dated: found, false, onset error, interval coverage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from churnlens.config import Settings
from churnlens.tables import Tables

FEWEST_ORDERS = 6  # before the onset; who ordered less cannot be dated
SETTLED = 92  # days, and
GAPS = 3  # own mean gaps, since ordering had half fallen: before that, nobody could tell


@dataclass(frozen=True)
class Dating:
    """Counts over one world; shares follow from sums over worlds."""

    true: int  # true departures that could be seen
    found: int
    said: int  # departures said, of clients with orders enough
    false: int  # of a client that did not leave
    errors: tuple[float, ...]  # months, said minus true, of those found
    covered: tuple[bool, ...]  # whether the interval holds the truth, where one is given


def compare(folder: Path, said: pd.DataFrame) -> Dating:
    """Compare departures with `truth_clients.csv`.

    Parameters
    ----------
    folder
        A world.
    said
        One row a client that is said to have left: client_id, onset (timestamp), and where an
        interval is given low and high.
    """
    truth = _truth(folder)
    left = truth["kind"].isin(["lapsed", "shrunk"])
    enough = truth["orders_before"] >= FEWEST_ORDERS
    there = truth[enough & ~truth["kind"].isin(["closed", "one_off"])]
    able = truth[enough & left & (truth["since"] >= np.maximum(SETTLED, GAPS * truth["gap"]))]
    first = said.sort_values("onset").drop_duplicates("client_id")
    known = there.merge(first, on="client_id", suffixes=("_true", "_said"))
    both = able.merge(first, on="client_id", suffixes=("_true", "_said"))
    month = 365.25 / 12
    errors = (_month(both["onset_said"]) - _month(both["onset_true"])).astype(float)
    covered = ()
    if "low" in both and len(both):
        held = (both["low"] <= both["onset_true"]) & (both["onset_true"] <= both["high"])
        covered = tuple(bool(h) for h in held[both["low"].notna()])
    early = known["onset_said"] < known["onset_true"] - pd.Timedelta(days=6 * month)
    false = (~known["kind"].isin(["lapsed", "shrunk"])) | early
    return Dating(len(able), len(both), len(known), int(false.sum()), tuple(errors), covered)


def _month(dates: pd.Series) -> pd.Series:
    return dates.dt.year * 12 + dates.dt.month


def _truth(folder: Path) -> pd.DataFrame:
    truth = pd.read_csv(folder / "truth_clients.csv", dtype={"client_id": str})
    truth["onset"] = pd.to_datetime(truth["onset_date"])
    path = next(folder.glob("orders.*"))
    parquet = path.suffix == ".parquet"
    orders = pd.read_parquet(path) if parquet else pd.read_csv(path, dtype={"client_id": str})
    orders = orders[orders["amount"] > 0]
    orders["order_date"] = pd.to_datetime(orders["order_date"])
    limit = truth.set_index("client_id")["onset"].reindex(orders["client_id"])
    before = orders[limit.isna().to_numpy() | (orders["order_date"].to_numpy() < limit.to_numpy())]
    count = before["client_id"].value_counts()
    truth["orders_before"] = truth["client_id"].map(count).fillna(0)
    first = truth["client_id"].map(orders.groupby("client_id")["order_date"].min())
    truth["gap"] = (truth["onset"] - first).dt.days / truth["orders_before"].clip(lower=1)
    end = orders["order_date"].max()
    return truth.assign(since=(end - truth["onset"]).dt.days - truth["fade_days"] / 2)


def departures_of(tables: Tables, settings: Settings) -> pd.DataFrame:
    """Departures that churnlens dates, one row a spell that ended in one."""
    from churnlens.panel import build, open_book

    book = open_book(tables, settings)
    panel = build(book, settings.definition)
    left = (panel.onset >= 0) & (panel.kind != "closed")
    begin = pd.to_datetime(np.array(panel.periods, dtype="datetime64[D]"))
    end = begin + pd.offsets.MonthEnd()
    ids = book.data.clients["client_id"].to_numpy()
    return pd.DataFrame(
        {
            "client_id": ids[panel.client[left]].astype(str),
            "onset": begin[panel.onset[left]],
            "low": begin[panel.onset_low[left]],
            "high": end[panel.onset_high[left]],
        }
    )
