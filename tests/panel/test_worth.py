"""Value tiers by the past alone, and who is set apart from the fifths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from order_histories import months_from

from churnlens.errors import ConfigError
from churnlens.panel.periods import ClientPeriods
from churnlens.panel.worth import COSTLY, CUT_ONLY, LARGE, TOP, find_price_cut, value_tiers

N, MONTHS = 200, 30
CAL = months_from(MONTHS)


def data(revenue, margin=None, cut=None) -> ClientPeriods:
    ones = np.ones((N, MONTHS), np.float32)
    given = None if margin is None else (margin[:, None] * ones).astype(np.float32)
    measures = {} if cut is None else {"rebate_pct": cut.astype(np.float32)}
    money = (revenue[:, None] * ones).astype(np.float32)
    return ClientPeriods(None, CAL, pd.DataFrame(), ones, money, money, given, measures)


def test_large_buyers_without_margin_are_set_apart():
    revenue, margin = np.linspace(10, 100, N), np.linspace(2, 20, N)
    margin[-10:] = 0.1  # the ten largest bring next to nothing
    margin[:5] = -1
    tiers = value_tiers(data(revenue, margin), CAL)[:, -1]
    assert (tiers[-10:] == LARGE).all()
    assert (tiers[:5] == COSTLY).all()
    assert (tiers[-40:-10] == TOP).any()


@pytest.mark.parametrize("usual", [0.0, 3.0], ids=["cuts are rare", "some cut is the rule"])
def test_who_orders_only_at_a_cut_price_is_set_apart(usual):
    rng = np.random.default_rng(0)
    cut = np.where(rng.random((N, MONTHS)) < 0.15, 10.0, usual * rng.random((N, MONTHS)))
    cut[:20] = 12.0
    tiers = value_tiers(data(np.linspace(10, 100, N), cut=cut), CAL, "rebate_pct")[:, -1]
    assert (tiers[:20] == CUT_ONLY).all()
    assert (tiers[20:] == CUT_ONLY).sum() == 0


def test_what_comes_later_changes_no_tier():
    cut = np.random.default_rng(1).random((N, MONTHS))
    cut[:20] = 2.0
    before = value_tiers(data(np.linspace(10, 100, N), cut=cut), CAL, "rebate_pct")
    later = cut.copy()
    later[:, 20:] = 0.0
    after = value_tiers(data(np.linspace(10, 100, N), cut=later), CAL, "rebate_pct")
    assert np.array_equal(before[:, :20], after[:, :20])


def test_the_price_cut_is_found_by_its_name_or_as_configured():
    measures = {"approval_days": np.zeros(1), "Rebate_pct": np.zeros(1)}
    assert find_price_cut(None, measures) == "Rebate_pct"
    assert find_price_cut("approval_days", measures) == "approval_days"
    assert find_price_cut(None, {"approval_days": np.zeros(1)}) is None
    assert find_price_cut(None, {"bonus": np.zeros(1), "discount": np.zeros(1)}) is None
    with pytest.raises(ConfigError, match=r"price_cut names 'rebate'.*'Rebate_pct'"):
        find_price_cut("rebate", measures)
