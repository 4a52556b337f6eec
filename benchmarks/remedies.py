"""What is said of remedies and of issues, quarter after quarter, against what was planted.

    uv run python benchmarks/remedies.py --seeds 10

Prints for each world with a remedy the verdicts, how many were right once their `readable_from`
had passed, how many were praised for nothing, and how often the interval held the true risk ratio;
then, over eight quarters in a row, how often an issue kept its id. ± is the Monte Carlo
standard error. `unrecorded` takes the driver's column away, so that departures alone can tell.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # the runs are parallel, not what is inside them

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from churnlens.config import Settings  # noqa: E402
from churnlens.pipeline import investigate  # noqa: E402
from churnlens.results import Review  # noqa: E402
from churnlens.simulate import Score, Truth, score, write_world  # noqa: E402

WORLDS = ("approval_mended", "remedy_partial", "remedy_announced", "unrecorded", "remedy_trough")
BLIND = {"unrecorded": "remedy_announced"}  # the same world without its driver's column
STEADY = (("lateness", 900), ("price_rise", 900), ("procedure", 1500), ("two_causes", 1500))
QUARTERS = 8
Judged = tuple[str, str, Score]
Kept = tuple[str, bool, str, bool]  # world, whether the id stayed, its status, whether told gone


def main() -> None:
    """Run the worlds and print both tables."""
    asked = _arguments()
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    with ProcessPoolExecutor(asked.jobs) as pool:
        judged = pool.map(judge, *zip(*((w, s) for s in seeds for w in asked.worlds), strict=True))
        print(remedies(list(judged)), flush=True)
        chains = [(w, n, s) for s in range(1, asked.chains + 1) for w, n in STEADY]
        if chains:
            kept = pool.map(follow, *zip(*chains, strict=True))
            print(identities([one for chain in kept for one in chain]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=6000)
    parser.add_argument("--chains", type=int, default=2, help="seeds for the eight quarters")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def judge(world: str, seed: int) -> Judged:
    """Run one world with a remedy; return its verdict and score."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = write_world(folder, BLIND.get(world, world), None, seed)
        if world in BLIND:
            _forget(folder, truth)
        review = investigate(folder, Settings(draws=199)).review
    return world, review.remedies[0].verdict, score(review, truth)


def _forget(folder: Path, truth: Truth) -> None:
    """Take the driver's column away."""
    orders = pd.read_csv(folder / "orders.csv.gz", dtype=str)
    orders.drop(columns=str(truth.causes[0].driver)).to_csv(folder / "orders.csv.gz", index=False)


def remedies(judged: list[Judged]) -> str:
    """Return the table of verdicts as Markdown."""
    lines = [
        "| world | runs | said | right once readable | praised wrongly | true ratio held |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    worlds = [*dict.fromkeys(world for world, _, _ in judged), "all"]
    for world in worlds:
        part = [one for one in judged if world in (one[0], "all")]
        said = Counter(verdict for _, verdict, _ in part)
        scores = [found for _, _, found in part]
        cells = [
            world,
            str(len(part)),
            ", ".join(f"{verdict} {n}" for verdict, n in said.most_common()),
            *(
                _share([getattr(s, name) for s in scores])
                for name in ("remedy_read", "remedy_praised", "remedy_covered")
            ),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def follow(world: str, clients: int, seed: int) -> list[Kept]:
    """Review one world on eight quarters in a row, and compare each review with the one before."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = write_world(folder, world, clients, seed)
        told: list[Review] = []
        for day in _quarters(dt.date.fromisoformat(str(truth.last_date))):
            before = told[-1] if told else None
            settings = Settings(draws=99, as_of=day)
            told.append(investigate(folder, settings, previous=before).review)
    return [one for old, new in pairwise(told) for one in _pairs(world, truth, old, new)]


def _quarters(last: dt.date) -> list[dt.date]:
    """Last days of eight quarters, the latest last."""
    ends = pd.date_range(end=last, periods=QUARTERS, freq="3ME")
    return [end.date() for end in ends]


def _pairs(world: str, truth: Truth, old: Review, new: Review) -> Iterator[Kept]:
    """What became of each planted cause's issue from one review to the next."""
    for cause in truth.causes:
        before = [i for i in old.issues if i.driver == cause.driver]
        after = [i for i in new.issues if i.driver == cause.driver]
        if before:
            gone = before[0].id in {g.id for g in new.gone if g.reason == "gone"}
            ids = {issue.id: issue.status or "" for issue in after}
            seen = before[0].id in ids
            if after or gone:
                yield world, seen, ids.get(before[0].id, "gone" if gone else "other id"), gone


def identities(kept: list[Kept]) -> str:
    """Return the table of ids as Markdown."""
    lines = ["| world | issue-quarters | id kept | status |", "| --- | --- | --- | --- |"]
    for world in [*dict.fromkeys(world for world, *_ in kept), "all"]:
        part = [one for one in kept if world in (one[0], "all")]
        status = Counter(one[2] for one in part)
        said = ", ".join(f"{name} {n}" for name, n in status.most_common())
        lines.append(f"| {world} | {len(part)} | {_share([one[1] for one in part])} | {said} |")
    return "\n" + "\n".join(lines)


def _share(values: list[bool | None]) -> str:
    known = np.array([v for v in values if v is not None], dtype=float)
    if len(known) == 0:
        return "–"
    error = np.sqrt(known.mean() * (1 - known.mean()) / len(known))
    return f"{known.sum():.0f} of {len(known)} ({100 * known.mean():.0f} % ± {100 * error:.0f})"


if __name__ == "__main__":
    main()
