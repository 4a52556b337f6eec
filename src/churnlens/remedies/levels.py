"""How high departures ran in each stretch of time, over what the baseline expects, and how surely.

When somebody began to leave is known to a month or two only. Counting departures by their most
probable month lets those from before a remedy spill over it, and those of the last months, of
which little can be told, are filled up with the usual number: both draw what a remedy changed
towards nothing. Here the levels themselves are estimated by maximum likelihood, every possible
onset of every client weighed under them (Dempster, Laird and Rubin 1977); what cannot be told
then makes the error wide and draws the level nowhere. Errors are those of the sum of the clients'
scores (Berndt, Hall, Hall and Hausman 1974), so a client is one observation however many periods
it has. Where departures are certain the levels are the plain ratios of found to expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from churnlens.panel.onsets import OnsetLikelihood
from churnlens.remedies.rates import Booleans, Change, Floats, client_periods

if TYPE_CHECKING:
    from churnlens.panel import Panel

PRIOR = 0.5  # of a departure by which every level is drawn to what the baseline expects
ROUNDS, EXACT = 40, 1e-3
LONGEST_STEP = 1.0  # of a log level in one round


@dataclass(frozen=True)
class Levels:
    """Log levels of K named stretches of time with their covariance (K x K), for some clients.

    `found` and `active` (T) are departures and clients there to leave, by period, weighed under
    these levels; `usual` (T) are the departures that the baseline expects of those there.
    """

    names: tuple[str, ...]
    log: Floats
    covariance: Floats
    found: Floats
    active: Floats
    usual: Floats

    def level(self, name: str) -> float:
        """Return departures over those that the baseline expects, in a stretch."""
        return float(np.exp(self.log[self.names.index(name)]))

    def variance(self, name: str) -> float:
        """Return the variance of a stretch's log level."""
        place = self.names.index(name)
        return float(self.covariance[place, place])

    def changes(self, before: str, after: tuple[str, ...]) -> tuple[Floats, Floats]:
        """Return the changes of log level from one stretch to others, and their covariance."""
        gap = np.zeros((len(after), len(self.log)))
        gap[:, self.names.index(before)] = -1
        for row, name in enumerate(after):
            gap[row, self.names.index(name)] += 1
        return gap @ self.log, gap @ self.covariance @ gap.T

    def change(self, before: str, after: str) -> Change:
        """Return the change of level from one stretch to another."""
        size, variance = self.changes(before, (after,))
        return Change(float(size[0]), float(variance[0, 0]))


def fit_levels(
    panel: Panel,
    hazard: npt.NDArray[np.floating[Any]],
    who: Booleans,
    stretches: Mapping[str, Booleans],
) -> Levels:
    """Fit the level of each stretch of time.

    Parameters
    ----------
    panel : Panel
    hazard : float[n, T]
        The baseline's, per period.
    who : bool[n], or bool[n, T] where clients come and go
        Whose level.
    stretches : mapping of name to bool[T]
        Sets of periods, each with a level of its own; periods in none keep the baseline's.
    """
    there = client_periods(who)
    rows = np.asarray(there.any(axis=1))
    part, base, here = _of(panel, rows), np.asarray(hazard[rows], dtype=np.float32), there[rows]
    design = np.array(list(stretches.values()), dtype=np.float32)
    log = np.zeros(len(design))
    for _ in range(ROUNDS):
        now = part.weigh(base * np.where(here, np.exp(log @ design).astype(np.float32), 1))
        found, active = now.found * here, now.active * here
        due = base * active
        scores = (found @ design.T - (due @ design.T) * np.exp(log)).astype(np.float64)
        information = scores.T @ scores + PRIOR * np.eye(len(log))
        pull = scores.sum(axis=0) + PRIOR * (1 - np.exp(log))
        step = np.linalg.solve(information, pull).clip(-LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max() < EXACT:
            break
        log = log + step
    covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
    sums = (_by_period(values) for values in (found, active, due))
    return Levels(tuple(stretches), log, covariance, *sums)


def _by_period(values: npt.NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(values.sum(axis=0, dtype=np.float64))


def _of(panel: Panel, rows: Booleans) -> Panel:
    """Return what weighing reads of some clients (bool[n])."""
    whole = panel.likelihood
    return replace(
        panel,
        likelihood=None
        if whole is None
        else OnsetLikelihood(whole.log_ratio[rows], whole.possible[rows]),
        found=panel.found[rows],
        active=panel.active[rows],
    )
