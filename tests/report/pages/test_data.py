"""The page on the data: what was read, and what of it is to be mended."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import Review, Skipped, Text


def test_the_sum_of_rows_is_printed(shown):
    row = page(shown, "data")["rows"][0]
    assert row == {
        "table": "orders", "read": "541,909", "accepted": "398,201",
        "rejected": "135,080", "after_as_of": "8,628",
    }  # fmt: skip


def test_whoever_may_yet_become_a_client_is_not_called_a_one_off_buyer(review: Review):
    some = dataclasses.replace(review, book=dataclasses.replace(review.book, set_apart=34))
    (said,) = (s for s in page(context(masked(some), EN), "data")["covers"] if "Set apart" in s)
    assert "34 buyers" in said
    assert "not yet" in said
    assert "one-off" not in said


def test_an_alarm_about_the_data_stands_with_the_data_to_mend(review: Review):
    text = Text("Was the business closed, or are orders not loaded yet?")
    alarm = Skipped("last_gap", str(text), text)
    shown = context(dataclasses.replace(review, skipped=(alarm,)), EN)
    first = page(shown, "data")["findings"][0]
    assert first == {"severity": "warning", "text": str(text)}
    assert page(shown, "ruled-out")["skipped"] == []
    alone = context(dataclasses.replace(review, skipped=(alarm,), ruled_out=()), EN)
    assert not [p for p in alone["pages"] if p["section"] == "ruled-out"]
