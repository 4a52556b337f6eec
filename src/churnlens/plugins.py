"""Load an analyst's own part from a `"my_module:name"` string."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from churnlens.errors import ConfigError


def load_plugin(name: str, kind: str) -> Any:
    """Return the object that `name` ("my_module:name") points at.

    The working directory is searched too, so that a module beside the config is found.

    Raises
    ------
    ConfigError
        When the string has no colon, or the module or the name is not there.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ConfigError(f"{kind} '{name}' is not of the form 'my_module:name'.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{kind} '{name}' cannot be loaded: {error}.") from error
