"""The likelihood of every onset against that of staying."""

import dataclasses

import numpy as np
import pytest
from order_histories import activity, order_days

from churnlens.panel.onsets import onset_likelihood

MONTHS = 36


def test_orders_that_tell_nothing_favour_neither_leaving_nor_staying() -> None:
    """Who stays may do so in several ways: the chances of all of them add up to one."""
    act = activity(order_days(np.full((300, MONTHS), 1.0), seed=1), MONTHS)
    endless = np.full(len(act.first), 1e9, np.float32)
    blind = dataclasses.replace(act, order_scatter=endless, volume_scatter=2 * endless)
    whole = np.full(len(act.first), MONTHS)
    found = onset_likelihood(blind, act.first, whole, whole)
    assert found.possible.sum() > 5_000
    assert found.log_ratio[found.possible] == pytest.approx(0, abs=0.01)
