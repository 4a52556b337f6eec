"""Play a planted world and write its tables, with the truth beside them."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from churnlens.simulate import leaving as departures
from churnlens.simulate import names, records, scopes
from churnlens.simulate.clients import MONTH, YEAR, Bools, Floats
from churnlens.simulate.draft import draw
from churnlens.simulate.leaving import Leaving
from churnlens.simulate.plan import Cause, Plan, Remedy
from churnlens.simulate.records import Columns
from churnlens.simulate.truth import TrueCause, TrueRemedy, Truth
from churnlens.simulate.worlds import recipe

Format = Literal["csv.gz", "parquet"]


@dataclass(frozen=True)
class World:
    """A world that has been played: its tables and its truth."""

    orders: Columns
    clients: Columns
    events: Columns
    remedies: Columns
    truth: Truth
    truth_clients: Columns


def play(world: str, clients: int | None, seed: int, strength: float = 1.0) -> World:
    """Draw a world and let it run.

    Parameters
    ----------
    world
        A name from `RECIPES`.
    clients
        How many; None draws a number (the model case has 700).
    seed
        The same world, clients, seed and strength give the same bytes.
    strength
        1 is plain to see; the caused departure rate is proportional to it.

    Raises
    ------
    ConfigError
        When there is no such world.
    """
    plan = draw(world, clients, seed, strength)
    chance = _chances(plan)
    streams = records.event_streams(plan, chance["events"])
    wanted = records.order_stream(plan, chance["orders"])
    first = _first_order(plan, wanted)
    felt, untreated = _exposures(plan, streams)
    leaving = departures.run(plan, chance["leaving"], felt, untreated, first)
    if recipe(world).remedy == "trough":
        plan = dataclasses.replace(plan, remedy=_at_the_trough(plan, leaving))
    here = np.isfinite(first) & (first < leaving.closed)
    points = records.placed(leaving, wanted, chance["fading"])
    orders = records.orders(plan, leaving, points, chance["columns"])
    events = records.events(plan, leaving, streams, chance["contact"])
    return World(
        orders=orders,
        clients=_clients(plan, leaving, here, chance["books"]),
        events={name: values[_known(events, plan, here)] for name, values in events.items()},
        remedies=_remedies(plan),
        truth=_truth(plan, leaving, len(orders["order_id"]), int(here.sum())),
        truth_clients=_truth_clients(plan, leaving, here),
    )


def write_world(
    out: Path,
    world: str,
    clients: int | None,
    seed: int,
    *,
    strength: float = 1.0,
    file_format: Format = "csv.gz",
) -> Truth:
    """Write a planted world: orders, clients, events, remedies where there are, and the truth.

    Parameters
    ----------
    out
        Folder, made where it is missing. `orders` is written in `file_format`, the rest as CSV.
    world, clients, seed, strength
        As for `play`.

    Raises
    ------
    ConfigError
        When there is no such world.
    """
    played = play(world, clients, seed, strength)
    out.mkdir(parents=True, exist_ok=True)
    for left_over in ("orders.csv", "orders.csv.gz", "orders.parquet", "remedies.csv"):
        (out / left_over).unlink(missing_ok=True)  # of another world written here before
    _write(out / f"orders.{file_format}", played.orders)
    _write(out / "clients.csv", played.clients)
    _write(out / "events.csv", played.events)
    if played.remedies:
        _write(out / "remedies.csv", played.remedies)
    _write(out / "truth_clients.csv", played.truth_clients)
    (out / "truth.json").write_text(played.truth.to_json(), encoding="utf-8")
    return played.truth


def _write(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as arrow_parquet

    table = pa.table({name: _arrow(pa, values) for name, values in columns.items()})
    if path.suffix == ".parquet":
        arrow_parquet.write_table(table, path)
    elif path.suffix == ".gz":
        with pa.CompressedOutputStream(str(path), "gzip") as stream:
            arrow_csv.write_csv(table, stream, _csv_options(arrow_csv))
    else:
        arrow_csv.write_csv(table, str(path), _csv_options(arrow_csv))


def _csv_options(arrow_csv: Any) -> Any:
    return arrow_csv.WriteOptions(quoting_style="none")


def _arrow(pa: Any, values: Any) -> Any:
    """Turn empty text and NaN into missing."""
    if values.dtype.kind == "U":
        return pa.array(values.astype(object), type=pa.string(), mask=values == "")
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values))
    return pa.array(values)


# -- playing ---------------------------------------------------------------------------------------


def _chances(plan: Plan) -> dict[str, np.random.Generator]:
    """Give each part a source of chance of its own."""
    parts = ("events", "leaving", "orders", "fading", "columns", "contact", "books")
    key = zlib.crc32(plan.world.encode())
    return {p: np.random.default_rng([plan.seed, key, i + 1]) for i, p in enumerate(parts)}


def _exposures(plan: Plan, streams: dict[str, records.Stream]) -> tuple[list[Floats], Floats]:
    """Exposure as felt, for each cause; and the first cause's had there been no remedy."""
    felt = [_felt(plan, c, c.move, streams, i) for i, c in enumerate(plan.causes)]
    if not felt:
        return [], np.zeros((0, 0))
    first = plan.causes[0]
    untreated = dataclasses.replace(first.move, remedy=None)
    return felt, _felt(plan, first, untreated, streams, 0)


def _felt(
    plan: Plan, cause: Cause, move: Any, streams: dict[str, records.Stream], place: int
) -> Floats:
    chance = np.random.default_rng([plan.seed, 77, place])
    if cause.via is not None:
        return records.felt_events(plan, cause, streams[cause.via], chance)
    return departures.felt(plan, cause, move, chance)


def _first_order(plan: Plan, points: records.Stream) -> Floats:
    first = np.full(len(plan.clients), np.inf)
    np.minimum.at(first, points.client, points.day)
    return first


def _known(events: Columns, plan: Plan, here: Bools) -> Bools:
    """Events of clients that ever ordered."""
    return np.isin(events["client_id"], plan.clients.ids[here])


def _at_the_trough(plan: Plan, leaving: Leaving) -> Remedy:
    """Start a remedy that does nothing where and when chance had been worst."""
    worst: tuple[float, float, Any] = (-np.inf, 0.0, {})
    days = np.arange(0.5 * plan.days, plan.days - 7 * MONTH, MONTH)
    for scope, members in scopes.of_share(scopes.candidates(plan.clients), 0.08, 0.4):
        onset = leaving.onset[members]
        seen = ((onset[None, :] > days[:, None] - 120) & (onset[None, :] <= days[:, None])).sum(1)
        usual = np.isfinite(onset).sum() * 120 / plan.days
        excess = (seen - usual) / np.sqrt(max(usual, 1.0))
        if len(days) and excess.max() > worst[0]:
            worst = (float(excess.max()), float(days[excess.argmax()]), scope)
    chance = np.random.default_rng([plan.seed, 78])
    action = names.pick(chance, names.ACTIONS)
    return Remedy(action, worst[2], worst[1], 0.0, MONTH, None, "trough")


# -- tables ----------------------------------------------------------------------------------------


def _date(plan: Plan, day: float) -> str:
    return str(plan.start + int(np.floor(day)))


def _dates_or_blank(plan: Plan, day: Floats) -> Any:
    known = np.isfinite(day)
    dates = plan.start + np.where(known, np.floor(day), 0).astype("timedelta64[D]")
    return np.where(known, dates.astype(str), "")


def _clients(plan: Plan, leaving: Leaving, here: Bools, rng: np.random.Generator) -> Columns:
    book = plan.clients
    reason = rng.choice(np.array(names.CLOSED), len(book))
    columns: Columns = {
        "client_id": book.ids,
        "signup_date": _dates_or_blank(plan, book.entry),
        "closed_on": _dates_or_blank(plan, leaving.closed),
        "closed_reason": np.where(np.isfinite(leaving.closed), reason, ""),
        **book.attributes,
        book.numeric_name: book.numeric.astype(int),
    }
    return {name: values[here] for name, values in columns.items()}


def _remedies(plan: Plan) -> Columns:
    if plan.remedy is None:
        return {}
    scope = {a: np.array(["|".join(v)]) for a, v in plan.remedy.scope.items()}
    return {
        "action": np.array([plan.remedy.action]),
        "start_date": np.array([_date(plan, plan.remedy.day)]),
        "owner": np.array(["operations"]),
        **scope,
    }


# -- truth -----------------------------------------------------------------------------------------


def _truth(plan: Plan, leaving: Leaving, orders: int, clients: int) -> Truth:
    roles = {s.driver for s in plan.symptoms} | set(plan.mediators)
    roles |= {c.move.driver for c in plan.causes if c.move.driver}
    innocent = tuple(name for name in plan.drivers if name not in roles)
    expected = leaving.expected_any if plan.causes else 0.0
    return Truth(
        scenario=plan.world,
        seed=plan.seed,
        causes=tuple(_true_cause(plan, leaving, i) for i in range(len(plan.causes))),
        caused_departures=float(_net(leaving, -1).sum()),
        departures=int(leaving.leaves.sum()),
        symptoms=tuple(s.driver for s in plan.symptoms),
        innocent=innocent,
        caused_departures_expected=round(expected, 2),
        revenue_lost_per_year=_lost(plan, leaving, _net(leaving, -1)),
        mediators=plan.mediators,
        twins=plan.twins,
        remedies=_true_remedies(plan, leaving),
        mix=plan.oddities.newcomers,
        clients=clients,
        orders=orders,
        first_date=str(plan.start),
        last_date=_date(plan, plan.days - 1),
        strength=plan.strength,
        about=recipe(plan.world).about,
        parameters=_parameters(plan),
    )


def _net(leaving: Leaving, place: int) -> Floats:
    """Per client: 1 if it leaves within the data only because of a cause (-1: of any)."""
    without = np.isfinite(leaving.without[place])
    return np.asarray(leaving.leaves.astype(float) - without)


def _lost(plan: Plan, leaving: Leaving, net: Floats) -> float:
    yearly = plan.clients.rate * YEAR * plan.clients.basket
    return round(float((net * yearly * (1 - leaving.keep)).sum()), 2)


def _true_cause(plan: Plan, leaving: Leaving, place: int) -> TrueCause:
    cause = plan.causes[place]
    recorded = cause.move.driver is not None
    rises = _date(plan, leaving.rises[place])
    moved = _date(plan, cause.move.day)
    net = _net(leaving, place)
    kind = "standing" if cause.standing else "shift" if recorded else "unexplained"
    return TrueCause(
        driver=cause.move.driver,
        scope=cause.move.scope,
        onset=None if cause.standing else moved if recorded else rises,
        direction=cause.direction if recorded else None,
        departures_onset=None if cause.standing else rises,
        kind=kind,
        caused_departures=float(net.sum()),
        caused_departures_expected=round(float(leaving.expected[place]), 2),
        revenue_lost_per_year=_lost(plan, leaving, net),
        mediators=(cause.via,) if cause.via else (),
    )


def _true_remedies(plan: Plan, leaving: Leaving) -> tuple[TrueRemedy, ...]:
    remedy = plan.remedy
    if remedy is None:
        return ()
    ratio = 1.0 if leaving.remedy_ratio is None else leaving.remedy_ratio
    return (
        TrueRemedy(
            action=remedy.action,
            scope=remedy.scope,
            start=_date(plan, remedy.day),
            verdict="worked" if remedy.cut > 0 else "did_not",
            risk_ratio=round(ratio, 4),
            kind=remedy.kind,
        ),
    )


def _parameters(plan: Plan) -> dict[str, float]:
    return {
        "baseline_departures_per_client_year": round(plan.baseline, 4),
        "fade_months": round(plan.fade / MONTH, 2),
        "reaction_months": round(plan.reaction / MONTH, 2),
        "partial_share": round(plan.partial, 3),
        "season": round(plan.oddities.season, 3),
        "months": round(plan.days / MONTH, 1),
    }


def _names_of(plan: Plan) -> Any:
    """Name the causes by index; the last two are for those who stay and for no cause."""
    named = [cause.move.driver or "unrecorded" for cause in plan.causes]
    return np.array([*named, "", ""])


def _truth_clients(plan: Plan, leaving: Leaving, here: Bools) -> Columns:
    kind = np.where(leaving.keep > 0, "shrunk", "lapsed")
    kind = np.where(leaving.leaves, kind, np.where(np.isfinite(leaving.closed), "closed", ""))
    kind = np.where(plan.clients.one_off, "one_off", kind)
    day = np.where(leaving.leaves, leaving.onset, leaving.closed)
    columns: Columns = {
        "client_id": plan.clients.ids,
        "onset_date": _dates_or_blank(plan, day),
        "kind": kind,
        "caused": (leaving.leaves & ~np.isfinite(leaving.without[-1])).astype(int),
        "cause": _names_of(plan)[leaving.by],
        "share_kept": np.round(leaving.keep, 3),
        "fade_days": np.round(leaving.fade).astype(int),
    }
    return {name: values[here] for name, values in columns.items()}
