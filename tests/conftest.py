"""The sample, read once for the tests of the whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sample_book import MARK, SAMPLE, tables, told, write


@pytest.fixture(scope="session")
def marked(tmp_path_factory):
    """The sample, with ids that can be recognised wherever they turn up."""
    frames = tables(SAMPLE)
    for frame in frames.values():
        if "client_id" in frame:
            frame["client_id"] = MARK + frame["client_id"]
    return write(frames, tmp_path_factory.mktemp("marked"))


@pytest.fixture(scope="session")
def sample(marked):
    return told(marked)
