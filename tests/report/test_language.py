from __future__ import annotations

import pytest

from churnlens.report.language import Language
from churnlens.results import Estimate, Text

EN = Language("en", "EUR", "month")
ZH = Language("zh", "CNY", "month")


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (4_210, "€4,210", "¥4,210"),
        (84_321, "€84K", "¥8.4万"),
        (1_240_000, "€1.2M", "¥120万"),
        (-15_600_000, "−€16M", "−¥1600万"),
    ],
)
def test_money_is_rounded_and_written_by_locale(value, english, chinese):
    assert EN.money(value) == english
    assert ZH.money(value) == chinese


def test_dates_are_named_by_their_period():
    assert EN.when("2023-09-01") == "September\u00a02023"
    assert EN.when("2024-01-15") == "15\u00a0January\u00a02024"
    assert ZH.when("2023-09-01") == "2023年9月"
    assert Language("en", "EUR", "quarter").when("2023-07-01") == "Q3\u00a02023"
    begun = Text("in {date}", {"date": {"type": "month", "value": "2024-01-15"}})
    assert EN.say(begun) == "in January\u00a02024"
    assert Language("en", "EUR", "week").when("2023-05-01") == "1\u00a0May\u00a02023"
    for kind, english, chinese in (
        ("week", "since the week of 2\u00a0October\u00a02023", "自2023年10月2日当周起"),
        ("quarter", "since Q4\u00a02023", "自2023年第4季度起"),
    ):
        dated = {"date": {"type": kind, "value": "2023-10-02"}}
        assert EN.say(Text("since {date}", dated)) == english
        assert ZH.say(Text("自{date}起", dated)) == chinese


def test_numbers_keep_the_figures_they_bear():
    assert [EN.number(v) for v in (1234.6, 12.34, 1.089, 0.0123, 5.0, -3)] == [
        "1,235", "12.3", "1.09", "0.012", "5", "−3",
    ]  # fmt: skip
    assert (EN.percent(0.249), EN.percent(0.004), EN.percent(None)) == ("25%", "0.4%", "–")
    assert EN.percent(0.00004) == "<0.1%"
    assert EN.interval(Estimate(1, 0.5, float("inf"))) == "0.5 to –"


def test_an_interval_has_no_more_decimals_than_tell_its_ends_apart():
    assert EN.interval(Estimate(20, 9.42, 37.5)) == "9 to 38"
    assert EN.interval(Estimate(4, 1.75, 10.24)) == "1.8 to 10.2"
    assert EN.pair(2.08, 5.67) == ("2.1", "5.7")
    assert EN.pair(0.11, 0.8) == ("0.11", "0.80")
    assert EN.pair(150, 250) == ("150", "250")
    assert EN.interval(Estimate(9e4, 5_360, 210_000), "money") == "€5.4K to €210K"
    assert EN.interval(Estimate(4e3, 0, 4_340), "money") == "€0 to €4,340"


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        ("minimum_order_eur", "minimum order (EUR)", "minimum order（EUR）"),
        ("credit_limit_keur", "credit limit (thousand EUR)", "credit limit（千 EUR）"),
        ("discount_pct", "discount (%)", "discount（%）"),
        ("approval_days", "approval days", "approval days"),
        ("eur", "eur", "eur"),
    ],
)
def test_a_unit_at_the_end_of_a_name_stands_in_brackets(name, english, chinese):
    assert EN.driver(name) == english
    assert ZH.driver(name) == chinese
    assert str(Text("{d}", {"d": {"type": "driver", "value": name}})) == english


def test_bands_of_a_number_have_edges_that_can_be_read():
    assert EN.segment({"employees": ("124.5 to 1213",)}) == "employees 124 to 1213"
    assert EN.segment({"founded": ("1995 to 2003",)}) == "founded 1995 to 2003"
    assert EN.segment({"revenue_eur": ("above 1250000",)}) == "revenue (EUR) above 1,250,000"
    assert EN.segment({"share": ("0.1234 to 0.1236",)}) == "share 0.1234 to 0.1236"


def test_segments_read_as_words_in_both_languages():
    segment = {"size": ("key",), "region": ("north", "south")}
    assert EN.segment(segment) == "region north or south, size key"
    assert EN.segment({}) == "all clients"
    assert ZH.clients_of({"规模": ("重点",)}) == "规模为重点的客户"
    assert ZH.clients_of({"size": ("key",)}) == "size 为 key 的客户"


def test_forty_values_are_summed_up():
    values = tuple(f"v{n}" for n in range(40))
    assert EN.segment({"district": values}) == "district v0, v1, v2 and 37 more"


def test_a_value_can_neither_reorder_nor_flood_a_sentence():
    assert "\u202e" not in EN.name("\u202egpj.exe\u202c")
    assert EN.name("שלום").startswith("\u2068")
    assert len(EN.name("N" * 200)) == 60
    assert EN.name("a\nb\tc\x00d") == "a b c d"


def test_values_of_a_text_are_written_by_their_type_and_never_formatted_twice():
    text = Text(
        "{who} {when} {share} {name}",
        {
            "who": {"type": "segment", "value": {"size": ["key"]}},
            "when": {"type": "date", "value": "2023-09-01"},
            "share": {"type": "percent", "value": 0.5},
            "name": "{who} %(x)s",
        },
    )
    assert EN.say(text) == "size key September\u00a02023 50% {who} %(x)s"
    assert EN.sentence(Text("{d} rose", {"d": {"type": "driver", "value": "a_b"}})) == "A b rose"


def test_one_of_a_kind_is_said_in_the_singular():
    left = Text("In all, {n} clients left ({name} clients were asked).")
    assert EN.say(left, n=1, name="1") == "In all, 1 client left (1 client were asked)."
    assert EN.say(left, n=21, name="Tier 1").startswith("In all, 21 clients left (Tier 1 clients")


def test_what_begins_and_ends_in_one_period_is_said_of_that_period():
    text = Text(
        "From {date} to {end}, {segment} left more often: {driver} rose for that time.",
        {
            "date": {"type": "date", "value": "2023-10-01"},
            "end": {"type": "date", "value": "2023-10-01"},
            "segment": {"type": "clients", "value": {}},
            "driver": {"type": "driver", "value": "delay"},
        },
    )
    assert EN.say(text).startswith("In October\u00a02023, all clients left")
    assert ZH.say(text).startswith("2023年10月，")
    assert str(text).startswith("In October 2023, all clients left")
    week = {"type": "week", "value": "2023-10-02"}
    weekly = Text(text.template, {**text.values, "date": week, "end": week})
    assert EN.say(weekly).startswith("In the week of 2\u00a0October\u00a02023, all")
    assert ZH.say(weekly).startswith("2023年10月2日当周，")
    longer = {**text.values, "end": {"type": "date", "value": "2023-11-01"}}
    assert EN.say(Text(text.template, longer)).startswith("From October\u00a02023 to November")
