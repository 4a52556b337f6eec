"""The page of what was looked at and ruled out, or not asked."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report import render
from churnlens.report.context import context
from churnlens.report.privacy import masked
from churnlens.results import Review, RuledOut, Skipped, Text


def test_where_nothing_was_ruled_out_the_page_is_called_by_what_it_holds(review: Review):
    text = Text("The data cover less than two years.")
    asked = (Skipped("no_season", str(text), text),)
    bare = dataclasses.replace(review, ruled_out=(), skipped=asked)
    assert page(context(bare, EN), "ruled-out")["nav"] == "Not asked"
    assert "Looked at and ruled out" not in render(bare)


def test_drivers_ruled_out_for_one_reason_stand_together(review: Review):
    why = "It did not change for any group of clients."
    alike = tuple(RuledOut(name, "no_effect", why) for name in ("freight_eur", "lines_short_pct"))
    shown = context(masked(dataclasses.replace(review, ruled_out=alike)), EN)
    (group,) = page(shown, "ruled-out")["drivers"]
    assert group["verdict_name"] == "No effect"
    assert [(r["names"], r["why"]) for r in group["reasons"]] == [
        ("Freight (EUR), Lines short (%) (each)", why)
    ]
