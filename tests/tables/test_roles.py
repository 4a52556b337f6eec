"""A role in the configuration for a driver that is not there is said, with the nearest name."""

import pytest

ORDERS = "client_id,order_date,amount,delivery_delay_days\n7,2024-01-05,1,2\n8,2024-01-06,1,3\n"
EVENTS = "client_id,event_date,event_type\n7,2024-01-05,visit\n"


def said(opened, **drivers):
    tables = opened({"drivers": drivers}, orders=ORDERS, events=EVENTS)
    return [str(f.text) for f in tables.findings if f.code == "unknown_driver"]


def test_a_driver_that_is_not_there_is_said(opened):
    assert said(opened, delivery_delay="ignore") == [
        "The configuration gives a role to 'delivery_delay', which these records do not have. Is "
        "'delivery_delay_days' meant?"
    ]
    assert said(opened, zzz="outcome")[0].endswith("do not have.")


@pytest.mark.parametrize("role", ["ignore", "outcome", "candidate"])
def test_a_driver_that_is_there_is_not_whatever_its_role(opened, role):
    assert said(opened, delivery_delay_days=role, visit=role) == []


def test_an_own_driver_may_have_a_role(opened):
    settings = {"drivers": {"mine": "outcome"}, "plugins": {"drivers": ["my_module:mine"]}}
    assert "unknown_driver" not in {f.code for f in opened(settings, orders=ORDERS).findings}


@pytest.mark.parametrize(("clients", "said"), [("region", True), ("size", False)])
def test_an_attribute_that_the_clients_table_has_as_well_is_said(opened, clients, said):
    orders = "client_id,order_date,amount,region\n7,2024-01-05,1,north\n7,2024-02-05,1,north\n"
    settings = {"orders": {"attributes": ["region"]}}
    tables = opened(settings, orders=orders, clients=f"client_id,{clients}\n7,south\n")
    texts = [str(f.text) for f in tables.findings if f.code == "attribute_twice"]
    assert [text.startswith("region is an attribute in the clients table") for text in texts] == (
        [True] if said else []
    )
