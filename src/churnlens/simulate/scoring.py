"""How well a review found what was planted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.errors import ReviewError
from churnlens.results import Estimate, Issue, RemedyResult, Review, Segment, from_json
from churnlens.simulate.truth import TrueCause, TrueRemedy, Truth, read_truth

Members = Mapping[str, npt.NDArray[np.object_]]  # attribute -> one value a client

DAYS_A_MONTH = 365.25 / 12
SAME_PLACE = 0.5  # an unexplained rise is the planted one when half of it is


@dataclass(frozen=True)
class Score:
    """One review against one truth. None: the question does not arise."""

    scenario: str
    quiet: bool  # no cause was planted
    first_right: bool | None  # the first-ranked issue is a planted cause
    first_named: bool | None  # and the review commits itself to it (or, for twins, does not)
    recall: float | None  # share of planted causes among the issues
    blamed: tuple[str, ...]  # symptoms, decoys and innocents called a cause
    mediators_blamed: tuple[str, ...]  # the way a cause works, called a cause of its own
    false_alarm: bool | None  # quiet world: any issue (a mix issue is right where the mix moved)
    mix_found: bool | None
    cannot_tell: int  # issues that leave the driver open
    segment_f1: float | None  # mean over the causes found, by members
    onset_error: float | None  # months, issue minus truth; mean over the causes found
    onset_error_abs: float | None
    onset_covered: float | None  # share of the causes found whose interval holds the truth
    departures_error: float | None  # relative, attributable against caused
    departures_covered: float | None
    revenue_error: float | None
    revenue_covered: float | None
    remedy_right: bool | None
    remedy_read: bool | None  # the same, where the date from which it can be read has passed
    remedy_praised: bool | None  # called working although it did nothing
    remedy_covered: bool | None  # the interval of the risk ratio holds the true one

    def lines(self) -> list[str]:
        """Return the score as lines of text for the command line."""
        shown = dataclasses.asdict(self).items()
        return [f"{name.replace('_', ' ')}: {_say(v)}" for name, v in shown if v is not None]


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)


@dataclass(frozen=True)
class _Found:
    cause: TrueCause
    issue: Issue
    caused: float | None


def score(review: Review, truth: Truth, members: Members | None = None) -> Score:
    """Score a review against the truth.

    Parameters
    ----------
    review
        What was said.
    truth
        What was planted.
    members
        The attributes of every client, as in `clients.csv`. Without them the F1 of a segment
        is taken over the values it names.
    """
    found = _found(review, truth, members)
    first = review.issues[0] if review.issues else None
    planted = bool(truth.causes)
    right = any(f.issue is first for f in found)
    blamed = _blamed(review, truth)
    remedy = _remedy(review, truth)
    errors = [e for f in found if (e := _onset_error(f)) is not None]
    return Score(
        scenario=truth.scenario,
        quiet=not planted,
        first_right=right if planted else None,
        first_named=(right and first is not None and _commits(first, truth)) if planted else None,
        recall=len(found) / len(truth.causes) if planted else None,
        blamed=tuple(d for d in blamed if d not in truth.mediators),
        mediators_blamed=tuple(d for d in blamed if d in truth.mediators),
        false_alarm=None if planted else _alarm(review, truth),
        mix_found=None if truth.mix is None else any(i.kind == "mix" for i in review.issues),
        cannot_tell=sum(i.verdict == "cannot_tell" for i in review.issues),
        segment_f1=_mean([f1(f.issue.segment, f.cause.scope, members) for f in found]),
        onset_error=_mean(errors),
        onset_error_abs=_mean([abs(e) for e in errors]),
        onset_covered=_mean([_onset_covered(f) for f in found]),
        departures_error=_mean([_error(f.issue.departures.attributable, f.caused) for f in found]),
        departures_covered=_mean(
            [_holds(f.issue.departures.attributable, f.caused) for f in found]
        ),
        revenue_error=_mean([_error(f.issue.revenue_per_year, _revenue(f)) for f in found]),
        revenue_covered=_mean([_holds(f.issue.revenue_per_year, _revenue(f)) for f in found]),
        **remedy,
    )


def score_files(review: Path, truth: Path) -> Score:
    """Score `review.json` against `truth.json`; a `clients.csv` beside the truth gives members.

    Only the keys of the outer contract are needed, in both files.

    Raises
    ------
    ReviewError
        When a file cannot be read or is not what it should be.
    """
    known = read_truth(truth)
    return score(_read_review(review), known, read_members(truth.parent / "clients.csv"))


def read_members(path: Path) -> Members | None:
    """Read the text of every column of `clients.csv`; None where there is no such file."""
    if not path.exists():
        return None
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return {str(name): frame[name].to_numpy(dtype=object) for name in frame.columns}


def _read_review(path: Path) -> Review:
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ReviewError(f"{path}: cannot be read ({error.strerror}).") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReviewError(f"{path} is not JSON: {error}.") from error
    if isinstance(raw, dict):  # what only the report needs may be missing
        day = raw.get("as_of", "")
        nothing = {"clients": 0, "orders": 0, "first_date": day, "last_date": day, "set_apart": 0}
        raw.setdefault("book", nothing)
    return from_json(json.dumps(raw), str(path))


# -- matching --------------------------------------------------------------------------------------


def _found(review: Review, truth: Truth, members: Members | None) -> list[_Found]:
    """Match each planted cause with the first issue that names it."""
    found = []
    alone = truth.caused_departures if len(truth.causes) == 1 else None
    for cause in truth.causes:
        issue = next((i for i in review.issues if _names(i, cause, truth, members)), None)
        if issue is not None:
            caused = cause.caused_departures
            found.append(_Found(cause, issue, alone if caused is None else caused))
    return found


def _names(issue: Issue, cause: TrueCause, truth: Truth, members: Members | None) -> bool:
    if cause.driver is None:
        near = f1(issue.segment, cause.scope, members) >= SAME_PLACE
        return issue.driver is None and issue.kind == "unexplained" and near
    if cause.driver in truth.twins and issue.verdict == "cannot_tell":
        return issue.driver in truth.twins or cause.driver in issue.rivals
    return issue.driver == cause.driver


def _commits(issue: Issue, truth: Truth) -> bool:
    if issue.driver is None:
        return True
    return issue.verdict == ("cannot_tell" if issue.driver in truth.twins else "cause")


def _blamed(review: Review, truth: Truth) -> list[str]:
    """List drivers called a cause that are none; of twins, naming either is too much."""
    right = {c.driver for c in truth.causes} - set(truth.twins)
    named = (i.driver for i in review.issues if i.verdict == "cause" and i.driver is not None)
    return [d for d in named if d not in right]


def _alarm(review: Review, truth: Truth) -> bool:
    return any(not (i.kind == "mix" and truth.mix is not None) for i in review.issues)


def f1(said: Segment, true: Segment, members: Members | None) -> float:
    """F1 of a segment against the true one: by clients, or by values where no clients are known."""
    if members is None:
        a = {(k, v) for k, values in said.items() for v in values}
        b = {(k, v) for k, values in true.items() for v in values}
        return 1.0 if a == b else 2 * len(a & b) / max(len(a) + len(b), 1)
    inside, planted = _inside(said, members), _inside(true, members)
    both = int((inside & planted).sum())
    return 2 * both / max(int(inside.sum()) + int(planted.sum()), 1)


def _inside(segment: Segment, members: Members) -> npt.NDArray[np.bool_]:
    """Who is in a segment; one that is drawn by anything but the client list holds nobody."""
    inside = np.ones(len(next(iter(members.values()))), dtype=bool)
    for attribute, values in segment.items():
        known = members.get(attribute)
        inside &= False if known is None else np.isin(known.astype(str), list(values))
    return inside


# -- figures ---------------------------------------------------------------------------------------


def _mean(values: list[Any]) -> float | None:
    known = [float(v) for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _days(date: str) -> int:
    return dt.date.fromisoformat(date).toordinal()


def _onset_error(found: _Found) -> float | None:
    if found.issue.onset is None or found.cause.onset is None:
        return None
    return (_days(found.issue.onset.date) - _days(found.cause.onset)) / DAYS_A_MONTH


def _onset_covered(found: _Found) -> bool | None:
    """Whether the interval holds the truth; its ends count as whole months."""
    onset = found.issue.onset
    if onset is None or found.cause.onset is None:
        return None
    day = found.cause.onset
    return onset.low[:7] <= day[:7] <= onset.high[:7]


def _error(said: Estimate, true: float | None) -> float | None:
    return None if not true or math.isnan(said.value) else (said.value - true) / true


def _holds(said: Estimate, true: float | None) -> bool | None:
    """Whether the interval holds the truth; None where there is no interval."""
    return None if true is None or math.isnan(said.low) else said.low <= true <= said.high


def _revenue(found: _Found) -> float | None:
    return found.cause.revenue_lost_per_year


def _remedy(review: Review, truth: Truth) -> dict[str, bool | None]:
    if not truth.remedies:
        return dict.fromkeys(("remedy_right", "remedy_read", "remedy_praised", "remedy_covered"))
    true = truth.remedies[0]
    said = next((r for r in review.remedies if _same(r, true)), None)
    verdict = said.verdict if said is not None else None
    ratio = said.risk_ratio if said is not None else None
    return {
        "remedy_right": verdict == true.verdict,
        "remedy_read": verdict == true.verdict if _readable(said, review) else None,
        "remedy_praised": None if true.verdict == "worked" else verdict == "worked",
        "remedy_covered": None if ratio is None else _holds(ratio, true.risk_ratio),
    }


def _readable(said: RemedyResult | None, review: Review) -> bool:
    date = said.readable_from if said is not None else None
    return date is not None and date <= review.as_of


def _same(said: RemedyResult, true: TrueRemedy) -> bool:
    return said.start_date == true.start and said.action == true.action
