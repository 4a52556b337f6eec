"""What an issue is called."""

from __future__ import annotations

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.panel.exposures import Exposure
from churnlens.results import Evidence
from churnlens.which.scan import Window
from churnlens.why.attribution import attribute
from churnlens.why.findings import Finding, standing_issue, unexplained_issue
from churnlens.why.selection import Explanation
from churnlens.why.standing import Standing


def test_a_lack_of_leadership_visits_is_not_called_one_of_visits(hit: drawn_books.Drawn) -> None:
    """A level of an event is named in full, as where it changed."""
    cause = hit.candidate("cause")
    visit = Exposure("visit", "level leadership", "events", hit.exposure("cause").values)
    whole = np.ones((1, 1), bool)
    standing = Standing(visit, {}, "less", 1.0, 0.5, 9.0, cause.term, whole)
    part = Explanation(None, None, cause.term, float("nan"), 9.0)
    explained = dataclasses.replace(drawn_books.explained(hit, cause), parts=(part,))
    settled = attribute(hit.baseline, explained)
    finding = Finding(part, part.term, settled.parts[0], (), {}, ("visit",), 0)
    issue = standing_issue(finding, standing, settled)
    assert issue.driver == "visit"
    assert issue.title.endswith("the lower their leadership visit.")


@pytest.mark.parametrize(
    ("p_value", "again", "said"),
    [(0.002, "pass", "leave"), (0.002, "fail", "may leave"), (0.06, "pass", "may leave")],
)
def test_a_rise_that_may_be_chance_is_called_one_that_may_be(
    hit: drawn_books.Drawn, p_value: float, again: str, said: str
) -> None:
    cause = hit.candidate("cause")
    window = Window(drawn_books.KEY, cause.start, None, 9.0, 9.0, 2.0, p_value)
    part = Explanation(None, window, cause.term, p_value, 9.0)
    explained = dataclasses.replace(drawn_books.explained(hit, cause), parts=(part,))
    settled = attribute(hit.baseline, explained)
    evidence = (Evidence("held_out", again, ""),)
    finding = Finding(part, part.term, settled.parts[0], evidence, {}, (None,), 0)
    issue = unexplained_issue(finding, hit.baseline, settled)
    assert f" {said} more often" in issue.title
    assert issue.title == str(issue.title_text)
