"""Data findings: each says something a person can act on, and nothing is said of clean data."""

import datetime as dt

import pytest

from churnlens.tables import orders_placed, quality

START = dt.date(2024, 1, 1)


def lines(days, clients=("a", "b", "c"), skip=lambda day: False):
    """Write one order a client and day, Monday to Friday."""
    dates = [START + dt.timedelta(days=k) for k in range(days)]
    kept = [day for day in dates if day.weekday() < 5 and not skip(day)]
    return "".join(f"{c},{day},{10 + i % 7}\n" for i, day in enumerate(kept) for c in clients)


HEADER = "client_id,order_date,amount\n"


def found(tables):
    return {finding.code: finding for finding in tables.findings}


def test_clean_data_say_nothing(opened):
    tables = opened(orders=HEADER + lines(120), clients="client_id,size\na,key\nb,key\nc,small\n")
    assert tables.findings == ()


def test_rows_without_a_client_are_told_from_other_refusals(opened):
    text = HEADER + lines(30) + ",2024-01-05,1\n,2024-01-06,1\na,never,1\n"
    seen = found(opened(orders=text))
    assert seen["no_client"].count == 2
    assert "the first is row 68" in str(seen["no_client"].text)
    assert "“order_date” is no date" in str(seen["refused"].text)


def test_every_kind_of_refusal_has_its_sentence(opened):
    text = HEADER + lines(30) + "a,2024-01-05\na,2024-01-05,1,2\na,2024-01-05,x\na,2024-01-05,\n"
    clients = "client_id,size\na,key\na,key\nb,key\nc,key\n,key\n"
    tables = opened(orders=text, clients=clients)
    said = [str(f.text) for f in tables.findings if f.code == "refused"]
    for part in (
        "2 of 70 rows of orders (3 %) have more or fewer fields than the header",
        "“amount” is no number, or one of more than 15 digits, in 1 of 70 rows of orders",
        "“amount” is blank in 1 of 70 rows of orders",
        "1 of 5 rows of clients (20 %) name a “client_id” that an earlier row names already",
        "“client_id” is blank in 1 of 5 rows of clients",
    ):
        assert any(sentence.startswith(part) for sentence in said), part


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"1,5"', "the first is “1,5” in row 68. Decimals are parted"),
        ("1'000.50 €", "the first is “1'000.50 €” in row 68. "),
        ("EUR 12", "the first is “EUR 12” in row 68. "),
        ("Huber & Co 7", "the first is row 68. Decimals are parted"),  # may be a client's name
    ],
)
def test_a_number_that_cannot_be_read_is_shown_with_the_usual_remedy(opened, written, said):
    text = f"{HEADER}{lines(30)}a,2024-01-05,{written}\nb,2024-01-05,9x\n"
    sentence = str(found(opened(orders=text))["refused"].text)
    assert sentence.startswith("“amount” is no number")
    assert "in 2 of 68 rows" in sentence
    assert said in sentence


def test_rows_after_as_of_are_counted(opened):
    tables = opened(as_of=dt.date(2024, 1, 31), orders=HEADER + lines(60))
    assert found(tables)["after_as_of"].count == 63  # 21 working days after it, three clients


def test_the_time_from_the_last_order_to_as_of_is_a_gap(opened):
    gap = found(opened(as_of=dt.date(2025, 1, 31), orders=HEADER + lines(180)))["calendar_gap"]
    assert gap.severity == "warning"
    assert gap.text.values["last"]["value"] == "2025-01-31"


def test_a_closed_month_is_a_gap_and_weekends_are_none(opened):
    text = HEADER + lines(180, skip=lambda day: day.month == 3)
    gap = found(opened(orders=text))["calendar_gap"]
    assert (gap.severity, gap.count) == ("warning", 31)
    assert gap.text.values["first"]["value"] == "2024-03-01"
    assert gap.text.values["last"]["value"] == "2024-03-31"


def test_a_month_with_a_tenth_of_its_orders_is_thin(opened):
    text = HEADER + lines(240, skip=lambda day: day.month == 4 and day.day % 7 != 1)
    thin = found(opened(orders=text))["thin_month"]
    assert thin.text.values["month"]["value"] == "2024-04-01"


def test_returns_and_measures(opened):
    head = "client_id,order_date,amount,flat,gone,low\n"
    rows = "".join(
        f"a,2024-01-{d:02d},{d - 2},3,{'' if d > 4 else d},{d - 5}\n" for d in range(1, 11)
    )
    seen = found(opened(orders=head + rows))
    assert seen["returns"].count == 2
    assert seen["measure_constant"].text.values["driver"]["value"] == "flat"
    assert (seen["measure_missing"].count, seen["measure_negative"].count) == (6, 4)


def test_event_types_that_end_before_the_first_order_are_said(opened):
    events = "client_id,event_date,event_type\n7,2019-01-05,visit\n7,2019-01-06,visit\n"
    events += "7,2019-01-05,call\n7,2024-01-10,call\n"
    seen = found(opened(events=events))["events_before"]
    assert (seen.count, seen.text.values["names"]) == (2, "visit")


def test_an_attribute_that_is_a_number_in_the_clients_is_that_of_the_clients(opened):
    orders = "client_id,order_date,amount,region\n7,2024-01-05,1,north\n7,2024-02-05,1,north\n"
    settings = {"orders": {"attributes": ["region"]}}
    tables = opened(settings, orders=orders, clients="client_id,region\n7,3\n")
    assert (tables.attributes, tables.numeric_attributes) == ((), ("region",))


@pytest.mark.parametrize(
    ("margins", "severity", "said"),
    [
        (["1", "", "2"], "info", "missing in"),
        (["1", "", ""], "warning", "missing in"),
        (["", "", ""], "warning", "No order line has a margin"),
    ],
)
def test_lines_without_a_margin_are_said(opened, margins, severity, said):
    rows = "".join(f"a,2024-01-0{d},9,{margin}\n" for d, margin in enumerate(margins, 1))
    seen = found(opened(orders=f"client_id,order_date,amount,margin\n{rows}"))["margin_missing"]
    assert (seen.severity, seen.count) == (severity, margins.count(""))
    assert said in seen.text.template


def test_a_margin_of_returns_alone_is_no_margin(opened):
    """What clients are worth is then read from revenue."""
    rows = "a,2024-01-01,9,\na,2024-01-02,9,\na,2024-01-03,-9,-3\n"
    seen = found(opened(orders=f"client_id,order_date,amount,margin\n{rows}"))["margin_missing"]
    assert "No order line has a margin" in seen.text.template


def test_repeated_lines_are_said_and_kept(opened):
    tables = opened(orders=HEADER + lines(30) + "a,2024-01-01,10\n" * 2)
    assert found(tables)["repeated_lines"].count == 2
    assert tables.rows["orders"].rejected == 0


def test_repeats_in_a_large_book_are_counted_in_a_part(opened, monkeypatch):
    monkeypatch.setattr(quality, "_LARGE_BOOK", 1000)
    monkeypatch.setattr(quality, "_PART", 1000)
    doubled = lines(120, [f"c{i}" for i in range(60)]) * 2
    seen = found(opened(orders=HEADER + doubled))["repeated_lines"]
    assert seen.text.values["step"] == 10
    assert str(seen.text).startswith("About ")
    assert 0 < seen.count < 2 * 5160  # 5,160 in truth; a part of 60 clients is a rough measure


def test_an_export_that_holds_every_line_twice_is_a_warning(opened):
    assert found(opened(orders=HEADER + lines(30) * 2))["repeated_lines"].severity == "warning"
    once = found(opened(orders=HEADER + lines(30) + lines(5)))
    assert once["repeated_lines"].severity == "info"


def test_values_of_an_attribute_that_differ_in_capitals(opened):
    clients = "client_id,size,region\na,Key,north\nb,key,north\nc,small,south\n"
    seen = found(opened(orders=HEADER + lines(30), clients=clients))["two_values"]
    assert seen.text.values == {"count": 1, "attribute": "size"}


def test_a_one_off_bulk_buyer_is_set_apart(opened):
    clients = [f"c{i}" for i in range(30)]
    text = HEADER + lines(60, clients) + "whale,2024-01-10,999999\n" + "new,2024-02-29,999999\n"
    bulk = found(opened(orders=text))["one_off_bulk"]
    assert bulk.count == 1
    assert bulk.text.values["money"]["value"] == 999999


def test_clients_and_events_that_do_not_meet(opened):
    seen = found(
        opened(
            orders=HEADER + lines(30),
            clients="client_id,size\na,key\nb,key\n",
            events="client_id,event_date,event_type\nz,2024-01-02,visit\na,2024-01-02,visit\n",
        )
    )
    assert (seen["not_in_clients"].count, seen["events_unknown_client"].count) == (1, 1)


@pytest.mark.parametrize("twin", ["0042", " 42", "42 ", "42.0", "42\u00a0", "\u200b42"])
def test_one_client_under_two_ids(opened, twin):
    assert found(opened(orders=HEADER + lines(30, ["42", twin])))["two_ids"].count == 1


@pytest.mark.parametrize(
    "name", ["UNKNOWN", "n/a", "Cash customer", "walk-in", "XXXX", "?", "Test"]
)
def test_an_id_that_stands_for_nobody_is_said(opened, name):
    told = found(opened(orders=HEADER + lines(30, ["42", name])))["stand_in_ids"]
    assert (told.severity, told.count, told.text.values["ids"]) == ("warning", 22, 1)
    assert "say): 1 client id, with 22 order lines (50 %)." in str(told.text)


@pytest.mark.parametrize("name", ["0", "00", "99999"])
def test_a_number_stands_for_nobody_only_where_very_many_lines_have_it(opened, name):
    few = HEADER + lines(30, ["42", name])
    assert "stand_in_ids" not in found(opened(orders=few))
    others = "".join(f"c{k},2024-01-05,9\n" for k in range(60))
    assert found(opened(orders=few + others))["stand_in_ids"].count == 22


@pytest.mark.parametrize("name", ["Testa Ltd", "Cashmere & Co", "Guesthouse", "nano", "909"])
def test_a_name_that_only_begins_like_it_is_a_client(opened, name):
    assert "stand_in_ids" not in found(opened(orders=HEADER + lines(30, ["42", name])))


@pytest.mark.parametrize("twin", ["KEY 1", " key 1", "00key 1"])
def test_ids_written_otherwise_in_the_clients_table_lose_what_is_said_there(opened, twin):
    clients = f"client_id,size\n{twin},large\nb,small\n"
    seen = found(opened(orders=HEADER + lines(30, ["key 1", "b"]), clients=clients))
    assert seen["unlike_ids"].count == 1
    assert "is not found" in str(seen["unlike_ids"].text)
    assert "two_ids" not in seen


def test_ids_written_otherwise_in_the_events_lose_what_happened(opened):
    events = "client_id,event_date,event_type\n42.0,2024-01-02,visit\n"
    seen = found(opened(orders=HEADER + lines(30, ["00042", "b"]), events=events))
    assert seen["unlike_ids"].text.values == {"clients": 1, "table": "events"}
    assert seen["events_unknown_client"].severity == "warning"


def test_order_numbers_of_two_clients_are_said(opened):
    rows = (
        "a,2024-01-02,5,1\nb,2024-01-03,5,1\na,2024-01-04,5,2\na,2024-01-05,5,\nb,2024-01-05,5,\n"
    )
    tables = opened(orders=f"client_id,order_date,amount,order_id\n{rows}")
    assert found(tables)["shared_order_id"].count == 1
    assert orders_placed(tables) == 5


def test_returns_before_the_first_order_make_no_gap(opened):
    seen = found(opened(orders=HEADER + "a,2023-06-01,-5\n" + lines(120)))
    assert "calendar_gap" not in seen


def test_event_types_that_differ_in_capitals(opened):
    rows = "".join(f"a,2024-01-02,{kind}\n" for kind in ("visit", "VISIT", "call"))
    seen = found(
        opened(orders=HEADER + lines(30), events=f"client_id,event_date,event_type\n{rows}")
    )
    assert seen["two_event_types"].text.values["names"] == "VISIT, visit"


def test_an_attribute_with_a_value_per_client_and_a_name_under_two_ids(opened):
    rows = "".join(f"c{i},Firm {i},key\n" for i in range(30))
    clients = f"client_id,company,size\n{rows}c99,FIRM 7,key\n"
    seen = found(opened(orders=HEADER + lines(10, ["c1"]), clients=clients))
    assert seen["attribute_per_client"].text.values["attribute"] == "company"
    assert seen["same_name"].count == 1


def test_orders_after_the_client_closed(opened):
    clients = "client_id,closed_on\na,2024-01-10\nb,\nc,\n"
    seen = found(opened(orders=HEADER + lines(30), clients=clients))
    assert seen["orders_after_close"].count == 1


def test_a_scope_that_no_client_has(opened):
    seen = found(
        opened(
            orders=HEADER + lines(30),
            clients="client_id,region\na,north\nb,south\nc,south\n",
            remedies="action,start_date,region\nx,2024-01-02,north|nroth\n",
        )
    )
    assert "nroth" in str(seen["scope_unknown"].text)


@pytest.mark.parametrize(
    ("column", "scope", "said"),
    [
        ("staff", "20", "staff 20, which is no band"),
        ("staff", "above 50", "staff above 50, which no client has"),
        ("staff", "up to 20|20 to 50", None),
        ("value_tier", "nosuch tier", "value tier nosuch tier, which no client has"),
        ("value_tier", "top fifth|middle", None),
    ],
)
def test_a_scope_of_a_number_or_a_tier_that_no_client_has(opened, column, scope, said):
    seen = found(
        opened(
            orders=HEADER + lines(30),
            clients="client_id,staff\na,5\nb,20\nc,50\n",
            remedies=f"action,start_date,{column}\nx,2024-01-02,{scope}\n",
        )
    )
    assert ("scope_unknown" in seen) == (said is not None)
    if said is not None:
        assert said in str(seen["scope_unknown"].text)


def test_warnings_come_first(opened):
    tables = opened(orders=HEADER + lines(30) + "a,2024-01-05,-1\n,2024-01-05,1\n")
    assert [finding.severity for finding in tables.findings] == ["warning", "info"]


@pytest.mark.parametrize("day", ["2019-03-{:02d}", "{:02d}.03.2019", "5550{:02d}"])
def test_two_clients_with_one_date_are_not_taken_for_one(opened, day):
    rows = "".join(f"c{i},{day.format(i + 1)},key\n" for i in range(28))
    clients = f"client_id,contract_start,size\n{rows}c99,{day.format(3)},key\n"
    seen = found(opened(orders=HEADER + lines(10, ["c1"]), clients=clients))
    assert "same_name" not in seen


@pytest.mark.parametrize(
    ("silent", "clients", "said"), [(21, 5, True), (2, 5, False), (21, 4, False)]
)
def test_a_branch_that_stops_before_the_others_is_said(opened, silent, clients, said):
    start = dt.date(2024, 1, 1)
    rows = [
        f"{branch}{c},{start + dt.timedelta(days=day)},10"
        for day in range(200)
        for branch in ("e", "w")
        for c in range(clients)
        if branch == "w" or day < 200 - silent
    ]
    regions = "client_id,region\n" + "".join(
        f"{b}{c},{name}\n" for b, name in (("e", "east"), ("w", "west")) for c in range(clients)
    )
    seen = found(opened(orders=HEADER + "\n".join(rows) + "\n", clients=regions))
    assert ("silent_value" in seen) is said
    if said:
        assert "clients with region east" in str(seen["silent_value"].text)
        assert "21 days before the end" in str(seen["silent_value"].text)
        assert seen["silent_value"].clients == clients


def test_an_attribute_called_as_an_order_column_is_that_of_the_clients(opened):
    """A product that is no longer sold is no branch that closed."""
    days = [START + dt.timedelta(days=k) for k in range(300)]
    ids = "abcdefghij"
    rows = [f"{c},{day},9,{'key' if k < 200 else 'mid'}" for k, day in enumerate(days) for c in ids]
    orders = "\n".join(["client_id,order_date,amount,category", *rows, ""])
    kinds = "\n".join(f"{c},{'key' if c < 'f' else 'mid'}" for c in ids)
    tables = opened(orders=orders, clients=f"client_id,category\n{kinds}\n")
    assert "silent_value" not in found(tables)
