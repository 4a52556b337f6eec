"""How long does it take to say why clients leave, in a very large book with many drivers?

    uv run python benchmarks/causes.py [--clients 300000] [--periods 36] [--drivers 12]

Dates the drawn book of `departures.py` and searches its segments (neither is counted), gives it
drivers of which the first rises for one value of an attribute when more of its clients begin to
leave, and measures what decides on them: their own changes, the explanation of the rise, the
standing drivers, what each accounts for, and the checks. Prints seconds and the largest memory;
ends with 1 where the target is missed or the planted driver is not found.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from churnlens.config import Settings
from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import ClientPeriods
from churnlens.panel.threads import products_on_one_core
from churnlens.which import baseline
from churnlens.which.scan import prepare
from churnlens.which.segments import attributes_of
from churnlens.why.investigate import answer
from departures import SEED, dated, draw, gib

TARGET_SECONDS = 60.0
START = 22  # the first driver rises in this period
LEAVE = 0.03  # chance a period that a client who was hit stops, from the next one on


def main() -> int:
    arguments = _arguments()
    data, attributes = draw(arguments.clients, arguments.periods, 8)
    hit = attributes["attribute_0"].cat.codes.to_numpy() == 0
    panel = dated(_struck(data, hit), attributes)
    drivers = _drivers(panel.activity.orders, hit[panel.client], arguments.drivers)
    with products_on_one_core():
        base = baseline.fit(replace(panel, exposures=drivers))
        search = prepare(base, attributes_of(base.panel), draws=Settings().draws, seed=0)
        start = time.perf_counter()
        found = answer(base, search, attributes_of(base.panel, tiers=False), {}, Settings())
        seconds = time.perf_counter() - start
    blamed = [issue.driver for issue in found.issues]
    print(f"{arguments.clients:,} clients × {arguments.periods} months × {len(drivers)} drivers")
    print(f"{base.departures:,.0f} departures, {int(hit.sum()):,} clients hit; blamed: {blamed}")
    print(f"{seconds:.1f} s (target at most {TARGET_SECONDS:.0f}), {gib():.1f} GiB")
    return int(seconds > TARGET_SECONDS or blamed != ["driver_0"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=300_000)
    parser.add_argument("--periods", type=int, default=36)
    parser.add_argument("--drivers", type=int, default=12)
    return parser.parse_args()


def _struck(data: ClientPeriods, hit: np.ndarray) -> ClientPeriods:
    """Let some of those who were hit stop ordering after the driver has risen."""
    rng = np.random.default_rng(SEED + 1)
    stop = np.where(hit, START + rng.geometric(LEAVE, len(hit)), data.orders.shape[1])
    there = np.arange(data.orders.shape[1]) < stop[:, None]
    orders, volume = data.orders * there, data.volume * there
    last = orders.shape[1] - 1 - (orders[:, ::-1] > 0).argmax(axis=1)
    months = np.array(data.calendar.starts, dtype="datetime64[s]")
    clients = data.clients.assign(last=pd.Series(months[last]), days=orders.sum(axis=1).astype(int))
    return replace(data, clients=clients, orders=orders, volume=volume, revenue=volume)


def _drivers(orders: np.ndarray, hit: np.ndarray, count: int) -> tuple[Exposure, ...]:
    """Measures of every period with an order; the first rises for those who were hit."""
    rng = np.random.default_rng(SEED + 2)
    found = []
    for k in range(count):
        values = rng.gamma(2, 1, orders.shape).astype(np.float32)
        if k == 0:
            values += 3 * (hit[:, None] & (np.arange(orders.shape[1]) >= START))
        values[orders == 0] = np.nan
        found.append(Exposure(f"driver_{k}", "mean", "orders", values))
    return tuple(found)


if __name__ == "__main__":
    sys.exit(main())
