"""Books that several tests read; drawn once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import drawn_books


@pytest.fixture(scope="session")
def hit() -> drawn_books.Drawn:
    """Key clients leave four times as often since `START`, by dose of a `cause` that moved then."""
    return drawn_books.draw(excess=3.0, drivers=drawn_books.two_drivers, seed=1)


@pytest.fixture(scope="session")
def quiet() -> drawn_books.Drawn:
    """The cause moved for key clients and nobody minds; all else stands still."""
    return drawn_books.draw(excess=0.0, drivers=drawn_books.two_drivers, seed=2)
