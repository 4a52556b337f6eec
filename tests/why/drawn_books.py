"""Books drawn month by month, with what happens in them known: hazards, drivers, doses."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from churnlens.config import PeriodName
from churnlens.panel import Panel
from churnlens.panel.exposures import Exposure
from churnlens.panel.periods import Calendar, calendar
from churnlens.which.baseline import Baseline
from churnlens.which.scan import Scan, prepare
from churnlens.which.segments import Attribute, attributes_of, members
from churnlens.why.attribution import attribute
from churnlens.why.candidates import Candidate, candidate
from churnlens.why.case import Case
from churnlens.why.lead_lag import lead_lag
from churnlens.why.model import fit
from churnlens.why.moves import Move
from churnlens.why.precedence import Leads
from churnlens.why.selection import Explained, Explanation

MONTHS = 36
START = 18  # the month in which what is planted changes
KEY = {"size": ("key",)}


@dataclass(frozen=True)
class Drawn:
    """A drawn book; `key` bool[n] tells who was hit, `dose` float[n] how much (1 is typical)."""

    baseline: Baseline
    key: np.ndarray
    dose: np.ndarray

    @property
    def panel(self) -> Panel:
        return self.baseline.panel

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return attributes_of(self.panel, tiers=False)

    def exposure(self, driver: str) -> Exposure:
        return next(e for e in self.panel.exposures if e.driver == driver)

    def inside(self, segment: dict[str, tuple[str, ...]]) -> np.ndarray:
        return members(segment, self.attributes, self.panel.active.shape)

    def candidate(self, driver: str, *, start: int = START, segment=None) -> Candidate:
        """The candidate of a move as it was planted, whether or not a scan would find it."""
        segment = KEY if segment is None else segment
        values, inside = self.exposure(driver).values, self.inside(segment)
        early = inside & (np.arange(MONTHS) < start)
        before, after = np.nanmean(values[early]), np.nanmean(values[inside & ~early])
        move = Move(
            self.exposure(driver), segment, start, start, start, 1, before, after, 50.0, 100
        )
        return candidate(move, self.baseline, self.attributes)

    def scan(self, draws: int = 99) -> Scan:
        return prepare(self.baseline, self.attributes, draws=draws, seed=0)

    @property
    def caused(self) -> float:
        """Departures of the hit clients since the start, over what was to be expected."""
        late = self.key[:, None] & (np.arange(MONTHS) > START)
        return float((self.baseline.observed - self.baseline.expected)[late].sum())


def draw(
    *,
    clients: int = 1200,
    base: float = 0.012,
    excess: float | np.ndarray = 0.0,
    spread: float = 0.6,
    follow: str = "dose",
    lasting_rate: np.ndarray | None = None,
    drivers=None,
    seed: int = 0,
) -> Drawn:
    """Draw a book in which `key` clients (a quarter) leave more from `START` on.

    Parameters
    ----------
    base, excess
        Hazard a month, and its relative rise at dose 1 (of each month, float[T], where it passes).
    spread
        Standard deviation of doses among those hit; their mean is 1.
    follow
        "dose": departures follow each client's dose; "flat": all hit alike; "half": half of them
        have a dose of 2, the others none.
    lasting_rate
        Factor on the hazard of each client all along, float[n].
    drivers
        Function of (rng, key, dose, onset) that returns driver -> float[n, T] or an `Exposure`.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(MONTHS)
    key = rng.random(clients) < 0.25
    dose = rng.gamma(1 / max(spread, 1e-3) ** 2, max(spread, 1e-3) ** 2, clients)
    if follow == "half":
        dose = 2.0 * (rng.random(clients) < 0.5)
    felt = np.where(key, 1.0 if follow == "flat" else dose, 0.0)[:, None] * (t > START)
    usual = np.full((clients, MONTHS), base)
    factor = np.ones(clients) if lasting_rate is None else lasting_rate
    leaves = rng.random(usual.shape) < usual * factor[:, None] * (1 + excess * felt)
    onset = np.where(leaves.any(axis=1), leaves.argmax(axis=1), -1)
    end = np.where(onset >= 0, onset, MONTHS)[:, None]
    there = t <= end
    given = {} if drivers is None else drivers(rng, key, dose, onset)
    attributes = {
        "size": np.where(key, "key", "small"),
        "region": rng.choice(["north", "south", "west"], clients),
    }
    fields = {
        "calendar": Calendar(
            "month", tuple(dt.date(2021 + m // 12, m % 12 + 1, 1) for m in t), np.ones(MONTHS)
        ),
        "client": np.arange(clients),
        "active": there.astype(np.float32),
        "found": (leaves & (t == onset[:, None])).astype(np.float32),
        "onset": onset,
        "onset_low": onset,
        "onset_high": onset,
        "kind": np.where(onset >= 0, "lapsed", ""),
        "kept": np.where(onset >= 0, 0.0, np.nan),
        "entry": np.full(clients, -30),
        "known_from_start": np.zeros(clients, bool),
        "tiers": np.ones((clients, MONTHS), np.int8),
        "attributes": pd.DataFrame({k: pd.Categorical(v) for k, v in attributes.items()}),
        "exposures": tuple(
            v if isinstance(v, Exposure) else Exposure(k, "mean", "orders", v.astype(np.float32))
            for k, v in given.items()
        ),
        "sides": (),
        "activity": SimpleNamespace(
            first=np.zeros(clients, int),
            closing=np.full(clients, MONTHS),
            orders=there.astype(np.float32),
        ),
        "revenue": np.where(there, 100.0, 0.0).astype(np.float32),
        "definition": "silence",
        "set_apart": 0,
    }
    needed = [f.name for f in dataclasses.fields(Panel) if f.default is dataclasses.MISSING]
    panel = Panel(**{name: fields.get(name) for name in needed})
    hazard = usual.astype(np.float32)
    return Drawn(Baseline(panel, hazard, hazard * panel.active, panel.found), key, dose)


def measure(rng, clients: int, *, level: float = 2.0, noise: float = 0.5) -> np.ndarray:
    """An order measure that stands still: clients differ, months are noisy, some unrecorded."""
    own = level * (1 + 0.25 * rng.standard_normal(clients))[:, None]
    values = own + noise * rng.standard_normal((clients, MONTHS))
    return np.where(rng.random(values.shape) < 0.8, values, np.nan)


def shifted(rng, hit: np.ndarray, dose: np.ndarray, size: float = 2.0, **more) -> np.ndarray:
    """The same, raised by `size` times each hit client's dose from `START` on."""
    raised = size * np.where(hit, dose, 0.0)[:, None] * (np.arange(MONTHS) >= START)
    return measure(rng, len(dose), **more) + raised


def after_onset(rng, onset: np.ndarray, size: float = 2.0) -> np.ndarray:
    """A reaction of the firm: raised for leavers from a month after their onset on."""
    t = np.arange(MONTHS)
    late = (onset[:, None] >= 0) & (t > onset[:, None]) & (t <= onset[:, None] + 5)
    return measure(rng, len(onset)) + size * late


def before_onset(rng, onset: np.ndarray, months: int = 8) -> np.ndarray:
    """An early sign of leaving: events that are frequent from some months before the onset on."""
    t, at = np.arange(MONTHS), onset[:, None]
    near = (at >= 0) & (t >= at - months) & (t < at + 3)
    return rng.poisson(np.where(near, 0.4, 0.1)).astype(np.float32)


def two_drivers(rng, key, dose, onset):
    """The cause, a driver that stands still, and a symptom."""
    return {
        "cause": shifted(rng, key, dose),
        "still": measure(rng, len(dose)),
        "symptom": after_onset(rng, onset),
    }


def against_the_dose() -> Drawn:
    """A book with a driver that moved by very different doses, whose clients leave all alike."""
    return draw(clients=3000, excess=4.0, spread=1.2, follow="flat", drivers=two_drivers, seed=8)


def explained(book: Drawn, *candidates: Candidate, left: tuple[Candidate, ...] = ()) -> Explained:
    """What would be explained had these candidates been taken."""
    parts = tuple(Explanation(c, None, c.term, 0.001, c.gain, c.lasting) for c in candidates)
    return Explained(parts, fit(book.baseline, tuple(p.term for p in parts)), left)


def case(book: Drawn, c: Candidate, **more: object) -> Case:
    """All that the checks look at, had this candidate been taken."""
    sign = 1 if c.move.shift > 0 else -1
    given = {
        "attribution": attribute(book.baseline, explained(book, c)).parts[0],
        "beside": (),
        "rivals": (),
        "timing": lead_lag(book.baseline, c.move.exposure, (c.inside,), sign),
        "others": {},
        "controls": (),
        "seed": 0,
        "leads": Leads(0.0, 0.0),
    }
    return Case(book.baseline, c, c.term, c.lasting, **(given | more))


def with_exposures(book: Drawn, *exposures: Exposure) -> Drawn:
    """The same book with other drivers recorded."""
    panel = dataclasses.replace(book.panel, exposures=exposures)
    return dataclasses.replace(book, baseline=dataclasses.replace(book.baseline, panel=panel))


def in_periods(baseline: Baseline, period: PeriodName) -> Baseline:
    """The same, its months taken for weeks or quarters."""
    cal = calendar(period, dt.date(2010, 1, 1), dt.date(2020, 1, 1))
    cal = Calendar(period, cal.starts[:MONTHS], cal.share[:MONTHS])
    return dataclasses.replace(baseline, panel=dataclasses.replace(baseline.panel, calendar=cal))


def with_returns(book: Drawn, back: int) -> Drawn:
    """The same book, each two rows being spells of one client, the second from `back` on."""
    rows = np.arange(len(book.key))
    entry = np.where(rows % 2, back, book.panel.entry)
    panel = dataclasses.replace(book.panel, client=rows // 2, entry=entry)
    return dataclasses.replace(book, baseline=dataclasses.replace(book.baseline, panel=panel))


def with_departures(book: Drawn, extra: np.ndarray) -> Drawn:
    """The same book in which some leave earlier than they did: bool[n, T], the first one counts."""
    at = np.where(extra.any(axis=1), extra.argmax(axis=1), MONTHS)
    now = np.minimum(at, np.where(book.panel.onset >= 0, book.panel.onset, MONTHS))
    onset = np.where(now < MONTHS, now, -1)
    t = np.arange(MONTHS)
    panel = dataclasses.replace(
        book.panel,
        onset=onset,
        found=(t == onset[:, None]).astype(np.float32),
        active=(t <= now[:, None]).astype(np.float32),
        kept=np.where(onset >= 0, 0.0, np.nan),
    )
    hazard = book.baseline.hazard
    return dataclasses.replace(
        book, baseline=Baseline(panel, hazard, hazard * panel.active, panel.found)
    )
