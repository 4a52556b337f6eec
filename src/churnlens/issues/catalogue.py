"""Which remedies fit a cause: an editable catalogue, matched by the driver's name."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from churnlens.errors import ConfigError, did_you_mean

GENERAL, UNEXPLAINED, MIX, OVER = "general", "unexplained", "mix", "over"
_KEYS = ("keywords", "more", "less", "actions")


@dataclass(frozen=True)
class Family:
    """A family of drivers and what can be done about it."""

    name: str
    keywords: tuple[str, ...]
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def advice(self, direction: Literal["more", "less"] | None) -> tuple[str, ...]:
        """Return the remedies where more, or less, of the driver costs clients; both for None."""
        by_direction = {"more": self.more, "less": self.less, None: self.more + self.less}
        return by_direction[direction] + self.actions


def recommend(
    driver: str | None,
    direction: Literal["more", "less"] | None,
    path: Path | None = None,
    *,
    kind: str = "shift",
    over: bool = False,
) -> tuple[str, tuple[str, ...]]:
    """Return the family of a driver and the remedies that fit it.

    Parameters
    ----------
    driver
        The driver's name as it stands in the records, in any words; None: no known cause.
    direction
        Whether more or less of the driver costs clients.
    path
        A catalogue of the user's own; None: the packaged one.
    kind
        The issue's kind: one of the four of the contract; it decides where `driver` is None.
    over
        Whether the driver is back to what it was, and only its effect has stayed.

    Raises
    ------
    ConfigError
        When the user's catalogue cannot be read or has an unknown key.
    """
    families = load(path)
    family = families.get(_family_name(driver, kind, families)) or families[GENERAL]
    if over:  # there is nothing to put back
        return family.name, (families.get(OVER) or load()[OVER]).advice(None)
    return family.name, family.advice(direction) or families[GENERAL].advice(None)


def _family_name(driver: str | None, kind: str, families: dict[str, Family]) -> str:
    if driver is None:
        return MIX if kind == "mix" else UNEXPLAINED
    return match(driver, families)


def match(driver: str, families: dict[str, Family]) -> str:
    """Return the family whose longest keyword is found in the driver's name, else `general`."""
    found = [
        (len(keyword), -order, family.name)
        for order, family in enumerate(families.values())
        for keyword in family.keywords
        if _mentions(driver, keyword)
    ]
    return max(found)[2] if found else GENERAL


def _mentions(driver: str, keyword: str) -> bool:
    name = "_" + re.sub(r"[^\w]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", driver)).casefold()
    sought = keyword.casefold()
    return (f"_{sought}" if sought.isascii() else sought) in name


@functools.cache
def load(path: Path | None = None) -> dict[str, Family]:
    """Read a catalogue of remedies: family name -> `Family`, in the order of the file.

    Raises
    ------
    ConfigError
        When it cannot be read, or a key is unknown or has a wrong value.
    """
    origin = str(path) if path else "remedies.toml"
    packaged = resources.files("churnlens.issues") / "remedies.toml"
    try:
        raw = tomllib.loads((path or packaged).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{origin}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}.") from error
    families = {name: _family(name, entry, origin) for name, entry in raw.items()}
    return families if GENERAL in families else {**families, GENERAL: load()[GENERAL]}


def _family(name: str, entry: Any, origin: str) -> Family:
    if not isinstance(entry, dict):
        raise ConfigError(f"{origin}: '{name}' must be a table such as [{name}].")
    for key, value in entry.items():
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            raise ConfigError(f"{origin}: [{name}] has an unknown key '{key}'.{hint}")
        if not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
            raise ConfigError(f"{origin}: [{name}] {key} must be a list of texts.")
    return Family(name, **{key: tuple(value) for key, value in entry.items()})
