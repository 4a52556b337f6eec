"""What an issue is called."""

from __future__ import annotations

import dataclasses

import drawn_books
import numpy as np

from churnlens.panel.exposures import Exposure
from churnlens.why.attribution import attribute
from churnlens.why.findings import Finding, standing_issue
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
