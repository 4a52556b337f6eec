"""What was planted, and what came of it: the truth beside a simulated world."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from churnlens.errors import ReviewError, first_fault
from churnlens.results import Segment
from churnlens.results.checked import Day


@dataclass(frozen=True)
class TrueCause:
    """One planted cause; `driver` is None where nothing records it."""

    driver: str | None
    scope: Segment
    onset: Day | None  # when the driver moved (unrecorded: when departures rose); None: standing
    direction: str | None = None  # more | less
    departures_onset: str | None = None  # when departures begin to rise
    kind: str = "shift"  # shift | standing | unexplained
    caused_departures: float | None = None  # realised: with this cause minus without it
    caused_departures_expected: float | None = None
    revenue_lost_per_year: float | None = None
    mediators: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrueRemedy:
    """One remedy and what it did."""

    action: str
    scope: Segment
    start: Day
    verdict: str  # worked | did_not
    risk_ratio: float
    kind: str = ""


@dataclass(frozen=True)
class Truth:
    """The whole truth of a planted world; the first keys are the outer contract's."""

    scenario: str
    seed: int
    causes: tuple[TrueCause, ...]
    caused_departures: float
    departures: int
    symptoms: tuple[str, ...]
    innocent: tuple[str, ...]
    caused_departures_expected: float | None = None
    revenue_lost_per_year: float | None = None
    mediators: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()  # drivers nobody can tell apart: "cannot tell" is right
    remedies: tuple[TrueRemedy, ...] = ()
    mix: Segment | None = None  # whose share of the book grew, where only the mix moved
    clients: int | None = None
    orders: int | None = None
    first_date: str | None = None
    last_date: str | None = None
    strength: float = 1.0
    about: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the truth as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, origin: str = "truth.json") -> Truth:
    """Read a truth back; keys beyond the outer contract may be missing, unknown ones are left out.

    Raises
    ------
    ReviewError
        When the text is no truth; names the first wrong key.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to import; only readers pay

    try:
        raw: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReviewError(f"{origin} is not JSON (line {error.lineno}): {error.msg}.") from error
    if not isinstance(raw, dict):
        raise ReviewError(f"{origin} is no truth of a planted world: it must be a JSON object.")
    try:
        return TypeAdapter(Truth).validate_python(_as_lists(raw))
    except ValidationError as error:
        raise ReviewError(f"{origin}: {first_fault(error)}") from error


def _as_lists(raw: dict[str, Any]) -> dict[str, Any]:
    """Let a scope name a single value without a list; what is no scope is left to be refused."""
    causes = raw.get("causes")
    for cause in causes if isinstance(causes, list) else ():
        scope = (cause.get("scope") or {}) if isinstance(cause, dict) else None
        if isinstance(scope, dict):
            cause["scope"] = {k: [v] if isinstance(v, str) else v for k, v in scope.items()}
    return raw


def read_truth(path: Path) -> Truth:
    """Read `truth.json` from disk.

    Raises
    ------
    ReviewError
        When the file cannot be read or is no truth.
    """
    try:
        return from_json(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ReviewError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path} is not UTF-8 text.") from error
