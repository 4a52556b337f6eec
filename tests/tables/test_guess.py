"""The config that `churnlens init` writes: it parses, and opens the source it was guessed from."""

import tomllib

import duckdb
import pandas as pd
import pytest

from churnlens.config import parse
from churnlens.errors import ContractError
from churnlens.panel.departures import DEFINITIONS
from churnlens.tables import guess, open_source


def guessed(source):
    return parse(tomllib.loads(guess.first_config(source).text), "churnlens.toml")


def test_standard_names_are_kept(write):
    folder = write(events="client_id,event_date,event_type\n7,2024-01-01,visit\n")
    settings = guessed(folder)
    assert settings.orders.columns["client_id"] == "client_id"
    assert open_source(folder, settings).rows["events"].accepted == 1


def test_dates_that_are_whole_numbers_with_a_blank_among_them_are_found(tmp_path):
    frame = pd.DataFrame({"client_id": ["a", "b"], "amount": [1, 2]})
    frame.assign(order_date=[20240131.0, None]).to_parquet(tmp_path / "orders.parquet")
    settings = guessed(tmp_path)
    assert settings.orders.date_format == "%Y%m%d"
    assert open_source(tmp_path, settings).rows["orders"].accepted == 1


def test_every_definition_of_leaving_is_offered(write):
    head = guess.first_config(write()).text.split("[orders]")[0]
    assert all(name in head for name in (*DEFINITIONS, "my_module:name"))


@pytest.mark.parametrize(
    ("header", "mapped"),
    [
        (
            "客户编号,订单号,下单日期,产品,数量,金额",
            ("客户编号", "订单号", "下单日期", "产品", "数量", "金额"),
        ),
        (
            "客户,订单编号,日期,产品,数量,单价",
            ("客户", "订单编号", "日期", "产品", "数量", "数量 * 单价"),
        ),
        (
            "客户ID,订单编号,下单时间,商品名称,数量,订单金额(元)",
            ("客户ID", "订单编号", "下单时间", "商品名称", "数量", "订单金额(元)"),
        ),
    ],
)
def test_a_chinese_export_is_understood(tmp_path, header, mapped):
    rows = [
        f"K{i % 7},D{i},2024-03-{i % 28 + 1:02d},纸,{i % 3 + 1},{i % 5 + 1}.5\n" for i in range(99)
    ]
    source = tmp_path / "订单.csv"
    source.write_text(header + "\n" + "".join(rows), encoding="utf-8")
    columns = guessed(source).orders.columns
    names = ("client_id", "order_id", "order_date", "category", "quantity", "amount")
    assert tuple(columns[name] for name in names) == mapped
    assert open_source(source, guessed(source)).rows["orders"].accepted == 99


def test_an_invoice_export_is_understood(tmp_path):
    rows = [
        f"{'C' if i % 20 == 0 else ''}{5000 + i};{i % 7 + 100};{i % 28 + 1:02d}.03.2024;"
        f"{-2 if i % 20 == 0 else 3};{i % 5 + 1},50;{'AT' if i % 7 < 3 else 'DE'};{i % 4}\n"
        for i in range(200)
    ]
    head = "RechnungNr;KundenNr;Datum;Menge;Preis;Land;Lieferverzug\n"
    (tmp_path / "sales.csv").write_text(head + "".join(rows))
    text = guess.first_config(tmp_path).text
    settings = parse(tomllib.loads(text), "churnlens.toml")
    assert settings.orders.columns == {
        "client_id": "KundenNr",
        "order_date": "Datum",
        "order_id": "RechnungNr",
        "quantity": "Menge",
        "amount": "Menge * Preis",
    }
    assert (settings.orders.decimal, settings.orders.date_format) == (",", "%d.%m.%Y")
    assert settings.orders.attributes == ("Land",)
    assert settings.orders.returns.starts_with == "C"
    (tmp_path / "churnlens.toml").write_text(text)
    tables = open_source(tmp_path / "churnlens.toml", settings)
    assert (tables.rows["orders"].accepted, tables.measures) == (200, ("Lieferverzug", "Preis"))


def test_an_ambiguous_date_is_pointed_out(tmp_path):
    text = "client_id,order_date,amount\n1,01/02/2024,1\n1,03/04/2024,1\n"
    (tmp_path / "orders.csv").write_text(text)
    assert "CHECK: the dates fit %m/%d/%Y as well" in guess.first_config(tmp_path).text


def test_what_is_not_found_is_asked_for(tmp_path):
    (tmp_path / "orders.csv").write_text("client_id,wann,amount\n1,x,1\n")
    text = guess.first_config(tmp_path).text
    assert (
        '# order_date = "…"  # NEEDED, not found. Which one is it? client_id, wann, amount' in text
    )
    tomllib.loads(text)


@pytest.mark.parametrize("mark", ["1.{}00,50", "1,{}00.50", "EUR {}2", "1'{}00.50 €"])
def test_an_amount_that_cannot_be_read_is_asked_for_and_is_no_attribute(tmp_path, mark):
    rows = [f"{i}\t2024-01-{d:02d}\t{mark.format(i)}\n" for d in range(1, 29) for i in range(1, 9)]
    (tmp_path / "sales.csv").write_text("Customer\tDate\tSales\n" + "".join(rows))
    first = guess.first_config(tmp_path)
    assert first.lacking == {"orders": ("amount",)}
    assert f'NEEDED, not found. Is it Sales? It holds "{mark.format(1)}"' in first.text
    settings = parse(tomllib.loads(first.text), "churnlens.toml")
    assert settings.orders.attributes == ()
    with pytest.raises(ContractError, match=r"no column 'amount'.*Fill in .*amount = \"…\"\.$"):
        open_source(tmp_path, settings)


def test_a_database_is_guessed_by_its_tables(tmp_path):
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "create table sales_2024 as select 1 as customer_id, date '2024-01-05' as sold_at, "
            "2.5 as revenue, {'a': 1} as extra"
        )
        connection.execute("create table stock as select 1 as item")
    settings = guessed(f"duckdb://{path}")
    assert settings.orders.table == "sales_2024"
    assert open_source(f"duckdb://{path}", settings).rows["orders"].accepted == 1


def test_files_that_cannot_be_told_apart_are_listed(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(ContractError, match=r"which of a.csv, b.csv holds the orders"):
        guess.first_config(tmp_path)


@pytest.mark.parametrize("values", [["2024-01-05", None], ["x", "y"], [None, None]])
def test_odd_columns_do_no_harm(tmp_path, values):
    frame = pd.DataFrame({"client_id": ["1", "2"], "order_date": values, "amount": [True, False]})
    frame.to_parquet(tmp_path / "orders.parquet")
    assert guessed(tmp_path).orders.columns["order_date"] == "order_date"
