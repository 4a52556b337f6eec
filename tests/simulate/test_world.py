"""Planted worlds: the same by seed, and a truth that agrees with the data."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from churnlens.errors import ConfigError
from churnlens.simulate import RECIPES, World, play, read_truth, write_world

CAUSES = [name for name, made in RECIPES.items() if made.causes]
MONTH = pd.Timedelta(days=30.44)


@pytest.fixture(scope="module")
def model_case() -> World:
    return play("approval", None, 7)


def frame(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def inside(world: World, scope: dict[str, tuple[str, ...]]) -> np.ndarray:
    members = np.ones(len(world.clients["client_id"]), dtype=bool)
    for attribute, values in scope.items():
        members &= np.isin(world.clients[attribute], list(values))
    return members


def driver_by_side(world: World, name: str, scope: dict[str, tuple[str, ...]], day: str) -> list:
    """Mean of a driver: in the scope before and after a day, outside before and after."""
    ids = world.clients["client_id"][inside(world, scope)]
    if name in world.orders:
        rows = frame({k: world.orders[k] for k in ("client_id", "order_date", name)})
        level = rows.set_axis(["id", "date", "level"], axis=1)
    else:
        rows = frame({k: world.events[k] for k in ("client_id", "event_date", "event_type")})
        rows = rows[rows["event_type"] == name]
        level = pd.DataFrame({"id": rows["client_id"], "date": rows["event_date"], "level": 1.0})
    late = level["date"] >= pd.Timestamp(day)
    member = level["id"].isin(ids)
    if name in world.orders:
        return [level["level"][m & w].mean() for m in (member, ~member) for w in (~late, late)]
    begin, end = level["date"].min(), level["date"].max()
    days = [(pd.Timestamp(day) - begin).days, (end - pd.Timestamp(day)).days]
    return [
        (m & w).sum() / d
        for m in (member, ~member)
        for w, d in zip((~late, late), days, strict=True)
    ]


@pytest.mark.parametrize("world", RECIPES)
def test_every_world_can_be_played_and_its_truth_names_what_is_there(world: str) -> None:
    played = play(world, 400, 3)
    drivers = set(played.orders) | set(played.events["event_type"])
    truth = played.truth
    named = {*truth.symptoms, *truth.innocent, *truth.mediators, *truth.twins}
    named |= {c.driver for c in truth.causes if c.driver}
    assert named <= drivers
    assert bool(truth.causes) == (world in CAUSES)
    assert truth.clients == len(played.clients["client_id"]) <= 400
    for cause in truth.causes:
        assert inside(played, cause.scope).sum() >= 20
        assert set(truth.symptoms).isdisjoint({cause.driver})


def test_the_same_seed_gives_the_same_bytes(tmp_path) -> None:
    for place in ("one", "two"):
        write_world(tmp_path / place, "two_causes", 200, 5)
    write_world(tmp_path / "three", "two_causes", 200, 6)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == [
        "clients.csv", "events.csv", "orders.csv.gz", "truth.json", "truth_clients.csv",
    ]  # fmt: skip
    for name in files:
        one, two, three = ((tmp_path / p / name).read_bytes() for p in ("one", "two", "three"))
        assert one == two
        assert one != three


def test_a_world_can_be_written_as_parquet(tmp_path) -> None:
    truth = write_world(tmp_path, "quiet", 200, 1, file_format="parquet")
    orders = pd.read_parquet(tmp_path / "orders.parquet")
    assert len(orders) == truth.orders
    assert truth == read_truth(tmp_path / "truth.json")


def test_a_world_leaves_nothing_of_the_one_before_it(tmp_path) -> None:
    write_world(tmp_path, "approval_mended", 60, 1, file_format="parquet")
    assert (tmp_path / "remedies.csv").exists()
    write_world(tmp_path, "quiet", 60, 1)
    assert not (tmp_path / "remedies.csv").exists()
    assert [p.name for p in tmp_path.glob("orders.*")] == ["orders.csv.gz"]


def test_names_are_drawn_but_for_the_model_case() -> None:
    drawn = {frozenset(play("procedure", 200, seed).orders) for seed in range(4)}
    assert len(drawn) == 4
    assert play("approval", 200, 1).truth.causes[0].driver == "approval_days"
    assert play("approval", 200, 2).truth.causes[0].scope == {"size": ("key",)}


def test_the_driver_moves_in_its_scope_at_its_day(model_case: World) -> None:
    cause = model_case.truth.causes[0]
    before, after, outside_before, outside_after = driver_by_side(
        model_case, cause.driver, cause.scope, cause.onset
    )
    assert after > 1.4 * before
    assert outside_after == pytest.approx(outside_before, rel=0.05)


def test_fewer_visits_are_fewer() -> None:
    world = play("fewer_visits", 1500, 2)
    cause = world.truth.causes[0]
    assert cause.direction == "less"
    before, after, *_ = driver_by_side(world, cause.driver, cause.scope, cause.onset)
    assert after < 0.75 * before


@pytest.mark.parametrize("world", ["approval", "standing", "two_causes", "complaints"])
def test_caused_departures_are_the_difference_to_the_world_without(world: str) -> None:
    played = play(world, 1500, 4)
    truth, clients = played.truth, frame(played.truth_clients)
    assert truth.caused_departures == clients["caused"].sum() > 0
    assert truth.departures == clients["kind"].isin(["lapsed", "shrunk"]).sum()
    expected = truth.caused_departures_expected
    assert truth.caused_departures == pytest.approx(expected, abs=4 * np.sqrt(expected))
    affected = inside(played, truth.causes[0].scope)
    for other in truth.causes[1:]:
        affected |= inside(played, other.scope)
    assert clients["caused"][~affected].sum() == 0


def test_strength_makes_the_rise_and_nothing_else() -> None:
    strong, weak = (play("lateness", 1500, 8, strength) for strength in (1.0, 0.3))
    assert 0 < weak.truth.caused_departures < 0.6 * strong.truth.caused_departures
    assert weak.truth.causes[0].scope == strong.truth.causes[0].scope
    assert play("lateness", 1500, 8, 0.0).truth.caused_departures == 0


def test_ordering_falls_from_the_onset_on(model_case: World) -> None:
    clients = frame(model_case.truth_clients).set_index("client_id")
    orders = frame(model_case.orders).query("amount > 0")
    onset = pd.to_datetime(clients["onset_date"].reindex(orders["client_id"]).to_numpy())
    kind = clients["kind"].reindex(orders["client_id"]).to_numpy()
    since = orders["order_date"].to_numpy() - onset.to_numpy()
    half_year = pd.Timedelta(days=183)

    def orders_between(low: pd.Timedelta, high: pd.Timedelta, which: str) -> int:
        return int(((since >= low) & (since < high) & (kind == which)).sum())

    usual = orders_between(-half_year, pd.Timedelta(0), "lapsed")
    assert orders_between(half_year, 2 * half_year, "lapsed") < 0.1 * usual
    partly = orders_between(half_year, 2 * half_year, "shrunk")
    assert 0 < partly < 0.8 * orders_between(-half_year, pd.Timedelta(0), "shrunk")


def test_symptoms_follow_the_onset(model_case: World) -> None:
    clients = frame(model_case.truth_clients).set_index("client_id")
    events = frame(model_case.events).query("event_type == 'visit'")
    left = clients[clients["kind"] == "shrunk"]
    onset = pd.to_datetime(left["onset_date"].reindex(events["client_id"]).to_numpy())
    since = (events["event_date"].to_numpy() - onset.to_numpy()) / MONTH
    before = ((since >= -6) & (since < 0)).sum() / 6
    at_once = ((since >= 0) & (since < 1)).sum()
    after = ((since >= 2) & (since < 5)).sum() / 3
    assert after > 1.5 * before
    assert at_once < 1.3 * before


def test_the_decoy_moves_and_does_nothing(model_case: World) -> None:
    quiet = play("quiet_nobody_minds", 1500, 5)
    assert quiet.truth.caused_departures == 0
    assert quiet.truth.innocent
    assert set(model_case.truth.innocent) & set(model_case.orders)


def test_twins_move_together() -> None:
    world = play("twin_same", 1500, 1)
    one, two = world.truth.twins
    cause = world.truth.causes[0]
    assert cause.driver in (one, two)
    for name in (one, two):
        before, after, *_ = driver_by_side(world, name, cause.scope, cause.onset)
        assert after > 1.2 * before


def test_an_unrecorded_cause_has_no_driver_and_is_dated_by_the_departures() -> None:
    cause = play("unrecorded", 1000, 1).truth.causes[0]
    assert cause.driver is None
    assert cause.onset == cause.departures_onset
    assert cause.kind == "unexplained"


def test_a_standing_cause_has_no_date() -> None:
    assert play("standing", 1000, 1).truth.causes[0].onset is None


@pytest.mark.parametrize(
    ("world", "verdict"),
    [
        ("remedy_partial", "worked"),
        ("remedy_announced", "did_not"),
        ("remedy_trough", "did_not"),
    ],
)
def test_remedies_do_what_the_truth_says(world: str, verdict: str) -> None:
    played = play(world, 2000, 2)
    remedy = played.truth.remedies[0]
    assert remedy.verdict == verdict
    assert (remedy.risk_ratio < 0.9) == (verdict == "worked")
    assert played.remedies["start_date"][0] == remedy.start
    for attribute, values in remedy.scope.items():
        assert played.remedies[attribute][0] == "|".join(values)


def test_the_gap_the_recall_and_the_one_off_buyers_are_in_the_data() -> None:
    gap = frame(play("quiet_gap", 800, 1).orders)
    weekly = gap.groupby(gap["order_date"].dt.to_period("W")).size()
    assert weekly.min() < 0.85 * weekly.median()
    recall = frame(play("quiet_recall", 800, 1).orders)
    back = recall[recall["amount"] < 0].groupby(recall["order_date"].dt.to_period("M")).size()
    assert back.max() > 3 * back.median()
    one_off = frame(play("quiet_one_off", 800, 1).truth_clients)
    assert (one_off["kind"] == "one_off").mean() > 0.03


def test_an_unknown_world_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'lateness'"):
        play("latenes", None, 0)


def test_small_books_can_be_planted() -> None:
    assert dataclasses.asdict(play("two_causes", 60, 0).truth)["clients"] <= 60
