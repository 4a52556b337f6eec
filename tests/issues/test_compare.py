"""Two reviews side by side."""

from __future__ import annotations

import dataclasses
import json

import pytest
from issue_samples import issue, review

from churnlens.errors import ReviewError
from churnlens.issues.compare import compare, to_json, to_text
from churnlens.results import DefinitionUsed

OLD = review(
    issue(revenue=(100_000.0, 80_000.0, 120_000.0)),
    issue(driver="late_days", segment={"region": ("north",)}),
)
NEW = review(
    issue(segment={"size": ("key", "large")}, revenue=(300_000.0, 250_000.0, 350_000.0)),
    issue(driver=None, segment={"region": ("east",)}, title="Clients in the east leave"),
    as_of="2024-06-30",
)


def test_each_issue_has_its_fate_and_the_figures_of_both_quarters() -> None:
    found = compare(OLD, NEW)
    assert (found.old_as_of, found.new_as_of) == ("2024-03-31", "2024-06-30")
    assert [c.status for c in found.issues] == ["worse", "new", "gone"]
    worse, new, gone = found.issues
    assert worse.id == OLD.issues[0].id
    assert worse.more_than_chance is True
    assert worse.old is not None
    assert worse.new is not None
    assert (worse.old.revenue_per_year.value, worse.new.revenue_per_year.value) == (1e5, 3e5)
    assert (new.old, new.more_than_chance) == (None, None)
    assert (gone.id, gone.new) == (OLD.issues[1].id, None)


def test_a_review_compared_with_itself_is_the_same() -> None:
    found = compare(OLD, OLD)
    assert [c.status for c in found.issues] == ["same", "same"]
    assert not any(c.more_than_chance for c in found.issues)


def test_the_table_has_a_line_an_issue() -> None:
    lines = to_text(compare(OLD, NEW)).splitlines()
    assert len(lines) == 4
    assert "2024-03-31" in lines[0]
    assert lines[1].startswith("worse")
    assert "300,000" in lines[1]
    assert lines[2].endswith("Clients in the east leave")
    thin = dataclasses.replace(compare(OLD, NEW).issues[2], status="cannot_be_seen")
    text = to_text(dataclasses.replace(compare(OLD, NEW), issues=(thin,)))
    assert "can no longer be seen" in text
    assert "No issues" in to_text(compare(review(), review()))


def test_it_is_said_that_a_rise_was_explained_since() -> None:
    old, new = review(issue(driver=None)), review(issue(), as_of="2024-06-30")
    assert compare(old, new).issues[0].explained == "explained since"
    back = compare(dataclasses.replace(new, as_of=old.as_of), old)
    assert back.issues[0].explained == "no longer explained"
    assert to_text(compare(old, new)).endswith("(explained since)\n")


def test_the_json_holds_the_same() -> None:
    raw = json.loads(to_json(compare(OLD, NEW)))
    assert [i["status"] for i in raw["issues"]] == ["worse", "new", "gone"]
    assert raw["issues"][0]["new"]["attributable"].keys() == {"value", "low", "high"}


@pytest.mark.parametrize(("what", "other"), [("currency", "USD"), ("period", "week")])
def test_figures_of_another_kind_are_not_compared(what: str, other: str) -> None:
    with pytest.raises(ReviewError, match=f"has the {what} {other}"):
        compare(dataclasses.replace(OLD, **{what: other}), NEW)


def test_another_definition_of_leaving_is_said_before_the_table() -> None:
    other = dataclasses.replace(OLD, departure_definition=DefinitionUsed("silence", ""))
    found = compare(other, NEW)
    assert found.issues == compare(OLD, NEW).issues
    assert found.warning is not None
    assert "(silence, and this one cadence)" in found.warning
    assert to_text(found).startswith(f"! {found.warning}\nstatus")
    assert json.loads(to_json(found))["warning"] == found.warning
    assert compare(OLD, NEW).warning is None


def test_reviews_out_of_order_are_told_so() -> None:
    with pytest.raises(ReviewError, match="name the earlier one first"):
        compare(NEW, OLD)
