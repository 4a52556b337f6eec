"""Quarter after quarter: what a review would have said at the time, and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from churnlens.config import Settings
from churnlens.errors import ConfigError
from churnlens.issues.compare import compare, to_text
from churnlens.pipeline import investigate
from churnlens.report import render
from churnlens.results import Issue, Review
from churnlens.simulate import Truth, read_truth, write_world

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
REVIEWS = (dt.date(2024, 6, 30), dt.date(2024, 12, 31), dt.date(2025, 12, 31))


def quick(day: dt.date) -> Settings:
    return Settings(draws=99, as_of=day)


def chain(source: Path, days: Sequence[dt.date]) -> list[Review]:
    """Review a book on each day, each review with the one before it."""
    told: list[Review] = []
    for day in days:
        before = told[-1] if told else None
        told.append(investigate(source, quick(day), previous=before).review)
    return told


@pytest.fixture(scope="module")
def sample() -> list[Review]:
    return chain(SAMPLE, REVIEWS)


def test_a_later_review_is_no_previous_one(sample: list[Review]) -> None:
    with pytest.raises(ConfigError, match="as of 2025-12-31, and this one is as of 2024-06-30"):
        investigate(SAMPLE, quick(REVIEWS[0]), previous=sample[-1])


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
    assert any("asked for" in str(note) for note in late.notes)
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
    told = compare(sample[1], sample[2])
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


ODD_REMEDIES = """action,start_date,end_date,size,region,issue_id
everyone,2024-10-02,,,,
two attributes,2024-10-02,,key,south,
one value nobody has,2024-10-02,,key|gigantic,,
a value nobody has,2024-10-02,,gigantic,,
an issue nobody knows,2024-10-02,,key,,no-such-issue
over already,2024-03-01,2024-09-30,key,,
over at once,2024-03-01,2024-04-15,key,,
over before it began,2024-09-01,2024-03-01,key,,
where nothing is wrong,2024-06-05,,small,,
before there is a level,2022-02-01,,small,,
begun today,2025-12-31,,key,,
after the data,2026-06-01,,key,,
"""


def test_every_odd_remedy_gets_an_answer_and_a_report(tmp_path: Path) -> None:
    for name in ("orders", "clients", "events"):
        for file in SAMPLE.glob(f"{name}.*"):
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "remedies.csv").write_text(ODD_REMEDIES, encoding="utf-8")
    outcome = investigate(tmp_path, quick(REVIEWS[-1]))
    said = {remedy.action: remedy for remedy in outcome.review.remedies}
    assert len(said) == 10  # all but the one dated after the data and the one that is refused
    assert outcome.tables.rows["remedies"].after_as_of == 1
    assert outcome.tables.rows["remedies"].rejected == 1  # over before it began
    for name in ("a value nobody has", "over at once"):
        assert (said[name].verdict, said[name].risk_ratio) == ("cannot_tell", None)
    assert said["over already"].verdict == "did_not"
    assert said["begun today"].verdict in ("too_early", "cannot_tell")
    assert said["where nothing is wrong"].verdict != "worked"
    for lang in ("en", "zh"):
        page = render(outcome.review, lang=lang)
        assert "one value nobody has" in page
