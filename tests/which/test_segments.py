"""Segments: which are looked at, who belongs, and sums that add up."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.panel.attributes import POOLED, UNKNOWN
from churnlens.which.segments import Attribute, collapse, dense_sums, groups, members

SIZE = Attribute("size", np.array([0, 1, 2, 0, 1]), ("key", "middle", UNKNOWN))
BANDS = ("up to 1", "1 to 2", "2 to 5", "above 5")
AGE = Attribute("age", np.array([0, 1, 2, 3, 0]), BANDS, ordered=True)


def _all(attributes):
    return [g.segment(i) for g in groups(attributes) for i in range(g.segments)]


def test_the_book_comes_first_and_values_of_no_name_never():
    looked = _all((SIZE, Attribute("branch", np.zeros(5, int), (POOLED, "a", "b"))))
    assert looked[0] == {}
    named = {v for s in looked for values in s.values() for v in values}
    assert named == {"key", "middle", "a", "b"}


def test_bands_are_joined_to_one_that_can_be_read():
    single = [s["age"] for s in _all((AGE,)) if "age" in s]
    assert ("up to 2",) in single
    assert ("1 to 5",) in single
    assert ("above 1",) in single
    assert len(set(single)) == len(single) == 9  # of ten intervals the whole range is none
    paired = {s["age"][0] for s in _all((AGE, SIZE)) if len(s) == 2}
    assert paired == {"up to 1", "up to 2", "up to 5", "above 1", "above 2", "above 5"}


def test_members_are_those_with_all_the_values():
    inside = members({"size": ("key",), "age": ("up to 2",)}, (SIZE, AGE), (5, 3))
    assert inside[:, 0].tolist() == [True, False, False, False, False]
    assert inside.shape == (5, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 10_000))
def test_sums_over_segments_are_sums_over_members(clients, periods, seed):
    rng = np.random.default_rng(seed)
    tier = Attribute("tier", rng.integers(0, 3, (clients, periods)), ("top", "middle", "low"))
    size = Attribute("size", rng.integers(0, 2, clients), ("key", "small"))
    region = Attribute("region", rng.integers(0, 4, clients), ("n", "s", "e", "w"))
    attributes = (tier, size, region)
    values = rng.integers(0, 5, (clients, periods)).astype(np.float32)
    cells = collapse(attributes, clients)
    by_cell = cells.sums(values)
    assert by_cell.sum() == values.sum()
    for whole, group in zip(groups(attributes), groups(cells.attributes), strict=True):
        direct = whole.add_up(dense_sums(whole, values))
        assert np.array_equal(group.add_up(dense_sums(group, by_cell)), direct)
        segment = group.segment(group.segments - 1)
        inside = members(segment, attributes, values.shape)
        assert np.array_equal(direct[-1], (values * inside).sum(axis=0))


def test_a_plain_segment_names_one_value_of_each_attribute_or_one_side_of_a_limit():
    zero = np.zeros(1, np.int64)
    region = Attribute("region", zero, ("north", "south", "west"))
    staff = Attribute("staff", zero, ("up to 5", "5 to 20", "20 to 80", "above 80"), ordered=True)
    for group in groups((region, staff)):
        for k, plain in enumerate(group.plain):
            chosen = {a.name: np.flatnonzero(mask) for a, mask in group.sides(k)}
            one = all(len(codes) == 1 for name, codes in chosen.items() if name == "region")
            bands = chosen.get("staff", np.array([0]))
            limit = len(bands) == 1 or bands[0] == 0 or bands[-1] == 3
            assert plain == (one and limit)
