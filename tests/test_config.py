"""Settings: read whole or not at all, and a wrong key is named with the nearest right one."""

import datetime as dt
from pathlib import Path

import pytest

from churnlens.config import Settings, load, parse
from churnlens.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))


def test_defaults_need_no_file():
    assert parse({}, "x") == Settings()
    assert (Settings().period, Settings().definition, Settings().engine) == (
        "month",
        "cadence",
        None,
    )


def test_a_whole_config_is_read(tmp_path):
    path = tmp_path / "churnlens.toml"
    path.write_text(
        'period = "week"\nas_of = 2024-06-30\nsource = "duckdb://shop.db"\n'
        '[orders]\ntable = "sales"\nattributes = ["country"]\n'
        '[orders.columns]\namount = "quantity * price"\n'
        '[orders.returns]\ncolumn = "invoice"\nstarts_with = "C"\n'
        '[drivers]\ndiscount_pct = "ignore"\n',
        encoding="utf-8",
    )
    settings = load(path)
    assert (settings.period, settings.as_of) == ("week", dt.date(2024, 6, 30))
    assert settings.orders.columns == {"amount": "quantity * price"}
    assert settings.orders.returns.starts_with == "C"
    assert settings.drivers == {"discount_pct": "ignore"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"perod": "week"}, r"unknown key 'perod'\. Did you mean 'period'"),
        ({"orders": {"colums": {}}}, r"unknown key 'orders.colums'\. Did you mean 'columns'"),
        (
            {"orders": {"returns": {"column": "a", "start_with": "C"}}},
            r"unknown key 'orders.returns.start_with'\. Did you mean 'starts_with'",
        ),
        ({"zzz": 1}, r"unknown key 'zzz'\.$"),
        ({"period": "day"}, r"period: .*'week', 'month' or 'quarter'.*'day'"),
        ({"smallest_group": 3}, r"smallest_group: .*5"),
        ({"drivers": {"x": "cause"}}, r"drivers.x: "),
        ({"orders": {"decimal": ";"}}, r"orders.decimal: "),
        ({"orders": "orders.csv"}, r"orders: must be a section.*\[orders\] \(found 'orders.csv'"),
        ({"orders": {"columns": "x"}}, r"orders.columns: must be a section.*\[orders.columns\]"),
        ({"orders": {"file": 3}}, r"orders.file: must be a text in quotation marks \(found 3\)"),
        ({"seed": 2.5}, r"seed: must be a whole number \(found 2.5\)"),
        ({"name_clients": "perhaps"}, r"name_clients: must be true or false \(found 'perhaps'\)"),
        ({"seed": -1}, r"seed: .*0 .*found -1"),
        ({"orders": {"date_format": "%Q"}}, r"orders.date_format: .*no strptime format.*'%Q'"),
        ({"orders": {"date_format": "DD.MM.YYYY"}}, r"date_format: .*no strptime format"),
        ({"orders": {"date_format": "%d.%m.%"}}, r"orders.date_format: .*no strptime format"),
        ({"orders": {"delimiter": "ab"}}, r"orders.delimiter: .*not one character.*'ab'"),
        ({"orders": {"delimiter": ""}}, r"orders.delimiter: is not one character"),
        ({"orders": {"attributes": "size"}}, r"orders.attributes: must be a list.*'size'"),
        ({"orders": {"returns": {"column": "a"}}}, r"orders.returns: needs starts_with or equals"),
        (
            {"clients": {"returns": {"column": "a", "equals": "b"}}},
            r"unknown key 'clients.returns'",
        ),
        ({"events": {"attributes": ["size"]}}, r"unknown key 'events.attributes'"),
        ({"currency": "Euros"}, r"currency: is not an ISO 4217 code.*'Euros'"),
        ({"as_of": "soon"}, r"as_of: is no date such as 2024-12-31 \(found 'soon'\)"),
    ],
)
def test_a_wrong_key_or_value_is_named(raw, expected):
    with pytest.raises(ConfigError, match=expected):
        parse(raw, "churnlens.toml")


def test_a_name_listed_twice_is_taken_once():
    chosen = parse({"orders": {"attributes": ["size", "land", "size"]}}, "x")
    assert chosen.orders.attributes == ("size", "land")


@pytest.mark.parametrize("pattern", ["%d/%m/%Y", "%-d.%-m.%y", "%Y%m%d", "100%% %Y-%j"])
def test_a_date_format_of_the_engine_is_taken(pattern):
    assert parse({"orders": {"date_format": pattern}}, "x").orders.date_format == pattern


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "churnlens.toml"
    path.write_text('period = "week"\n', encoding="utf-8-sig")
    assert load(path).period == "week"


def test_a_file_that_is_no_config_is_named(tmp_path):
    path = tmp_path / "churnlens.toml"
    with pytest.raises(ConfigError, match=r"churnlens.toml: cannot be read"):
        load(path)
    path.write_text("period = ")
    with pytest.raises(ConfigError, match=r"churnlens.toml is not valid TOML"):
        load(path)
    path.write_bytes(b'title = "caf\xe9"')
    with pytest.raises(ConfigError, match=r"churnlens.toml is not valid TOML"):
        load(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_valid_config(path):
    assert load(path).orders.columns
