"""The scan finds what was planted, where and since when, and pays for its looking."""

from __future__ import annotations

import numpy as np
import pytest

from churnlens.which.scan import next_window, prepare
from churnlens.which.segments import attributes_of
from churnlens.which.windows import gains

CLIENTS = 4000


def _sizes(n=CLIENTS):
    return np.where(np.arange(n) % 5 == 0, "key", np.where(np.arange(n) % 5 < 3, "middle", "small"))


def _search(base, draws=199, seed=0):
    return prepare(base, attributes_of(base.panel, tiers=False), draws=draws, seed=seed)


def _strongest(base, draws=199):
    return next_window(base, _search(base, draws), np.ones_like(base.expected))


def test_a_planted_rise_is_found_with_its_segment_and_date(draw, months):
    size = _sizes()
    usual = np.full((CLIENTS, months), 0.01)
    hazard = usual * np.where((size == "key")[:, None] & (np.arange(months) >= 22), 4, 1)
    found = _strongest(draw(hazard, size=size, usual=usual))
    assert found.segment == {"size": ("key",)}
    assert abs(found.start - 22) <= 1
    assert found.p_value == pytest.approx(1 / 200)
    assert 2.5 < found.ratio < 6
    assert found.observed > 2 * found.expected


def test_a_conjunction_is_found_as_one(draw, months):
    size, region = _sizes(), np.where(np.arange(CLIENTS) % 2, "north", "south")
    usual = np.full((CLIENTS, months), 0.01)
    hit = ((size == "middle") & (region == "north"))[:, None] & (np.arange(months) >= 20)
    found = _strongest(draw(usual * np.where(hit, 4, 1), size=size, region=region, usual=usual))
    assert found.segment == {"size": ("middle",), "region": ("north",)}
    assert abs(found.start - 20) <= 1


def test_a_rise_of_the_whole_book_is_everybodys(draw, months):
    usual = np.full((CLIENTS, months), 0.01)
    hazard = usual * np.where(np.arange(months) >= 22, 2.0, 1.0)
    found = _strongest(draw(hazard, size=_sizes(), usual=usual))
    assert found.segment == {}
    assert abs(found.start - 22) <= 1


def test_a_rise_in_most_of_the_book_is_no_fall_in_the_rest(draw, months):
    """Four in five are hit: what is reported is a rise, of them or of all, never of the fifth."""
    size = _sizes()
    usual = np.full((CLIENTS, months), 0.01)
    hit = (size != "key")[:, None] & (np.arange(months) >= 22)
    base = draw(usual * np.where(hit, 2.5, 1), size=size, usual=usual)
    found = _strongest(base)
    assert found.segment == {} or "key" not in found.segment["size"]
    assert found.ratio > 1.5


def test_once_explained_nothing_is_left(draw, months):
    size = _sizes()
    usual = np.full((CLIENTS, months), 0.01)
    hit = (size == "key")[:, None] & (np.arange(months) >= 22)
    base = draw(usual * np.where(hit, 4, 1), size=size, usual=usual)
    left = next_window(base, _search(base), np.where(hit, np.float32(4), np.float32(1)))
    assert left is None or left.p_value > 0.05


def test_a_standing_difference_is_no_rise(draw, months):
    size = _sizes()
    usual = np.full((CLIENTS, months), 0.01)
    base = draw(usual * np.where(size == "key", 2, 1)[:, None], size=size, usual=usual)
    found = _strongest(base)
    assert found is None or found.p_value > 0.05


def test_p_values_are_even_where_nothing_happened(draw, months):
    hazard = np.full((1500, months), 0.012)
    values = []
    for seed in range(60):
        found = _strongest(draw(hazard, size=_sizes(1500), seed=seed), draws=99)
        values.append(1.0 if found is None else found.p_value)
    values = np.array(values)
    assert (values <= 0.05).mean() <= 0.12  # binomial: over 7 of 60 has 1 chance in 100
    assert 0.3 < np.median(values) < 0.75


def test_the_same_seed_gives_the_same_search_whatever_the_cores(draw, months, monkeypatch):
    base = draw(np.full((1500, months), 0.012), size=_sizes(1500))
    first = _search(base).null_scores
    monkeypatch.setattr("churnlens.panel.threads._cores", lambda: 1)
    assert _search(base).null_scores.tobytes() == first.tobytes()
    assert not np.array_equal(_search(base, seed=1).null_scores, first)


def test_nobody_leaving_is_nothing_found(draw, months):
    base = draw(np.zeros((200, months)))
    search = _search(base)
    assert len(search.null_scores) == 0
    assert next_window(base, search, np.ones_like(base.expected)) is None


def test_gain_is_the_likelihood_ratio_of_two_levels():
    """By hand: 10 against 20 expected before, 30 against 20 after (2 are added to the before)."""
    observed, expected = np.array([[10.0, 30.0]]), np.array([[20.0, 20.0]])
    by_hand = 30 * np.log(30 / 20) + 12 * np.log(12 / 22) - 42 * np.log(42 / 42)
    assert gains(observed, expected)[0, 1] == pytest.approx(by_hand)
    assert gains(observed[:, ::-1], expected)[0, 1] == 0  # a fall is no rise
