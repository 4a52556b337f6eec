"""Did departures rise when the driver changed, or before it, or only long after?

What a firm does in answer to departures, for a whole segment (a discount, a bonus), changes where
clients leave more and near the time, and looks like their cause. What it cannot do is to have come
first. In the segment of a driver's change a rise from every period is fitted; one that began well
before the change and fits clearly better than what followed it is not the change's doing; nor is
one that began only after the longest lag that a cause is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.which.windows import LEVEL_PRIOR, gain_of
from churnlens.why.candidates import CLEARLY, LAGS, Candidate
from churnlens.why.lead_lag import LeadLag, lead_lag

Array = npt.NDArray[Any]

APART = 2  # months between a rise and a driver's change: onsets are dated no better
CLEAR = 2.0  # standard errors
FIRST = 3  # periods of a level before any rise


def head_start(baseline: Baseline, candidate: Candidate, risk: Array) -> float:
    """Return by how much a rise that began before a driver changed fits better than one after.

    Parameters
    ----------
    risk
        Factor by which other explanations raise what is expected, float32[n, T].

    Returns
    -------
    Log-likelihood; 0 or below where departures did not rise before the change.
    """
    starts, gains = _rises(baseline, candidate, risk)
    early = candidate.move.low - baseline.panel.calendar.span(APART)
    after = gains[starts >= candidate.move.start].max(initial=0)
    return _most(gains[starts <= early]) - max(_of_change(candidate), float(after))


def late_start(baseline: Baseline, candidate: Candidate, risk: Array) -> float:
    """Return by how much a rise fits better that began after the longest lag of a driver's change.

    `risk` and what comes out are those of `head_start`.
    """
    starts, gains = _rises(baseline, candidate, risk)
    late = starts >= candidate.move.start + baseline.panel.calendar.span(max(LAGS) + APART)
    before = gains[(starts >= candidate.move.low) & ~late].max(initial=0)
    return _most(gains[late]) - max(_of_change(candidate), float(before))


def untimely(baseline: Baseline, candidate: Candidate) -> bool:
    """Return whether departures clearly rose before a driver changed, or only long after."""
    nothing_else = np.ones((1, 1), np.float32)
    apart = (f(baseline, candidate, nothing_else) for f in (head_start, late_start))
    return max(apart) >= CLEARLY


def _rises(baseline: Baseline, candidate: Candidate, risk: Array) -> tuple[Array, Array]:
    """What a rise of a change's whole segment from each period on explains: starts and gains."""
    inside = candidate.inside
    observed = np.where(inside, baseline.observed, 0).sum(axis=0, dtype=np.float64)
    expected = np.where(inside, baseline.expected * risk, 0).sum(axis=0, dtype=np.float64)
    end = min(candidate.start + candidate.lasts, len(observed))
    whole = observed.sum() + LEVEL_PRIOR, expected.sum() + LEVEL_PRIOR
    starts = np.arange(FIRST, end)
    gains = [gain_of(observed[s:end].sum(), expected[s:end].sum(), *whole) for s in starts]
    return starts, np.array(gains)


def _of_change(candidate: Candidate) -> float:
    """What the change explains of the same: its whole segment alike.

    By each client's own dose it may explain more, as what answers leavers follows each of them.
    """
    return candidate.flat_gain + candidate.price


def _most(gains: Array) -> float:
    return float(gains.max(initial=0))


def timing_of(baseline: Baseline, candidate: Candidate) -> LeadLag:
    """Return how a driver stands out among leavers of the segment of its change, by lag."""
    move = candidate.move
    since = candidate.inside & (np.arange(candidate.inside.shape[1]) >= move.start)
    sign = 1 if move.shift > 0 else -1
    return lead_lag(baseline, move.exposure, (candidate.inside,), sign, since)


def only_answers(candidate: Candidate, timing: LeadLag) -> bool:
    """Return whether a driver that follows each client's own dose stands out only once it has left.

    `timing` is of its leavers in the segment of its change (`timing_of`). Before the change nobody
    stood out, so who left soon after it may seem to do so only afterwards: what was lived through
    since is asked by itself. Contact that ends with a departure says
    nothing: a lack of events after it is no sign.
    """
    exposure, move = candidate.move.exposure, candidate.move
    ends = exposure.source == "events" and move.direction == "less"
    late = timing.is_symptom and max(timing.before_z, timing.since_z) < CLEAR
    return candidate.shape == "dose" and not ends and late
