"""Nothing is left untranslated: not a template, not a sentence of any room."""

from __future__ import annotations

import re

import pytest

from churnlens.report.language import catalogue
from churnlens.report.messages import TRANSLATED, messages, unreadable

FIELDS = re.compile(r"%\((\w+)\)s|\{(\w+)\}|(%%)")
HINT = "run `python -m churnlens.report.messages` and fill in the empty msgstr"


@pytest.mark.parametrize("lang", TRANSLATED)
def test_every_sentence_is_translated(lang):
    lacking = {text: place for text, place in messages() if not catalogue(lang).get(text)}
    assert lacking == {}, HINT


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_translation_keeps_every_field(lang):
    for text, _ in messages():
        translated = catalogue(lang).get(text, text)
        if text == "One issue":  # one form serves every number, so it names the number
            continue
        fields, kept = (set(FIELDS.findall(t)) for t in (text, translated))
        assert kept == fields, text


@pytest.mark.parametrize("lang", TRANSLATED)
def test_nothing_stale_is_kept(lang):
    assert set(catalogue(lang)) <= {text for text, _ in messages()}


def test_every_template_can_be_found_by_the_extractor():
    assert unreadable() == [], "give Text a literal, or a constant of the same module"
