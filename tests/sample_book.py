"""The sample as tables that a test may change, and what is said of such books."""

import os
from pathlib import Path

import pandas as pd

from churnlens.config import Settings
from churnlens.pipeline import investigate

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
DATA = Path(os.environ.get("CHURNLENS_DATA", ROOT.parent / "shared" / "data"))
QUICK = Settings(draws=99)
MARK = "acct~"  # before every client id: occurs nowhere else in a review or a report


def tables(folder, names=("orders", "clients", "events", "remedies")):
    """The sample's tables as text, by name."""
    paths = [next(folder.glob(f"{name}.*")) for name in names]
    return {p.name.split(".")[0]: pd.read_csv(p, dtype=str, keep_default_na=False) for p in paths}


def write(frames, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def told(source, settings=QUICK, as_of=None, previous=None):
    settings = settings.model_copy(update={"as_of": as_of})
    return investigate(source, settings, previous=previous).review


def codes(review):
    return {skipped.code for skipped in review.skipped}
