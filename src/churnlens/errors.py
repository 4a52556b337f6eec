"""The errors a user may meet; each says what is wrong, where, and what to do."""

import difflib
import re
from collections.abc import Iterable
from typing import Any


class ChurnlensError(Exception):
    """Anything the user can mend: bad input, configuration or call. Exit code 2."""


class ConfigError(ChurnlensError):
    """`churnlens.toml` or a command-line option is wrong."""


class ContractError(ChurnlensError):
    """A source cannot be used at all: no orders, a missing column, an unreadable file."""


class ReviewError(ChurnlensError):
    """A saved `review.json`, `truth.json` or register cannot be read."""


class OutputError(ChurnlensError):
    """The output cannot be written where the caller wants it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the nearest known name, or an empty string."""
    as_written = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), list(as_written), n=1, cutoff=0.6)
    return f" Did you mean '{as_written[near[0]]}'?" if near else ""


def without_password(said: str) -> str:
    """Return a text whose database URLs show no password: messages go to logs."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", said)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error of somebody else's says, which may be nothing."""
    return (str(error).strip().splitlines() or ["no message"])[0]


def first_fault(error: Any) -> str:
    """Return `"issues.0.kind: what is wrong there."` of the first fault of a ValidationError."""
    fault = error.errors(include_url=False)[0]
    said = str(fault.get("ctx", {}).get("error", fault["msg"]))
    return f"{'.'.join(str(part) for part in fault['loc'])}: {said}."
