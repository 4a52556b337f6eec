"""The result file: the board, how it fades with strength, and churnlens world by world."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from benchmarks.recovery.board import CHURNLENS, COLUMNS, Row, cell, summary

ORACLE, DATING = "oracle", "dating"
FEWEST_FOR_POWER = 30  # worlds


def markdown(rows: list[Row], command: str) -> str:
    """Return the whole result file as Markdown."""
    worlds = {(r["world"], r["seed"], r["strength"], r["share"]) for r in rows}
    every, rows = rows, [r for r in rows if r["share"] == 1]
    first = "`uv run --group bench python -m benchmarks.recovery " + f"{command}".strip() + "`"
    parts = [
        "# The recovery benchmark",
        f"{first}, {len(worlds)} worlds. A figure is the mean over the worlds in which it arises, "
        "± its Monte Carlo standard error; – where a contestant gives no such thing.",
        _board(rows),
        _fading(rows),
        _fewer([r for r in every if r["share"] != 1]),
        _oracle(_strongest([r for r in rows if r["who"] == ORACLE])),
        _power(rows),
        _dating(_strongest([r for r in rows if r["who"] == DATING])),
        _by_world(_strongest([r for r in rows if r["who"] == CHURNLENS])),
        _failed([r for r in every if r.get("failed")]),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|", *body])


def _contestants(rows: list[Row]) -> list[str]:
    known = dict.fromkeys(r["who"] for r in rows if r["who"] not in (ORACLE, DATING))
    return sorted(known, key=lambda who: (who != CHURNLENS, who))


def _strongest(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r["strength"] == max(r["strength"] for r in rows)]


def _board(rows: list[Row]) -> str:
    strongest = max(r["strength"] for r in rows)
    who = _contestants(rows)
    sums = {
        w: summary([r for r in rows if r["who"] == w and r["strength"] == strongest]) for w in who
    }
    lines = [[h, *(cell(key, sums[w]) for w in who)] for key, (h, _) in COLUMNS.items()]
    return f"## The board, strength {strongest:g}\n\n" + _table(["", *who], lines)


def _fading(rows: list[Row]) -> str:
    """Say how each contestant fades as the rise gets smaller."""
    strengths = sorted({r["strength"] for r in rows}, reverse=True)
    if len(strengths) < 2:
        return ""
    lines = []
    for strength in strengths:
        here = [r for r in rows if r["strength"] == strength]
        seen = [r["found"] for r in here if r["who"] == ORACLE]
        rise = [r["rise"] for r in here if r["who"] == ORACLE]
        line = [f"{strength:g}", f"{np.median(rise):.2f}", f"{100 * np.mean(seen):.0f} %"]
        for who in _contestants(rows):
            sums = summary([r for r in here if r["who"] == who])
            line.append(f"{cell('first_named', sums)} / {cell('false_blame', sums)}")
        lines.append(line)
    heads = ["strength", "rise", "oracle sees", *_contestants(rows)]
    return "## As the rise gets smaller\n\nCause first and named / false blame.\n\n" + _table(
        heads, lines
    )


def _fewer(rows: list[Row]) -> str:
    """Say how each contestant does where a book has fewer clients and is as long as before."""
    if not rows:
        return ""
    lines = []
    for share in sorted({r["share"] for r in rows}, reverse=True):
        here = [r for r in rows if r["share"] == share]
        for who in _contestants(here):
            sums = summary([r for r in here if r["who"] == who])
            keys = ("first_right", "first_named", "recall", "false_blame", "false_alarm")
            lines.append([f"{100 * share:g} %", who, *(cell(k, sums) for k in keys)])
    heads = ("cause first", "and named", "recall", "false blame", "false alarm")
    return (
        "## With fewer clients\n\nThe same seeds with a part of the clients. A rise is drawn so "
        "that it can be seen by who knows its place and date, and is larger in a smaller book.\n\n"
        + _table(["clients", "", *heads], lines)
    )


def _oracle(rows: list[Row]) -> str:
    if not rows:
        return ""
    ratio = [np.log(r["rise"]) / np.log(r["smallest"]) for r in rows if r["rise"] > 1]
    return (
        "## What could be seen at all\n\n"
        "The oracle knows scope and date. It finds the rise in "
        f"{100 * np.mean([r['found'] for r in rows]):.0f} % of the worlds with a cause. The "
        f"smallest rise it would find at 80 % power is a ratio of "
        f"{np.median([r['smallest'] for r in rows]):.2f} at the median; the planted ones are "
        f"{np.median([r['rise'] for r in rows]):.2f} ({np.median(ratio):.1f} times that, in logs)."
    )


def _power(rows: list[Row]) -> str:
    """Say how much more than the oracle each contestant needs, by a logistic curve."""
    seen = {(r["world"], r["seed"], r["strength"]): r for r in rows if r["who"] == ORACLE}
    lines = []
    for who in _contestants(rows):
        mine = [r for r in rows if r["who"] == who and r.get("first_named") is not None]
        pairs = [(r, seen[r["world"], r["seed"], r["strength"]]) for r in mine]
        pairs = [(r, o) for r, o in pairs if o["rise"] > 1]
        multiple = np.log([(o["rise"] - 1) / (o["smallest"] - 1) for _, o in pairs])
        named = np.array([bool(r["first_named"]) for r, _ in pairs])
        if len(named) >= FEWEST_FOR_POWER and 0 < named.sum() < len(named):
            lines.append([who, _at_80(multiple, named)])
    if not lines:
        return ""
    return (
        "### Rise needed\n\nThe rise (ratio less 1) at which the cause is first and named in 80 % "
        "of worlds, as a multiple of the smallest that the oracle finds as often; by a logistic "
        "curve over the worlds run.\n\n" + _table(["contestant", "times the oracle's"], lines)
    )


def _at_80(multiple: np.ndarray, named: np.ndarray) -> str:
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=10.0).fit(multiple[:, None], named)
    slope, level = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope <= 0:
        return "not reached"
    needed, least = (np.log(4) - level) / slope, multiple.min()
    if needed > multiple.max():
        return "not reached"
    # Below all that was planted the curve is only drawn on.
    return f"{np.exp(needed):.1f}" if needed >= least else f"under {np.exp(least):.1f}"


def _dating(rows: list[Row]) -> str:
    rows = [r for r in rows if not r.get("failed")]
    if not rows:
        return ""
    total = {k: sum(r[k] for r in rows) for k in ("true", "found", "said", "false")}
    errors = np.concatenate([np.asarray(r["errors"], float) for r in rows])
    covered = [c for r in rows for c in r["covered"]]
    lines = [
        ["true departures found", f"{100 * total['found'] / max(total['true'], 1):.1f} %"],
        ["departures said that are none", f"{100 * total['false'] / max(total['said'], 1):.1f} %"],
        ["median onset error, months", f"{np.median(errors):.0f}"],
        ["within one month", f"{100 * np.mean(np.abs(errors) <= 1):.0f} %"],
    ]
    if covered:
        lines.append(["interval holds the onset", f"{100 * np.mean(covered):.0f} %"])
    return (
        "## Departures dated\n\nClients with at least 6 orders before; of true departures those "
        "that had half faded three months, and three of the client's own gaps, before the end of "
        "the data. A departure said more than half a year too early counts as false.\n\n"
        + _table(["churnlens", ""], lines)
    )


def _by_world(rows: list[Row]) -> str:
    if not rows:
        return ""
    keys = ("first_right", "first_named", "false_blame", "false_alarm", "segment_f1")
    keys += ("onset_error_abs", "departures_off", "remedy_right", "remedy_read")
    lines = []
    for world in dict.fromkeys(r["world"] for r in rows):
        sums = summary([r for r in rows if r["world"] == world])
        lines.append([world, *(cell(k, sums) for k in keys)])
    return "## churnlens, world by world\n\n" + _table(
        ["world", *(COLUMNS[k][0] for k in keys)], lines
    )


def _failed(rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = [[r["who"], r["world"], str(r["seed"]), r["failed"].replace("|", "/")] for r in rows]
    return "## Failed runs\n\n" + _table(["who", "world", "seed", "error"], lines)
