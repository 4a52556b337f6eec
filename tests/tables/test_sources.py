"""What SOURCE may be: a folder, a config, one file, a database; and what cannot be used."""

import datetime as dt
import gzip
import sqlite3

import duckdb
import openpyxl
import pytest

from churnlens.config import Settings, load, parse
from churnlens.errors import ConfigError, ContractError
from churnlens.results import RowCounts
from churnlens.tables import open_source

ORDERS = "client_id,order_date,amount\n00042,2024-01-05,10\n7,2024-02-05,20\n"
CONFIG = """
[orders]
file = "data/sales.csv"
[orders.columns]
client_id = "customer"
[clients]
file = "data/people.csv"
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sales.csv").write_text(ORDERS.replace("client_id", "customer"))
    (tmp_path / "data/people.csv").write_text("client_id,size\n7,key\n")
    (tmp_path / "churnlens.toml").write_text(CONFIG)
    return tmp_path


def test_a_config_names_files_beside_it(shop, monkeypatch):
    monkeypatch.chdir("/")
    path = shop / "churnlens.toml"
    tables = open_source(path, load(path))
    assert (tables.rows["orders"].accepted, tables.rows["clients"].accepted) == (2, 1)


def test_one_data_file_takes_the_place_of_the_orders_that_a_config_names(shop):
    (shop / "other.csv").write_text("customer,order_date,amount\n1,2024-01-05,1\n")
    chosen = parse({"orders": {"file": "nowhere.csv", "columns": {"client_id": "customer"}}}, "x")
    assert open_source(shop / "other.csv", chosen).rows["orders"] == RowCounts(1, 1, 0, 0)


def test_a_sheet_of_a_workbook_can_be_named(tmp_path):
    book = openpyxl.Workbook()
    book.create_sheet("Sales")
    for row in [["client_id", "order_date", "amount"], [None] * 3, ["007", "2024-01-05", 1.5]]:
        book["Sales"].append(row)
    book["Sales"].append([8, 45292, True])
    book.save(tmp_path / "orders.xlsx")
    tables = open_source(tmp_path, parse({"orders": {"table": "Sales"}}, "x"))
    assert tables.orders.to_pyarrow().column("client_id").to_pylist() == ["007"]
    refused = tables.rejects["orders"].to_pyarrow().to_pylist()
    assert [(r["row"], r["value"]) for r in refused] == [(4, "45292")]
    with pytest.raises(ContractError, match=r"no sheet 'Sale'. Did you mean 'Sales'"):
        open_source(tmp_path, parse({"orders": {"table": "Sale"}}, "x"))


@pytest.fixture
def workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Readme"
    book.active.append(["about"])
    for row in [["client_id", "order_date", "amount"], ["7", "2024-01-05", 1.5]]:
        (book["Orders"] if "Orders" in book else book.create_sheet("Orders")).append(row)
    book.save(tmp_path / "orders.xlsx")
    return tmp_path


def test_the_sheet_called_as_the_table_is_read(workbook):
    assert open_source(workbook, Settings()).rows["orders"] == RowCounts(1, 1, 0, 0)


def test_numbers_and_dates_of_a_workbook_are_read_beside_those_kept_as_text(tmp_path):
    book = openpyxl.Workbook()
    for row in [
        ["client_id", "order_date", "amount", "discount"],
        ["7", dt.datetime(2024, 1, 31), 2.5, "0,5"],
        ["7", "29.02.2024", "3,5", 0.25],
    ]:
        book.active.append(row)
    book.save(tmp_path / "orders.xlsx")
    chosen = {"decimal": ",", "date_format": "%d.%m.%Y"}
    tables = open_source(tmp_path, parse({"orders": chosen}, "x"))
    assert tables.orders.to_pyarrow().select(["order_date", "amount", "discount"]).to_pylist() == [
        {"order_date": dt.date(2024, 1, 31), "amount": 2.5, "discount": 0.5},
        {"order_date": dt.date(2024, 2, 29), "amount": 3.5, "discount": 0.25},
    ]


def test_numbers_of_sqlite_are_read_beside_those_kept_as_text(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        columns = "client_id real, order_date real, amount real, discount text"
        connection.execute(f"create table orders ({columns})")
        rows = [(42, 20240131, 2.5, "0,5"), (42, 20240229, 3, "1,25"), (42, 20240301, 9e999, "1")]
        connection.executemany("insert into orders values (?, ?, ?, ?)", rows)
    connection.close()
    chosen = parse({"orders": {"decimal": ",", "date_format": "%Y%m%d"}}, "x")
    tables = open_source(f"sqlite://{tmp_path}/shop.db", chosen)
    assert tables.rows["orders"] == RowCounts(3, 2, 1, 0)  # without end is no amount
    orders = tables.orders.to_pyarrow()
    assert orders.column("client_id").to_pylist() == ["42", "42"]
    assert orders.column("order_date").to_pylist() == [dt.date(2024, 1, 31), dt.date(2024, 2, 29)]
    assert orders.column("amount").to_pylist() == [2.5, 3]
    assert orders.column("discount").to_pylist() == [0.5, 1.25]


def test_a_missing_column_names_the_sheet_and_how_to_choose_one(workbook):
    chosen = parse({"orders": {"table": "Readme"}}, "x")
    expected = (
        r"^orders.xlsx, sheet 'Readme', has no column 'client_id'.* The sheet is chosen by "
        r"\[orders\] table = \"…\"; the others are 'Orders'\.$"
    )
    with pytest.raises(ContractError, match=expected):
        open_source(workbook, chosen)


@pytest.fixture
def sqlite_file(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (client_id text, order_date text, amount real)")
        connection.executemany(
            "insert into orders values (?, ?, ?)",
            [("00042", "2024-01-05", 10.5), ("7", "2024-02-05", "ten"), (8, "2024-03-01", 1)],
        )
        connection.execute("create table people (client_id text, size text)")
        connection.execute("insert into people values ('00042', 'key')")
    connection.close()
    return path


@pytest.mark.parametrize("slashes", ["sqlite://", "sqlite:///"])
def test_sqlite_is_a_source(sqlite_file, slashes):
    tables = open_source(f"{slashes}{sqlite_file}", parse({"clients": {"table": "people"}}, "x"))
    assert tables.rows["orders"] == RowCounts(3, 2, 1, 0)
    assert tables.rows["clients"] == RowCounts(1, 1, 0, 0)
    assert tables.orders.to_pyarrow().column("client_id").to_pylist() == ["00042", "8"]
    [refused] = tables.rejects["orders"].to_pyarrow().to_pylist()
    assert (refused["file"], refused["row"], refused["value"]) == ("orders", 2, "ten")


@pytest.fixture
def duckdb_file(tmp_path):
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "create table sales as select * from (values ('00042', date '2024-01-05', 10.5), "
            "('7', date '2024-02-05', 1.25)) t(client_id, order_date, amount)"
        )
    return path


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("kind", ["ENUM('a', '101')", "BIT", "UNION(a TEXT, b INT)", "BLOB"])
def test_a_column_of_any_type_of_duckdb_is_text_or_let_be(tmp_path, kind, in_place):
    url = f"duckdb://{tmp_path}/shop.duckdb"
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(f"create table orders (client_id {kind}, order_date date, amount int)")
        connection.execute("insert into orders values ('101', '2024-01-05', 3)")
        connection.execute(f"create table clients (client_id text, size {kind}, note {kind})")
        connection.execute("insert into clients values ('101', '101', null)")
    chosen = {"attributes": [] if kind == "BLOB" else ["size"]}
    tables = open_source(url, Settings(engine=url if in_place else None, clients=chosen))
    assert tables.orders.to_pyarrow().column("client_id").to_pylist() == ["101"]
    if kind != "BLOB":
        assert tables.clients.to_pyarrow().column("size").to_pylist() == ["101"]
    tables.connection.disconnect()


def test_a_blob_of_sqlite_that_is_no_text_is_let_be(sqlite_file):
    with sqlite3.connect(sqlite_file) as connection:
        connection.execute("alter table orders add column photo blob")
        connection.execute("update orders set photo = ?", [b"\xff\x00a"])
    connection.close()
    assert open_source(f"sqlite://{sqlite_file}", Settings()).rows["orders"] == RowCounts(
        3, 2, 1, 0
    )


@pytest.mark.parametrize("in_place", [False, True])
def test_duckdb_is_a_source_and_may_be_the_engine(duckdb_file, in_place):
    url = f"duckdb://{duckdb_file}"
    settings = Settings(engine=url if in_place else None, orders={"table": "sales"})
    tables = open_source(url, settings)
    assert tables.rows["orders"] == RowCounts(2, 2, 0, 0)
    assert tables.orders.amount.sum().execute() == 11.75
    tables.connection.disconnect()
    with duckdb.connect(duckdb_file) as connection:
        assert connection.execute("show tables").fetchall() == [("sales",)]


def test_a_config_may_name_a_database_beside_it_and_files(duckdb_file):
    folder = duckdb_file.parent
    (folder / "people.csv").write_text("client_id,size\n7,key\n")
    config = folder / "churnlens.toml"
    config.write_text(
        'source = "duckdb://shop.duckdb"\n'
        '[orders]\ntable = "sales"\n[clients]\nfile = "people.csv"\n'
    )
    tables = open_source(config, load(config))
    assert (tables.rows["orders"].read, tables.rows["clients"].read) == (2, 1)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_table_may_lie_in_a_schema_of_its_own(duckdb_file, in_place):
    with duckdb.connect(duckdb_file) as connection:
        connection.execute("create schema erp")
        connection.execute(
            'create table erp.orders as from sales; create table "a.b" as from sales'
        )
    url = f"duckdb://{duckdb_file}"
    for table in ("erp.orders", "a.b"):
        settings = Settings(engine=url if in_place else None, orders={"table": table})
        tables = open_source(url, settings)
        assert tables.rows["orders"] == RowCounts(2, 2, 0, 0)
        tables.connection.disconnect()
    with pytest.raises(ContractError, match=r"Its tables are a\.b, sales, erp\.orders;"):
        open_source(url, Settings())
    with pytest.raises(ContractError, match=r"no table 'erp\.order'. Did you mean 'erp\.orders'"):
        open_source(url, Settings(orders={"table": "erp.order"}))


def test_a_missing_database_is_named_and_not_created(tmp_path):
    for scheme in ("duckdb", "sqlite"):
        with pytest.raises(ContractError, match=r"there is no database file .*none\.db"):
            open_source(f"{scheme}://{tmp_path}/none.db", Settings())
    assert not list(tmp_path.iterdir())


def test_a_database_file_may_be_named_without_a_scheme(sqlite_file, monkeypatch):
    monkeypatch.chdir("/")
    config = sqlite_file.parent / "churnlens.toml"
    config.write_text('source = "shop.db"\n')
    assert open_source(config, load(config)).rows["orders"].accepted == 2


@pytest.mark.parametrize(
    ("named", "said"),
    [("nope.db", r"/nope\.db does not exist"), ("churnlens.toml", r"is no database file")],
)
def test_a_source_that_is_no_database_is_named_and_not_created(tmp_path, monkeypatch, named, said):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "churnlens.toml"
    config.write_text(f'source = "{named}"\n')
    with pytest.raises(ContractError, match=said):
        open_source(config, load(config))
    assert [path.name for path in tmp_path.iterdir()] == ["churnlens.toml"]


def test_a_missing_table_names_the_nearest(sqlite_file):
    with pytest.raises(ContractError, match=r"no table 'ordrs'. Did you mean 'orders'"):
        open_source(f"sqlite://{sqlite_file}", parse({"orders": {"table": "ordrs"}}, "x"))


def test_a_connection_that_cannot_be_made_is_named():
    with pytest.raises(ContractError, match="nosuch://host cannot be opened"):
        open_source("nosuch://host", Settings())


@pytest.mark.parametrize("engine", ["nosuch://host", "sqlite://", "polars://"])
def test_an_engine_that_cannot_compute_is_named(shop, engine):
    settings = load(shop / "churnlens.toml").model_copy(update={"engine": engine})
    with pytest.raises(ConfigError, match="engine"):
        open_source(shop / "churnlens.toml", settings)


def test_no_orders_lists_what_is_there(tmp_path):
    (tmp_path / "order.csv").write_text(ORDERS)
    with pytest.raises(ContractError, match=r"has no orders.*Did you mean 'order.csv'"):
        open_source(tmp_path, Settings())


def test_two_files_for_one_table(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "orders.parquet").write_bytes(b"")
    with pytest.raises(ContractError, match=r"orders.csv and orders.parquet.*\[orders\] file"):
        open_source(tmp_path, Settings())
    chosen = parse({"orders": {"file": "orders.csv"}}, "x")
    assert open_source(tmp_path, chosen).rows["orders"].accepted == 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [("nowhere", "does not exist"), ("orders.txt", "CSV, CSV.gz, Parquet and XLSX")],
)
def test_a_source_that_is_no_source(tmp_path, source, expected):
    (tmp_path / "orders.txt").write_text(ORDERS)
    with pytest.raises(ContractError, match=expected):
        open_source(tmp_path / source, Settings())


def test_a_file_named_in_the_config_must_exist(shop):
    chosen = parse({"orders": {"file": "data/sale.csv"}}, "x")
    with pytest.raises(
        ContractError, match=r"data/sale.csv does not exist.*Did you mean 'sales.csv'"
    ):
        open_source(shop / "churnlens.toml", chosen)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("orders.csv", b"PK\x03\x04rest", "a ZIP archive.*unpack"),
        ("orders.csv", gzip.compress(ORDERS.encode()), "gzip.*csv.gz"),
        ("orders.csv", b"PAR1rest", "Parquet.*.parquet"),
        ("orders.csv.gz", ORDERS.encode(), "text.*.csv"),
        ("orders.xlsx", b"\xd0\xcf\x11\xe0rest", "old kind.*password"),
        ("orders.xlsx", ORDERS.encode(), "text.*.csv"),
        ("orders.parquet", ORDERS.encode(), "text.*.csv"),
    ],
)
def test_a_file_of_another_format_than_its_name_is_told_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError, match=rf"{name} is not what its name says.*{said}"):
        open_source(tmp_path, Settings())


def test_orders_that_are_a_folder_or_a_link_to_nothing_are_told(tmp_path):
    (tmp_path / "orders.parquet").mkdir()
    with pytest.raises(ContractError, match=r"orders\.parquet is a folder or a link to nothing"):
        open_source(tmp_path, Settings())


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE", "BLOB", "DOUBLE[]", "STRUCT(a DOUBLE)"])
def test_a_column_whose_type_is_no_number_is_refused_as_any_that_is_none(tmp_path, kind):
    value = {
        "TIMESTAMP": "TIMESTAMP '2024-01-05 10:00:00'",
        "DATE": "DATE '2024-01-05'",
        "BLOB": "'abc'::BLOB",
        "DOUBLE[]": "[1.0]",
        "STRUCT(a DOUBLE)": "{'a': 1.0}",
    }[kind]
    duckdb.sql(
        "COPY (SELECT 'c' || i AS client_id, DATE '2024-01-01' AS order_date,"
        f" {value} AS amount FROM range(5) t(i)) TO '{tmp_path}/orders.parquet'"
    )
    with pytest.raises(ContractError, match="amount is not a number"):
        open_source(tmp_path, Settings())
