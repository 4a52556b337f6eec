"""What did each client live through? Drivers as exposures by client and period.

A driver is a name the report may blame: an order measure or an event type. It has one or more
exposures (how it is measured: the mean over a period's orders, how many events, their value, a
visit's level). A period in which a measure was not recorded is missing, never zero; a period in
which no event was recorded counts none.

Besides, an order measure has a further side, which is only read for its changes: the share of a
client's orders that lie in its far tail. A mean may stay while the worst gets worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.config import Settings
from churnlens.errors import ConfigError
from churnlens.panel.periods import ClientPeriods, EventCounts
from churnlens.plugins import load_function
from churnlens.results import Skipped, Text

Array = npt.NDArray[Any]
BEYOND = "share beyond"
ROUNDING = 1e-6  # of a mean over orders that are all alike
RARE = 5  # clients; an event that fewer ever had tells nothing
LEAST_BEYOND, MOST_BEYOND = 0.005, 0.1  # share of orders beyond a limit that can tell anything


@dataclass(frozen=True)
class Exposure:
    """One way to measure a driver: `values` is float32[n, T], NaN where not recorded."""

    driver: str
    measure: str  # "mean", "count", "value", "level <name>" or BEYOND
    source: str  # "orders" or "events"
    values: Array
    role: str = "candidate"
    limit: float | None = None  # of BEYOND: where the measure's far tail begins

    @property
    def name(self) -> str:
        """Driver and measure, unique among exposures."""
        return (
            self.driver if self.measure in ("mean", "count") else f"{self.driver} ({self.measure})"
        )

    @property
    def subject(self) -> str:
        """What to call it in a sentence: `leadership visit` for that level of visits."""
        level = self.measure.removeprefix("level ")
        return self.driver if level == self.measure else f"{level} {self.driver}"

    def rows(self, keep: Array) -> Exposure:
        """Return the exposure of some clients only."""
        return replace(self, values=self.values[keep])


def exposures(
    data: ClientPeriods, events: tuple[EventCounts, ...], settings: Settings
) -> tuple[Exposure, ...]:
    """Return every candidate exposure, the analyst's own drivers included, by driver name.

    A driver that the config marks `ignore` or `outcome` is left out.

    Raises
    ------
    ConfigError
        When a driver plugin cannot be loaded, has a name that is taken, or gives no numbers.
    """
    found = [Exposure(n, "mean", "orders", values) for n, values in data.measures.items()]
    for event in events:
        found += _event_exposures(event)
    for name in settings.plugins.drivers:
        driver = name.partition(":")[2]
        if driver in {e.driver for e in found}:
            raise ConfigError(
                f"driver '{name}' has the name of a driver that there is already: two of one name "
                "cannot be told apart. Name the function otherwise."
            )
        found.append(Exposure(driver, "mean", "orders", _own(name, data, events)))
    roles = settings.drivers
    kept = [replace(e, role=roles.get(e.driver, "candidate")) for e in found]
    return tuple(e for e in kept if e.role in ("candidate", "negative_control"))


def _own(name: str, data: ClientPeriods, events: tuple[EventCounts, ...]) -> Array:
    """Return what an analyst's own driver gives: one number a client and period."""
    given = load_function(name, "driver")(data, events)
    values = np.asarray(given) if isinstance(given, np.ndarray | list | tuple) else np.zeros(0)
    if values.shape != data.orders.shape or values.dtype.kind not in "fiub":
        raise ConfigError(
            f"driver '{name}' must give an array of numbers, one a client and period: "
            f"{' × '.join(map(str, data.orders.shape))} here."
        )
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if np.isinf(single).any():
        raise ConfigError(
            f"driver '{name}' gives values that are infinite or too large; NaN is for what was not "
            "recorded."
        )
    return single


def recorded(
    found: tuple[Exposure, ...],
) -> tuple[tuple[Exposure, ...], tuple[Skipped, ...]]:
    """Part the exposures that can tell anything from those that cannot, which are said so.

    A measure may stand on returns alone, which are no orders, or be the same in every order: then
    nobody had more of it, and to say that those with more left no more would be to say too much.
    """
    rare = [e for e in found if e.source == "events" and e.measure == "count" and _is_rare(e)]
    common = [e for e in found if e.driver not in {r.driver for r in rare}]
    silent = [_untold(e) for e in common]
    kept = tuple(e for e, why in zip(common, silent, strict=True) if why is None)
    return kept, (*map(_too_rare, rare), *(why for why in silent if why is not None))


def _is_rare(events: Exposure) -> bool:
    return int((events.values > 0).any(axis=1).sum()) < RARE


def _too_rare(events: Exposure) -> Skipped:
    text = Text(
        "{driver} was recorded for fewer than {n} clients in all: too few to say what it does.",
        {"driver": {"type": "driver", "value": events.driver}, "n": RARE},
    )
    return Skipped("rare_driver", str(text), text)


def _untold(exposure: Exposure) -> Skipped | None:
    """Return why an exposure tells nothing; None where it may."""
    known = exposure.values[np.isfinite(exposure.values)]
    driver = {"driver": {"type": "driver", "value": exposure.driver}}
    if known.size == 0:
        text = Text("No order has a value of {driver}, so nothing can be said of it.", driver)
        return Skipped("unrecorded_driver", str(text), text)
    low, high = float(known.min()), float(known.max())
    if exposure.source == "orders" and high - low <= ROUNDING * max(abs(low), abs(high)):
        text = Text("{driver} is the same in every order: nothing can be learnt from it.", driver)
        return Skipped("constant_driver", str(text), text)
    return None


def further_sides(data: ClientPeriods, plain: tuple[Exposure, ...]) -> tuple[Exposure, ...]:
    """Return further sides of the drivers in `plain`, to be read for their changes alone.

    A measure of which hardly any or too many orders are beyond its limit (a yes or no, a few steps)
    has no tail beside its mean.
    """
    roles = {e.driver: e.role for e in plain}
    return tuple(
        Exposure(name, BEYOND, "orders", values, roles[name], data.limits[name])
        for name, values in data.beyond.items()
        if name in roles and _is_tail(values)
    )


def _is_tail(beyond: Array) -> bool:
    share = float(np.nanmean(beyond)) if np.isfinite(beyond).any() else 0.0
    return LEAST_BEYOND <= min(share, 1 - share) <= MOST_BEYOND


def _event_exposures(event: EventCounts) -> list[Exposure]:
    if event.level is not None:
        return [Exposure(event.event_type, f"level {event.level}", "events", event.count)]
    found = [Exposure(event.event_type, "count", "events", event.count)]
    if event.value is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(event.count > 0, event.value / event.count, np.nan)
        if np.nanstd(mean) > 0:
            found.append(Exposure(event.event_type, "value", "events", event.value))
    return found
