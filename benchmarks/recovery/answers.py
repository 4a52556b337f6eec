"""What a contestant answers, in the form in which a review is scored."""

from __future__ import annotations

from dataclasses import dataclass

from churnlens.results import (
    Book,
    DateEstimate,
    DefinitionsAgreeing,
    DefinitionUsed,
    Departures,
    Estimate,
    Issue,
    RemedyResult,
    Review,
)

NOTHING = Estimate(float("nan"), float("nan"), float("nan"))  # rivals have no interval


@dataclass(frozen=True)
class Claim:
    """One thing a contestant says: this driver (None: unexplained), these clients, since then."""

    driver: str | None
    scope: dict[str, tuple[str, ...]]
    onset: str | None


@dataclass(frozen=True)
class Answer:
    """All that a contestant says."""

    first: Claim | None  # top of its ranking, whether it would name it or not
    claims: tuple[Claim, ...]  # what it names at its own threshold
    remedies: tuple[RemedyResult, ...] = ()

    def review(self) -> Review:
        """Return the claims as a review, so that one scoring serves all."""
        return _review(self.claims, self.remedies)

    def ranking(self) -> Review:
        """Return the top of the ranking as a review."""
        return _review(() if self.first is None else (self.first,), ())


def _review(claims: tuple[Claim, ...], remedies: tuple[RemedyResult, ...]) -> Review:
    return Review(
        as_of="",
        period="month",
        currency="",
        rows={},
        departure_definition=DefinitionUsed("", ""),
        issues=tuple(_issue(c, rank) for rank, c in enumerate(claims, 1)),
        book=Book(0, 0, "", "", 0),
        remedies=remedies,
    )


def _issue(claim: Claim, rank: int) -> Issue:
    return Issue(
        id=str(rank),
        rank=rank,
        kind="unexplained" if claim.driver is None else "shift",
        title="",
        driver=claim.driver,
        direction=None,
        verdict=None if claim.driver is None else "cause",
        segment=claim.scope,
        onset=None if claim.onset is None else DateEstimate(claim.onset, claim.onset, claim.onset),
        departures=Departures(0, 0.0, NOTHING),
        revenue_per_year=NOTHING,
        effect=None,
        evidence=(),
        definitions_agreeing=DefinitionsAgreeing(0, 0),
        status=None,
        recommendation=(),
    )
