"""Small sources, written where a test can open them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from churnlens.config import Settings, parse
from churnlens.tables import Tables, open_source

ORDERS = "client_id,order_date,amount\n00042,2024-01-05,10\n7,2024-02-05,20\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes tables (text or bytes) as CSV and returns their folder."""

    def _write(**tables: str | bytes) -> Path:
        for name, content in {"orders": ORDERS, **tables}.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(data)
        return tmp_path

    return _write


@pytest.fixture
def opened(write: Callable[..., Path]) -> Callable[..., Tables]:
    """Return a function that writes tables and opens them, with settings as TOML would say."""

    def _opened(settings: dict | None = None, as_of=None, **tables: str | bytes) -> Tables:
        chosen = parse(settings, "churnlens.toml") if settings else Settings()
        return open_source(write(**tables), chosen, as_of)

    return _opened
