"""The checks of a cause and the classifiers of the second opinion: ours and the analyst's own."""

from __future__ import annotations

from churnlens.config import Settings
from churnlens.errors import ConfigError
from churnlens.plugins import load_function
from churnlens.results import Evidence
from churnlens.why.case import Case, Check
from churnlens.why.checks import CHECKS
from churnlens.why.nuisances import Maker


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return the registered checks and the analyst's own.

    Raises
    ------
    ConfigError
        When a plugin cannot be loaded.
    """
    return (*CHECKS.values(), *map(_own_check, settings.plugins.checks))


def _own_check(name: str) -> Check:
    function = load_function(name, "check")

    def check(case: Case) -> Evidence:
        said = function(case)
        if not isinstance(said, Evidence):
            raise ConfigError(f"check '{name}' gives {type(said).__name__}, not Evidence.")
        if said.outcome not in ("pass", "fail", "skip"):
            raise ConfigError(f"check '{name}' says '{said.outcome}', not pass, fail or skip.")
        return said

    return check


def classifiers(settings: Settings) -> tuple[tuple[str, Maker], ...]:
    """Return the analyst's classifiers for the second opinion, by name.

    Raises
    ------
    ConfigError
        When one cannot be loaded, or gives no classifier.
    """
    return tuple((name, _maker(name)) for name in settings.plugins.models)


def _maker(name: str) -> Maker:
    make = load_function(name, "model")
    made = make()
    missing = [part for part in ("fit", "predict_proba") if not hasattr(made, part)]
    if missing:
        raise ConfigError(
            f"model '{name}' gives {type(made).__name__}, which has no {' and no '.join(missing)}; "
            "it must be a function without arguments that gives a classifier as scikit-learn's are."
        )
    return make
