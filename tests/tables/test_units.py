"""A change of unit is told from a real change of a measure."""

import numpy as np
import pandas as pd
import pytest

MONTHS = pd.date_range("2023-01-01", periods=12, freq="MS")
LATE = (pd.Index(MONTHS) >= "2023-07-01").astype(float)


def lines(opened, change):
    """Write twenty clients who order thrice a month; `change` alters delays of some clients."""
    rng = np.random.default_rng(1)
    client, nth = np.divmod(np.arange(20 * 12 * 3), 36)
    month, day = nth // 3, 5 + 9 * (nth % 3)
    delay = rng.gamma(4, 0.6, len(client))
    north = client < 10
    delay = change(delay, north, LATE[month])
    dates = [
        f"{MONTHS[m].year}-{MONTHS[m].month:02d}-{d:02d}" for m, d in zip(month, day, strict=True)
    ]
    rows = [f"c{c},{t},10,{x:.3f}" for c, t, x in zip(client, dates, delay, strict=True)]
    clients = "client_id,depot\n" + "".join(f"c{c},{'N' if c < 10 else 'S'}\n" for c in range(20))
    orders = "client_id,order_date,amount,delay\n" + "\n".join(rows) + "\n"
    found = opened(orders=orders, clients=clients).findings
    return [f for f in found if f.code == "unit_change"]


def test_days_that_become_hours_in_one_depot(opened):
    (found,) = lines(opened, lambda x, north, late: x * np.where(north & (late > 0), 24, 1))
    assert found.text.values["value"] == "N"
    assert found.text.values["month"]["value"] == "2023-07-01"
    assert 20 < float(found.text.values["factor"]) < 29


def test_a_share_that_becomes_a_percentage_everywhere(opened):
    (found,) = lines(opened, lambda x, north, late: x * np.where(late > 0, 0.01, 1))
    assert "value" not in found.text.values
    assert " fell by a factor" in str(found.text)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, north, late: x + 20 * late,  # a real rise: all by as much
        lambda x, north, late: np.where(late > 0, x * 3, x),
        lambda x, north, late: (x > 2.0 - late).astype(float),  # yes or no
    ],
)
def test_a_real_change_is_none(opened, change):
    assert lines(opened, change) == []


def test_a_measure_may_be_called_as_the_columns_worked_with(opened):
    rows = "".join(f"c,2024-{m:02d}-05,10,{m},1\n" for m in range(1, 13))
    tables = opened(orders="client_id,order_date,amount,value,month\n" + rows)
    assert set(tables.measures) == {"value", "month"}
    assert [f for f in tables.findings if f.code == "unit_change"] == []
