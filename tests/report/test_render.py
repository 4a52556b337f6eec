from __future__ import annotations

import dataclasses
import re
import time

import pytest

from churnlens.config import ReportSettings
from churnlens.errors import ConfigError
from churnlens.report import check_look, render
from churnlens.report.sections import Section
from churnlens.results import Review, Text, from_json, to_json

EXTRA = """{% import "parts.html" as parts with context %}<h2>{{ page.heading }}</h2>"""


def test_one_file_that_fetches_nothing(review: Review):
    html = render(review)
    assert html.startswith("<!doctype html>")
    assert len(html.encode()) < 3_000_000
    addresses = re.findall(r'(?:src|href|url)\s*[=(]\s*"?([^")\s>]+)', html)
    assert all(a.startswith(("#", "data:")) for a in addresses)


def test_five_issues_take_two_seconds_at_most(review: Review):
    render(review)  # the drawing engine starts once
    begun = time.process_time()
    render(review)
    assert time.process_time() - begun < 2


def test_twelve_issues_stay_small(crowded: Review):
    assert len(render(crowded).encode()) < 3_000_000


def test_the_saved_review_gives_the_same_report(review: Review):
    assert render(from_json(to_json(review))) == render(review)


def test_hostile_values_stay_text(hostile: Review):
    html = render(hostile)
    assert "<script>window" not in html
    assert "<img" not in html
    assert html.count("<script>") == 1
    assert "\u202e" not in html
    assert "{{ 7*7 }} {% raw %} {named} %(x)s %" in html


def test_small_groups_are_not_in_the_page(review: Review):
    assert "tiny" not in render(review)


def test_an_unknown_language_is_refused(review: Review):
    with pytest.raises(ConfigError, match="'fr' is not one of en, zh"):
        render(review, lang="fr")


def test_house_style_logo_and_title(review: Review, tmp_path):
    (tmp_path / "house.css").write_text(":root { --accent: #004488 } /* </style><script> */")
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    settings = ReportSettings(
        css=str(tmp_path / "house.css"), logo=str(tmp_path / "logo.svg"), title="Acme & Co"
    )
    html = render(review, settings=settings)
    assert "--accent: #004488" in html
    assert "</style><script>" not in html
    assert "data:image/svg+xml;base64," in html
    assert "<title>Acme &amp; Co" in html


@pytest.mark.parametrize("key", ["css", "logo"])
def test_a_missing_house_file_is_named(review: Review, key, tmp_path):
    missing = str(tmp_path / ("none.css" if key == "css" else "none.png"))
    with pytest.raises(ConfigError, match="cannot be read"):
        render(review, settings=ReportSettings(**{key: missing}))


def test_an_analysts_section_is_one_function_and_one_template(
    review: Review, tmp_path, monkeypatch
):
    template = tmp_path / "extra.html"
    template.write_text(EXTRA)
    section = Section(
        "extra", Text("Extra"), lambda review, language: [{"heading": "<Ours>"}], template
    )
    module = type("Module", (), {"section": section})
    monkeypatch.setitem(__import__("sys").modules, "our_sections", module)
    html = render(review, sections=["our_sections:section"])
    assert '<section class="page extra" id="extra"' in html
    assert "<h2>&lt;Ours&gt;</h2>" in html


@pytest.mark.parametrize(
    ("template", "pages", "said"),
    [
        (None, [{}], "there is no template"),
        ("ours.html", [{}], "there is no template ours.html"),
        ("{{ page.heading }}", [{}], "UndefinedError: 'dict object' has no attribute 'heading'"),
        ("{% if %}", [{}], "TemplateSyntaxError"),
        ("", {}, "does not give a list of dicts"),
        ("", [{"chart": {"spec": {"mark": 1}}}], "section 'our_sections:section' failed"),
    ],
)
def test_a_section_that_cannot_be_shown_is_named(
    review: Review, tmp_path, monkeypatch, template, pages, said
):
    path = tmp_path / "extra.html"
    if template is not None and template != "ours.html":
        path.write_text(template)
    section = Section(
        "extra", Text("Extra"), lambda *_: pages, "ours.html" if template == "ours.html" else path
    )
    module = type("Module", (), {"section": section})
    monkeypatch.setitem(__import__("sys").modules, "our_sections", module)
    with pytest.raises(ConfigError, match="our_sections:section") as refused:
        render(review, sections=["our_sections:section"])
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["no_such_module:x", "json:loads", "json"])
def test_a_section_that_is_none_is_refused(review: Review, name):
    with pytest.raises(ConfigError, match=r"plugins\.sections"):
        render(review, sections=[name])


@pytest.mark.parametrize("period", ["week", "quarter"])
def test_other_periods_read_as_well(review: Review, period):
    html = render(dataclasses.replace(review, period=period))
    assert f"Left, by {period}" in html
    shown = re.sub(r"<[^>]+>", " ", html)
    assert not re.search(r"(changed|rose|fell) in \d", shown)  # a week is no month: "in 3 June"


def test_every_latin_word_of_a_chinese_report_comes_from_the_data(review: Review):
    html = render(review, lang="zh")
    shown = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    labels = " ".join(re.findall(r'(?:aria-label|placeholder|data-label)="([^"]*)"', html))
    whole = re.sub(r"\w+…", "", f"{shown} {labels}")  # names cut short in the contents
    words = set(re.findall(r"[A-Za-z]{2,}", whole))
    assert words - set(re.findall(r"[A-Za-z]{2,}", to_json(review))) <= {"amp", "rejects"}


def test_a_stylesheet_of_another_encoding_is_named(tmp_path):
    (tmp_path / "house.css").write_bytes(b"/* M\xfcller */")
    with pytest.raises(ConfigError, match=r"house.css is not UTF-8 text"):
        check_look(ReportSettings(css=str(tmp_path / "house.css")))
