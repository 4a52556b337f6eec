from __future__ import annotations

import dataclasses

import pytest

from churnlens.report import words
from churnlens.report.language import Language
from churnlens.results import DateEstimate, DefinitionsAgreeing, Effect, Estimate, Evidence, Review

EN = Language("en", "EUR", "month")


def test_words_are_as_strong_as_the_verdict_and_no_stronger(review: Review):
    cause, unexplained, standing, twins, mix = review.issues
    assert EN.say(words.why(cause)) == "Caused by a rise in approval days"
    assert EN.say(words.why(twins)) == (
        "Goes with a rise in billing errors or with portal logins failed; cause not shown"
    )
    assert EN.say(words.why(standing)) == "Caused by a high level of delivery delay days"
    assert "Cannot tell" in EN.say(words.why(unexplained))
    assert "book has changed" in EN.say(words.why(mix))
    assert EN.say(words.how_sure(twins)) == EN.say(words.how_sure(unexplained))


def test_how_sure_falls_with_failed_checks_and_definitions(review: Review):
    by_dose = (Evidence("dose_response", "pass", ""),)
    issue = dataclasses.replace(
        review.issues[0], evidence=by_dose, definitions_agreeing=DefinitionsAgreeing(3, 3)
    )
    failed = (Evidence("peers", "fail", ""),)
    assert str(words.how_sure(issue)) == "Very sure"
    for evidence, said in ((failed, "Sure"), (failed * 2, "Fairly sure")):
        assert str(words.how_sure(dataclasses.replace(issue, evidence=by_dose + evidence))) == said
    weak = dataclasses.replace(issue, verdict="cannot_tell", p_value=0.2)
    assert str(words.how_sure(weak)) == "A hint"


@pytest.mark.parametrize("outcome", ["skip", "fail"])
def test_nothing_is_very_sure_where_those_who_got_more_of_it_did_not_show_it(
    review: Review, outcome: str
):
    untold = (Evidence("dose_response", outcome, ""),)
    issue = dataclasses.replace(
        review.issues[0], evidence=untold, definitions_agreeing=DefinitionsAgreeing(3, 3)
    )
    assert str(words.how_sure(issue)) == "Sure"
    assert str(words.grounds(issue)[-2]) == (
        "Whether clients who got more of it left more cannot be seen."
    )


def test_a_cause_to_which_no_departure_may_be_due_is_at_most_fairly_sure(review: Review):
    issue = dataclasses.replace(review.issues[0], evidence=())
    departures = dataclasses.replace(issue.departures, attributable=Estimate(26.0, 0.0, 53.0))
    assert str(words.how_sure(dataclasses.replace(issue, departures=departures))) == "Fairly sure"


def test_a_rise_not_found_again_is_a_hint_where_chance_may_have_made_it(review: Review):
    rise = review.issues[1]
    failed = (Evidence("held_out", "fail", ""),)
    for p_value, evidence, said in (
        (0.03, (), "The rise, not why"),
        (0.06, (), "A hint"),
        (0.03, failed, "Not sure of the rise, nor why"),
        (0.002, failed, "Not sure of the rise, nor why"),
    ):
        issue = dataclasses.replace(rise, p_value=p_value, evidence=evidence)
        assert str(words.how_sure(issue)) == said


def test_twins_have_not_passed_all_checks(review: Review):
    twins = dataclasses.replace(review.issues[3], evidence=2 * (Evidence("peers", "pass", ""),))
    assert str(words.grounds(twins)[0]) == "2 of the 3 checks that could be made passed."
    alone = dataclasses.replace(twins, rivals=())
    assert str(words.grounds(alone)[0]) == "All 2 checks that could be made passed."


def test_nothing_is_very_sure_where_there_is_nobody_to_compare_with(review: Review):
    everyone = dataclasses.replace(
        review.issues[0], segment={}, evidence=(), definitions_agreeing=DefinitionsAgreeing(3, 3)
    )
    assert str(words.how_sure(everyone)) == "Fairly sure"
    by_dose = (Evidence("dose_response", "pass", ""),)
    assert str(words.how_sure(dataclasses.replace(everyone, evidence=by_dose))) == "Very sure"


def test_what_was_so_all_along_is_at_most_fairly_sure_and_says_that_nobody_saw_it_change(
    review: Review,
):
    issue = review.issues[2]
    of_a_segment = dataclasses.replace(issue, segment={"size": ("key",)})
    for standing in (issue, of_a_segment):
        assert str(words.how_sure(standing)) == "Fairly sure"
    assert "It was so all along: nobody saw it change." in map(str, words.grounds(issue))


def test_a_p_value_is_said_in_words():
    assert "fewer than 1 of 1,000" in EN.say(words.chance(0.001))
    assert "about 1 of 50 " in EN.say(words.chance(0.02))
    assert words.chance(None) is None


def test_every_check_has_its_question():
    checks = pytest.importorskip("churnlens.why.checks", reason="no checks in this checkout")
    assert set(checks.CHECKS) <= set(words.CHECKS)


def test_only_a_rise_without_a_driver_is_looked_for_among_clients_left_out():
    assert str(words.question("held_out", None)).startswith("Is it found again")
    assert str(words.question("held_out", "visits")) == (
        "Does each half of the clients show it by itself?"
    )
    assert words.question("same_in_both_plants", None) is None


def test_the_side_of_a_driver_that_changed_is_named(review: Review):
    issue = review.issues[0]
    assert EN.say(words.measured(issue)) == "approval days"
    tail = dataclasses.replace(issue, exposure="share beyond", beyond=7.5)
    assert EN.say(words.measured(tail)) == "share of orders with approval days above 7.5"


def test_an_effect_is_that_of_the_change_or_of_a_step(review: Review):
    issue = review.issues[0]
    said = EN.say(words.effect(issue))
    assert said == "Since then, a client is 1.4 times as likely to leave (1.3 to 1.5 times)."
    standing = dataclasses.replace(
        issue,
        kind="standing",
        driver="damage_pct",
        driver_change=None,
        effect=dataclasses.replace(issue.effect, per="1.69 damage_pct"),
    )
    assert EN.say(words.effect(standing)).startswith("With 1.7 more of damage (%), a client is")
    day = dataclasses.replace(issue.effect, per="1 day")  # no step of the driver
    assert words.effect(dataclasses.replace(issue, effect=day)) is None


def test_a_rise_without_a_cause_has_an_effect_since_it_began(review: Review):
    rise = dataclasses.replace(
        review.issues[1],
        effect=Effect("risk_ratio", 1.52, 1.22, 2.2, "since the onset"),
    )
    assert EN.say(words.effect(rise)).startswith("Since then, a client is 1.5 times")
    month = DateEstimate("2024-06-01", "2024-06-01", "2024-06-30")
    passed = dataclasses.replace(rise, until=month)
    for over in (words.effect(passed), words.effect(rise, mended=True)):
        assert EN.say(over).startswith("While it lasted, a client was 1.5 times")


def test_a_ratio_without_an_end_is_more_than_a_bound(review: Review):
    rise = dataclasses.replace(
        review.issues[1], effect=Effect("risk_ratio", 5.1, 1.1, 100.0, "since the onset")
    )
    assert "5.1 times as likely to leave (1.1 to more than 100 times)." in EN.say(
        words.effect(rise)
    )


def test_value_tiers_are_said_in_words():
    top = {"value_tier": ("top fifth",)}
    assert EN.clients_of(top) == "clients among those that bring most"
    mixed = {"value_tier": ("middle",), "size": ("key",)}
    assert EN.clients_of(mixed) == "clients with size key among the middle"
    assert EN.segment(top) == "those that bring most"


@pytest.mark.parametrize(
    ("rise", "said"),
    [(1.35, "a rise of 35 % or more"), (5.32, "only if 5.3 times as many had left")],
)
def test_a_rise_that_could_be_seen_is_said_in_times_beyond_twofold(rise, said):
    assert said in str(words.power(rise))
