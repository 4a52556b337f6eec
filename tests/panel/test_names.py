"""What a source calls its own columns and events changes nothing but their names."""

import json

import numpy as np
import pandas as pd
import pytest

from churnlens.config import Settings, parse
from churnlens.panel.build import open_book
from churnlens.tables import open_source

# Names that the engine's tables and the panel's frames use, or once used, for columns of their own.
OURS = (
    "is_return", "first", "last", "size", "origin", "n", "code", "days", "period", "orders",
    "volume", "revenue", "gross", "net", "real", "occasion", "month", "value", "level", "count",
    "values", "lines", "plain", "ids", "closed_on", "signup_date", "event_date", "event_type",
    "v_0", "m_0", "log0", "a0", "client", "LAST_", "client_stats", "mean_day",
)  # fmt: skip
CLIENTS, DAYS = 40, 12


def columns(names, rows, text, each=1):
    """A column of its own under each name: numbers, or one of two words; alike `each` rows."""
    made = {}
    for k, name in enumerate(names):
        number = (np.arange(rows) // each * (k % 13 + 3)) % 17
        made[name] = np.where(number % 3 == 0, "north", "south") if text else number * 1.5
    return pd.DataFrame(made)


@pytest.fixture
def book(tmp_path):
    """Return a function that writes columns of one kind under some names and opens the book."""

    def _book(kind, names):
        folder = tmp_path / f"{kind}-{names[0]}"
        folder.mkdir()
        ids = np.repeat([f"c{i}" for i in range(CLIENTS)], DAYS)
        day = pd.Timestamp("2022-01-05") + pd.to_timedelta(
            np.tile(np.arange(DAYS), CLIENTS) * 30, "D"
        )
        orders = pd.DataFrame(
            {"client_id": ids, "order_date": day.strftime("%Y-%m-%d"), "amount": 9}
        )
        clients = pd.DataFrame({"client_id": [f"c{i}" for i in range(CLIENTS)]})
        settings = Settings()
        if kind == "measure":
            orders = orders.join(columns(names, len(orders), text=False))
        if kind == "orders attribute":
            orders = orders.join(columns(names, len(orders), text=True, each=DAYS))
        if kind in ("attribute", "numeric attribute"):
            clients = clients.join(columns(names, CLIENTS, kind == "attribute"))
        if kind == "orders attribute":
            settings = parse({"orders": {"attributes": list(names)}}, "churnlens.toml")
        if kind == "event":
            rows = [
                (f"c{i}", "2022-06-01", name) for k, name in enumerate(names) for i in range(k + 5)
            ]
            events = pd.DataFrame(rows, columns=["client_id", "event_date", "event_type"])
            events.to_csv(folder / "events.csv", index=False)
        orders.to_csv(folder / "orders.csv", index=False)
        clients.to_csv(folder / "clients.csv", index=False)
        tables = open_source(folder, settings)
        return tables, open_book(tables, settings)

    return _book


def read(kind, tables, opened):
    """What was read of the columns of one kind, by name."""
    if kind in ("measure", "event"):
        return {e.driver: e.values for e in opened.exposures}
    frame = opened.attributes
    return {name: frame[name].astype(str).to_numpy() for name in frame}


@pytest.mark.parametrize(
    "kind", ["measure", "attribute", "numeric attribute", "orders attribute", "event"]
)
def test_what_a_column_is_called_changes_nothing(book, kind) -> None:
    of_clients = kind in ("attribute", "numeric attribute")
    names = [n for n in OURS if not (of_clients and n in ("closed_on", "signup_date"))]
    plain = [f"own {k}" for k in range(len(names))]
    found, expected = (read(kind, *book(kind, which)) for which in (names, plain))
    assert set(found) == set(names)
    for name, same in zip(names, plain, strict=True):
        np.testing.assert_array_equal(found[name], expected[same], err_msg=name)


def test_a_column_that_marks_a_return_may_be_called_is_return(tmp_path) -> None:
    orders = "client_id,order_date,amount,is_return\n1,2024-01-05,10,0\n1,2024-02-05,20,1\n"
    (tmp_path / "orders.csv").write_text(orders)
    marked = parse(
        {"orders": {"returns": {"column": "is_return", "equals": "1"}}}, "churnlens.toml"
    )
    tables = open_source(tmp_path, marked)
    said = json.dumps([str(f.text) for f in tables.findings])
    assert "1 of 2 order lines (50 %) are returns" in said
