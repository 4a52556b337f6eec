"""Refused rows on disk: to the letter, in order, nothing lost."""

import csv

from churnlens.tables import rejects


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_values_are_kept_to_the_letter(opened, tmp_path):
    hostile = '=cmd|"x",\n<b>'
    quoted = '"' + hostile.replace('"', '""') + '"'
    tables = opened(
        orders=f"client_id,order_date,amount\n1,2024-01-05,1\n1,{quoted},1\n1,2024-01-05\n",
        clients="client_id,size\n1,key\n1,small\n",
        events="client_id,event_date,event_type\n1,2024-01-01,visit\n",
    )
    folder = tmp_path / "rejects"
    assert rejects.write(tables, folder) == {"orders": 2, "clients": 1}
    assert sorted(path.name for path in folder.iterdir()) == ["clients.csv", "orders.csv"]
    header, broken, ragged = read(folder / "orders.csv")
    assert header == ["file", "row", "column", "value", "reason"]
    assert broken[:4] == ["orders.csv", "3", "order_date", hostile]
    assert ragged == ["orders.csv", "4", "", "1,2024-01-05", "has 2 fields, not 3"]
    assert read(folder / "clients.csv")[1][1:3] == ["3", "client_id"]
    assert (folder / "orders.csv").read_text().count('"=cmd|""x"",') == 1
