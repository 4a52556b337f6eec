import dataclasses
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.errors import ReviewError
from churnlens.results import (
    Book,
    DateEstimate,
    DefinitionsAgreeing,
    DefinitionUsed,
    Departures,
    Estimate,
    Evidence,
    Issue,
    Review,
    RowCounts,
    RuledOut,
    Skipped,
    Text,
    from_json,
    read_review,
    segment_label,
    to_json,
)
from churnlens.results.checked import MOST

REVIEW = Review(
    as_of="2024-12-31",
    period="month",
    currency="EUR",
    rows={"orders": RowCounts(4, 2, 1, 1)},
    departure_definition=DefinitionUsed("cadence", "silent for too long"),
    issues=(
        Issue(
            id="approval-days-key-a1b2c3",
            rank=1,
            kind="shift",
            title="Key accounts leave because approvals take longer.",
            driver="approval_days",
            direction="more",
            verdict="cause",
            segment={"size": ("key",), "region": ("north", "south")},
            onset=DateEstimate("2023-09-01", "2023-08-01", "2023-10-01"),
            departures=Departures(50, 21.5, Estimate(28.5, 20.0, 37.0)),
            revenue_per_year=Estimate(84_000.0, 60_000.0, 110_000.0),
            effect=None,
            evidence=(Evidence("lead_lag", "pass", "It comes first.", Text("It comes first.")),),
            definitions_agreeing=DefinitionsAgreeing(3, 3),
            status=None,
            recommendation=("Simplify the procedure.",),
        ),
    ),
    book=Book(400, 12_000, "2022-01-01", "2024-12-31", 3),
    ruled_out=(RuledOut("discount_pct", "symptom", "It follows."),),
    skipped=(Skipped("remedies", "No remedies are recorded."),),
    verdict=(Text("{who} leave.", {"who": {"type": "segment", "value": {"size": ["key"]}}}),),
)

CONTRACT = {
    "schema_version as_of period currency rows departure_definition issues gone remedies "
    "ruled_out skipped": lambda review: review,
    "read accepted rejected after_as_of": lambda review: review["rows"]["orders"],
    "name detail": lambda review: review["departure_definition"],
    "id rank kind title driver direction verdict segment onset departures revenue_per_year "
    "effect evidence definitions_agreeing status recommendation": lambda r: r["issues"][0],
    "date low high": lambda review: review["issues"][0]["onset"],
    "observed expected attributable": lambda review: review["issues"][0]["departures"],
    "value low high": lambda review: review["issues"][0]["revenue_per_year"],
    "check outcome detail": lambda review: review["issues"][0]["evidence"][0],
    "agree of": lambda review: review["issues"][0]["definitions_agreeing"],
    "driver verdict why": lambda review: review["ruled_out"][0],
    "code reason": lambda review: review["skipped"][0],
}


@pytest.mark.parametrize("keys", CONTRACT)
def test_the_keys_of_the_outer_contract_are_there(keys):
    raw = json.loads(to_json(REVIEW))
    assert set(keys.split()) <= set(CONTRACT[keys](raw))


def test_a_review_survives_the_file():
    again = from_json(to_json(REVIEW))
    assert to_json(again) == to_json(REVIEW)
    assert again.issues[0].segment == REVIEW.issues[0].segment
    assert again.issues[0].onset == REVIEW.issues[0].onset


@given(st.floats(-MOST, MOST))
@settings(deadline=None)
def test_numbers_keep_nine_digits_and_are_written_alike_ever_after(value):
    money = Estimate(value, value, value)
    issue = dataclasses.replace(REVIEW.issues[0], revenue_per_year=money)
    text = to_json(dataclasses.replace(REVIEW, issues=(issue,)))
    again = from_json(text)
    assert math.isclose(again.issues[0].revenue_per_year.value, value, rel_tol=1e-8)
    assert to_json(again) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_json_lacks_is_written(value):
    book = dataclasses.replace(REVIEW.book, smallest_visible_rise=value)
    raw = json.loads(to_json(dataclasses.replace(REVIEW, book=book)), parse_constant=pytest.fail)
    assert raw["book"]["smallest_visible_rise"] is None


def since(day):
    return {"template": "Since {when}", "values": {"when": {"type": "date", "value": day}}}


def exits(**changed):
    curve = {"tenure": [0.0], "share": [0.1], "low": [0.0], "high": [0.2]}
    return {"kind": "lapsed", "clients": 9} | curve | changed


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda raw: raw.update(schema_version="99"), "schema_version '99'"),
        (lambda raw: raw.pop("as_of"), "as_of"),
        (lambda raw: raw["issues"][0].update(kind="guess"), "issues.0.kind"),
        (lambda raw: raw["issues"][0]["departures"].update(observed="many"), "observed"),
        (
            lambda raw: raw["issues"][0]["departures"].update(expected=1e300),
            "departures.expected: ",
        ),
        (lambda raw: raw["issues"][0]["departures"].update(expected=math.nan), "expected: nan is"),
        (lambda raw: raw["issues"][0]["segment"].update(size=[]), "segment.size: no value"),
        (lambda raw: raw.update(verdict=[{"template": "{who} left", "values": {}}]), "'who'"),
        (lambda raw: raw.update(verdict=[{"template": "{ left", "values": {}}]), "verdict.0: "),
        (lambda raw: raw.update(verdict=[since("spring")]), "verdict.0: the value 'when'"),
        (lambda raw: raw["book"].update(first_date="spring"), "book.first_date: 'spring'"),
        (lambda raw: raw["book"].update(exits=[exits(low=[])]), "book.exits.0: .*low"),
    ],
)
def test_a_wrong_review_names_the_key(change, named):
    raw = json.loads(to_json(REVIEW))
    change(raw)
    with pytest.raises(ReviewError, match=named):
        from_json(json.dumps(raw))


def test_an_attribute_may_be_called_template():
    issue = dataclasses.replace(REVIEW.issues[0], segment={"template": ("a", "b")})
    review = dataclasses.replace(REVIEW, issues=(issue, *REVIEW.issues[1:]))
    assert from_json(to_json(review)).issues[0].segment == {"template": ("a", "b")}


@pytest.mark.parametrize("day", ["", "31/12/2024", "2024-13-01"])
def test_a_date_that_is_none_is_named(day):
    raw = json.loads(to_json(REVIEW)) | {"as_of": day}
    with pytest.raises(ReviewError, match=f"as_of: '{day}' is no date"):
        from_json(json.dumps(raw))
    raw = json.loads(to_json(REVIEW))
    raw["issues"][0]["onset"]["low"] = day
    with pytest.raises(ReviewError, match=r"issues.0.onset.low: .* is no date"):
        from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"review"'])
def test_what_is_no_review_is_said_to_be_none(text):
    with pytest.raises(ReviewError, match=r"old\.json"):
        from_json(text, "old.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\xe9")
    for name in ("none.json", "latin.json", "."):
        with pytest.raises(ReviewError, match=str(tmp_path)):
            read_review(tmp_path / name)


def test_a_sentence_is_its_template_with_values_in_words():
    sentence = Text(
        "{who} since {since}: {driver} up {rise}, {money} lost.",
        {
            "who": {"type": "segment", "value": {"size": ["key"], "region": ["north", "south"]}},
            "since": {"type": "date", "value": "2023-09-01"},
            "driver": {"type": "driver", "value": "approval_days"},
            "rise": {"type": "percent", "value": 0.42},
            "money": {"type": "money", "value": 84_000.0},
        },
    )
    assert str(sentence) == (
        "region north or south, size key since September 2023: approval days up 42 %, 84,000 lost."
    )


def test_everybody_has_a_name():
    assert segment_label({}) == "all clients"


def test_an_estimate_in_another_measure_keeps_its_ends_in_order() -> None:
    assert Estimate(2.0, 1.0, 4.0).times(3) == Estimate(6.0, 3.0, 12.0)
    assert Estimate(2.0, 1.0, 4.0).times(-1) == Estimate(-2.0, -4.0, -1.0)


def test_a_review_that_an_editor_gave_a_mark_is_read(tmp_path):
    (tmp_path / "review.json").write_text(to_json(REVIEW), encoding="utf-8-sig")
    assert to_json(read_review(tmp_path / "review.json")) == to_json(REVIEW)
