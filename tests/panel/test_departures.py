"""What must hold of every churn definition, an analyst's own too; what the default must find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_histories import activity, by_client, cut_off, order_days

from churnlens.errors import ConfigError
from churnlens.panel.departures import DEFINITIONS, Departures, definition, spells
from churnlens.results import Skipped

MONTHS = 36
OWN = "own_definition:half_a_year_silent"
MODULE = '''
from dataclasses import fields

import numpy as np
from churnlens.panel.departures import Departures, cadence, volume
from churnlens.panel.onsets import OnsetLikelihood

def half_a_year_silent(activity):
    """No order for six periods."""
    periods = activity.orders.shape[1]
    t = np.arange(periods)
    last = np.maximum.accumulate(np.where(activity.orders > 0, t, -1), axis=1)
    silent = (last >= 0) & (t - last >= 6)
    declared = np.where(silent.any(axis=1), silent.argmax(axis=1), -1)
    rows = np.arange(len(declared))
    onset = np.where(declared >= 0, last[rows, declared], -1)
    end = np.full(len(rows), periods)
    return Departures(rows, activity.first, end, onset, onset, onset, declared)

def shuffled(definition):
    def found(activity):
        spells = definition(activity)
        order = np.random.default_rng(0).permutation(len(spells.client))
        parts = {field.name: getattr(spells, field.name) for field in fields(Departures)}
        whole = parts.pop("likelihood")
        rows = {name: part if part is None else part[order] for name, part in parts.items()}
        if whole is not None:
            whole = OnsetLikelihood(whole.log_ratio[order], whole.possible[order])
        return Departures(**rows, likelihood=whole)
    return found

shuffled_cadence, shuffled_volume = shuffled(cadence), shuffled(volume)
'''


@pytest.fixture(params=[*DEFINITIONS, OWN])
def define(request, tmp_path, monkeypatch):
    (tmp_path / "own_definition.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return definition(request.param)


@pytest.fixture(scope="module")
def mixed():
    """1,200 clients: most steady; of the rest a third each stop, fade, or keep a third."""
    rng = np.random.default_rng(1)
    rate = np.repeat(rng.gamma(4, 0.6, (1200, 1)).clip(1), MONTHS, axis=1)
    kind = np.where(np.arange(1200) % 12 < 9, 0, np.arange(1200) % 12 - 8)
    onset = rng.integers(14, 25, 1200)
    since = np.arange(MONTHS) - onset[:, None]
    at_once = np.where(since < 0, 0, np.where(since == 0, 0.5, 1))
    fading = np.where(since < 0, 0, (since + 0.5) / 4).clip(0, 1)
    fallen = np.select(
        [kind[:, None] == k for k in range(4)], [0 * at_once, at_once, fading, 0.67 * at_once]
    )
    orders = order_days(rate * (1 - fallen), seed=0, regular=3)
    return orders, kind, onset


def test_spells_are_sound(define, mixed):
    act = activity(mixed[0], MONTHS)
    found = define(act)
    assert (found.begin >= act.first[found.client]).all()
    assert (found.begin < found.end).all()
    assert (found.end <= MONTHS).all()
    gone = found.onset >= 0
    assert gone.any()
    assert (found.onset[gone] <= found.declared[gone]).all()  # seen after it began, never before
    assert (found.declared[gone] < MONTHS).all()
    assert (found.onset[gone] >= found.begin[gone]).all()
    assert (found.low[gone] <= found.onset[gone]).all()
    assert (found.onset[gone] <= found.high[gone]).all()


@pytest.mark.parametrize("name", ["cadence", "volume"])
def test_the_order_of_an_own_definition_s_rows_does_not_matter(name, mixed, tmp_path, monkeypatch):
    (tmp_path / "own_definition.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    act = activity(mixed[0], MONTHS)
    plain, own = DEFINITIONS[name](act), definition(f"own_definition:shuffled_{name}")(act)
    for part in ("client", "begin", "end", "onset", "low", "high", "declared"):
        assert np.array_equal(getattr(plain, part), getattr(own, part))
    if name == "volume":
        assert np.array_equal(plain.watched, own.watched)
    else:
        assert np.array_equal(plain.likelihood.log_ratio, own.likelihood.log_ratio)
        assert np.array_equal(plain.likelihood.possible, own.likelihood.possible)


@pytest.mark.parametrize("as_of", [20, 27])
def test_what_comes_later_changes_nothing_before(define, mixed, as_of):
    """A review of an old quarter must read as it did then."""
    orders = mixed[0]
    early = define(activity(cut_off(orders, as_of), as_of))
    later = cut_off(orders, MONTHS).iloc[::-1].sort_values(["client", "day"], ignore_index=True)
    again = define(activity(cut_off(later, as_of), as_of))
    for name in ("client", "begin", "end", "onset", "declared"):
        assert np.array_equal(getattr(early, name), getattr(again, name))
    assert (early.onset < as_of).all()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    clients=st.integers(1, 25),
    months=st.integers(1, 40),
    rate=st.floats(0.02, 12),
    seed=st.integers(0, 2**20),
)
def test_any_order_book_can_be_read(define, clients, months, rate, seed):
    orders = order_days(np.full((clients, months), rate), seed)
    if orders.empty:
        return
    found = define(activity(orders, months))
    if isinstance(found, Skipped):
        assert found.reason.endswith(".")
        return
    assert isinstance(found, Departures)
    assert ((found.onset >= -1) & (found.onset < months)).all()
    if found.likelihood is not None:
        assert not np.isnan(found.likelihood.log_ratio).any()


def test_steady_clients_are_not_called_gone(define, mixed):
    orders, kind, _ = mixed
    act = activity(orders, MONTHS)
    ids = np.sort(orders["client"].unique())
    first = by_client(act, define(act), len(ids))
    assert (first[kind[ids] == 0] < MONTHS).mean() < 0.05


@pytest.mark.parametrize(("left", "share"), [(1, 0.95), (2, 0.95), (3, 0.8)])
def test_the_default_dates_who_stops_fades_or_keeps_a_third(mixed, left, share):
    orders, kind, onset = mixed
    act = activity(orders, MONTHS)
    ids = np.sort(orders["client"].unique())
    first = by_client(act, DEFINITIONS["cadence"](act), len(ids))
    these = kind[ids] == left
    error = (first - onset[ids])[these & (first < MONTHS)]
    assert (first[these] < MONTHS).mean() >= share
    assert abs(np.median(error)) <= 1
    assert (np.abs(error) <= 2).mean() >= 0.8


def test_intervals_hold_the_truth(mixed):
    orders, kind, onset = mixed
    act = activity(orders, MONTHS)
    ids = np.sort(orders["client"].unique())
    found = DEFINITIONS["cadence"](act)
    gone = (found.onset >= 0) & (kind[ids][found.client] > 0)
    truth = onset[ids][found.client[gone]]
    held = (found.low[gone] <= truth) & (truth <= found.high[gone])
    assert 0.88 <= held.mean() <= 1


def test_regular_buyers_are_judged_sooner_than_irregular_ones():
    rate = np.ones((1000, MONTHS))
    rate[:100, 24:] = 0
    regular = np.where(np.arange(1000) % 2, 12.0, 1.0)
    act = activity(order_days(rate, seed=3, regular=regular), MONTHS)
    found = DEFINITIONS["silence"](act)
    gone = (found.declared >= 24) & (found.client < 100)
    clockwork = regular[found.client] > 1
    declared = found.declared
    assert declared[gone & clockwork].mean() < declared[gone & ~clockwork].mean() - 1


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_blank_month_of_a_clockwork_buyer_is_no_departure(name):
    """Orders every two months, give or take half a month: some gaps leave two months blank."""
    act = activity(order_days(np.full((600, MONTHS), 0.5), seed=8, regular=12), MONTHS)
    first = by_client(act, DEFINITIONS[name](act), 600)
    assert (first < MONTHS).mean() <= 0.02


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_christmas_trade_is_not_gone_in_march(name):
    """Three clients in a hundred order from October to December only; the data end in March."""
    rate = np.full((2000, MONTHS), 1.8)
    season = np.repeat([0.0, 3.0, 5.0, 4.0, 0.0], [6, 1, 1, 1, 3])  # April to March
    rate[:60] = np.tile(season, 3)
    orders = order_days(rate, seed=4)
    ids = np.sort(orders["client"].unique())
    act = activity(orders, MONTHS)
    first = by_client(act, DEFINITIONS[name](act), len(ids))
    assert (first[ids < 60] < MONTHS).mean() <= 0.05


def test_a_christmas_trade_that_stays_away_is_gone():
    rate = np.full((2000, MONTHS), 1.8)
    rate[:60] = np.tile(np.repeat([0.0, 3.0, 5.0, 4.0, 0.0], [6, 1, 1, 1, 3]), 3)
    rate[:30, 24:] = 0
    orders = order_days(rate, seed=5)
    act = activity(orders, MONTHS)
    first = by_client(act, DEFINITIONS["cadence"](act), orders["client"].nunique())
    assert (first[:30] < MONTHS).mean() >= 0.8
    assert (first[30:60] < MONTHS).mean() <= 0.05


def test_who_comes_back_starts_a_new_spell():
    rate = np.full((400, MONTHS), 2.0)
    rate[:40, 14:26] = 0
    act = activity(order_days(rate, seed=6, regular=3), MONTHS)
    client, begin, end = spells(act, 7.0)
    count = np.bincount(client, minlength=400)
    assert (count[:40] >= 2).all()
    assert (count[40:] == 1).mean() >= 0.95
    second = (client < 40) & (begin > 0) & (end == MONTHS)
    assert abs(np.median(begin[second]) - 26) <= 1


def test_who_gives_up_its_main_categories_has_left_by_basket():
    """Sixty of 600 clients order as often as before, but from one of three categories alone."""
    orders = order_days(np.full((600, MONTHS), 2.5), seed=9, regular=2)
    home = orders["category"] == (orders["client"] + 2) % 6
    narrowed = (orders["client"] < 60) & (orders["month"] >= 20) & ~home
    orders["category"] = orders["category"].mask(narrowed, (orders["client"] + 2) % 6)
    act = activity(orders, MONTHS)
    first = by_client(act, DEFINITIONS["basket"](act), 600)
    assert (first[:60] < MONTHS).mean() >= 0.9
    assert (np.abs(first[:60] - 20) <= 2)[first[:60] < MONTHS].mean() >= 0.8
    assert (first[60:] < MONTHS).mean() <= 0.04  # in three years
    blind = by_client(act, DEFINITIONS["silence"](act), 600)
    assert (blind[:60] < MONTHS).mean() <= 0.1


def test_without_categories_nobody_leaves_by_basket():
    orders = order_days(np.full((50, MONTHS), 2.0), seed=9)
    told = activity(orders, MONTHS)
    one = activity(orders.assign(category=0), MONTHS)
    for act in (replace(told, baskets=None), one):
        found = DEFINITIONS["basket"](act)
        assert isinstance(found, Skipped)
        assert "categor" in found.reason


def test_one_in_ten_of_those_called_gone_by_p_alive_is_there_still():
    """Clients as the model has them: Poisson buyers who leave for good after some order."""
    rng = np.random.default_rng(12)
    rate = rng.gamma(2, 0.7, 4000).clip(0.2)
    stays = rng.geometric(rng.beta(1, 12, 4000).clip(0.01))  # orders until it leaves
    orders = order_days(np.repeat(rate[:, None], MONTHS, axis=1), seed=13)
    nth = orders.groupby("client").cumcount()
    orders = orders[nth < stays[orders["client"]]].reset_index(drop=True)
    ids = np.sort(orders["client"].unique())
    act = activity(orders, MONTHS)
    found = DEFINITIONS["p_alive"](act)
    ended = act.days >= stays[ids]
    gone = found.onset >= 0
    false = ~ended[found.client] | (found.onset < act.last[found.client])
    assert gone.sum() > 500
    assert 0.04 <= false[gone].mean() <= 0.11


def test_an_unknown_definition_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no churn definition 'cadance'.*'cadence'"):
        definition("cadance")


def test_who_orders_less_often_but_more_each_time_has_not_left_in_part():
    """And who orders half as often for the same amount each time has."""
    rate = np.full((900, MONTHS), 3.0)
    rate[:300, 18:] *= 0.4
    orders = order_days(rate, seed=11)
    larger = (orders["client"] < 150) & (orders["month"] >= 18)
    orders["amount"] *= np.where(larger, 1 / 0.4, 1.0)
    act = activity(orders, MONTHS)
    ids = np.sort(orders["client"].unique())
    gone = by_client(act, DEFINITIONS["cadence"](act), len(ids)) < MONTHS
    assert gone[ids < 150].mean() <= 0.1
    assert gone[(ids >= 150) & (ids < 300)].mean() >= 0.7


def test_an_order_split_into_smaller_ones_is_no_departure():
    rate = np.full((600, MONTHS), 1.5)
    rate[:100, 18:] *= 2.5
    orders = order_days(rate, seed=12)
    smaller = (orders["client"] < 100) & (orders["month"] >= 18)
    orders["amount"] *= np.where(smaller, 0.4, 1.0)
    act = activity(orders, MONTHS)
    ids = np.sort(orders["client"].unique())
    gone = by_client(act, DEFINITIONS["cadence"](act), len(ids)) < MONTHS
    assert gone[ids < 100].mean() <= 0.1


def test_a_market_that_shrinks_by_a_third_is_no_wave_of_departures():
    rate = np.random.default_rng(6).gamma(4, 0.8, (600, 1)).clip(1.5)
    falls = np.where(np.arange(MONTHS) < 18, 1.0, 0.68)
    found = definition("cadence")(activity(order_days(rate * falls, seed=7, regular=2), MONTHS))
    assert (found.onset >= 0).mean() < 0.06


def _consolidated(part: float, seed: int):
    """Orders of 900 clients; from month 20 on a third of them order so much rarer, and larger."""
    rate = np.full((900, MONTHS), 2.5)
    rate[:300, 20:] *= part
    orders = order_days(rate, seed=seed, regular=3)
    larger = (orders["client"] < 300) & (orders["month"] >= 20)
    return orders.assign(amount=orders["amount"] * np.where(larger, 1 / part, 1.0))


@pytest.mark.parametrize("name", ["cadence", "volume"])
@pytest.mark.parametrize("part", [0.25, 0.4])
def test_who_orders_rarer_and_as_much_larger_has_not_left(name, part):
    orders = _consolidated(part, seed=11)
    act = activity(orders, MONTHS)
    first = by_client(act, DEFINITIONS[name](act), 900)
    gone = (first >= 17) & (first < MONTHS)
    assert gone[:300].mean() <= gone[300:].mean() + 0.06


def test_who_orders_rarer_and_no_larger_has_left_in_part():
    orders = _consolidated(0.25, seed=12).assign(amount=50.0)
    act = activity(orders, MONTHS)
    first = by_client(act, DEFINITIONS["cadence"](act), 900)
    assert ((first[:300] >= 18) & (first[:300] <= 22)).mean() >= 0.9


def test_a_silence_that_was_made_up_for_ends_no_spell():
    orders = _consolidated(0.25, seed=13)
    larger = activity(orders, MONTHS)
    as_before = activity(orders.assign(amount=50.0), MONTHS)
    made_up, lost = (np.bincount(spells(a, 6.0)[0], minlength=900) for a in (larger, as_before))
    assert made_up[:300].mean() - 1 < 0.6 * (lost[:300].mean() - 1)
