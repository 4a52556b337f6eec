"""The page on what became of the last review."""

from __future__ import annotations

import dataclasses

from report_pages import EN, page

from churnlens.report.context import context
from churnlens.report.language import Language
from churnlens.results import Gone, RegisterEntry, Review, Text


def test_what_became_of_last_time_names_the_gone_and_the_unseen(shown):
    said = {row["title"]: row["status_name"] for row in page(shown, "past")["rows"]}
    assert said["Stock-outs cost clients in the south since May 2023."] == "gone"
    assert said["Fewer visits cost mid-size clients since January 2023."] == "can no longer be seen"


def test_past_issues_are_called_by_their_name_of_today(shown, review: Review):
    rows = page(shown, "past")["timeline"]["rows"]
    titles = [row["title"] for row in rows]
    assert EN.sentence(review.issues[0].title_text) in titles


def test_an_issue_no_longer_open_is_said_in_the_readers_language(review: Review):
    values = {"segment": {"type": "clients", "value": {"size": ("key",)}}}
    values |= {"date": {"type": "date", "value": "2023-05-01"}}
    text = Text(
        "Since {date}, {segment} leave more often, and nothing on record explains it.", values
    )
    told = {"title_text": text}
    older = dataclasses.replace(
        review,
        gone=(Gone("z1", str(text), **told),),
        register=(
            RegisterEntry("2024-06-30", "seen", "z0", str(text), **told),
            RegisterEntry("2024-09-30", "seen", "z1", str(text), **told),
            RegisterEntry("2024-12-31", "gone", "z1", str(text)),
        ),
    )
    shown = page(context(older, Language("zh", "EUR", "month")), "past")
    named = "自2023年5月起，size 为 key 的客户更常流失，现有记录无法解释。"
    assert [row["title"] for row in shown["timeline"]["rows"]] == [named, named]
    assert named not in [row["title"] for row in shown["rows"]]  # it is said once
