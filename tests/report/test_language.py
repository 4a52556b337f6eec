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
    assert Language("en", "EUR", "week").when("2023-05-01") == "1\u00a0May\u00a02023"


def test_numbers_keep_the_figures_they_bear():
    assert [EN.number(v) for v in (1234.6, 12.34, 1.089, 0.0123, 5.0, -3)] == [
        "1,235", "12.3", "1.09", "0.012", "5", "−3",
    ]  # fmt: skip
    assert (EN.percent(0.249), EN.percent(0.004), EN.percent(None)) == ("25%", "0.4%", "–")
    assert EN.interval(Estimate(1, 0.5, 2.25)) == "0.5 to 2.25"
    assert EN.interval(Estimate(1, 0.5, float("inf"))) == "0.5 to –"


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
