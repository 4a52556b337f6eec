"""What is said to be unknown of an issue is what its checks left open."""

import dataclasses

import drawn_books
import pytest

from churnlens.results import Text
from churnlens.why.case import say
from churnlens.why.findings import not_known


@pytest.mark.parametrize(("outcome", "open_"), [("pass", False), ("fail", False), ("skip", True)])
def test_the_dose_is_unknown_only_where_its_check_could_not_be_made(
    hit: drawn_books.Drawn, outcome: str, open_: bool
) -> None:
    candidate = dataclasses.replace(hit.candidate("cause"), shape="flat")
    evidence = (say("dose_response", outcome, Text("…")),)
    said = not_known(drawn_books.case(hit, candidate), "cause", (), evidence)
    assert any("hit alike" in str(text) for text in said) is open_
