"""A real wholesaler's invoice lines (UCI Online Retail, Chen 2015), by the example's config."""

import os
import tomllib
from pathlib import Path

import pytest

from churnlens.config import load, parse
from churnlens.results import RowCounts
from churnlens.tables import guess, open_source
from churnlens.tables.model import RETURN

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CHURNLENS_DATA", ROOT.parent / "shared" / "data"))
SOURCE = DATA / "online_retail.parquet"

pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason=f"{SOURCE} is not there")


def check(tables):
    assert tables.rows["orders"] == RowCounts(541_909, 406_829, 135_080, 0)
    refused = tables.rejects["orders"]
    assert refused.reason.value_counts().execute().to_numpy().tolist() == [
        ["no client: customer_id is blank", 135_080]
    ]
    cancelled = tables.orders.filter(tables.orders.order_id.startswith("C"))
    assert cancelled.count().execute() == 8_905  # 9,288 in all, 383 of them without a customer
    assert cancelled[RETURN].all().execute()
    assert tables.orders.client_id.nunique().execute() == 4_372
    ordering = tables.orders.filter(~tables.orders[RETURN])
    assert ordering.client_id.nunique().execute() == 4_338
    assert tables.attributes == ("country",)


def test_the_example_gives_the_published_figures():
    check(open_source(SOURCE, load(ROOT / "examples" / "online_retail.toml")))


def test_the_guessed_config_gives_them_too():
    check(open_source(SOURCE, parse(tomllib.loads(guess.first_config(SOURCE).text), "guessed")))
