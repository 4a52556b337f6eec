"""How often past quarters fell inside the outlook that would have been given of them.

    uv run python benchmarks/outlook.py --seeds 3

Prints, for planted worlds in which something happens and in which nothing does, the model that was
used, its log loss beside the other's, its calibration slope, and the share of past groups and
quarters whose departures lay inside the 95 % interval.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from churnlens.config import Settings
from churnlens.pipeline import investigate
from churnlens.simulate import write_world

WORLDS = ("approval", "price_rise", "quiet", "quiet_season")


def main() -> None:
    """Print one line a world and seed, then the share over all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--clients", type=int, default=1500)
    asked = parser.parse_args()
    inside = checked = 0
    for world in asked.worlds:
        for seed in range(1, asked.seeds + 1):
            held, groups = _one(world, seed, asked.clients)
            inside, checked = inside + held, checked + groups
    print(f"all: {inside} of {checked} inside ({100 * inside / max(checked, 1):.0f} %)")


def _one(world: str, seed: int, clients: int) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        write_world(Path(folder), world, clients, seed)
        book = investigate(Path(folder), Settings(draws=99)).review.book
    method, checks = book.outlook_method, book.outlook_checks
    if method is None:
        print(f"{world} {seed}: no outlook (too short or too few departures)")
        return 0, 0
    held = sum(c.departures.low <= c.observed <= c.departures.high for c in checks)
    print(
        f"{world} {seed}: {method.model}, log loss {method.log_loss:.4f} (other "
        f"{method.log_loss_other:.4f}), slope {method.slope:.2f}, {held} of {len(checks)} inside"
    )
    return held, len(checks)


if __name__ == "__main__":
    main()
