"""The contract through its one door: what is accepted, refused, dated later, and an error."""

import datetime as dt
import decimal
import gzip
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnlens.config import Settings, parse
from churnlens.errors import ConfigError, ContractError
from churnlens.results import RowCounts
from churnlens.tables import open_source, orders_placed
from churnlens.tables.model import RETURN

HEADER = "client_id,order_date,amount\n"


def rejects(tables, name="orders"):
    frame = tables.rejects[name].order_by("row").to_pyarrow().to_pylist()
    return [(row["row"], row["column"], row["value"], row["reason"]) for row in frame]


def column(table, name):
    return table.to_pyarrow().column(name).to_pylist()


def test_a_clean_folder_opens_with_typed_columns(opened):
    tables = opened()
    assert tables.rows == {"orders": RowCounts(2, 2, 0, 0)}
    assert column(tables.orders, "client_id") == ["00042", "7"]
    assert column(tables.orders, "order_date") == [dt.date(2024, 1, 5), dt.date(2024, 2, 5)]
    assert column(tables.orders, RETURN) == [False, False]
    assert (tables.first_date, tables.as_of) == (dt.date(2024, 1, 5), dt.date(2024, 2, 5))
    assert tables.clients is tables.events is tables.remedies is None


def test_lines_of_one_order_share_its_number_and_a_line_without_stands_alone(opened):
    lines = ["1,2024-01-01,1,A", "1,2024-01-01,1,A", "1,2024-01-01,1,"]
    text = "\n".join(["client_id,order_date,amount,order_id", *lines])
    assert column(opened(orders=text).orders, "order_id") == ["A", "A", "row 4"]


REFUSED = [
    (",2024-01-01,1", "client_id", "", "no client: client_id is blank"),
    ("  ,2024-01-01,1", "client_id", "  ", "no client: client_id is blank"),
    ("NULL,2024-01-01,1", "client_id", "NULL", "no client: client_id is blank"),
    ("1,,1", "order_date", "", "order_date is blank"),
    ("1,2024-02-30,1", "order_date", "2024-02-30", "order_date is not a date"),
    ("1,31/01/2024,1", "order_date", "31/01/2024", "order_date is not a date"),
    ("1,2024-1-5,1", "order_date", "2024-1-5", "order_date is not a date"),
    ("1,0204-01-05,1", "order_date", "0204-01-05", "order_date is not a date"),
    ("1,2024-01-05T25:00,1", "order_date", "2024-01-05T25:00", "order_date is not a date"),
    ("1,yesterday,1", "order_date", "yesterday", "order_date is not a date"),
    ("1,infinity,1", "order_date", "infinity", "order_date is not a date"),
    ("1,2024-01-01,", "amount", "", "amount is blank"),
    ("1,2024-01-01,inf", "amount", "inf", "amount is not a number (of at most 15 digits)"),
    ("1,2024-01-01,1e999", "amount", "1e999", "amount is not a number (of at most 15 digits)"),
    ("1,2024-01-01,1e300", "amount", "1e300", "amount is not a number (of at most 15 digits)"),
    ("1,2024-01-01,ten", "amount", "ten", "amount is not a number (of at most 15 digits)"),
    ("1,2024-01-01,1_000", "amount", "1_000", "amount is not a number (of at most 15 digits)"),
    ('1,2024-01-01,"1,5"', "amount", "1,5", "amount is not a number (of at most 15 digits)"),
    ("1,2024-01-01", "", "1,2024-01-01", "has 2 fields, not 3"),
    ("1,2024-01-01,1,1", "", "1,2024-01-01,1,1", "has 4 fields, not 3"),
]


def test_every_reason_for_a_refusal(opened):
    lines = "\n".join(line for line, *_ in REFUSED)
    tables = opened(orders=f"{HEADER}9,2024-01-01,5\n{lines}\n")
    assert tables.rows["orders"] == RowCounts(len(REFUSED) + 1, 1, len(REFUSED), 0)
    seen = rejects(tables)
    assert [row for row, *_ in seen] == list(range(3, len(REFUSED) + 3))
    for (_, *expected, reason), (_, *found, said) in zip(REFUSED, seen, strict=True):
        assert found == expected
        assert said.startswith(reason)


def test_dates_of_iso_8601_are_read_as_written(opened):
    written = ["2024-01-05", " 2024-01-05 ", "2024-01-05T10:30:00Z", "2024-01-05 10:30:00.1+02:00"]
    tables = opened(orders=HEADER + "".join(f"1,{date},1\n" for date in written))
    assert column(tables.orders, "order_date") == [dt.date(2024, 1, 5)] * 4


def test_a_date_format_replaces_iso_8601(opened):
    text = f"{HEADER}1,05.01.2024,1\n2,2024-01-05,1\n"
    tables = opened({"orders": {"date_format": "%d.%m.%Y"}}, orders=text)
    assert column(tables.orders, "order_date") == [dt.date(2024, 1, 5)]
    assert rejects(tables)[0][3] == "order_date is not a date written %d.%m.%Y"


def test_a_decimal_comma_has_to_be_said(opened):
    text = "client_id;order_date;amount\n1;2024-01-05;1,5\n1;2024-01-06;1.234,5\n"
    tables = opened({"orders": {"decimal": ","}}, orders=text)
    assert column(tables.orders, "amount") == [1.5]
    assert rejects(tables)[0][2] == "1.234,5"


def test_returns_are_amounts_of_zero_or_below_and_rows_the_filter_names(opened):
    text = "client_id,order_date,amount,invoice\n" + "".join(
        f"1,2024-01-0{day},{amount},{invoice}\n"
        for day, amount, invoice in [
            (1, 5, "A1"),
            (2, 0, "A2"),
            (3, -5, "A3"),
            (4, 5, "C4"),
            (5, 5, ""),
        ]
    )
    sign = {"orders": {"returns": {"column": "invoice", "starts_with": "C"}}}
    assert column(opened(sign, orders=text).orders, RETURN) == [False, True, True, True, False]


def test_a_marked_return_lowers_revenue_however_it_is_signed(opened):
    text = (
        "client_id,order_date,amount,margin,invoice\n1,2024-01-01,9,2,A1\n1,2024-01-02,9,2,C1\n"
        "1,2024-01-03,-9,-2,C2\n1,2024-01-04,9,-2,C3\n1,2024-01-05,9,,C4\n"
    )
    sign = {"orders": {"returns": {"column": "invoice", "starts_with": "C"}}}
    tables = opened(sign, orders=text)
    assert column(tables.orders, "amount") == [9, -9, -9, -9, -9]
    assert column(tables.orders, "margin") == [2, -2, -2, -2, None]
    assert column(tables.orders, RETURN) == [False, True, True, True, True]


@pytest.mark.parametrize("kind", [str, int, float, bool])
def test_a_return_marked_by_a_number_is_one_whatever_the_type(tmp_path, kind):
    dates = pd.date_range("2024-01-01", periods=2).strftime("%Y-%m-%d")
    orders = pd.DataFrame({"client_id": ["a", "b"], "order_date": dates, "amount": [1.0, 2.0]})
    orders["storno"] = pd.Series([0.0, 1.0]).astype(kind)
    orders.to_parquet(tmp_path / "orders.parquet")
    chosen = parse({"orders": {"returns": {"column": "storno", "equals": "1"}}}, "churnlens.toml")
    tables = open_source(tmp_path, chosen)
    assert column(tables.orders, RETURN) == [False, True]
    assert "returns_unmarked" not in {finding.code for finding in tables.findings}


@pytest.mark.parametrize("starts", [pd.Timestamp("2024-01-01"), dt.date(2024, 1, 1), [1, 2]])
def test_a_return_asked_for_by_number_in_what_holds_none_marks_nothing(tmp_path, starts):
    dates = pd.date_range("2024-01-01", periods=2).strftime("%Y-%m-%d")
    orders = pd.DataFrame({"client_id": ["a", "b"], "order_date": dates, "amount": [1.0, 2.0]})
    orders.assign(booked=[starts, starts]).to_parquet(tmp_path / "orders.parquet")
    chosen = parse({"orders": {"returns": {"column": "booked", "equals": "1"}}}, "churnlens.toml")
    assert column(open_source(tmp_path, chosen).orders, RETURN) == [False, False]


def test_a_filter_that_marks_no_row_is_said(opened):
    sign = {"orders": {"returns": {"column": "client_id", "equals": "nosuch"}}}
    said = {finding.code: finding for finding in opened(sign).findings}["returns_unmarked"]
    assert said.severity == "warning"
    assert said.text.values == {"column": "client_id"}


def test_numeric_columns_are_measures_and_text_or_identifiers_are_not(opened):
    text = (
        "client_id,order_date,amount,delay,note,route_id,postcode,empty,secret\n"
        "1,2024-01-05,1,2.5,fast,17,01234,,1\n1,2024-01-06,1,,slow,18,99999,,2\n"
    )
    tables = opened({"drivers": {"secret": "ignore"}}, orders=text)
    assert tables.measures == ("delay",)
    assert column(tables.orders, "delay") == [2.5, None]


def test_a_stray_word_in_a_measure_refuses_the_row(opened):
    lines = "".join(f"1,2024-01-05,1,{i}\n" for i in range(40))
    tables = opened(orders=f"client_id,order_date,amount,delay\n{lines}1,2024-01-05,1,late\n")
    assert tables.measures == ("delay",)
    assert rejects(tables) == [
        (42, "delay", "late", "delay is not a number (of at most 15 digits)")
    ]


@pytest.mark.parametrize("nothing", ["", "n/a", "N/A", "-", "null"])
def test_what_stands_for_nothing_is_no_number_and_no_date_and_refuses_no_row(opened, nothing):
    orders = f"client_id,order_date,amount,wait\n7,2024-01-05,1,2.5\n7,2024-02-05,1,{nothing}\n"
    clients = f"client_id,closed_on\n7,{nothing}\n"
    tables = opened(orders=orders, clients=clients)
    assert tables.measures == ("wait",)
    assert (tables.rows["orders"].rejected, tables.rows["clients"].rejected) == (0, 0)


def test_mapped_columns_products_and_attributes(opened):
    text = "kunde,tag,menge,preis,land\n1,2024-01-05,3,2.5,AT\n2,2024-01-06,2,x,DE\n"
    columns = {"client_id": "kunde", "order_date": "tag", "amount": "menge * preis"}
    settings = {"orders": {"columns": columns, "attributes": ["land"]}}
    tables = opened(settings, orders=text)
    assert column(tables.orders, "amount") == [7.5]
    assert column(tables.orders, "land") == ["AT"]
    assert tables.attributes == tables.orders_attributes == ("land",)
    assert rejects(tables) == [(3, "preis", "x", "preis is not a number (of at most 15 digits)")]


def test_a_product_that_is_too_large_is_refused(opened):
    text = "client_id,order_date,n,price\n1,2024-01-05,1e12,1e12\n1,2024-01-05,2,3\n"
    tables = opened({"orders": {"columns": {"amount": "n * price"}}}, orders=text)
    assert column(tables.orders, "amount") == [6.0]
    assert rejects(tables) == [(2, "n", "1e12", "amount is not a number (of at most 15 digits)")]


def test_a_client_may_be_named_by_two_columns(opened):
    lines = ["City,9,2024-01-05,1", "Resort,9,2024-01-05,1", "City,,2024-01-05,1"]
    text = "\n".join(["hotel,agent,order_date,amount", *lines])
    tables = opened({"orders": {"columns": {"client_id": "hotel + agent"}}}, orders=text)
    assert column(tables.orders, "client_id") == ["City / 9", "Resort / 9"]
    assert rejects(tables) == [(4, "agent", "", "no client: agent is blank")]
    assert tables.measures == ()


def test_a_category_may_describe_the_client_too(opened):
    text = "client_id,order_date,amount,category\n1,2024-01-05,1,tea\n"
    tables = opened({"orders": {"attributes": ["category"]}}, orders=text)
    assert column(tables.orders, "category") == ["tea"]
    assert tables.orders_attributes == ("category",)


def test_nothing_dated_after_as_of_is_used(opened):
    tables = opened(
        as_of=dt.date(2024, 1, 31),
        clients=(
            "client_id,size,signup_date,closed_on,closed_reason\n"
            "00042,key,2023-01-01,2024-03-01,merger\n7,small,2024-02-05,,\n8,small,,2024-01-01,gone\n"
        ),
        events="client_id,event_date,event_type\n7,2024-01-31,visit\n7,2024-02-01,visit\n",
        remedies="action,start_date,end_date\na,2024-01-01,2024-06-30\nb,2024-02-01,\n",
    )
    assert {name: rows.after_as_of for name, rows in tables.rows.items()} == {
        "orders": 1,
        "clients": 1,
        "events": 1,
        "remedies": 1,
    }
    assert column(tables.clients, "closed_on") == [None, dt.date(2024, 1, 1)]
    assert column(tables.clients, "closed_reason") == [None, "gone"]
    assert list(tables.remedies["action"]) == ["a"]
    assert tables.remedies["end_date"].isna().all()


def test_who_orders_is_a_client_whatever_the_signup_date_says(opened):
    """The date of a new system is no reason to know nothing of a client."""
    clients = (
        "client_id,signup_date,size\n00042,2025-06-01,key\n7,2023-06-01,mid\n8,2025-06-01,key\n"
    )
    tables = opened(clients=clients)
    known = {row["client_id"]: row for row in tables.clients.to_pyarrow().to_pylist()}
    assert known["00042"] == {"client_id": "00042", "signup_date": None, "size": "key"}
    assert known["7"]["signup_date"] == dt.date(2023, 6, 1)
    assert tables.rows["clients"] == RowCounts(3, 2, 0, 1)
    said = {finding.code: finding.count for finding in tables.findings}
    assert said["late_signup"] == 1
    assert "not_in_clients" not in said


def test_appending_later_rows_changes_nothing_before(opened):
    as_of = dt.date(2024, 2, 5)
    before = opened(as_of=as_of).orders.to_pyarrow()
    later = f"{HEADER}00042,2024-01-05,10\n7,2024-02-05,20\n7,2024-03-05,20\n"
    assert opened(as_of=as_of, orders=later).orders.to_pyarrow().equals(before)


def test_a_remedy_that_ends_before_it_starts_or_is_for_nobody_is_refused(opened):
    tables = opened(
        clients="client_id,size\n7,key\n",
        remedies="action,start_date,end_date,size\na,2024-01-05,2024-01-04,\n"
        "b,2024-01-05,,| |\nc,2024-01-05,2024-01-05,|key\nd,2024-01-05,soon,\n",
    )
    assert tables.remedies["action"].tolist() == ["c"]
    assert rejects(tables, "remedies") == [
        (2, "end_date", "2024-01-04", "end_date is not on or after start_date"),
        (3, "size", "| |", "size is not a value or several parted by | (blank: everyone)"),
        (
            5,
            "end_date",
            "soon",
            "end_date is not a date (ISO 8601, like 2024-01-31, years 1700 to 2199)",
        ),
    ]
    said = [str(finding.text) for finding in tables.findings]
    assert any("“end_date” lies before the start in 1 of 4 rows" in text for text in said)
    assert any("“size” holds separators and no value in 1 of 4 rows" in text for text in said)
    assert not any("which no client has" in text for text in said)


def test_the_first_row_of_a_client_stands_even_after_a_broken_one(opened):
    tables = opened(
        clients="client_id,size,closed_on\n7,key,never\n7,small,\n7,large,\n00042,key,\n"
    )
    assert column(tables.clients, "size") == ["small", "key"]
    assert [(row, at) for row, at, *_ in rejects(tables, "clients")] == [
        (2, "closed_on"),
        (4, "client_id"),
    ]


def test_client_attributes_are_text_or_numeric(opened):
    tables = opened(
        clients="client_id,size,staff,manager_id\n00042,key,12,1\n7, small ,8,2\n",
    )
    assert tables.attributes == ("manager_id", "size")
    assert tables.numeric_attributes == ("staff",)
    assert column(tables.clients, "size") == ["key", "small"]
    assert column(tables.clients, "staff") == [12.0, 8.0]


def test_control_characters_are_no_part_of_a_name(opened):
    tables = opened(
        clients="client_id,size\n00042,\x1b[31mkey\x07\n7,small\x01\n",
        events="client_id,event_date,event_type\n7,2024-01-09,call\x1bback\n",
    )
    assert tables.clients.order_by("client_id")["size"].to_pyarrow().to_pylist() == [
        "[31mkey",
        "small",
    ]
    assert tables.events.event_type.to_pyarrow().to_pylist() == ["call back"]


def test_events_have_value_and_level_even_where_the_source_has_none(opened):
    tables = opened(events="client_id,event_date,event_type\n7,2024-01-01,visit\n")
    assert tables.events.columns == ("client_id", "event_date", "event_type", "value", "level")
    assert column(tables.events, "value") == [None]


def test_blanks_around_an_event_type_or_level_mean_nothing(opened):
    head = "client_id,event_date,event_type,level\n"
    text = f"{head}7,2024-01-01,visit, key\n7,2024-01-02, visit ,key \n7,2024-01-02,\t,\n"
    tables = opened(events=text)
    assert column(tables.events, "event_type") == ["visit", "visit"]
    assert column(tables.events, "level") == ["key", "key"]
    assert rejects(tables, "events") == [(4, "event_type", "\t", "event_type is blank")]


def test_an_event_type_called_as_an_order_measure_is_refused(opened):
    orders = "client_id,order_date,amount,delay\n7,2024-01-05,1,2.5\n"
    events = "client_id,event_date,event_type\n7,2024-01-05,delay\n"
    with pytest.raises(ContractError, match=r"events.csv .*'delay'.*orders.csv .*'delay'"):
        opened(orders=orders, events=events)
    chosen = {"orders": {"ignore": ["delay"]}}
    assert opened(chosen, orders=orders, events=events).rows["events"].accepted == 1


def test_remedies_keep_their_scope_columns_and_order(opened):
    tables = opened(
        clients="client_id,size\n00042,key\n7,small\n",
        remedies=(
            "action,start_date,size,owner,value_tier\n"
            "b,2024-01-02,key|small,Li,top fifth\na,2024-01-01,,,\n"
        ),
    )
    assert list(tables.remedies["action"]) == ["b", "a"]
    assert tables.remedies["size"].tolist() == ["key|small", None]
    assert list(tables.remedies.columns[:5]) == [
        "action",
        "start_date",
        "owner",
        "end_date",
        "issue_id",
    ]


CELL = st.sampled_from(
    ["", " ", "1", "-2.5", "2024-01-05", "2024-02-30", "C1", "c1 ", "inf", '"', "a,b", "x\ny", "é"]
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    orders=st.lists(st.lists(CELL, min_size=4, max_size=4), max_size=12),
    clients=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6),
    ragged=st.lists(
        st.lists(st.sampled_from(["1", "2024-01-05"]), min_size=1, max_size=3), max_size=3
    ),
    as_of=st.sampled_from([None, dt.date(2024, 1, 4), dt.date(2024, 6, 1)]),
)
def test_rows_read_are_accepted_refused_or_later(tmp_path_factory, orders, clients, ragged, as_of):
    folder = tmp_path_factory.mktemp("random")
    sound = ["C0", "2024-01-01", "1", "1"]
    lines = [sound, *orders, *ragged]
    _csv(folder / "orders.csv", [["client_id", "order_date", "amount", "delay"], *lines])
    _csv(folder / "clients.csv", [["client_id", "size", "signup_date"], *clients])
    tables = open_source(folder, Settings(), as_of)
    for name, count in {"orders": len(lines), "clients": len(clients)}.items():
        rows = tables.rows[name]
        assert rows.read == count == rows.accepted + rows.rejected + rows.after_as_of
        assert tables.rejects[name].count().execute() == rows.rejected
    assert tables.orders.count().execute() == tables.rows["orders"].accepted
    assert tables.clients.count().execute() == tables.rows["clients"].accepted


def _csv(path, rows):
    text = io.StringIO(newline="")
    import csv

    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def test_every_format_says_the_same(tmp_path):
    frame = pd.DataFrame(
        {
            "client_id": ["00042", "7", None],
            "order_date": pd.to_datetime(["2024-01-05", "2024-02-05", "2024-02-06"]),
            "amount": [10.0, -2.5, 3.0],
            "delay": [1, 2, 3],
        }
    )
    for name in ("csv", "gz", "parquet", "xlsx"):
        (tmp_path / name).mkdir()
    frame.to_csv(tmp_path / "csv/orders.csv", index=False)
    (tmp_path / "gz/orders.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.to_parquet(tmp_path / "parquet/orders.parquet")
    frame.to_excel(tmp_path / "xlsx/orders.xlsx", index=False)
    seen = []
    for name in ("csv", "gz", "parquet", "xlsx"):
        tables = open_source(tmp_path / name, Settings())
        [(row, at, _, reason)] = rejects(tables)
        assert (row, at, reason) == (4, "client_id", "no client: client_id is blank")
        assert tables.measures == ("delay",)
        seen.append(tables.orders.to_pyarrow().to_pylist())
    assert all(rows == seen[0] for rows in seen)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "+08:00", "America/New_York", "UTC"])
def test_a_moment_with_a_time_zone_is_of_the_day_there(tmp_path, zone):
    written = pd.to_datetime(["2024-03-01 00:30", "2024-03-05 23:30"]).tz_localize(zone)
    frame = pd.DataFrame({"client_id": ["a", "b"], "order_date": written, "amount": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "orders.parquet")
    dates = column(open_source(tmp_path, Settings()).orders, "order_date")
    assert sorted(map(str, dates)) == ["2024-03-01", "2024-03-05"]


@pytest.mark.parametrize(
    ("name", "said"), [("Amount", "two columns named"), ("file_row_number", "rename it")]
)
def test_a_parquet_column_that_the_engine_would_rename_is_refused(tmp_path, name, said):
    frame = pd.DataFrame({"client_id": ["a"], "order_date": ["2024-01-05"], "amount": [1.0]})
    frame.assign(**{name: 1.0}).to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(ContractError, match=f"orders.parquet.*{said}"):
        open_source(tmp_path, Settings())


@pytest.mark.parametrize("option", [{"encoding": "latin-1"}, {"delimiter": ";"}, {"table": "a"}])
def test_an_option_that_means_nothing_for_a_file_is_refused(tmp_path, option):
    frame = pd.DataFrame({"client_id": ["a"], "order_date": ["2024-01-05"], "amount": [1.0]})
    frame.to_parquet(tmp_path / "orders.parquet")
    (name,) = option
    with pytest.raises(ConfigError, match=rf"\[orders\] {name} is for .*orders.parquet"):
        open_source(tmp_path, Settings(orders=option))


def test_the_columns_may_stand_in_any_order(opened):
    one = opened(orders="client_id,order_date,amount,b,a\n1,2024-01-05,3,1,2\n")
    two = opened(orders="a,b,amount,order_date,client_id\n2,1,3,2024-01-05,1\n")
    assert one.measures == two.measures == ("a", "b")


def test_parquet_types_are_taken_as_they_are(tmp_path):
    frame = pd.DataFrame(
        {
            "client_id": [17850.0, 3.0, float("nan")],
            "order_date": ["2024-01-05", "2024-01-06", "2024-01-07"],
            "amount": [1.0, float("inf"), 1.0],
            "delay": [float("nan"), 1.0, 2.0],
        }
    )
    frame.to_parquet(tmp_path / "orders.parquet")
    tables = open_source(tmp_path, Settings())
    assert column(tables.orders, "client_id") == ["17850"]
    assert column(tables.orders, "delay") == [None]
    assert [at for _, at, *_ in rejects(tables)] == ["amount", "client_id"]


def test_ids_are_whole_numbers_whatever_the_type(tmp_path):
    wide = decimal.Decimal("123456789012345678901.0000")
    ids = pa.array([decimal.Decimal("42"), decimal.Decimal("7.50"), wide], pa.decimal128(28, 4))
    days = pa.array([20240131.0, None, 20240229.0])  # as pandas keeps whole numbers with a blank
    written = {"client_id": ids, "order_date": days, "amount": pa.array([1.0, 1.0, 1.0])}
    pq.write_table(pa.table(written), tmp_path / "orders.parquet")
    pq.write_table(pa.table({"client_id": ids, "signup_date": days}), tmp_path / "clients.parquet")
    named = {"date_format": "%Y%m%d"}
    tables = open_source(tmp_path, parse({"orders": named, "clients": named}, "churnlens.toml"))
    assert column(tables.orders, "client_id") == ["42", "123456789012345678901"]
    assert column(tables.orders, "order_date") == [dt.date(2024, 1, 31), dt.date(2024, 2, 29)]
    assert column(tables.clients, "client_id") == ["42", "7.5", "123456789012345678901"]


HARD = {
    "missing column": (
        {"orders": "client_id,order_dat,amount\n1,2024-01-01,1\n"},
        ["orders.csv", "'order_date'", "Did you mean 'order_dat'?", "[orders.columns]"],
    ),
    "capitals": (
        {"orders": "CLIENT_ID,ORDER_DATE,AMOUNT\n1,2024-01-01,1\n"},
        ["orders.csv", "'client_id'", "Did you mean 'CLIENT_ID'?"],
    ),
    "only a header": ({"orders": HEADER}, ["orders.csv", "is empty"]),
    "empty file": ({"orders": ""}, ["orders.csv", "is empty", "header"]),
    "nothing usable": (
        {"orders": f"{HEADER}1,05.01.2024,1\n1,06.01.2024,1\n"},
        ["orders.csv", "2 rows", "not a date", "05.01.2024", "date_format"],
    ),
    "a column twice": (
        {"orders": "client_id,Amount,amount,order_date\n1,1,1,2024-01-01\n"},
        ["orders.csv", "two columns named"],
    ),
    "not text": (
        {"orders": HEADER.encode() + b"caf\xe9,2024-01-01,1\n"},
        ["orders.csv", "UTF-8", "encoding"],
    ),
    "open quote": (
        {"orders": f'{HEADER}1,2024-01-01,1\n"2,2024-01-01,1\n3,2024-01-01,1\n'},
        ["orders.csv", "row 3", "never closed"],
    ),
    "unknown scope": (
        {
            "clients": "client_id,region\n7,north\n",
            "remedies": "action,start_date,regoin\nx,2024-01-01,north\n",
        },
        ["remedies.csv", "'regoin'", "Did you mean 'region'?"],
    ),
    "no sale": (
        {"orders": f"{HEADER}1,2024-01-01,0\n7,2024-02-01,-5\n"},
        ["has no order", "minus"],
    ),
    "clients without an id": ({"clients": "client,size\n7,key\n"}, ["clients.csv", "'client_id'"]),
    "events without a date": (
        {"events": "client_id,event_type\n7,visit\n"},
        ["events.csv", "'event_date'"],
    ),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_errors_name_the_file_the_column_and_the_remedy(write, case):
    tables, expected = HARD[case]
    with pytest.raises(ContractError) as error:
        open_source(write(**tables), Settings())
    for part in expected:
        assert part in str(error.value)


def test_an_as_of_before_the_first_sale_is_an_error(opened):
    orders = f"{HEADER}1,2024-01-01,-5\n1,2024-02-01,5\n"
    with pytest.raises(ContractError, match="only returns; the first order is dated 2024-02-01"):
        opened(orders=orders, as_of=dt.date(2024, 1, 15))
    with pytest.raises(ContractError, match="no order yet; the first is dated 2024-02-01"):
        opened(orders=orders, as_of=dt.date(2023, 1, 15))


def test_an_as_of_before_the_first_order_is_an_error(opened):
    with pytest.raises(ContractError, match="as of 2023-01-01 there was no order yet"):
        opened(as_of=dt.date(2023, 1, 1))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({"columns": {"client": "client_id"}}, "'client'.*no column of the contract.*'client_id'"),
        ({"columns": {"amount": "amout"}}, "no column 'amout'.*Did you mean 'amount'"),
        ({"columns": {"amount": "amount * qty"}}, "no column 'qty'"),
        ({"columns": {"client_id": "client_id * amount"}}, "no column 'client_id \\* amount'"),
        ({"attributes": ["region"]}, "no column 'region'"),
        ({"returns": {"column": "invoce", "equals": "C"}}, "no column 'invoce'"),
    ],
)
def test_a_wrong_mapping_names_the_key_and_the_nearest_column(opened, orders, expected):
    with pytest.raises(ContractError, match=expected):
        opened({"orders": orders})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.parquet", b"PAR1 and nothing else"),
        ("orders.xlsx", b"no workbook"),
        ("orders.csv.gz", b"not gzipped"),
        ("orders.csv.gz", gzip.compress(b"client_id,order_date,amount\n" * 5000)[:-20]),
    ],
)
def test_a_corrupt_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError, match=name):
        open_source(tmp_path, Settings())


def test_the_error_is_the_last_word_and_no_other_file_is_written(write):
    folder = write(orders="client_id,order_date\n1,2024-01-01\n")
    with pytest.raises(ContractError):
        open_source(folder, Settings())
    assert [path.name for path in folder.iterdir()] == ["orders.csv"]


@pytest.mark.parametrize("name", ["__row", "__failed"])
def test_a_column_named_as_those_used_inside_is_refused(opened, name):
    with pytest.raises(ContractError, match=f"the column '{name}' begins with two underscores"):
        opened(orders=f"client_id,order_date,amount,{name}\n1,2024-01-05,3,1\n")


def test_a_mistyped_year_is_not_taken_for_today(opened):
    rows = [f"{n % 9},2024-{1 + n % 12:02d}-05,3" for n in range(120)]
    text = "\n".join(["client_id,order_date,amount", *rows, "1,2042-01-05,3"]) + "\n"
    with pytest.raises(ContractError, match=r"2042-01-05 in row 122.*--as-of 2024-12-05"):
        opened(orders=text)
    assert opened(orders=text, as_of=dt.date(2024, 12, 5)).rows["orders"].after_as_of == 1
    assert opened(orders=text, as_of=dt.date(2042, 1, 5)).rows["orders"].accepted == 121


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (
            "2035-05-01 2035-11-01",
            "2035-11-01 in row 302, is 3,.* after all but 2 rows.*2024-12-05",
        ),
        ("1900-01-01 1901-01-01", "1900-01-01 in row 301, is 45,.* before all but 2 rows"),
    ],
)
def test_two_mistyped_years_pass_no_better_than_one(opened, strange, said):
    days = "".join(f"7,2024-{1 + k % 12:02d}-05,1\n" for k in range(299))
    more = "".join(f"7,{day},1\n" for day in strange.split())
    with pytest.raises(ContractError, match=said):
        opened(orders=f"client_id,order_date,amount\n{days}{more}")


def test_a_return_before_the_first_order_does_not_begin_the_book(opened):
    assert opened(orders=f"{HEADER}7,1999-01-05,-1\n7,2024-01-05,1\n").first_date.year == 2024


def test_a_date_that_stands_for_none_is_not_taken_for_the_first_order(opened):
    days = "".join(f"7,2024-{1 + k % 12:02d}-05,1\n" for k in range(120))
    with pytest.raises(ContractError, match="first order_date, 1900-01-01 in row 122, is 45,"):
        opened(orders=f"{HEADER}{days}7,1900-01-01,1\n")
    assert opened(orders=f"{HEADER}{days}7,2019-01-01,1\n").first_date == dt.date(2019, 1, 1)


def test_a_number_of_more_digits_than_a_measure_is_a_name(opened):
    text = "client_id,order_date,amount,ticket\n1,2024-01-05,3,98765432109876543210\n"
    assert opened(orders=text).measures == ()


def test_a_file_without_its_header_is_told_so(opened):
    with pytest.raises(ContractError, match="Is '1' a name"):
        opened(orders="1,2024-01-05,3\n2,2024-02-05,4\n")


@pytest.mark.parametrize("above", ["Sales 2024\n", "Sales 2024,,\n", "sep=,\n"])
def test_what_stands_above_the_header_is_told(opened, above):
    with pytest.raises(ContractError, match="take away what stands above them"):
        opened(orders=f"{above}{HEADER}7,2024-01-05,1\n")


def test_a_wrong_delimiter_is_asked_for(opened):
    with pytest.raises(ContractError, match="another sign than delimiter"):
        opened({"orders": {"delimiter": ";"}})


def test_where_nobody_at_all_orders_any_more_the_orders_end_there(opened):
    start = dt.date(2024, 1, 1)
    days = [start + dt.timedelta(days=n) for n in range(300)]
    text = HEADER + "".join(f"{n % 40},{day},3\n" for n, day in enumerate(days))
    for as_of in (dt.date(2024, 12, 31), dt.date(2031, 1, 1)):
        tables = opened(orders=text, as_of=as_of)
        assert (tables.as_of, tables.ends_on) == (as_of, days[-1])
        (gap,) = [f for f in tables.findings if f.code == "calendar_gap"]
        assert gap.severity == "warning"
        assert gap.count == (as_of - days[-1]).days
    assert opened(orders=text, as_of=days[-1] + dt.timedelta(days=20)).ends_on is None
    later = text + "".join(f"{n},2025-06-01,3\n" for n in range(40))  # the quarter as it stood
    assert opened(orders=later, as_of=dt.date(2024, 12, 31)).ends_on == days[-1]
    few = HEADER + "".join(f"{n % 9},{day},3\n" for n, day in enumerate(days))
    assert opened(orders=few, as_of=dt.date(2024, 12, 31)).ends_on is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"attributes": ["client_id"]}, "'client_id' of orders.csv, which has a meaning"),
        ({"ignore": ["notes"]}, r"no column 'notes' \(\[orders\] ignore names it\)"),
        ({"ignore": ["amount"]}, r"ignore names 'amount' of orders.csv, which is needed as amount"),
    ],
)
def test_an_option_that_names_the_wrong_column_is_refused(opened, asked, said):
    with pytest.raises(ContractError, match=said):
        opened({"orders": asked}, orders=f"{HEADER}1,2024-01-05,3\n")


@pytest.mark.parametrize(
    "asked",
    [
        {"attributes": ["closed_reason"]},
        {"attributes": ["size"], "ignore": ["size"]},
        {"attributes": ["size"], "columns": {"client_id": "size"}},
    ],
)
def test_an_attribute_of_the_clients_that_would_be_passed_over_is_refused(opened, asked):
    clients = "client_id,closed_reason,size\n1,merger,key\n"
    with pytest.raises(ContractError, match=r"\[clients\] attributes names '\w+' of clients.csv"):
        opened({"clients": asked}, orders=f"{HEADER}1,2024-01-05,3\n", clients=clients)


def test_a_column_of_the_contract_may_be_left_out_where_it_is_not_needed(opened):
    orders = "client_id,order_date,amount,margin\n1,2024-01-05,10,oops\n"
    tables = opened({"orders": {"ignore": ["margin"]}}, orders=orders)
    assert "margin" not in tables.orders.columns
    assert tables.rows["orders"].accepted == 1


def test_lines_of_one_order_are_one_order_and_returns_are_none(opened):
    lines = "1,2024-01-05,10,a\n1,2024-01-05,5,a\n1,2024-01-05,7,b\n1,2024-01-06,-7,c\n"
    tables = opened(orders=f"client_id,order_date,amount,order_id\n{lines}2,2024-01-07,9,\n")
    assert orders_placed(tables) == 3
