"""An oracle that knows scope and date: the smallest rise that could be found at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnlens.simulate import World

LEVEL_Z = 1.6449  # one-sided 5 %
POWER_Z = 0.8416  # 80 %


@dataclass(frozen=True)
class Oracle:
    """What could be known of one cause."""

    found: bool  # likelihood-ratio test on the true departures at 5 %
    rise: float  # true ratio of the departure rate after to before, against outside
    smallest: float  # the ratio it would find in 80 of 100 such worlds


def look(world: World) -> Oracle | None:
    """Test the first planted cause at its true scope and date; None where there is none."""
    causes = world.truth.causes
    if not causes:
        return None
    cause = causes[0]
    clients, truth = world.clients, world.truth_clients
    inside = np.ones(len(clients["client_id"]), dtype=bool)
    for attribute, values in cause.scope.items():
        inside &= np.isin(clients[attribute], list(values))
    start = pd.Timestamp(str(world.truth.first_date))
    span = (pd.Timestamp(str(world.truth.last_date)) - start).days + 1
    entry = (pd.to_datetime(clients["signup_date"]) - start).days.to_numpy().clip(0)
    leaves = np.isin(truth["kind"], ("lapsed", "shrunk"))
    end = (pd.to_datetime(pd.Series(truth["onset_date"]).replace("", None)) - start).dt.days
    end = end.fillna(span).to_numpy()
    begin = 0.0 if cause.departures_onset is None else _days(cause.departures_onset, start)
    if begin == 0:
        return _standing(inside, leaves, end - entry)
    events = [((leaves & side) & (end >= begin)).sum() for side in (inside, ~inside)]
    before = [((leaves & side) & (end < begin)).sum() for side in (inside, ~inside)]
    time = [(end - np.maximum(entry, begin)).clip(0)[s].sum() for s in (inside, ~inside)]
    early = [(np.minimum(end, begin) - entry).clip(0)[s].sum() for s in (inside, ~inside)]
    expected = before[0] / early[0] * (events[1] / time[1]) / (before[1] / early[1]) * time[0]
    noise = 1 / max(before[0], 1) + 1 / max(events[1], 1) + 1 / max(before[1], 1)
    return _answer(float(events[0]), float(expected), float(noise))


def _days(date: str, start: pd.Timestamp) -> float:
    return float((pd.Timestamp(date) - start).days)


def _standing(inside: np.ndarray, leaves: np.ndarray, time: np.ndarray) -> Oracle:
    outside = (leaves & ~inside).sum()
    expected = outside / time[~inside].sum() * time[inside].sum()
    return _answer(float((leaves & inside).sum()), float(expected), 1 / max(outside, 1))


def _answer(observed: float, expected: float, noise: float) -> Oracle:
    """Wald form of the likelihood-ratio test of a log ratio of rates."""
    expected = max(expected, 1e-6)
    log_ratio = np.log(max(observed, 0.5) / expected)
    error = np.sqrt(1 / max(observed, 1) + noise)
    smallest = np.exp((LEVEL_Z + POWER_Z) * np.sqrt(1 / expected + noise))
    return Oracle(bool(log_ratio > LEVEL_Z * error), float(np.exp(log_ratio)), float(smallest))
