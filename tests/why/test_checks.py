"""The checks of a cause: each answers every case, and says the right thing on clear ones."""

import dataclasses
import sys
import types

import drawn_books
import numpy as np
import pytest

from churnlens.config import PluginSettings, Settings
from churnlens.errors import ConfigError
from churnlens.results import Estimate, Evidence, Text
from churnlens.why.case import Case
from churnlens.why.checks import CHECKS, e_value
from churnlens.why.model import agreeing
from churnlens.why.registry import checks
from churnlens.why.rivals import Rival

OWN = "an_analyst_s_checks"


def always_skips(case: Case) -> Evidence:
    text = Text("Nothing is known of {driver}.", {"driver": case.candidate.driver})
    return Evidence("always_skips", "skip", str(text), text)


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType(OWN)
    module.always_skips = always_skips
    monkeypatch.setitem(sys.modules, OWN, module)
    return f"{OWN}:always_skips"


@pytest.fixture(scope="module")
def clear(hit: drawn_books.Drawn) -> Case:
    """A cause that is plain to see."""
    return drawn_books.case(hit, hit.candidate("cause"), others={"another": hit.baseline})


@pytest.fixture(scope="module")
def idle() -> Case:
    """A driver that moved and did nothing, in a book in which chance does not speak for it."""
    quiet = drawn_books.draw(excess=0.0, drivers=drawn_books.two_drivers, seed=1)
    return drawn_books.case(quiet, quiet.candidate("cause"), others={"another": quiet.baseline})


@pytest.fixture(scope="module")
def all_hit() -> Case:
    """A change for everyone, and hardly anybody at that."""

    def drivers(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, np.ones(len(dose), bool), np.ones(len(dose)))}

    book = drawn_books.draw(clients=40, base=0.003, drivers=drivers, seed=4)
    return drawn_books.case(book, book.candidate("cause", segment={}))


def test_every_check_answers_every_case(clear, idle, all_hit, own_module) -> None:
    plugins = PluginSettings(checks=(own_module,))
    registered = checks(Settings(plugins=plugins))
    assert len(registered) == len(CHECKS) + 1
    for case in (clear, idle, all_hit):
        for check in registered:
            said = check(case)
            assert said.outcome in ("pass", "fail", "skip"), said
            assert said.detail.strip()
            assert said.detail[-1] == "."
            assert said.text is not None
            assert str(said.text) == said.detail
            assert check(case) == said  # nothing is drawn anew


def test_a_check_is_known_by_its_name_and_says_what_it_asks(clear: Case) -> None:
    for name, check in CHECKS.items():
        assert check(clear).check == name
        assert check.__doc__


def test_a_check_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        checks(Settings(plugins=PluginSettings(checks=("no_such_module:check",))))


@pytest.mark.parametrize(
    "name",
    [
        "lead_lag",
        "peers",
        "dose_response",
        "elsewhere",
        "placebo",
        "overlap",
        "sensitivity",
        "second_opinion",
        "leave_one_account_out",
        "definitions",
        "held_out",
    ],
)
def test_a_plain_cause_passes(name: str, clear: Case) -> None:
    assert CHECKS[name](clear).outcome == "pass"


@pytest.mark.parametrize("name", ["placebo", "peers", "sensitivity", "leave_one_account_out"])
def test_a_driver_that_does_nothing_fails(name: str, idle: Case) -> None:
    assert CHECKS[name](idle).outcome == "fail"


def test_the_dose_of_a_driver_that_does_nothing_is_not_borne_out(idle: Case) -> None:
    assert CHECKS["dose_response"](idle).outcome != "pass"


def test_the_placebo_fails_for_clients_drawn_at_random(hit: drawn_books.Drawn) -> None:
    c = hit.candidate("cause")
    rng = np.random.default_rng(3)
    anybody = np.broadcast_to(rng.permutation(hit.key)[:, None], c.inside.shape)
    dose = np.where(anybody, c.dose[hit.key].mean(axis=0), 0).astype(np.float32)
    moved = dataclasses.replace(c, inside=anybody, dose=dose)
    case = drawn_books.case(hit, c)
    term = dataclasses.replace(case.term, dose=dose, inside=anybody)
    random = dataclasses.replace(case, candidate=moved, term=term)
    assert CHECKS["placebo"](random).outcome == "fail"


def test_what_another_cause_explains_is_no_rise_of_clients_drawn_at_random() -> None:
    strong = drawn_books.draw(excess=12.0, drivers=drawn_books.two_drivers, seed=4)
    segment = {"size": ("small",), "region": ("north",)}
    t = np.arange(drawn_books.MONTHS)
    chance = np.random.default_rng(4).random(strong.panel.found.shape)
    book = drawn_books.with_departures(
        strong, (chance < 0.015) & strong.inside(segment) & (t > drawn_books.START)
    )
    weak = book.candidate("still", segment=segment)
    other = book.candidate("cause").lasting
    alone, beside = (drawn_books.case(book, weak, beside=b) for b in ((), (other,)))
    assert CHECKS["placebo"](alone).outcome == "fail"
    assert CHECKS["placebo"](beside).outcome == "pass"


def test_where_everyone_was_hit_there_is_no_placebo(all_hit: Case) -> None:
    assert CHECKS["placebo"](all_hit).outcome == "skip"
    assert CHECKS["overlap"](all_hit).outcome == "fail"


def test_the_dose_is_refuted_where_all_were_hit_alike() -> None:
    book = drawn_books.against_the_dose()
    case = drawn_books.case(book, book.candidate("cause"))
    assert CHECKS["dose_response"](case).outcome == "fail"


def test_doses_that_are_much_alike_refute_nothing() -> None:
    """Recorded with noise, the dose of a strong cause is never followed to the last."""
    book = drawn_books.draw(
        clients=3000, excess=4.0, follow="flat", drivers=drawn_books.two_drivers, seed=8
    )
    case = drawn_books.case(book, book.candidate("cause"))
    assert case.candidate.flat_gain - case.candidate.dose_gain > 20
    assert CHECKS["dose_response"](case).outcome == "skip"


def test_a_symptom_fails_lead_lag(hit: drawn_books.Drawn, clear: Case) -> None:
    late = drawn_books.lead_lag(hit.baseline, hit.exposure("symptom"), (), 1)
    part = dataclasses.replace(clear.candidate, flat_gain=1.0)  # not the whole segment left more
    case = dataclasses.replace(clear, candidate=part, timing=late)
    assert CHECKS["lead_lag"](case).outcome == "fail"


@pytest.mark.parametrize(("period", "fewest"), [("month", 6), ("quarter", 3), ("week", 6)])
def test_what_came_first_is_seen_from_two_lags_in_five(
    period: str, fewest: int, clear: Case
) -> None:
    """In quarters there are six lags in all."""
    base, points = drawn_books.in_periods(clear.baseline, period), clear.timing.points
    for seen, skipped in ((fewest - 1, True), (fewest, False)):
        timing = dataclasses.replace(clear.timing, points=points[:seen])
        case = dataclasses.replace(clear, baseline=base, timing=timing)
        assert (CHECKS["lead_lag"](case).outcome == "skip") == skipped


def test_one_whale_is_not_the_finding(hit: drawn_books.Drawn, clear: Case) -> None:
    whale = int(np.flatnonzero(hit.key & (hit.panel.onset > drawn_books.START + 2))[0])
    alone = np.zeros_like(clear.term.dose)
    alone[whale] = clear.term.dose[whale]
    share = np.where(alone > 0, 0.9, 0).astype(np.float32)
    case = dataclasses.replace(
        clear,
        term=dataclasses.replace(clear.term, dose=alone),
        attribution=dataclasses.replace(clear.attribution, share=share, largest_account=1.0),
    )
    assert CHECKS["leave_one_account_out"](case).outcome == "fail"


def test_an_account_that_came_back_and_left_again_is_one_account(
    hit: drawn_books.Drawn, clear: Case
) -> None:
    late = np.flatnonzero(hit.key & (hit.panel.onset > drawn_books.START + 2))
    dose = np.zeros_like(clear.term.dose)
    dose[late] = clear.term.dose[late]
    term = dataclasses.replace(clear.term, dose=dose)
    share = np.where(dose > 0, 0.9, 0).astype(np.float32)
    attribution = dataclasses.replace(clear.attribution, share=share)
    for client, outcome in ((np.arange(len(dose)), "pass"), (np.where(dose.any(1), 0, 1), "fail")):
        panel = dataclasses.replace(hit.panel, client=client)
        base = dataclasses.replace(hit.baseline, panel=panel)
        case = dataclasses.replace(clear, baseline=base, term=term, attribution=attribution)
        assert CHECKS["leave_one_account_out"](case).outcome == outcome


def test_all_spells_of_a_client_are_in_one_half(hit: drawn_books.Drawn, clear: Case) -> None:
    few = dataclasses.replace(hit.panel, client=np.arange(len(hit.key)) % 2)
    base = dataclasses.replace(hit.baseline, panel=few)
    assert CHECKS["held_out"](dataclasses.replace(clear, baseline=base)).outcome == "fail"


def test_a_negative_control_that_seems_to_matter_is_told(clear: Case, idle: Case) -> None:
    check = CHECKS["negative_control"]
    assert check(clear).outcome == "skip"
    assert check(dataclasses.replace(clear, controls=(idle.candidate,))).outcome == "pass"
    assert check(dataclasses.replace(clear, controls=(clear.candidate,))).outcome == "fail"


def test_a_channel_is_named(clear: Case, idle: Case) -> None:
    way = dataclasses.replace(clear, rivals=(Rival(idle.candidate, "channel"),))
    said = CHECKS["channel"](way)
    assert said.outcome == "pass"
    assert idle.candidate.driver in said.detail


def test_other_definitions_are_counted(clear: Case, quiet: drawn_books.Drawn) -> None:
    others = {"a": clear.baseline, "b": clear.baseline, "c": quiet.baseline}
    assert agreeing(clear.term, others) in (2, 3)
    assert agreeing(clear.term, {}) == 0
    assert CHECKS["definitions"](dataclasses.replace(clear, others={})).outcome == "skip"


@pytest.mark.parametrize(
    ("ratio", "value"),
    [(3.9, 7.26), (1.8, 3.00), (10.73, 20.95), (0.80, 1.81), (0.91, 1.43)],
)
def test_published_e_values(ratio: float, value: float) -> None:
    """VanderWeele & Ding 2017; protective ratios are turned round."""
    assert e_value(ratio) == pytest.approx(value, abs=0.005)


def test_a_weak_ratio_is_easily_explained_away(clear: Case) -> None:
    weak = dataclasses.replace(clear.attribution, ratio=Estimate(1.3, 1.01, 1.6))
    case = dataclasses.replace(clear, attribution=weak)
    assert CHECKS["sensitivity"](case).outcome == "fail"
