"""The scan finds what was planted, where and since when, and pays for its looking."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from churnlens import bands
from churnlens.panel.periods import calendar
from churnlens.which.confirm import found_again
from churnlens.which.scan import next_window, prepare, window_by_orders
from churnlens.which.segments import attributes_of
from churnlens.which.windows import LEVEL_PRIOR, Times, best, gain_of, gains

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


def test_a_rise_is_confirmed_on_other_clients_however_spells_are_ordered(draw, months):
    usual = np.full((CLIENTS, months), 0.01)
    size = _sizes()
    hazard = usual * np.where((size == "key")[:, None] & (np.arange(months) >= 22), 4, 1)
    base = draw(hazard, size=size, usual=usual)
    attributes, nothing = attributes_of(base.panel, tiers=False), np.ones_like(base.expected)
    rise = _strongest(base)
    assert found_again(base, attributes, rise, nothing) == 2
    order = np.argsort(base.panel.client % 2, kind="stable")
    moved = dataclasses.replace(
        base.rows(order), panel=dataclasses.replace(base.rows(order).panel, client=order)
    )
    sorted_too = tuple(dataclasses.replace(a, codes=a.codes[order]) for a in attributes)
    assert found_again(moved, sorted_too, rise, nothing) == 2


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("chance", [{"region": ("north",)}, {"size": ("small",)}])
def test_what_is_found_again_of_another_rise_confirms_nothing(draw, months, chance, known):
    usual = np.full((CLIENTS, months), 0.01)
    size = _sizes()
    hit = (size == "key")[:, None] & (np.arange(months) >= 22)
    base = draw(np.where(hit, 4, 1) * usual, size=size, usual=usual)
    rise = dataclasses.replace(_strongest(base), segment=chance)
    explained = np.where(hit & known, np.float32(4), np.float32(1))
    assert found_again(base, attributes_of(base.panel, tiers=False), rise, explained) == 0


def test_of_two_rises_the_weaker_is_found_again_once_the_stronger_is_explained(draw, months):
    usual = np.full((CLIENTS, months), 0.01)
    size, t = _sizes(), np.arange(months)
    hit = (size == "key")[:, None] & (t >= 22)
    hazard = usual * np.where(hit, 5, np.where((size == "small")[:, None] & (t >= 12), 2.5, 1))
    base = draw(hazard, size=size, usual=usual)
    explained = np.where(hit, np.float32(5), np.float32(1))
    weaker = next_window(base, _search(base), explained)
    assert weaker.segment == {"size": ("small",)}
    attributes = attributes_of(base.panel, tiers=False)
    assert found_again(base, attributes, weaker, np.ones_like(explained)) < 2
    assert found_again(base, attributes, weaker, explained) == 2


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


def test_p_values_are_even_where_the_baseline_was_fitted_to_the_departures(draw_and_fit, months):
    hazard = np.full((1200, months), 0.012)
    values = []
    for seed in range(100):
        found = _strongest(draw_and_fit(hazard, size=_sizes(1200), seed=seed), draws=99)
        values.append(1.0 if found is None else found.p_value)
    assert stats.kstest(values, "uniform").pvalue > 0.05
    assert (np.array(values) <= 0.05).mean() <= 0.11  # binomial: over 11 of 100 has 1 chance in 200


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


def _hit_where(inside, months, begin, end=None, ratio=4.0):
    t = np.arange(months)
    usual = np.full((len(inside), months), 0.01)
    during = (t >= begin) & (t < (months if end is None else end))
    return usual, usual * np.where(inside[:, None] & during, ratio, 1)


def test_a_trouble_that_has_passed_is_found_with_its_end(draw, months):
    size = _sizes()
    usual, hazard = _hit_where(size == "key", months, 14, 21)
    found = _strongest(draw(hazard, size=size, usual=usual))
    assert found.segment == {"size": ("key",)}
    assert abs(found.start - 14) <= 1
    assert abs(found.end - 21) <= 1
    assert found.p_value <= 0.01
    assert found.covers(months).sum() == found.end - found.start


def test_the_end_of_a_passed_trouble_is_sharp_between_two_lengths_in_weeks_too(draw):
    """Windows of 35 weeks are tried, and of 52: this one of 44 is reached from either."""
    size, weeks = _sizes(1000), 156
    usual, hazard = _hit_where(size == "key", weeks, 60, 104)
    base = draw(hazard, size=size, usual=usual)
    cal = calendar("week", dt.date(2021, 1, 4), dt.date(2023, 12, 31))
    panel = dataclasses.replace(base.panel, calendar=cal)
    seen = hazard * base.panel.active
    found = _strongest(dataclasses.replace(base, panel=panel, observed=seen), draws=0)
    assert (found.segment, found.start, found.end) == ({"size": ("key",)}, 60, 104)


def _by_period(base, observed):
    """The same book with so many departures of the key clients in each period, and none else."""
    key = (base.panel.attributes["size"] == "key").to_numpy()
    due = np.where(key, 10.0 / key.sum(), 0.0)[:, None] * np.ones(len(observed))
    seen = due * np.asarray(observed)[None, :] / 10
    return dataclasses.replace(
        base, expected=due.astype(np.float32), observed=seen.astype(np.float32)
    )


def test_the_ends_of_a_trouble_that_has_passed_stand_out_against_what_was_before_it(draw, months):
    """Key clients left five times as often before it began as once it was over."""
    t = np.arange(months)
    counts = np.select([t < 12, t < 18], [25.0, 40.0], 5.0)
    found = _strongest(_by_period(draw(np.full((500, months), 0.01), size=_sizes(500)), counts), 0)
    assert (found.start, found.end) == (12, 18)


@pytest.mark.parametrize("seed", range(3))
def test_a_trouble_that_has_passed_is_worth_what_the_search_found(draw, months, seed):
    """By hand over the windows that are paid for; its ends were moved for nothing."""
    size = _sizes()
    usual, hazard = _hit_where(size == "key", months, 14, 19)
    base = draw(hazard, size=size, usual=usual, seed=seed)
    scan = _search(base, draws=0)
    found = next_window(base, scan, np.ones_like(base.expected))
    inside = np.isin(size, found.segment["size"])
    o, e = (a[inside].sum(axis=0, dtype=float) for a in (base.observed, base.expected))
    whole = o.sum() + LEVEL_PRIOR, e.sum() + LEVEL_PRIOR
    looked = [
        min(gain_of(o[b:end].sum(), e[b:end].sum(), *against) for against in (whole, until))
        for n in scan.when.lengths
        for b in range(scan.when.first, scan.when.passed - n + 1)
        for end in [b + n]
        for until in [(o[:end].sum() + LEVEL_PRIOR, e[:end].sum() + LEVEL_PRIOR)]
    ]
    assert found.gain == pytest.approx(max(looked), abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_worse_from_the_first_month_on_did_not_begin_at_the_first_one_looked_at(
    draw, months, seed
):
    size = _sizes()
    usual, hazard = _hit_where(size == "key", months, 0, 12)
    found = _strongest(draw(hazard, size=size, usual=usual, seed=seed))
    assert found is None or found.end is None or found.p_value > 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_rise_that_lasts_is_not_said_to_have_passed(draw, months, seed):
    size = _sizes()
    usual, hazard = _hit_where(size == "key", months, 20)
    assert _strongest(draw(hazard, size=size, usual=usual, seed=seed), draws=0).end is None


def _with_third(base, channel):
    base.panel.attributes["channel"] = pd.Categorical(channel)
    return base


def test_three_attributes_are_found_as_one_conjunction(draw, months):
    rng = np.random.default_rng(5)
    size, region = _sizes(), rng.choice(["north", "south"], CLIENTS)
    channel = rng.choice(["web", "direct"], CLIENTS)
    inside = (size == "middle") & (region == "north") & (channel == "web")
    usual, hazard = _hit_where(inside, months, 18, ratio=6.0)
    base = _with_third(draw(hazard, size=size, region=region, usual=usual), channel)
    found = _strongest(base)
    assert found.segment == {"size": ("middle",), "region": ("north",), "channel": ("web",)}
    assert found.p_value <= 0.01


def test_the_third_attribute_is_left_out_where_it_says_nothing(draw, months):
    rng = np.random.default_rng(6)
    size, region = _sizes(), rng.choice(["north", "south"], CLIENTS)
    inside = (size == "middle") & (region == "north")
    usual, hazard = _hit_where(inside, months, 18)
    base = draw(hazard, size=size, region=region, usual=usual)
    found = _strongest(_with_third(base, rng.choice(["web", "direct", "partner"], CLIENTS)))
    assert found.segment == {"size": ("middle",), "region": ("north",)}


def test_values_that_rose_together_are_one_segment(draw, months):
    manager = np.array([f"M{k:02d}" for k in range(12)])[np.arange(CLIENTS) % 12]
    usual, hazard = _hit_where(np.isin(manager, ["M01", "M05", "M09"]), months, 20)
    found = _strongest(draw(hazard, size=manager, usual=usual))
    assert found.segment == {"size": ("M01", "M05", "M09")}


def test_a_number_is_cut_where_the_data_have_it(draw, months):
    rng = np.random.default_rng(7)
    staff = np.round(rng.lognormal(3.5, 1, CLIENTS))
    cuts = bands.edges(staff, 10).tolist()
    usual, hazard = _hit_where(staff > cuts[6], months, 20)
    base = draw(hazard, usual=usual)
    names = bands.names(cuts)
    base.panel.attributes["staff"] = pd.cut(staff, [-np.inf, *cuts, np.inf], labels=names)
    found = _strongest(base)
    assert found.segment == {"staff": (f"above {cuts[6]:g}",)}


@pytest.mark.parametrize("seed", range(4))
def test_the_search_is_whole_though_few_windows_are_looked_at(seed):
    """By hand over every segment and window, against what the bound lets through."""
    rng = np.random.default_rng(seed)
    due = rng.gamma(2, 0.5, (30, 1, 36)).astype(np.float32)
    seen = rng.poisson(due * np.where(rng.random((30, 1, 1)) < 0.2, 2.0, 1.0)).astype(np.float32)
    seen = np.concatenate([seen, rng.poisson(due).astype(np.float32)], axis=1)
    when = Times(3, 34, 36, 33, (3, 6, 12), 3)
    paid = rng.uniform(0, 2, len(seen))
    found = best(seen, due, when, paid, 2.0, np.zeros(2))
    for draw_ in range(2):
        top = 0.0
        for s in range(30):
            o, e = seen[s, draw_], due[s, 0]
            windows = [(b, 36, paid[s]) for b in range(3, 34)]
            windows += [(b, b + n, paid[s] + 2) for n in (3, 6, 12) for b in range(3, 33 - n + 1)]
            whole = np.float64(o.sum() + LEVEL_PRIOR), np.float64(e.sum() + LEVEL_PRIOR)
            for b, end, price in windows:
                inside = np.float64(o[b:end].sum()), np.float64(e[b:end].sum())
                gain = gain_of(*inside, *whole)
                if end < 36:  # it must stand out against what was before it, too
                    until = np.float64(o[:end].sum()), np.float64(e[:end].sum())
                    gain = min(gain, gain_of(*inside, *(x + LEVEL_PRIOR for x in until)))
                top = max(top, float(gain) - price)
        assert max(found.score[draw_], 0.0) == pytest.approx(top, abs=1e-3)


def test_a_segment_whose_estimated_departures_sum_to_below_nought_is_searched_in_silence():
    """Found less what was due is an estimate of departures, and may come out below none."""
    due = np.full((2, 1, 36), 1.0, np.float32)
    seen = np.stack([np.full((1, 36), -0.1), np.where(np.arange(36) >= 24, 3.0, 1.0)[None]])
    when = Times(3, 34, 36, 33, (3, 6, 12), 3)
    found = best(seen.astype(np.float32), due, when, np.ones(2), 2.0, np.zeros(1))
    assert (found.segment[0], found.start[0]) == (1, 24)


def test_what_clients_ordered_shows_a_rise_that_counts_leave_open(draw_blurred):
    """Onsets are blurred: counts are shrunk to what was usual, the orders themselves are not."""

    def p_values(raised, seed):
        base = draw_blurred(raised, 0.7, seed, clients=600)
        scan, nothing = _search(base, draws=99), np.ones_like(base.expected)
        found = [next_window(base, scan, nothing), window_by_orders(base, scan)]
        return [1.0 if f is None else f.p_value for f in found], found[1]

    risen = [p_values(5.0, seed) for seed in range(8)]
    by_counts, by_orders = np.array([p for p, _ in risen]).T
    assert (by_orders <= by_counts).all()
    assert (by_orders <= 0.05).sum() >= (by_counts <= 0.05).sum() + 2
    assert sum(f is not None and f.segment == {"size": ("key",)} for _, f in risen) >= 6
    quiet = np.array([p_values(1.0, 100 + seed)[0][1] for seed in range(20)])
    assert (quiet <= 0.05).sum() <= 2


@pytest.mark.parametrize("start", [3, 8])
def test_a_trouble_of_one_quarter_is_told_as_that(draw, start):
    """A window of one period has no shorter one beside it."""
    size = _sizes(1000)
    usual, hazard = _hit_where(size == "key", 36, start, start + 1, ratio=8.0)
    base = draw(hazard, size=size, usual=usual)
    cal = calendar("quarter", dt.date(2015, 1, 1), dt.date(2023, 12, 31))
    panel = dataclasses.replace(base.panel, calendar=cal)
    seen = hazard * base.panel.active
    found = _strongest(dataclasses.replace(base, panel=panel, observed=seen), draws=0)
    assert (found.segment, found.start, found.end) == ({"size": ("key",)}, start, start + 1)
