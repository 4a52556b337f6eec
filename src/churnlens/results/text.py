"""A sentence of the review, and how it reads in plain English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from churnlens.naming import spoken
from churnlens.results.checked import Some

Segment = Mapping[str, Some]  # attribute -> values that belong; {} is every client


@dataclass(frozen=True)
class Text:
    """A sentence kept as an English template and its values, so that it can be translated.

    `template` is a gettext msgid with `{named}` fields. Values are numbers, strings, or
    `{"type": "date" | "week" | "month" | "quarter" | "percent" | "money" | "number" | "segment" |
    "clients" | "driver", "value": …}` where the locale decides how they are written; `week`,
    `month` and `quarter` are the period that a date lies in, a week by its first day; `clients` is
    a segment said as people ("clients with size key", "all clients").
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        written = {k: _plain(v) for k, v in self.values.items()}
        return fitted(self.template, written).format(**written)


_COUNTED = re.compile(
    r"(\{(\w+)\} (?:order )?(?:buyer|client|client id|day|departure|event|line|month|order|row"
    r"|segment|value|week|year))s\b"
)


_SPAN = re.compile(r"([Ff])rom \{date\} to \{end\}")


def fitted(template: str, written: Mapping[str, str]) -> str:
    """Return an English template fitted to its values.

    What a field counts is in the singular where it counts one; a span whose ends are one period is
    that period ("In …"). `written` are the fields' values as they will stand. Names within values
    are left as they are.
    """
    if written.get("date") == written.get("end"):
        template = _SPAN.sub(lambda span: f"{'I' if span[1] == 'F' else 'i'}n {{date}}", template)

    def fitting(counted: re.Match[str]) -> str:
        return counted[1] if written.get(counted[2]) == "1" else counted[0]

    return _COUNTED.sub(fitting, template)


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _dated(iso: str, kind: str) -> str:
    """Name the period of that kind; a `date` by its month where one begins on it."""
    year, month, day = (int(part) for part in iso[:10].split("-"))
    if kind == "quarter":
        return f"Q{(month + 2) // 3} {year}"
    named = f"{_MONTHS[month - 1]} {year}"
    if kind == "week":
        return f"the week of {day} {named}"
    return named if kind == "month" or day == 1 else iso


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and "type" in value:
        kind, inner = value["type"], value["value"]
        if kind == "percent":
            return f"{100 * inner:.0f} %"
        if kind == "money":
            return f"{inner:,.0f}"
        if kind in ("date", "week", "month", "quarter"):
            return _dated(str(inner), kind)
        if kind == "segment":
            return segment_label(inner)
        if kind == "clients":
            return f"clients with {segment_label(inner)}" if inner else segment_label(inner)
        if kind == "driver":
            return spoken(str(inner))
        return _plain(inner)
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def segment_label(segment: Segment) -> str:
    """Say a segment in words: `size key, region north or south`; `all clients` for `{}`."""
    if not segment:
        return "all clients"
    return ", ".join(
        f"{spoken(attribute)} {' or '.join(values)}"
        for attribute, values in sorted(segment.items())
    )
