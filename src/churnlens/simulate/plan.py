"""What happens in a planted world: its drivers, what moves them, what that causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from churnlens.results import Segment
from churnlens.simulate.clients import Bools, Clients, Floats, Ints


@dataclass(frozen=True)
class Driver:
    """A recorded driver: a measure on every order, or events with a rate a month."""

    name: str
    form: str
    is_event: bool
    base: float  # mean level an order, or events a client and month
    client_cv: float  # how much clients differ
    noise_cv: float  # how much orders of one client differ
    zeros: float = 0.0  # share of orders at exactly zero
    missing: float = 0.0  # share of orders without a record
    trend: float = 0.0  # relative drift a year, for everyone
    levels: tuple[str, ...] = ()  # levels of an event
    valued: bool = False  # events carry a number
    offset: tuple[str, str, float] | None = None  # attribute, value, factor: always higher there
    per_order: bool = False  # events that come with orders, not with the calendar


@dataclass(frozen=True)
class Remedy:
    """A remedy: where, when, and the share of the move it takes back."""

    action: str
    scope: Segment
    day: float
    cut: float
    ramp: float
    driver: str | None
    kind: str  # works | announced | trough


@dataclass(frozen=True)
class Move:
    """A driver's level changes in a scope from a day on, by dose; `driver` None is unrecorded."""

    driver: str | None
    scope: Segment
    day: float
    ramp: float  # days until the full change
    size: float  # relative change at dose 1; negative is less
    dose: Floats  # n clients; 0 outside the scope
    remedy: Remedy | None = None
    remedied: Bools | None = None

    def share(self, client: Ints, day: Floats) -> Floats:
        """Return dose times how far the move has come, for clients at days."""
        come = np.clip((day - self.day) / max(self.ramp, 1.0), 0.0, 1.0)
        share = self.dose[client] * come
        if self.remedy is None or self.remedied is None:
            return np.asarray(share)
        done = np.clip((day - self.remedy.day) / max(self.remedy.ramp, 1.0), 0.0, 1.0)
        return np.asarray(share * (1 - self.remedy.cut * done * self.remedied[client]))


@dataclass(frozen=True)
class Cause:
    """A move that makes clients leave: dissatisfaction builds up, then crosses a threshold."""

    move: Move
    direction: str  # more | less
    lag: float  # days from exposure to being felt
    excess: float  # caused departure rate aimed at, as a multiple of the baseline
    shape: int  # Erlang shape of the threshold: 1 is a hazard, more is damage that piles up
    half_life: float | None  # days in which dissatisfaction halves; None: never forgotten
    via: str | None = None  # the event through which alone it works
    standing: bool = False


@dataclass(frozen=True)
class Symptom:
    """What the firm does once a client has begun to leave."""

    driver: str
    noticed: float  # share of leavers it is done to
    delay: tuple[float, float]  # days after the onset
    length: float  # days
    size: float  # added: multiples of the base level


@dataclass(frozen=True)
class Oddities:
    """Harmless things that look like trouble."""

    season: float = 0.25  # relative amplitude of ordering over the year
    leaving_season: float = 0.0  # relative amplitude of baseline departures over the year
    gap: tuple[float, float] | None = None  # days without records
    gap_scope: Segment | None = None
    recall: tuple[float, Segment] | None = None  # day, whose orders come back
    one_off: float = 0.0  # share of the client list that are one-off bulk buyers
    newcomers: Segment | None = None  # the mix: who comes in after the middle of the span
    risky: tuple[Segment, float] | None = None  # a churn-prone group and its factor


@dataclass(frozen=True)
class Plan:
    """One drawn world, before anything happens."""

    world: str
    seed: int
    strength: float
    start: np.datetime64
    days: float
    clients: Clients
    drivers: Mapping[str, Driver]
    moves: tuple[Move, ...]  # all of them, the harmless too
    causes: tuple[Cause, ...]
    symptoms: tuple[Symptom, ...]
    mediators: tuple[str, ...]
    twins: tuple[str, ...]  # recorded drivers that cannot be told from the cause
    oddities: Oddities
    baseline: float  # departures a client and year
    new_client_factor: float  # how much more often new clients leave
    fade: float  # days from onset to the last order, on average
    partial: float  # share of departures that are partial
    basket_share: float  # share of partial leavers whose baskets shrink, not their orders
    reaction: float  # days from exposure to onset
    remedy: Remedy | None
