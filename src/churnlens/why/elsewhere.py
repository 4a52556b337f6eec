"""Did clients outside the segment get as much of it, and stay?

A price may rise for everyone and only some mind; or everyone's price rose, and the clients of one
segment left for something that nobody recorded. Clients outside who got at least half of the
change, and did not leave half as much more, speak for the second reading (specificity; Hill 1965),
unless within the segment as well those left who got more of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.cumulative import cumulative
from churnlens.results import Evidence, Text
from churnlens.which.baseline import Baseline
from churnlens.which.windows import LEVEL_PRIOR
from churnlens.why.candidates import CLEARLY, Candidate
from churnlens.why.case import Case, say
from churnlens.why.dose import change_dose
from churnlens.why.model import fit

Array = npt.NDArray[Any]

REACHED = 0.5  # part of the segment's change from which a client outside was reached by it
HARDLY = 0.1  # part of those outside whom a change of the segment alone may reach by chance
MINDED = 0.5  # part of the segment's effect that those outside would show at least


def elsewhere(case: Case) -> Evidence:
    """Those outside whom the change reached as well left more, or it hardly reached any."""
    baseline, c = case.baseline, case.candidate
    if not c.move.segment:
        return say("elsewhere", "skip", Text("It changed for all: there is nobody else to ask."))
    reached, share = _reached(baseline, c)
    if share < HARDLY:
        text = Text("It changed for these clients and hardly for any others.")
        return say("elsewhere", "pass", text)
    excess = float(fit(baseline, (case.term, *case.beside)).excess[0])
    shown = {"share": {"type": "percent", "value": share}}
    if spared(baseline, c, reached, excess) >= CLEARLY:
        text = Text(
            "It changed for {share} of all other clients as well, and they did not leave more: "
            "these clients mind it, or something else is behind it that they alone have.",
            shown,
        )
        return say("elsewhere", "fail", text)
    text = Text(
        "It changed for {share} of all other clients as well; whether they left more for it cannot "
        "be seen.",
        shown,
    )
    return say("elsewhere", "skip", text)


def _reached(baseline: Baseline, c: Candidate) -> tuple[Array, float]:
    """Client-periods outside that the change had reached, bool[n, T], and their share of them.

    Until a client outside has a record since the change, its dose is a guess that it got one.
    """
    outside, values = ~c.inside, c.move.exposure.values
    t = np.arange(outside.shape[1])
    recorded = np.isfinite(values) & (t >= c.move.start)
    seen = cumulative(recorded.astype(np.float32))[:, :-1] > 0
    dose = np.where(seen, change_dose(c.move, values, outside), 0)
    late = outside & (t >= max(c.start, c.move.start + 1))
    due = float(baseline.expected[late].sum(dtype=np.float64))
    reached = late & (dose >= REACHED)
    own = float(baseline.expected[reached].sum(dtype=np.float64))
    return reached, own / due if due > 0 else 0.0


def spared(baseline: Baseline, c: Candidate, reached: Array, excess: float) -> float:
    """Log-likelihood by which no effect on those outside is better than half of the segment's.

    Departures of those reached are held against what they were before the change.
    """
    clients = reached.any(axis=1, keepdims=True)
    before = clients & ~c.inside & (np.arange(reached.shape[1]) < c.move.start)
    seen, due = (
        [float(a[where].sum(dtype=np.float64)) for where in (before, reached)]
        for a in (baseline.observed, baseline.expected)
    )
    level = max(seen[0] + LEVEL_PRIOR, 0.0) / (due[0] + LEVEL_PRIOR)
    usual = max(due[1] * level, 1e-9)
    more = 1 + MINDED * excess
    return usual * (more - 1) - max(seen[1], 0.0) * float(np.log(more))
