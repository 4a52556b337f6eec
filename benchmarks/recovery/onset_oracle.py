"""How well could a departure be dated by one who knew its course?

    uv run --group bench python -m benchmarks.recovery.onset_oracle WORLD_FOLDER …

The oracle reads planted worlds with their truth. Of every client that left it knows that it did,
its order rate before, how long its fade took and what it kept; of orders their day and amount. Only
the date is left to be found: every second day is weighed, and the month said that is likeliest to
be right to within one. What it misses, no method that reads the same orders finds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.recovery.dating import FEWEST_ORDERS, GAPS, SETTLED, _truth

STEP = 2.0  # days
AMOUNTS = 0.16  # variance of the log of a client's amounts
SCATTER = (0.15, 1.5)  # of order counts, variance over mean


def main(folders: list[str]) -> int:
    errors = np.concatenate([month_errors(Path(folder)) for folder in folders])
    print(f"{len(errors):,} departures: within one month {100 * np.mean(abs(errors) <= 1):.0f} %,")
    print(f"in the month {100 * np.mean(errors == 0):.0f} %, median error {np.median(errors):.0f}")
    return 0


def month_errors(folder: Path) -> np.ndarray:
    """Months said minus true, of the departures that the benchmark asks for."""
    truth, orders = _truth(folder), _orders(folder)
    start = orders["order_date"].min().to_period("M").to_timestamp()
    orders = orders.assign(day=(orders["order_date"] - start).dt.days + 0.5)
    settled = truth["since"] >= np.maximum(SETTLED, GAPS * truth["gap"])
    asked = truth[settled & (truth["orders_before"] >= FEWEST_ORDERS)]
    asked = asked[asked["kind"].isin(["lapsed", "shrunk"])]
    by_client = dict(tuple(orders.sort_values("day").groupby("client_id")))
    last = int(orders["day"].max())
    edges = (pd.date_range(start, periods=last // 28 + 2, freq="MS") - start).days.to_numpy()
    return np.array(
        [_error(row, by_client[row.client_id], start, last, edges) for row in asked.itertuples()]
    )


def _orders(folder: Path) -> pd.DataFrame:
    path = next(folder.glob("orders.*"))
    parquet = path.suffix == ".parquet"
    orders = pd.read_parquet(path) if parquet else pd.read_csv(path, dtype={"client_id": str})
    orders = orders[orders["amount"] > 0]
    return orders.assign(order_date=pd.to_datetime(orders["order_date"]))


def _error(row, orders: pd.DataFrame, start: pd.Timestamp, last: int, edges: np.ndarray) -> int:
    true = (row.onset - start).days
    grid = np.arange(0.0, last, STEP)
    height = _weights(row, orders, true, grid, last)
    chance = np.exp(height - height.max())
    month = np.searchsorted(edges, grid, side="right") - 1
    by_month = np.pad(np.bincount(month, chance, minlength=len(edges)), 1)
    said = (by_month[:-2] + by_month[1:-1] + by_month[2:]).argmax()
    return int(said - (np.searchsorted(edges, true, side="right") - 1))


def _weights(row, orders: pd.DataFrame, true: int, grid: np.ndarray, last: int) -> np.ndarray:
    """Log-likelihood of an onset on each day: fewer orders or, in part, smaller ones."""
    day, amount = orders["day"].to_numpy(), np.log(orders["amount"].to_numpy())
    first, before = day[0], day < true
    rate = before.sum() / max(true - first, 30)
    gaps = np.diff(day[before])
    scatter = np.clip(gaps.var() / gaps.mean() ** 2, *SCATTER) if len(gaps) > 3 else 1.0

    def course(at: np.ndarray) -> np.ndarray:
        gone = np.clip((at[None, :] - grid[:, None]) / max(row.fade_days, 1.0), 0, 1)
        return np.maximum(1 - (1 - row.share_kept) * gone, 0.02)

    times = np.arange(first + STEP / 2, last, STEP)
    due = course(times).sum(axis=1) * STEP * rate
    fewer = (np.log(course(day)).sum(axis=1) - due) / scatter
    usual = amount[before].mean()
    same = -((amount - usual) ** 2).sum() / (2 * AMOUNTS)
    smaller = -((amount - usual - np.log(course(day))) ** 2).sum(axis=1) / (2 * AMOUNTS)
    smaller = smaller - rate * (last - first) / scatter
    height = np.logaddexp(fewer + same, smaller) if row.share_kept > 0 else fewer
    return np.where(grid > first, height, -np.inf)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
