"""Tenure in bands: read from the first order or signup, unknown for those there from the start."""

from __future__ import annotations

import numpy as np
from order_histories import months_from

from churnlens.panel.tenure import tenure_bands


def test_a_band_holds_its_months():
    of = tenure_bands(months_from(40), np.array([2, -30]), np.array([False, False]))
    named = [of.values[code] for code in of.codes[0, [2, 7, 8, 13, 14, 25, 26]]]
    expected = ["up to 6"] * 2 + ["6 to 12"] * 2 + ["12 to 24"] * 2
    assert named == [*expected, "above 24"]
    assert (of.codes[1] == 3).all()


def test_age_not_known_is_in_no_band_until_it_must_be_the_last():
    of = tenure_bands(months_from(40), np.array([0]), np.array([True]))
    assert (of.codes[0, :24] == -1).all()
    assert (of.codes[0, 24:] == 3).all()
