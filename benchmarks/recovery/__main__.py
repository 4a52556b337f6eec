"""Print the scoreboard: `uv run --group bench python -m benchmarks.recovery`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # the runs are parallel, not what is inside them

from benchmarks.recovery.board import Row, Task, run  # noqa: E402
from benchmarks.recovery.results import markdown  # noqa: E402

from churnlens.simulate import RECIPES  # noqa: E402

HERE = Path(__file__).parent


def main() -> None:
    """Run all tasks, print the board, write it beside this file."""
    asked = _arguments()
    kinds = [(strength, 1.0) for strength in asked.strength]
    kinds += [(max(asked.strength), share) for share in asked.share]
    tasks = [
        Task(world, seed, asked.clients, strength, share)
        for strength, share in kinds
        for seed in range(asked.first_seed, asked.first_seed + _seeds(asked, strength, share))
        for world in asked.worlds
    ]
    rows = _run(tasks, asked.jobs)
    rows.sort(key=lambda r: (-r["share"], -r["strength"], r["world"], r["seed"], r["who"]))
    asked_for = [a for a in sys.argv[1:] if not a.startswith(("--out", "/"))]
    text = markdown(rows, " ".join(asked_for))
    print(text)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "RESULTS.md").write_text(text, encoding="utf-8")
    lines = ",\n".join(json.dumps(r) for r in rows)
    (asked.out / "results.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.recovery", description=__doc__)
    parser.add_argument("--worlds", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3, help="seeds a world")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--clients", type=int, help="clients a world; otherwise drawn")
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0])
    parser.add_argument(
        "--share", type=float, nargs="+", default=[], help="shares of the clients, run besides"
    )
    parser.add_argument(
        "--seeds-weak", type=int, help="seeds a world of all but the strongest; otherwise as many"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the result files")
    return parser.parse_args()


def _seeds(asked: argparse.Namespace, strength: float, share: float) -> int:
    weak = strength < max(asked.strength) or share != 1
    return asked.seeds if asked.seeds_weak is None or not weak else asked.seeds_weak


def _run(tasks: list[Task], jobs: int) -> list[Row]:
    from rich.console import Console
    from rich.progress import Progress

    rows: list[Row] = []
    console = Console(stderr=True)
    with ProcessPoolExecutor(jobs) as pool, Progress(console=console) as bar:
        shown = bar.add_task("worlds", total=len(tasks))
        futures = [pool.submit(run, task) for task in tasks]
        for count, done in enumerate(as_completed(futures), 1):
            rows += done.result()
            bar.advance(shown)
            if not console.is_terminal and count % 10 == 0:
                print(f"{count} of {len(tasks)} worlds", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main()
