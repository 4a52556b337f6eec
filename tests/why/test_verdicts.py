"""The rules of the verdicts, one by one."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.results import Estimate, LagPoint, Text
from churnlens.why.case import Case, say
from churnlens.why.lead_lag import LeadLag
from churnlens.why.precedence import Leads
from churnlens.why.rivals import Rival
from churnlens.why.standing import find_standing
from churnlens.why.verdicts import Resolved, doubtful, rule_out, verdict
from churnlens.why.within import Within

POINTS = tuple(LagPoint(lag, Estimate(0, -1, 1), 20) for lag in range(-8, 7))
EARLY = LeadLag(POINTS, 0.5, 6.0, 0.5, 6.0)
LATE = LeadLag(POINTS, 0.0, 0.0, 1.0, 9.0)
BOTH = LeadLag(POINTS, 0.3, 4.0, 1.0, 9.0)


@pytest.fixture(scope="module")
def clear(hit: drawn_books.Drawn) -> Case:
    return drawn_books.case(hit, hit.candidate("cause"), timing=EARLY)


@pytest.mark.parametrize(
    ("relation", "timing", "shape", "says"),
    [
        (None, EARLY, "dose", "cause"),
        ("weaker", EARLY, "dose", "cause"),
        ("channel", EARLY, "dose", "cause"),
        ("inseparable", EARLY, "dose", "cannot_tell"),
        (None, LATE, "dose", "cannot_tell"),  # it changed for leavers only afterwards
        (None, BOTH, "dose", "cause"),  # it stood out before as well
        (None, LATE, "flat", "cause"),  # all were hit alike: the timing of leavers says nothing
    ],
)
def test_an_explanation_is_a_cause_or_cannot_be_told(
    relation: str | None, timing: LeadLag, shape: str, says: str, clear: Case
) -> None:
    other = dataclasses.replace(clear.candidate)
    case = dataclasses.replace(
        clear,
        candidate=dataclasses.replace(clear.candidate, shape=shape, flat_gain=1.0),
        timing=timing,
        rivals=(Rival(other, relation),) if relation else (),
    )
    assert verdict(case, ()) == says


def test_the_timing_of_leavers_says_nothing_where_their_whole_segment_surely_left_more(
    clear: Case,
) -> None:
    assert clear.candidate.shape == "dose"
    assert clear.candidate.flat_gain > 10
    assert verdict(dataclasses.replace(clear, timing=LATE), ()) == "cause"


def test_a_dose_that_departures_do_not_follow_cannot_be_told() -> None:
    book = drawn_books.against_the_dose()
    assert verdict(drawn_books.case(book, book.candidate("cause")), ()) == "cannot_tell"


@pytest.mark.parametrize("check", ["held_out", "leave_one_account_out"])
def test_what_rests_on_one_reading_of_the_data_cannot_be_told(check: str, clear: Case) -> None:
    assert verdict(clear, (say(check, "fail", Text("No.")),)) == "cannot_tell"
    assert verdict(clear, (say(check, "pass", Text("Yes.")),)) == "cause"


def test_what_may_account_for_no_departure_cannot_be_told(clear: Case) -> None:
    def found(low: float) -> Case:
        due = dataclasses.replace(clear.attribution, attributable=Estimate(34.0, low, 60.0))
        return dataclasses.replace(clear, attribution=due)

    assert verdict(found(0.0), ()) == "cannot_tell"
    assert verdict(found(2.0), ()) == "cause"


@pytest.mark.parametrize("leads", [Leads(before=2.0), Leads(long_after=4.0)])
def test_what_came_after_the_rise_or_long_before_it_is_not_its_cause(
    leads: Leads, clear: Case
) -> None:
    assert verdict(dataclasses.replace(clear, leads=leads), ()) == "cannot_tell"


@pytest.mark.parametrize(
    ("relation", "says"),
    [("channel", "symptom"), ("inseparable", "cannot_tell"), ("weaker", "bystander")],
)
def test_a_rival_is_what_it_is_to_the_cause(
    relation: str, says: str, hit: drawn_books.Drawn
) -> None:
    cause, still = hit.candidate("cause"), hit.candidate("still")
    part = drawn_books.explained(hit, cause).parts[0]
    named = (Resolved(part, cause, (Rival(still, relation),)),)
    out = rule_out(hit.baseline, "still", (still,), named, drawn_books.explained(hit, cause))
    assert (out.driver, out.verdict) == ("still", says)
    assert out.text is not None
    assert str(out.text) == out.why
    if says != "bystander":
        assert "cause" in out.why


@pytest.mark.parametrize("order", [("inseparable", "weaker"), ("weaker", "inseparable")])
def test_a_driver_that_one_issue_cannot_be_told_from_is_not_cleared_by_another(
    order: tuple[str, str], hit: drawn_books.Drawn
) -> None:
    taken = drawn_books.explained(hit, hit.candidate("cause"))
    other = hit.candidate("still")
    named = tuple(
        Resolved(part, part.candidate, (Rival(other, relation),))
        for part, relation in zip(taken.parts * 2, order, strict=True)
    )
    assert rule_out(hit.baseline, "still", (other,), named, taken).verdict == "cannot_tell"


@pytest.mark.parametrize(
    ("driver", "moved", "start", "says"),
    [
        ("symptom", False, drawn_books.START, "symptom"),
        ("still", True, drawn_books.START, "bystander"),
        ("still", True, 5, "no_effect"),  # it changed, at another time
        ("still", True, None, "no_effect"),
        ("still", False, drawn_books.START, "no_effect"),
    ],
)
def test_a_driver_left_aside(
    driver: str, moved: bool, start: int | None, says: str, hit: drawn_books.Drawn
) -> None:
    own = (hit.candidate(driver),) if moved else ()
    cause = hit.candidate("cause")
    begun = dataclasses.replace(cause, move=dataclasses.replace(cause.move, start=start), lag=0)
    taken = drawn_books.explained(hit, *(() if start is None else (begun,)))
    out = rule_out(hit.baseline, driver, own, (), taken)
    assert out.verdict == says
    assert out.why.endswith(".")


def test_no_driver_is_cleared_where_not_even_a_twofold_effect_would_have_been_seen(
    hit: drawn_books.Drawn,
) -> None:
    taken = drawn_books.explained(hit)
    for left, says in ((100.0, "no_effect"), (24.0, "cannot_tell"), (0.0, "cannot_tell")):
        share = left / hit.baseline.observed.sum(dtype=np.float64)
        few = dataclasses.replace(hit.baseline, observed=hit.baseline.observed * share)
        out = rule_out(few, "still", (), (), taken)
        assert out.verdict == says
        assert out.why.startswith("Too few departures") == (says == "cannot_tell")


def test_a_change_that_only_those_with_most_of_it_left_after_is_not_cleared(
    hit: drawn_books.Drawn,
) -> None:
    seen = dataclasses.replace(hit.candidate("still"), dose_gain=12.0, flat_gain=1.0)
    out = rule_out(hit.baseline, "still", (seen,), (), drawn_books.explained(hit))
    assert out.verdict == "cannot_tell"
    assert "a cause or a sign" in out.why


@pytest.mark.parametrize(
    ("harm", "shown", "says", "why"),
    [
        (0.0, True, "symptom", "a sign of leaving rather than its cause"),
        (0.6, True, "cannot_tell", "whether it is a cause or a sign"),
        (0.6, False, "cannot_tell", "few clients"),
    ],
)
def test_what_goes_with_leaving_all_along_and_fails_a_check(
    harm: float, shown: bool, says: str, why: str
) -> None:
    """`harm` is of a lasting level on the log hazard; some events come up before leaving only."""
    own = np.random.default_rng(95).standard_normal(1500)

    def drivers(rng, key, dose, onset):
        usual = rng.poisson(0.2 * np.exp(0.8 * own)[:, None], (1500, drawn_books.MONTHS))
        return {"events": usual + shown * 2 * drawn_books.before_onset(rng, onset)}

    rate = np.exp(harm * own)
    book = drawn_books.draw(clients=1500, lasting_rate=rate, drivers=drivers, seed=9)
    nothing = np.ones_like(book.baseline.expected)
    (standing,) = find_standing(book.baseline, nothing, book.attributes, set()).causes
    said, text = doubtful(book.baseline, standing)
    assert said == says
    assert why in str(text)


@pytest.mark.parametrize(("sign", "says"), [(1, "higher"), (-1, "lower")])
def test_a_driver_that_is_higher_where_more_leave_is_not_cleared(
    sign: int, says: str, hit: drawn_books.Drawn
) -> None:
    exposure, level = hit.exposure("still"), np.zeros((1, 1))
    seen = [
        Within(exposure, segment, sign, z, 0.0, level, level > 0)
        for segment, z in (({"region": ("west",)}, 0.5), (drawn_books.KEY, 1.0))
    ]
    out = rule_out(hit.baseline, "still", (), (), drawn_books.explained(hit), tuple(seen))
    assert out.verdict == "cannot_tell"
    assert says in out.why
    assert "key" in out.why  # the clearer of the two
    assert "west" not in out.why


def test_a_change_that_adds_to_what_was_taken_is_not_cleared(hit: drawn_books.Drawn) -> None:
    taken = drawn_books.explained(hit, hit.candidate("still"))
    out = rule_out(hit.baseline, "still", (hit.candidate("cause"),), (), taken)
    assert out.verdict == "cannot_tell"
    assert "besides" in out.why
