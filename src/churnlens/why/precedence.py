"""Did departures rise when the driver changed, or before it, or only long after?

What a firm does in answer to departures, for a whole segment (a discount, a bonus), changes where
clients leave more and near the time, and looks like their cause. What it cannot do is to have come
first. In the segment of a driver's change a rise from every period is fitted; one that began well
before the change and fits better than what followed it is not the change's doing; nor is one that
clearly began only after the longest lag that a cause is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.which.baseline import Baseline
from churnlens.which.since import steps
from churnlens.which.windows import LEVEL_PRIOR, gain_of
from churnlens.why.candidates import CLEARLY, LAGS, Candidate
from churnlens.why.lead_lag import LeadLag, lead_lag

Array = npt.NDArray[Any]

APART = 2  # months between a rise and a driver's change: onsets are dated no better
# Log-likelihood by which the best start must lie ahead of all that the driver may have brought
# about, for these to lie outside of its 95 % interval (half of χ² with one degree of freedom).
OUTSIDE = 1.92
CLEAR = 2.0  # standard errors
FIRST = 3  # periods of a level before any rise


@dataclass(frozen=True)
class Leads:
    """By how much the best rise that a driver cannot have brought about fits better than its own.

    Log-likelihoods of starts ahead of the driver's change, `before`, and of starts after its
    longest lag, `long_after`; below 0 where they fit worse, −∞ where nothing clearly rose then.
    """

    before: float = 0.0
    long_after: float = 0.0

    @property
    def is_before(self) -> bool:
        """Whether departures rose before the driver changed."""
        return self.before >= OUTSIDE

    @property
    def is_long_after(self) -> bool:
        """Whether departures clearly rose only long after: a lag may be longer than was thought."""
        return self.long_after >= CLEARLY


def leads(baseline: Baseline, candidate: Candidate, risk: Array) -> Leads:
    """Return by how much rises of a change's segment before it, or long after, fit better.

    Parameters
    ----------
    risk
        Factor by which other explanations raise what is expected, float32[n, T].
    """
    fits, move, cal = _fits(baseline, candidate, risk), candidate.move, baseline.panel.calendar
    t = np.arange(len(fits))
    early = t <= move.low - cal.span(APART)
    late = t >= move.start + cal.span(max(LAGS) + APART)
    due = float(fits[~early & ~late].max(initial=0.0))
    before, after = (
        float(fits[side & (fits >= CLEARLY)].max(initial=-np.inf)) for side in (early, late)
    )
    return Leads(before - due, after - due)


def untimely(baseline: Baseline, candidate: Candidate) -> bool:
    """Return whether departures rose before a driver changed, or only long after."""
    found = leads(baseline, candidate, np.ones((1, 1), np.float32))
    return found.is_before or found.is_long_after


def _fits(baseline: Baseline, candidate: Candidate, risk: Array) -> Array:
    """How well a rise of a change's whole segment fits that begins in each period, float[T].

    By all that its clients ordered: counts of departures rise before the clients leave (see
    `since`), and are asked only where they are sure. Over no rise; −∞ where nothing is tried.
    """
    inside, periods = candidate.inside, candidate.inside.shape[1]
    end = min(candidate.start + candidate.lasts, periods)
    tried = (np.arange(periods) >= FIRST) & (np.arange(periods) < end)
    foretold = steps(baseline, inside, end, risk)
    fits = _counted(baseline, inside, end, risk) if foretold is None else foretold
    return np.where(tried, fits, -np.inf)


def _counted(baseline: Baseline, inside: Array, end: int, risk: Array) -> Array:
    """What a rise from each period on explains of the departures that were counted, float[T]."""
    observed = np.where(inside, baseline.observed, 0).sum(axis=0, dtype=np.float64)
    expected = np.where(inside, baseline.expected * risk, 0).sum(axis=0, dtype=np.float64)
    whole = observed.sum() + LEVEL_PRIOR, expected.sum() + LEVEL_PRIOR
    starts = range(len(observed))
    return np.array([gain_of(observed[s:end].sum(), expected[s:end].sum(), *whole) for s in starts])


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
