"""What a saved review is held to when it is read back: it may have been changed by hand.

A rule stands beside the type it is about. Where a review is made it costs nothing; where one is
read, whoever breaks it is told the key.
"""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any


class Checked:
    """Mark a type with a rule: it takes what was read and returns it, or raises ValueError."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self.rule = rule

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # slow to import; only readers pay

        return core_schema.no_info_after_validator_function(self.rule, handler(source))


def _a_day(text: str) -> str:
    if not _is_day(text):
        raise ValueError(f"'{text}' is no date such as 2024-12-31")
    return text


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("no value is named")
    return values


MOST = 1e24  # no count and no sum of amounts that are read comes near it; JSON knows no bound
Day = Annotated[str, Checked(_a_day)]  # ISO 8601
Some = Annotated[tuple[str, ...], Checked(_some)]  # values of an attribute; never none


def of_one_length(owner: object, *names: str) -> None:
    """Raise ValueError unless the named fields of `owner` hold equally many values."""
    if len({len(getattr(owner, name)) for name in names}) > 1:
        raise ValueError(f"{', '.join(names)} do not hold equally many values")


def faults(raw: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the key and the fault of each number and each sentence in parsed JSON that is none."""
    if isinstance(raw, float | int) and not abs(raw) <= MOST:
        yield ".".join(at), f"{raw:g} is no number that can stand there"
    elif isinstance(raw, Mapping):
        if _is_sentence(raw):
            faults_said = _unsayable(raw["template"], raw.get("values", {}))
            yield from ((".".join(at), fault) for fault in faults_said)
        for key, value in raw.items():
            yield from faults(value, (*at, str(key)))
    elif isinstance(raw, list):
        for number, value in enumerate(raw):
            yield from faults(value, (*at, str(number)))


def _is_sentence(raw: Mapping[str, Any]) -> bool:
    """Tell a sentence from a segment by an attribute that is called `template`."""
    template, values = raw.get("template"), raw.get("values", {})
    return isinstance(template, str) and isinstance(values, Mapping)


def _unsayable(template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Say why a sentence cannot be written out of its template and values."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        yield f"the template '{template}' cannot be read ({error})"
        return
    for name in fields:
        if name not in values:
            yield f"the template '{template}' asks for '{name}', which is not among its values"
    for name, value in values.items():
        if not _fits(value):
            yield f"the value '{name}' is not what its type says"


def _fits(value: Any) -> bool:
    """Tell whether a value with a type (`date`, `money`, `segment`, …) can be written as such."""
    if not isinstance(value, Mapping) or "type" not in value:
        return True
    if "value" not in value:
        return False
    kind, inner = value["type"], value["value"]
    if kind in ("date", "day", "week", "month", "quarter"):
        return isinstance(inner, str) and _is_day(inner)
    if kind in ("percent", "money", "number"):
        return inner is None or isinstance(inner, int | float)
    if kind in ("segment", "clients"):
        return isinstance(inner, Mapping) and all(_are_names(part) for part in inner.values())
    return isinstance(kind, str)


def _are_names(values: Any) -> bool:
    return (
        isinstance(values, Sequence)
        and not isinstance(values, str)
        and len(values) > 0
        and all(isinstance(value, str) for value in values)
    )


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text[:10])  # a time of day after it does no harm
    except ValueError:
        return False
    return True
