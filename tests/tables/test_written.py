"""A column meant for a number that is read as text is said, and codes are left in peace."""

import re

import pytest

HEADER = "client_id,order_date,amount,wait\n"


def said(opened, cells, decimal="."):
    rows = "".join(f'7,2024-01-{i + 1:02d},1,"{cell}"\n' for i, cell in enumerate(cells))
    tables = opened({"orders": {"decimal": decimal}}, orders=HEADER + rows)
    return [str(f.text) for f in tables.findings if f.code == "number_as_text"]


@pytest.mark.parametrize(
    "cells",
    [
        ["12 days", "1 day", "", "3.5 days"],
        ["4%", "12.5%", "0%"],
        ["1,5", "2,25", "n/a", "0,5"] * 7 + ["1,5"],
        ["€1,200", "€30", "€7.50"],
        ["3 天", "2 天", "1 天"],
    ],
)
def test_numbers_with_a_unit_or_other_marks_are_said(opened, cells):
    shape = re.sub(r"\d", "0", cells[0])
    assert f"“{shape}” for example" in said(opened, [c for c in cells if c != "n/a"])[0]


def test_what_stands_in_a_column_of_clients_numbers_is_not_told(opened):
    text = said(opened, ["4711K", "4712K", "4713K"])[0]
    assert not re.search(r"471", text)


@pytest.mark.parametrize(
    "cells",
    [
        ["key", "small", "key"],
        ["00123", "00456", "00789"],
        ["12A", "13B", "14C", "15D"],
        ["05.01.2024", "06.01.2024", "07.01.2024"],
        ["next day", "2 days or 3", "soon"],
        ["1", "2", "3"],
    ],
)
def test_words_codes_dates_and_numbers_are_not(opened, cells):
    assert said(opened, cells) == []


def test_what_the_decimal_mark_reads_is_a_measure(opened):
    assert said(opened, ["1,5", "2,5"], decimal=",") == []


def test_a_column_named_as_an_identifier_is_left_in_peace(opened):
    orders = "client_id,order_date,amount,index\n7,2024-01-05,1,0.5\n7,2024-01-06,1,1.5\n"
    assert "number_as_text" not in {f.code for f in opened(orders=orders).findings}
