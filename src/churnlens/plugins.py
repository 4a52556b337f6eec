"""Load an analyst's own part from a `"my_module:name"` string."""

from __future__ import annotations

import functools
import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from churnlens.errors import ChurnlensError, ConfigError


def look_in(folder: Path) -> None:
    """Search a folder for modules as well, after all that is installed."""
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.append(place)


def load_plugin(name: str, kind: str) -> Any:
    """Return the object that `name` ("my_module:name") points at.

    The working directory is searched too; so is the config's folder where the command read one.

    Raises
    ------
    ConfigError
        When the string has no colon, or the module or the name is not there.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ConfigError(f"{kind} '{name}' is not of the form 'my_module:name'.")
    look_in(Path.cwd())
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise ConfigError(f"{kind} '{name}' cannot be loaded: {error}.") from error
        raise ConfigError(
            f"{kind} '{name}' cannot be loaded: there is no module '{error.name}'. Put "
            f"{error.name}.py beside churnlens.toml or into {Path.cwd()}, or install it."
        ) from error
    except (Exception, SystemExit) as error:  # whatever stands in the module is run
        raise ConfigError(f"{kind} '{name}' cannot be loaded: {error}.") from error


def load_function(name: str, kind: str) -> Callable[..., Any]:
    """Return the function that `name` points at, guarded.

    Raises
    ------
    ConfigError
        When it is not there or cannot be called.
    """
    part = load_plugin(name, kind)
    if not callable(part):
        raise ConfigError(f"{kind} '{name}' is no function.")
    return guarded(part, name, kind)


def guarded(part: Callable[..., Any], name: str, kind: str) -> Callable[..., Any]:
    """Return an analyst's function so that an error in it is a `ConfigError` with its line."""

    @functools.wraps(part)
    def called(*args: Any, **options: Any) -> Any:
        try:
            return part(*args, **options)
        except ChurnlensError:
            raise
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{kind} '{name}' failed: {_said(error, part)}.") from error

    return called


def _said(error: BaseException, part: Callable[..., Any]) -> str:
    """Kind, first line and place of an error; one in the call itself is where `part` begins."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    kind = type(error).__name__
    file, line = last.filename, last.lineno
    code = getattr(part, "__code__", None)
    if file == __file__ and code is not None:
        file, line = code.co_filename, code.co_firstlineno
    return f"{kind}{': ' if words else ''}{words} ({Path(file).name}, line {line})"
