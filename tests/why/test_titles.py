"""An issue's one sentence: what changed, when, for whom, and when they began to leave."""

from __future__ import annotations

from churnlens.results import DateEstimate
from churnlens.why.titles import shift_title

ONSET = DateEstimate("2023-04-01", "2023-03-31", "2023-04-30")
KEY = {"size": ("key",)}


def _title(verdict="cause", until=None, **more) -> str:
    rivals = more.pop("rivals", ())
    return str(shift_title("lead days", "more", KEY, (ONSET, until), verdict, rivals, **more))


def test_departures_that_followed_at_once_have_the_date_of_the_change():
    assert _title().startswith("Since 2023-04")
    assert "on." not in _title()


def test_departures_that_came_later_have_a_date_of_their_own():
    said = _title(followed="2023-09-01")
    assert "lead days rose in 2023-04" in said
    assert "from 2023-09" in said


def test_what_is_no_cause_or_has_passed_is_told_as_before():
    for more in ({"verdict": "cannot_tell"}, {"until": ONSET}, {"outlasted": True}):
        assert _title(**more, followed="2023-09-01") == _title(**more)
