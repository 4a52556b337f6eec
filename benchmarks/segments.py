"""How long does the segment scan take on a large book, Monte Carlo included?

    uv run python benchmarks/segments.py [--clients 300000] [--periods 36] [--attributes 8]

Dates the drawn book of `departures.py` (not counted), then fits what is to be expected and searches
every segment and start date with 999 Monte Carlo draws. Prints seconds and the largest memory;
ends with 1 where the target is missed.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from churnlens.config import Settings
from churnlens.which import baseline
from churnlens.which.scan import next_window, prepare
from churnlens.which.segments import attributes_of
from departures import dated, draw, gib, parse

TARGET_SECONDS = 30.0


def main() -> int:
    arguments = parse(__doc__)
    panel = dated(*draw(arguments.clients, arguments.periods, arguments.attributes))
    start = time.perf_counter()
    base = baseline.fit(panel)
    fitted = time.perf_counter() - start
    search = prepare(base, attributes_of(base.panel), draws=Settings().draws, seed=0)
    found = next_window(base, search, np.ones_like(base.expected))
    seconds = time.perf_counter() - start
    print(
        f"{arguments.clients:,} clients × {arguments.periods} months × {arguments.attributes} "
        f"attributes and value tiers, {base.departures:,.0f} departures"
    )
    print(f"{search.segments:,} segments × {search.starts} starts, {len(search.null_scores)} draws")
    print(f"expected departures {fitted:.1f} s; with the scan {seconds:.1f} s", end=" ")
    print(f"(target at most {TARGET_SECONDS:.0f}), {gib():.1f} GiB")
    print(f"strongest: {found.segment if found else None}, p {found.p_value if found else 1:.3f}")
    return int(seconds > TARGET_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
