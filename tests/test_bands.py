"""Bands of numbers: cut at round places, joined, and found again by name."""

from __future__ import annotations

import numpy as np
import pytest

from churnlens import bands


def test_cuts_are_round_and_part_the_clients_about_evenly():
    values = np.random.default_rng(0).lognormal(3.5, 1, 1000)
    cuts = bands.edges(values, 10)
    assert len(cuts) == 9
    assert all(float(f"{c:.2g}") == c for c in cuts)
    share = np.diff([0, *[(values <= c).mean() for c in cuts], 1])
    assert share.min() > 0.05
    assert share.max() < 0.17


def test_years_are_cut_to_years():
    cuts = bands.edges(np.random.default_rng(1).integers(1950, 2020, 600).astype(float), 10)
    assert all(c == round(c) for c in cuts)
    assert cuts.min() > 1950


def test_every_value_is_in_one_band():
    values = np.array([1.0, 1, 2, 2, 3, 9, 20, -4, 0] * 10)
    names = bands.names(bands.edges(values, 5).tolist())
    low, high = np.array([bands.limits(name) for name in names]).T[:, :, None]
    held = (values > low) & (values <= high)
    assert (held.sum(axis=0) == 1).all()
    assert held.any(axis=1).all()


def test_one_value_only_has_no_cut():
    assert len(bands.edges(np.ones(50), 10)) == 0


def test_neighbours_are_joined_to_one_that_is_found_again():
    names = bands.names([10.0, 20, 50, 250])
    assert bands.joined(names[1:3]) == "10 to 50"
    assert bands.joined(names[:2]) == "up to 20"
    assert bands.joined(names[3:]) == "50 to 250" or bands.joined(names[4:]) == "above 250"
    for low in range(5):
        for high in range(low + 1, 6):
            if (low, high) != (0, 5):
                wanted = [k in range(low, high) for k in range(5)]
                assert bands.belong(names, [bands.joined(names[low:high])]).tolist() == wanted


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("20 to 50", "up to 20", "up to 50"),
        ("up to 20", "20 to 50", "up to 50"),
        ("50 to 250", "above 250", "above 50"),
        ("10 to 20", "20 to 50", "10 to 50"),
        ("up to 20", "50 to 250", None),
        ("up to 20", "above 20", None),
        ("up to 20", "up to 20", None),
        ("north", "up to 20", None),
    ],
)
def test_two_bands_that_touch_have_a_name_together(a, b, name):
    assert bands.neighbours(a, b) == name


@pytest.mark.parametrize(
    ("values", "one"),
    [
        (("20 to 50", "up to 80"), ("up to 80",)),
        (("20 to 50", "30 to 80"), ("20 to 80",)),
        (("20 to 50", "up to 20"), ("up to 50",)),
        (("above 100", "up to 10", "5 to 20"), ("up to 20", "above 100")),
        (("up to 80", "above 50"), ("up to 80", "above 80")),
        (("south", "north", "south"), ("north", "south")),
        (("unknown", "above 50", "20 to 60"), ("above 20", "unknown")),
        ((), ()),
    ],
)
def test_bands_that_overlap_are_one(values, one):
    assert bands.merged(values) == one


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (("above 20",), ("20 to 50",), ("20 to 50",)),
        (("up to 50",), ("20 to 80",), ("20 to 50",)),
        (("up to 20",), ("above 20",), ()),
        (("up to 20", "above 50"), ("10 to 80",), ("10 to 20", "50 to 80")),
        (("south", "north"), ("north", "west", "south"), ("south", "north")),
        (("north",), ("up to 20",), ()),
    ],
)
def test_what_is_in_two_bands_is_where_they_overlap(a, b, both):
    assert bands.common(a, b) == both


def test_a_segment_is_found_again_though_the_cuts_moved():
    now = bands.names([12.0, 24, 55, 240])
    assert bands.belong(now, ["20 to 50"]).tolist() == [False, False, True, False, False]
    assert bands.belong(now, ["above 230"]).tolist() == [False] * 4 + [True]


@pytest.mark.parametrize("name", ["north", "2 for 1", "up to", "10 to", "above all"])
def test_other_text_is_no_band(name):
    assert bands.limits(name) is None
    assert bands.belong(("north", name), [name]).tolist()[-1]
