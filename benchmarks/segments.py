"""How often does the segment scan find the segment that leaves more, and how long does it take?

    uv run --group bench python benchmarks/segments.py [--books 40] [--clients 300000]

First on drawn books of 2,400 clients over three years, whose departures are known: F1 of the
segment named by kind of segment, false alarms where nothing happens, whether p-values are even
there, and the rise that is found in four of five books against the one that an oracle who knows
segment and months finds. Beside it, in the same books, pysubgroup and a table of churn rates. Then
the time that one scan takes on a very large book. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

import segment_books as books
from churnlens.config import Settings
from churnlens.which import baseline
from churnlens.which.scan import next_window, prepare
from churnlens.which.segments import attributes_of, members
from churnlens.which.windows import LEVEL_PRIOR, gain_of
from departures import dated, draw, gib
from segment_books import Book

RATIO = 4.0  # of the planted rises that F1 is measured on
RATIOS = (1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)  # of those that power is
DRAWS = 199
LEVEL, POWER = 0.05, 0.8
ONE_TEST = 1.353  # log-likelihood gain that chance gives one time in twenty, one window looked at
SAME_PLACE = 0.5  # F1 from which a rise counts as found
TARGET_F1, TARGET_ALARMS, TARGET_RISE, TARGET_SECONDS = 0.95, 0.05, 1.6, 30.0


@dataclass(frozen=True)
class Said:
    """What a contestant says of a book: who leaves more (bool[n]), and how surely."""

    inside: np.ndarray | None
    p_value: float


def scan(book: Book) -> Said:
    """Search as churnlens does."""
    base = baseline.fit(book.panel)
    attributes = attributes_of(base.panel, tiers=False)
    found = next_window(
        base, prepare(base, attributes, draws=DRAWS, seed=0), np.ones_like(base.expected)
    )
    if found is None:
        return Said(None, 1.0)
    inside = members(found.segment, attributes, base.expected.shape)[:, 0]
    return Said(np.asarray(inside), found.p_value)


def _last_year(book: Book) -> tuple[pd.Series, pd.Series]:
    """Whether each client that was there a year before the end left in the last year."""
    start = books.MONTHS - 12
    there = pd.Series((book.entry < start) & ((book.onset < 0) | (book.onset >= start)))
    return there, pd.Series(book.onset >= start)


def pysubgroup(book: Book) -> Said:
    """The best subgroup of last year's leavers, of up to two attributes, corrected for all."""
    import pysubgroup as ps

    there, left = _last_year(book)
    frame = book.clients[there].assign(left=left[there])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        selectors = ps.create_selectors(frame, ignore=["left"])
        task = ps.SubgroupDiscoveryTask(
            frame,
            ps.BinaryTarget("left", True),
            selectors,
            result_set_size=1,
            depth=2,
            qf=ps.StandardQF(0.5),
        )
        best = ps.BeamSearch().execute(task).to_descriptions()[0][1]
        inside = np.asarray(best.covers(book.clients), dtype=bool)
    table = pd.crosstab(inside[there], left[there])
    p = float(stats.fisher_exact(table.to_numpy(), "greater")[1]) if table.shape == (2, 2) else 1.0
    return Said(inside, min(1.0, p * len(selectors) * (len(selectors) + 1) / 2))


def churn_rates(book: Book) -> Said:
    """The value whose churn rate last year stands highest above the others', as tables show it."""
    there, left = _last_year(book)
    best = Said(None, 1.0)
    frame = book.clients.assign(employees=pd.qcut(book.clients["employees"], 4).astype(str))
    for name in frame:
        for value in frame[name].unique():
            inside = frame[name] == value
            table = pd.crosstab(inside[there], left[there])
            if table.shape != (2, 2):
                continue
            p = float(stats.chi2_contingency(table)[1])
            higher = left[there & inside].mean() > left[there & ~inside].mean()
            if higher and p < best.p_value:
                best = Said(inside.to_numpy(), p)
    return best


CONTESTANTS: dict[str, Callable[[Book], Said]] = {
    "churnlens": scan,
    "pysubgroup": pysubgroup,
    "churn-rate table": churn_rates,
}


def oracle(book: Book) -> bool:
    """Whether one test of the true segment in its true months passes, at 5 % one-sided."""
    panel = book.panel
    due = panel.active[book.hit].sum(axis=0) * (1 + 0.2 * np.cos(2 * np.pi * np.arange(36) / 12))
    seen = panel.found[book.hit].sum(axis=0)
    due = due * seen.sum() / due.sum()
    now = book.months
    whole = (seen.sum() + LEVEL_PRIOR, due.sum() + LEVEL_PRIOR)
    return bool(gain_of(seen[now].sum(), due[now].sum(), *map(np.float64, whole)) >= ONE_TEST)


def f1(said: np.ndarray | None, true: np.ndarray) -> float:
    """F1 of the members of a segment."""
    both = 0 if said is None else int((said & true).sum())
    return 2 * both / max((0 if said is None else int(said.sum())) + int(true.sum()), 1)


def recovery(count: int) -> dict[str, float]:
    """Print F1 by kind of segment, and seconds; return churnlens' mean over one and two."""
    means: dict[str, float] = {}
    print(f"\nF1 of the segment named, rises of {RATIO:g} times, {count} books each")
    print(f"{'':18}" + "".join(f"{kind:>10}" for kind in books.KINDS) + f"{'CPU s':>10}")
    drawn = {k: [books.draw(k, RATIO, 1000 * i + 7) for i in range(count)] for k in books.KINDS}
    for name, answer in CONTESTANTS.items():
        start = time.process_time()
        scores = {k: np.mean([f1(answer(b).inside, b.hit) for b in drawn[k]]) for k in books.KINDS}
        spent = (time.process_time() - start) / (count * len(books.KINDS))
        print(f"{name:18}" + "".join(f"{scores[k]:10.2f}" for k in books.KINDS) + f"{spent:10.2f}")
        means[name] = float(np.mean([scores["one"], scores["two"]]))
    return means


def alarms(count: int) -> dict[str, np.ndarray]:
    """Print how often something is found where nothing happens; return the p-values."""
    quiet = [books.draw(None, 1.0, 5_000_000 + i) for i in range(count)]
    found = {n: np.array([a(b).p_value for b in quiet]) for n, a in CONTESTANTS.items()}
    print(f"\nAlarms at 5 % in {count} books where nothing happens")
    for name, p in found.items():
        rate = (p <= LEVEL).mean()
        print(f"{name:18}{100 * rate:8.0f} % ± {100 * np.sqrt(rate * (1 - rate) / count):.0f}")
    even = stats.kstest(found["churnlens"], "uniform")
    tenths = np.histogram(found["churnlens"], np.linspace(0, 1, 6))[0]
    print(f"p-values of churnlens by fifths: {tenths.tolist()} (Kolmogorov–Smirnov {even[1]:.2f})")
    return found


def power(count: int) -> float:
    """Print how often a rise is found by its size; return the rise needed over the oracle's."""
    print(f"\nFound with its segment, by the ratio of the rise ({count} books each, one and two)")
    shares = {"churnlens": [], "oracle": []}
    for ratio in RATIOS:
        drawn = [books.draw(("one", "two")[i % 2], ratio, 90_000 + i) for i in range(count)]
        shares["churnlens"].append(np.mean([_found(scan(b), b) for b in drawn]))
        shares["oracle"].append(np.mean([oracle(b) for b in drawn]))
    print(f"{'':18}" + "".join(f"{r:8.2f}" for r in RATIOS))
    needed = {}
    for name, share in shares.items():
        print(f"{name:18}" + "".join(f"{100 * s:7.0f}%" for s in share))
        needed[name] = _crossing(np.array(RATIOS), np.maximum.accumulate(share))
    times = needed["churnlens"] / needed["oracle"]
    excess = (needed["churnlens"] - 1) / (needed["oracle"] - 1)
    print(
        f"80 % at a ratio of {needed['churnlens']:.2f}, the oracle at {needed['oracle']:.2f}: "
        f"{times:.2f} times the ratio, {excess:.2f} times the rise above 1 (target {TARGET_RISE})"
    )
    return excess


def _found(said: Said, book: Book) -> bool:
    return said.p_value <= LEVEL and f1(said.inside, book.hit) >= SAME_PLACE


def _crossing(ratios: np.ndarray, shares: np.ndarray) -> float:
    """Ratio at which a share of `POWER` is reached, between those tried; infinite where not."""
    if shares[-1] < POWER:
        return float("inf")
    k = int(np.argmax(shares >= POWER))
    if k == 0:
        return float(ratios[0])
    part = (POWER - shares[k - 1]) / max(shares[k] - shares[k - 1], 1e-9)
    return float(ratios[k - 1] + part * (ratios[k] - ratios[k - 1]))


def runtime(clients: int, periods: int, attributes: int) -> float:
    """Print and return the seconds of one scan of a large book, Monte Carlo included."""
    panel = dated(*draw(clients, periods, attributes))
    start, spent = time.perf_counter(), time.process_time()
    base = baseline.fit(panel)
    search = prepare(base, attributes_of(base.panel), draws=Settings().draws, seed=0)
    next_window(base, search, np.ones_like(base.expected))
    seconds, spent = time.perf_counter() - start, time.process_time() - spent
    print(
        f"\n{clients:,} clients × {periods} months × {attributes} attributes and value tiers, "
        f"{base.departures:,.0f} departures; {search.segments:,} segments × "
        f"{search.starts} starts, {len(search.null_scores)} draws\n"
        f"{seconds:.1f} s with the baseline, {spent:.1f} s of CPU "
        f"(target at most {TARGET_SECONDS:.0f} s on two cores), {gib():.1f} GiB"
    )
    return seconds


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--books", type=int, default=40)
    parser.add_argument("--clients", type=int, default=300_000)
    parser.add_argument("--periods", type=int, default=36)
    parser.add_argument("--attributes", type=int, default=8)
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    seconds = runtime(arguments.clients, arguments.periods, arguments.attributes)
    named = recovery(arguments.books)["churnlens"]
    p = alarms(5 * arguments.books)["churnlens"]
    rise = power(2 * arguments.books)
    print(f"\nmean F1 over one and two attributes {named:.3f} (target {TARGET_F1})")
    return int(
        seconds > TARGET_SECONDS
        or named < TARGET_F1
        or stats.binomtest(int((p <= LEVEL).sum()), len(p), TARGET_ALARMS, "greater").pvalue < 0.01
        or rise > TARGET_RISE
    )


if __name__ == "__main__":
    sys.exit(main())
