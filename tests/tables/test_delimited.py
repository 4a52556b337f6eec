"""CSV files as people write them: delimiters, encodings, quotes, blank and ragged lines."""

import pytest

from churnlens.config import parse
from churnlens.errors import ContractError
from churnlens.tables import delimited

HEADER = "client_id,order_date,amount,note\n"


def ids(tables):
    return tables.orders.to_pyarrow().column("client_id").to_pylist()


def rows(tables):
    return tables.rejects["orders"].order_by("row").to_pyarrow().column("row").to_pylist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(opened, delimiter):
    text = "client_id,order_date,amount\n1,2024-01-05,1\n".replace(",", delimiter)
    assert ids(opened(orders=text)) == ["1"]


def test_a_delimiter_can_be_said(opened):
    text = "client_id#order_date#amount\n1#2024-01-05#1\n"
    assert ids(opened({"orders": {"delimiter": "#"}}, orders=text)) == ["1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood(opened, encoding):
    assert ids(opened(orders=f"{HEADER}Müller,2024-01-05,1,x\n".encode(encoding))) == ["Müller"]


@pytest.mark.parametrize("encoding", ["latin-1", "gb18030"])
def test_another_encoding_has_to_be_said(opened, encoding):
    name = "Müller" if encoding == "latin-1" else "上海客户"
    data = f"{HEADER}{name},2024-01-05,1,x\n".encode(encoding)
    assert ids(opened({"orders": {"encoding": encoding}}, orders=data)) == [name]
    with pytest.raises(ContractError, match=r'is not UTF-8 text.*encoding = "latin-1"'):
        opened(orders=data)


def test_a_stray_byte_far_down_is_an_error_too(opened):
    data = HEADER.encode() + b"1,2024-01-05,1,x\n" * 20_000 + b"caf\xe9,2024-01-05,1,x\n"
    with pytest.raises(ContractError, match="is not UTF-8 text"):
        opened(orders=data)


def test_utf_16_without_its_mark_is_named(opened):
    with pytest.raises(ContractError, match=r"is not UTF-16 text"):
        opened({"orders": {"encoding": "utf-16"}}, orders=f"{HEADER}7,2024-01-05,1,x\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_zero_bytes_in_the_header_are_named(opened, encoding):
    orders = f"{HEADER}7,2024-01-05,1,x\n".encode(encoding)
    with pytest.raises(ContractError, match=r"zero bytes, as UTF-16.*encoding = \"utf-16-le\""):
        opened(orders=orders)
    assert opened({"orders": {"encoding": encoding}}, orders=orders).rows["orders"].accepted == 1


def test_a_delimiter_within_quotes_is_none(opened):
    text = 'client_id;"a,b,c,d,e";order_date;amount\n1;x;2024-01-05;1\n'
    assert opened(orders=text).rows["orders"].accepted == 1


def test_an_unknown_encoding_is_named(opened):
    with pytest.raises(ContractError, match="encoding 'utf-9' is not known"):
        opened({"orders": {"encoding": "utf-9"}})


def test_crlf_quotes_line_breaks_and_blank_lines(opened):
    text = (
        "\r\nclient_id,order_date,amount,note\r\n"
        '1,2024-01-05,1,"two\r\nlines"\r\n\r\n'
        '"2 ""b""",2024-01-05,1,"a,b"\r\n'
        "3,2024-01-05,1\r\n4,bad,1,x\r\n5,2024-01-05,1,x"
    )
    tables = opened(orders=text)
    assert ids(tables) == ["1", '2 "b"', "5"]
    assert tables.rows["orders"].read == 5
    assert len(rows(tables)) == 2


def test_rows_are_numbered_as_a_person_counts_them(opened):
    lines = ["1,2024-01-05,1,x", "1,2024-01-05", "1,bad,1,x", "1", "1,bad,1,x", "1,2024-01-05,1,x"]
    assert rows(opened(orders=HEADER + "\n".join(lines))) == [3, 4, 5, 6]


def test_row_numbers_hold_over_many_blocks(opened, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 4096)
    lines = [f"{i},2024-01-05,1,x" for i in range(2000)]
    for place in (0, 7, 999, 1000, 1999):
        lines[place] = "bad,line"
    lines[1500] = "1500,bad,1,x"
    assert rows(opened(orders=HEADER + "\n".join(lines))) == [2, 9, 1001, 1002, 1502, 2001]


def test_a_quote_that_never_closes_is_not_lost_in_a_text_column(opened):
    text = f'{HEADER}1,2024-01-05,1,x\n2,2024-01-05,1,"5 inch\n3,2024-01-05,1,x\n'
    with pytest.raises(ContractError, match=r"row 3 is never closed"):
        opened(orders=text)


def test_a_quote_inside_a_plain_field_is_only_a_character(opened):
    tables = opened(orders=f'{HEADER}1,2024-01-05,1,5" pipe\n2,2024-01-05,1,x\n')
    assert tables.rows["orders"].accepted == 2


def test_a_column_without_a_name_is_no_measure(opened):
    tables = opened(orders=",client_id,order_date,amount\n0,1,2024-01-05,1\n1,2,2024-01-05,1\n")
    assert tables.measures == ()


def test_settings_know_the_ways_a_file_can_be_written():
    chosen = parse({"orders": {"encoding": "latin-1", "delimiter": ";", "decimal": ","}}, "x")
    assert (chosen.orders.encoding, chosen.orders.delimiter) == ("latin-1", ";")
