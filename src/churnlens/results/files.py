"""The review as JSON, both ways."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnlens.errors import ReviewError, first_fault
from churnlens.results.checked import faults
from churnlens.results.review import SCHEMA_VERSION, Review


def to_json(review: Review) -> str:
    """Return the review as JSON text; the same review gives the same bytes."""
    return json.dumps(_rounded(dataclasses.asdict(review)), indent=2, ensure_ascii=False) + "\n"


def _rounded(value: Any) -> Any:
    """Round floats to 9 significant digits (thread order must not show in the file)."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return float(f"{value:.9g}")
    if isinstance(value, Mapping):
        return {str(k): _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def from_json(text: str, origin: str = "review.json") -> Review:
    """Read a review back.

    Raises
    ------
    ReviewError
        When the text is no review of a schema this version knows; names the first wrong key.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to import; only readers pay

    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReviewError(f"{origin} is not JSON (line {error.lineno}): {error.msg}.") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise ReviewError(
            f"{origin} has schema_version {version!r}; this version of churnlens reads "
            f"'{SCHEMA_VERSION}'. Make the review again with `churnlens run`."
        )
    try:
        review = TypeAdapter(Review).validate_python(raw)
    except ValidationError as error:
        raise ReviewError(f"{origin}: {first_fault(error)}") from error
    for where, fault in faults(raw):
        raise ReviewError(f"{origin}: {where}: {fault}.")
    return review


def read_review(path: Path) -> Review:
    """Read `review.json` from disk.

    Raises
    ------
    ReviewError
        When the file cannot be read or is no review.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReviewError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path} is not UTF-8 text.") from error
    return from_json(text, str(path))
