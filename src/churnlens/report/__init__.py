"""The report: one HTML file, made from the review alone."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnlens.config import ReportSettings
from churnlens.errors import ConfigError
from churnlens.plugins import guarded
from churnlens.report import charts
from churnlens.report.context import context
from churnlens.report.language import Language
from churnlens.report.privacy import SMALLEST_GROUP, masked
from churnlens.report.sections import chosen
from churnlens.results import Review

LANGUAGES = ("en", "zh")


def render(
    review: Review,
    *,
    lang: str = "en",
    settings: ReportSettings | None = None,
    sections: Sequence[str] = (),
    smallest_group: int = SMALLEST_GROUP,
) -> str:
    """Return the report as the text of one HTML file that fetches nothing.

    Parameters
    ----------
    review
        What the analyses said; nothing else is read.
    lang
        ``"en"`` or ``"zh"`` (Simplified Chinese).
    settings
        Title, stylesheet and logo of the house; paths as they can be opened from here.
    sections
        The analyst's own sections, each ``"my_module:my_section"``.
    smallest_group
        Groups of fewer clients are merged or left out, also in the tables behind the charts.

    Raises
    ------
    ConfigError
        When the language is unknown, or a stylesheet, logo or section cannot be loaded.
    """
    if lang not in LANGUAGES:
        raise ConfigError(f"lang: '{lang}' is not one of {', '.join(LANGUAGES)}.")
    settings = settings or ReportSettings()
    language = Language(lang, review.currency, review.period)
    page = context(masked(review, smallest_group), language, chosen(sections), settings.title)
    environment = _environment(language)
    for own in (shown for shown in page["pages"] if shown["plugin"]):
        own["html"] = guarded(_own_page, own["plugin"], "section")(environment, page, own)
    _draw(page)
    look = {"css": _house_css(settings.css), "logo": _logo(settings.logo), "font": _font()}
    return environment.get_template("report.html").render(**page, **look)


def _own_page(environment: Environment, report: dict[str, Any], page: dict[str, Any]) -> Markup:
    """Return an analyst's page, drawn and written by itself: what fails is the analyst's."""
    _draw(page)
    own = page["template"]
    template = (
        environment.get_template(own)
        if isinstance(own, str)
        else environment.from_string(_read(own))
    )
    return Markup(template.render(**report, page=page))  # noqa: S704  escaped by the template


def check_look(settings: ReportSettings) -> None:
    """Find out before a long run whether the house's stylesheet and logo can be read.

    Raises
    ------
    ConfigError
        When one cannot.
    """
    _house_css(settings.css)
    _logo(settings.logo)


def _draw(page: dict[str, Any]) -> None:
    """Put the drawing of each chart in its place, all drawn in one go."""
    found = list(_figures(page))
    for figure, svg in zip(found, charts.svgs([f.pop("spec") for f in found]), strict=True):
        figure["svg"] = Markup(svg)  # noqa: S704  the drawing engine escapes what it writes


def _figures(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and "spec" in part:
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _figures(inner)


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("churnlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.") from error


def _house_css(path: str | None) -> Markup:
    """Return the house's stylesheet, unable to end the element it stands in."""
    css = _read(path) if path else ""
    return Markup(css.replace("</", "<\\/"))  # noqa: S704


def _font() -> str:
    """Return the typeface as a data URI, so that the page looks alike wherever it is opened."""
    font = resources.files("churnlens.report") / "fonts" / "inter-latin.woff2"
    return _data_uri("font/woff2", font.read_bytes())


def _logo(path: str | None) -> str:
    """Return the logo as a data URI, or an empty string."""
    if path is None:
        return ""
    kind = mimetypes.guess_type(path)[0] or ""
    if not kind.startswith("image/"):
        raise ConfigError(f"report.logo: '{path}' is no image (.svg, .png, .jpg, .webp).")
    try:
        image = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    return _data_uri(kind, image)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
