"""Which sections does the report have, in which order; where an analyst adds one.

A section is one function from the review to a list of pages (plain dicts) and one template; an
empty list leaves it out. Add a line to `SECTIONS`, or name a `Section` in the settings as
``"my_module:my_section"``; its template may then be the `Path` of a file of your own, which
sees ``page`` (your dict) and may import ``"parts.html"`` for charts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from churnlens.errors import ConfigError
from churnlens.plugins import guarded, load_plugin
from churnlens.report.language import Language
from churnlens.report.pages import (
    data,
    issue,
    last_time,
    method,
    remedies,
    ruled_out,
    stay,
    verdict,
    when,
)
from churnlens.results import Review, Text

Build = Callable[[Review, Language], list[dict[str, Any]]]


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Parameters
    ----------
    name
        Identifier; the pages' anchors begin with it.
    title
        What the list of contents calls it. A page that brings ``nav`` is called that instead.
    build
        From the review and the reader's language to one dict a page.
    template
        A template of the package by name, or the path of one's own.
    """

    name: str
    title: Text
    build: Build
    template: str | Path
    plugin: str | None = None  # how the settings name it; None: a section of the package


SECTIONS: tuple[Section, ...] = (
    Section("verdict", Text("Verdict"), verdict.verdict, "verdict.html"),
    Section("issue", Text("Issue"), issue.issues, "issue.html"),
    Section("past", Text("Last time"), last_time.past, "past.html"),
    Section("remedies", Text("Remedies"), remedies.remedies, "remedies.html"),
    Section("ruled-out", Text("Ruled out"), ruled_out.ruled_out, "ruled_out.html"),
    Section("when", Text("When"), when.when, "when.html"),
    Section("shorter", Text("Length of stay"), when.shorter, "shorter.html"),
    Section("stay", Text("Who stays"), stay.stay, "stay.html"),
    Section("data", Text("Data"), data.data, "data.html"),
    Section("method", Text("Method"), method.method, "method.html"),
    Section("glossary", Text("Glossary"), method.glossary, "glossary.html"),
)


def chosen(plugins: Iterable[str] = ()) -> tuple[Section, ...]:
    """Return the sections in order: the analyst's own stand before the method.

    Raises
    ------
    ConfigError
        When a plug-in string names nothing that is a `Section`, or its template is not there.
    """
    own = tuple(_load(plugin) for plugin in plugins)
    at = next(n for n, section in enumerate(SECTIONS) if section.name == "method")
    return (*SECTIONS[:at], *own, *SECTIONS[at:])


def _load(plugin: str) -> Section:
    section = load_plugin(plugin, "plugins.sections:")
    if not isinstance(section, Section):
        raise ConfigError(f"plugins.sections: '{plugin}' is no churnlens.report.sections.Section.")
    if not isinstance(section.title, Text):
        raise ConfigError(f"section '{plugin}': its title is no churnlens.results.Text.")
    if not _there(section.template):
        raise ConfigError(
            f"section '{plugin}': there is no template {section.template}. Give the Path of a file "
            "of your own, such as Path(__file__).with_name('ours.html')."
        )
    return replace(section, build=_pages_of(section.build, plugin), plugin=plugin)


def _there(template: str | Path) -> bool:
    if isinstance(template, Path):
        return template.is_file()
    return (resources.files("churnlens.report") / "templates" / str(template)).is_file()


def _pages_of(build: Build, plugin: str) -> Build:
    """Return an analyst's builder, whose pages are looked at before they are shown."""
    own = guarded(build, plugin, "section")

    def pages(review: Review, language: Language) -> list[dict[str, Any]]:
        found = own(review, language)
        if not isinstance(found, list) or not all(isinstance(page, dict) for page in found):
            raise ConfigError(f"section '{plugin}' does not give a list of dicts, one a page.")
        return found

    return pages
