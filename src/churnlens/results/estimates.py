"""What an analysis hands back at the least: numbers and dates with intervals, checks, reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churnlens.results.checked import Day
from churnlens.results.text import Text

Z95 = 1.959963984540054  # standard errors on either side of a value that its 95 % interval takes

Outcome = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """Return it in another measure, such as money a client; a factor may be below nought."""
        ends = self.low * factor, self.high * factor
        return Estimate(self.value * factor, min(ends), max(ends))


@dataclass(frozen=True)
class DateEstimate:
    """A date (ISO 8601) with its 95 % interval."""

    date: Day
    low: Day
    high: Day


@dataclass(frozen=True)
class Skipped:
    """An analysis that could not say anything, and why. An answer, not an error."""

    code: str
    reason: str
    text: Text | None = None


@dataclass(frozen=True)
class Evidence:
    """One check of one cause, in one plain sentence."""

    check: str
    outcome: Outcome
    detail: str
    text: Text | None = None


def money_as_said(amount: float) -> float:
    """Round money to what a meeting can hold: two figures, three below 10,000.

    Whoever says a sum beside its parts adds up these.
    """
    return float(f"{amount:.3g}" if abs(amount) < 10_000 else f"{amount:.2g}")
