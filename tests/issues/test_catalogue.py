from __future__ import annotations

import pytest

from churnlens.errors import ConfigError
from churnlens.issues.catalogue import load, recommend


@pytest.mark.parametrize(
    ("driver", "family"),
    [
        ("approval_days", "procedure"),
        ("orderFormSteps", "procedure"),
        ("审批时长", "procedure"),
        ("visit_leadership", "contact"),
        ("unit price", "price"),
        ("payment_terms_days", "payment"),
        ("delivery_delay_days", "delivery"),
        ("late_share", "delivery"),
        ("stockouts", "stock"),
        ("invoice_errors", "billing"),
        ("complaints", "complaints"),
        ("客户投诉次数", "complaints"),
        ("x17", "general"),
        ("plates", "general"),
    ],
)
def test_a_driver_is_matched_by_words_of_its_name(driver, family):
    assert recommend(driver, "more")[0] == family


def test_every_family_has_advice_in_both_directions():
    for family in load().values():
        assert family.advice("more")
        assert family.advice(None)
        assert recommend(family.keywords[0] if family.keywords else "x", "less")[1]


def test_no_driver_means_ask_and_record_or_look_at_the_mix():
    assert recommend(None, None)[0] == "unexplained"
    assert recommend(None, None, kind="mix")[0] == "mix"


def test_a_house_catalogue_is_used_and_falls_back_to_the_general_advice(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text('[portal]\nkeywords = ["portal"]\nmore = ["Mend the portal."]\n')
    assert recommend("portal_errors", "more", path) == ("portal", ("Mend the portal.",))
    assert recommend("approval_days", "more", path)[0] == "general"
    assert recommend(None, None, path)[0] == "general"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[portal]\nkeyword = []", "Did you mean 'keywords'"),
        ("portal = 1", "must be a table"),
        ("[portal]\nmore = 'x'", "list of texts"),
        ("[portal", "not valid TOML"),
    ],
)
def test_a_wrong_catalogue_says_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        recommend("portal", "more", path)


def test_what_is_over_is_not_to_be_put_back():
    family, advice = recommend("reformulation", "more", over=True)
    assert family == recommend("reformulation", "more")[0]
    assert advice == load()["over"].actions
    assert not any("back to what it was" in text for text in advice)
