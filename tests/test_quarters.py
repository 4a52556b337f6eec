"""Quarter after quarter: what a review would have said at the time, and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from churnlens.config import Settings
from churnlens.issues.compare import compare, to_text
from churnlens.pipeline import investigate
from churnlens.results import Issue, Review
from churnlens.simulate import Truth, read_truth, write_world

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
QUICK = Settings(draws=99)
REVIEWS = (dt.date(2024, 6, 30), dt.date(2024, 12, 31), dt.date(2025, 12, 31))


def chain(source: Path, days: Sequence[dt.date]) -> list[Review]:
    """Review a book on each day, each review with the one before it."""
    told: list[Review] = []
    for day in days:
        before = told[-1] if told else None
        told.append(investigate(source, QUICK, as_of=day, previous=before).review)
    return told


@pytest.fixture(scope="module")
def sample() -> list[Review]:
    return chain(SAMPLE, REVIEWS)


def test_the_sample_is_found_and_keeps_its_id(sample: list[Review]) -> None:
    firsts = [review.issues[0] for review in sample]
    assert {(i.kind, i.driver, i.verdict) for i in firsts} == {("shift", "approval_days", "cause")}
    assert {tuple(i.segment.items()) for i in firsts} == {(("size", ("key",)),)}
    assert len({issue.id for issue in firsts}) == 1
    assert [issue.status for issue in firsts] == [None, "same", "better"]
    assert [review.gone for review in sample] == [(), (), ()]


def test_the_samples_remedy_is_judged_by_the_test_written_before_it(sample: list[Review]) -> None:
    plan = sample[0].issues[0].test_plan
    assert plan is not None
    assert sample[0].remedies == ()
    (early,), (late,) = sample[1].remedies, sample[2].remedies
    assert (early.verdict, late.verdict) == ("too_early", "worked")
    assert early.plan == late.plan == plan
    assert early.issue_id == late.issue_id == sample[0].issues[0].id
    assert early.driver_moved
    assert late.driver_moved
    true = read_truth(SAMPLE / "truth.json").remedies[0]
    assert late.risk_ratio is not None
    assert late.risk_ratio.low <= true.risk_ratio <= late.risk_ratio.high


def test_the_register_tells_the_story(sample: list[Review]) -> None:
    story = [(e.as_of, e.event, e.status) for e in sample[2].register]
    assert story == [
        ("2024-06-30", "seen", None),
        ("2024-12-31", "seen", "same"),
        ("2024-12-31", "remedy", "too_early"),
        ("2025-12-31", "seen", "better"),
        ("2025-12-31", "remedy", "worked"),
    ]


def test_two_reviews_of_the_sample_compare(sample: list[Review]) -> None:
    told = compare(sample[0], sample[2])
    assert [(c.id, c.status) for c in told.issues] == [(sample[0].issues[0].id, "better")]
    assert "2025-12-31" in to_text(told)


def quarters(last: dt.date, count: int) -> list[dt.date]:
    """Last days of so many quarters, the latest last."""
    months = [last.year * 12 + last.month - 3 * k for k in reversed(range(count))]
    return [_first(month) - dt.timedelta(days=1) for month in months]


def _first(month: int) -> dt.date:
    """First day of a month counted from year 0, January being 0."""
    return dt.date(month // 12, month % 12 + 1, 1)


def naming(review: Review, truth: Truth, place: int) -> Issue | None:
    """Return the issue that names a planted cause."""
    driver = truth.causes[place].driver
    return next((i for i in review.issues if i.driver == driver), None)


@pytest.mark.slow
def test_ids_stay_over_eight_quarters(tmp_path: Path) -> None:
    kept = []
    worlds = (("lateness", 900, 1), ("price_rise", 900, 3), ("procedure", 1500, 5))
    for world, clients, seed in (*worlds, ("two_causes", 1500, 2)):
        truth = write_world(tmp_path / world, world, clients, seed)
        assert truth.last_date is not None
        told = chain(tmp_path / world, quarters(dt.date.fromisoformat(truth.last_date), 8))
        for old, new in pairwise(told):
            for place in range(len(truth.causes)):
                before, after = naming(old, truth, place), naming(new, truth, place)
                if before is not None and after is not None:
                    kept.append(before.id == after.id)
                    assert after.status in ("same", "worse", "better")
                elif before is not None:
                    assert before.id not in {g.id for g in new.gone if g.reason == "gone"}
    assert len(kept) >= 12
    assert sum(kept) >= 0.98 * len(kept)
