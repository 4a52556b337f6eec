from __future__ import annotations

import pytest

from churnlens.naming import parted, spoken


@pytest.mark.parametrize(
    ("name", "words", "unit"),
    [
        ("freight_eur", "freight", "EUR"),
        ("Freight EUR", "Freight", "EUR"),
        ("credit_limit_keur", "credit limit", "kEUR"),
        ("credit_limit_teur", "credit limit", "kEUR"),
        ("lines_short_pct", "lines short", "%"),
        ("lead_time_days", "lead time days", ""),
        ("pct", "pct", ""),
        ("_pct", " pct", ""),
        ("", "", ""),
    ],
)
def test_a_name_is_parted_from_its_unit(name, words, unit):
    assert parted(name) == (words, unit)


def test_a_unit_is_said_in_brackets():
    assert spoken("credit_limit_keur") == "credit limit (thousand EUR)"
    assert spoken("weight_kg") == "weight (kg)"
    assert spoken("approval_days") == "approval days"
