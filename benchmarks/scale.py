"""How long does the whole command take on a large order book, and how much memory?

    uv run python benchmarks/scale.py [--lines 2000000] [--clients 60000] [--profile OUT.prof]

Makes an order book (Parquet, drawn once and kept in the temporary folder), then measures in the
same run

- the floor: DuckDB scans the same file and aggregates it to client-months, the query alone: the
  bare count and revenue, and what the panel needs (orders, revenue, the mean of each measure);
- the whole command: `churnlens run`, from the start of the process to its end, with the largest
  memory that it held.

Prints all and the ratio; ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TARGET_RATIO = 25.0
TARGET_GIB = 4.0
FIRST_DAY = np.datetime64("2022-01-01")
DAYS = 3 * 365 + 1
LINES_AN_ORDER = 2.5
CAUSE_DAY = 700  # approvals of key accounts become slow
SEED = 20240601

FLOOR = """
import duckdb, sys, time
duckdb.sql("SET enable_progress_bar = false")  # it would write to stdout
best = []
for sums in ("count(*), sum(amount)", "count(DISTINCT order_id), sum(amount), avg(approval_days), "
             "avg(delivery_delay_days), avg(discount_pct)"):
    query = f"SELECT client_id, date_trunc('month', order_date) AS month, {sums}"
    query += f" FROM read_parquet('{sys.argv[1]}') GROUP BY ALL"
    times = []
    for _ in range(5):
        start = time.perf_counter()
        duckdb.sql(query).fetchnumpy()
        times.append(time.perf_counter() - start)
    best.append(min(times))
print(*best)
"""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock and the most memory a process held, in GiB."""

    seconds: float
    gib: float


def main() -> int:
    arguments = _arguments()
    folder = book(arguments.lines, arguments.clients)
    sums, all_measures = floor(folder)
    with tempfile.TemporaryDirectory() as out:
        whole = cost([*_command(arguments.profile), "run", str(folder), "--out", out])
    size = (folder / "orders.parquet").stat().st_size / 2**20
    print(
        f"{arguments.lines:,} order lines, {arguments.clients:,} clients, 3 years, {size:.0f} MiB"
    )
    print(f"DuckDB to client-months: lines, revenue           {sums:6.2f} s")
    print(f"DuckDB to client-months: orders, revenue, means   {all_measures:6.2f} s")
    print(f"churnlens run, whole process                      {whole.seconds:6.2f} s")
    print(f"largest memory {whole.gib:.2f} GiB (target at most {TARGET_GIB:.0f})")
    ratio, strict = whole.seconds / all_measures, whole.seconds / sums
    print(f"ratio {ratio:.1f} (target at most {TARGET_RATIO:.0f}; {strict:.1f} to the bare sums)")
    return int(ratio > TARGET_RATIO or whole.gib > TARGET_GIB)


def floor(folder: Path) -> tuple[float, float]:
    """Seconds that DuckDB needs, the best of five, for bare sums and for all the panel needs."""
    command = [sys.executable, "-c", FLOOR, str(folder / "orders.parquet")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sums, all_measures = said.split()
    return float(sums), float(all_measures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--clients", type=int, default=60_000)
    parser.add_argument("--profile", metavar="FILE", help="write a cProfile of the command")
    return parser.parse_args()


def _command(profile: str | None) -> list[str]:
    watched = ["-m", "cProfile", "-o", profile] if profile else []
    return [sys.executable, *watched, "-m", "churnlens.cli"]


def cost(command: list[str]) -> Cost:
    """Run a command to its end and measure that process alone."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(seconds, _gib(used))


def _gib(used: resource.struct_rusage) -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB here
    return used.ru_maxrss * unit / 2**30


def book(lines: int, clients: int) -> Path:
    """Return the folder of an order book of this size; drawn only once."""
    folder = Path(tempfile.gettempdir()) / f"churnlens-scale-{lines}-{clients}-{SEED}"
    if not (folder / "orders.parquet").exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as making:
            draw(Path(making), lines, clients)
            folder.mkdir(exist_ok=True)
            for path in sorted(Path(making).iterdir()):  # orders last: they mark it as whole
                if path.name != "orders.parquet":
                    path.rename(folder / path.name)
            (Path(making) / "orders.parquet").rename(folder / "orders.parquet")
    return folder


def draw(folder: Path, lines: int, clients: int) -> None:
    """Draw clients with their own rhythm, a cause among key accounts, and their order lines."""
    rng = np.random.default_rng(SEED)
    attributes = {
        "size": rng.choice(["key", "middle", "small"], clients, p=[0.12, 0.38, 0.5]),
        "region": rng.choice(["north", "south", "east", "west"], clients),
        "industry": rng.choice(["food", "retail", "care", "hotels", "schools", "works"], clients),
        "channel": rng.choice(["visit", "phone", "shop"], clients, p=[0.3, 0.3, 0.4]),
    }
    entry = np.where(rng.random(clients) < 0.6, 0, rng.integers(0, DAYS - 200, clients))
    leave = entry + rng.exponential(2200, clients)
    hit = attributes["size"] == "key"
    leave = np.where(hit, np.minimum(leave, CAUSE_DAY + rng.exponential(900, clients)), leave)
    leave = np.maximum(leave, entry + 1)
    _write_clients(folder, attributes)
    _write_orders(folder, rng, lines, entry, leave, hit)
    _write_events(folder, rng, entry, leave)


def _ids(index: np.ndarray) -> pa.Array:
    return pa.array(np.char.add("C", np.char.zfill(index.astype("U6"), 6)))


def _write_clients(folder: Path, attributes: dict[str, np.ndarray]) -> None:
    count = len(attributes["size"])
    table = pa.table({"client_id": _ids(np.arange(count)), **attributes})
    pq.write_table(table, folder / "clients.parquet")


def _write_orders(
    folder: Path,
    rng: np.random.Generator,
    lines: int,
    entry: np.ndarray,
    leave: np.ndarray,
    hit: np.ndarray,
) -> None:
    span = np.minimum(leave, DAYS) - entry
    weight = rng.gamma(2.0, 1.0, len(entry)) * span
    orders = int(lines / LINES_AN_ORDER)
    client = rng.choice(len(entry), orders, p=weight / weight.sum())
    day = (entry[client] + rng.random(orders) * span[client]).astype(np.int64)
    by_day = np.argsort(day, kind="stable")
    client, day = client[by_day], day[by_day]
    per_order = 1 + rng.poisson(LINES_AN_ORDER - 1, orders)
    of = np.repeat(np.arange(orders), per_order)[:lines]
    of = np.concatenate([of, rng.integers(0, orders, lines - len(of))])
    slow = hit[client] & (day >= CAUSE_DAY)
    measures = {
        "approval_days": rng.gamma(2.0, 0.5, orders) + np.where(slow, 3.0, 0.0),
        "delivery_delay_days": rng.gamma(1.5, 1.0, orders),
        "discount_pct": np.where(day > leave[client] - 90, 8.0, 2.0) * rng.random(orders),
    }
    table = pa.table(
        {
            "client_id": _ids(client).take(pa.array(of)),
            "order_date": pa.array((FIRST_DAY + day)[of]),
            "order_id": pa.array(of),
            "amount": pa.array(np.round(rng.lognormal(4.0, 1.0, lines), 2)),
            "category": pa.array(rng.choice(["a", "b", "c", "d", "e"], lines)),
            **{name: pa.array(np.round(value, 2)[of]) for name, value in measures.items()},
        }
    )
    pq.write_table(table, folder / "orders.parquet")


def _write_events(
    folder: Path, rng: np.random.Generator, entry: np.ndarray, leave: np.ndarray
) -> None:
    count = 4 * len(entry)
    client = rng.integers(0, len(entry), count)
    span = np.minimum(leave, DAYS) - entry
    day = (entry[client] + rng.random(count) * span[client]).astype(np.int64)
    table = pa.table(
        {
            "client_id": _ids(client),
            "event_date": pa.array(FIRST_DAY + day),
            "event_type": pa.array(rng.choice(["visit", "complaint"], count, p=[0.8, 0.2])),
            "level": pa.array(rng.choice(["leadership", "technical", "business"], count)),
        }
    )
    pq.write_table(table, folder / "events.parquet")


if __name__ == "__main__":
    sys.exit(main())
