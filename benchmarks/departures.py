"""How long does it take to date the departures of a large book?

    uv run python benchmarks/departures.py [--clients 300000] [--periods 36]

Draws what the engine hands over (orders by client and period; no order table), then measures every
client's activity and builds the panel under the default definition. Prints seconds and the largest
memory; ends with 1 where the target is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import time

import numpy as np
import pandas as pd

from churnlens.panel import Book, Panel, build
from churnlens.panel.activity import measure
from churnlens.panel.periods import ClientPeriods, calendar
from churnlens.panel.worth import value_tiers

TARGET_SECONDS = 10.0
SEED = 20240601
VALUES = 5  # of each attribute


def main() -> int:
    arguments = parse(__doc__)
    data, attributes = draw(arguments.clients, arguments.periods, arguments.attributes)
    start = time.perf_counter()
    panel = dated(data, attributes)
    seconds = time.perf_counter() - start
    gone = int((panel.onset >= 0).sum())
    print(f"{arguments.clients:,} clients × {arguments.periods} months: {gone:,} departures dated")
    print(f"{seconds:.1f} s (target at most {TARGET_SECONDS:.0f}), {gib():.1f} GiB")
    return int(seconds > TARGET_SECONDS)


def parse(doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=300_000)
    parser.add_argument("--periods", type=int, default=36)
    parser.add_argument("--attributes", type=int, default=8)
    return parser.parse_args()


def gib() -> float:
    """Most memory this process held, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def dated(data: ClientPeriods, attributes: pd.DataFrame) -> Panel:
    """Return the panel of drawn clients under the default definition."""
    count, periods = data.orders.shape
    nobody, undated = np.full(count, periods), np.zeros(count, bool)
    activity = measure(data, attributes, nobody)
    tiers = value_tiers(data, data.calendar)
    first = activity.first
    book = Book(
        data.calendar, data, activity, attributes, tiers, (), (), first, undated, nobody, ()
    )
    return build(book, "cadence")


def draw(clients: int, periods: int, attributes: int) -> tuple[ClientPeriods, pd.DataFrame]:
    """Draw orders by client and period: own rates, entries and departures, half of them slow."""
    rng = np.random.default_rng(SEED)
    t = np.arange(periods)
    entry = np.where(rng.random(clients) < 0.6, 0, rng.integers(0, periods - 8, clients))
    leave = entry + rng.geometric(0.012, clients)
    fade = np.where(rng.random(clients) < 0.5, 1, 4)
    stays = (1 - (t - leave[:, None] + 0.5) / fade[:, None]).clip(0, 1) * (t >= entry[:, None])
    rate = rng.gamma(3.0, 0.7, (clients, 1)) + 0.3
    orders = rng.poisson(rate * stays).astype(np.float32)
    orders[np.arange(clients), entry] += 1
    worth = rng.lognormal(5, 1, (clients, 1)).astype(np.float32)
    volume = orders * worth * rng.gamma(8, 1 / 8, orders.shape).astype(np.float32)
    start = dt.date(2021, 1, 1)
    end = (pd.Timestamp(start) + pd.DateOffset(months=periods) - pd.Timedelta(days=1)).date()
    months = np.datetime64(start, "M") + t
    last = periods - 1 - (orders[:, ::-1] > 0).argmax(axis=1)
    stats = pd.DataFrame(
        {
            "client_id": np.arange(clients),
            "first": months[(orders > 0).argmax(axis=1)].astype("datetime64[s]"),
            "last": months[last].astype("datetime64[s]"),
            "days": orders.sum(axis=1).astype(int),
            "local_variation": rng.normal(1, 0.2, clients).clip(0.1, 2),
            "mean_day": worth[:, 0],
            "amount_cv2": 0.15,
        }
    )
    codes = {f"attribute_{k}": rng.integers(0, VALUES, clients) for k in range(attributes)}
    values = [f"value {v}" for v in range(VALUES)]
    frame = pd.DataFrame({n: pd.Categorical.from_codes(c, values) for n, c in codes.items()})
    cal = calendar("month", start, end)
    return ClientPeriods(None, cal, stats, orders, volume, volume, None, {}), frame


if __name__ == "__main__":
    sys.exit(main())
