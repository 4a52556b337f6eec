"""What the firm's books show of a planted world: orders and events, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churnlens.simulate import names
from churnlens.simulate.clients import MONTH, YEAR, Bools, Clients, Floats, Ints
from churnlens.simulate.leaving import STEP, Leaving, grid
from churnlens.simulate.plan import Cause, Driver, Plan, Symptom

Columns = dict[str, Any]  # one numpy array a column, any dtype


@dataclass(frozen=True)
class Stream:
    """Points in time of many clients, sorted by client and day."""

    client: Ints
    day: Floats
    extra: Bools  # would not be there without the driver's move

    def where(self, kept: Bools) -> Stream:
        """Keep some of the points."""
        return Stream(self.client[kept], self.day[kept], self.extra[kept])


def _poisson(rng: np.random.Generator, rate: Floats, begin: Floats, end: Floats) -> Stream:
    """Draw a Poisson process for each client between two days; rates are a day."""
    length = np.maximum(end - begin, 0.0)
    client = np.repeat(np.arange(len(rate)), rng.poisson(rate * length))
    day = begin[client] + rng.random(len(client)) * length[client]
    order = np.lexsort((day, client))
    return Stream(client[order], day[order], np.zeros(len(client), dtype=bool))


# -- events ----------------------------------------------------------------------------------------


def event_streams(plan: Plan, rng: np.random.Generator) -> dict[str, Stream]:
    """Every event driver's points as they would fall if nobody left."""
    return {
        name: _event_stream(plan, driver, rng)
        for name, driver in plan.drivers.items()
        if driver.is_event
    }


def _event_stream(plan: Plan, driver: Driver, rng: np.random.Generator) -> Stream:
    """Thin a process at the highest rate down to the rate of the day."""
    level = _client_level(plan, driver, rng)
    moves = [m for m in plan.moves if m.driver == driver.name]
    top = 1 + sum((max(m.size, 0) * m.dose for m in moves), np.zeros(len(level)))
    years = plan.days / YEAR
    highest = level * top * (1 + driver.trend * years) / MONTH
    begin = np.maximum(plan.clients.entry, 0.0)
    points = _poisson(rng, highest, begin, np.full(len(level), plan.days))
    drift = 1 + driver.trend * points.day / YEAR
    moved = np.maximum(_moved(plan, driver, points), 0.03)
    chance = rng.random(len(points.client)) * highest[points.client]
    plain = level[points.client] * drift / MONTH
    extra = chance >= plain
    return Stream(points.client, points.day, extra).where(chance < plain * moved)


def _client_level(plan: Plan, driver: Driver, rng: np.random.Generator) -> Floats:
    sigma = np.sqrt(np.log1p(driver.client_cv**2))
    level = driver.base * rng.lognormal(-(sigma**2) / 2, sigma, len(plan.clients))
    if driver.offset is not None:
        attribute, value, factor = driver.offset
        level = level * np.where(plan.clients.attributes[attribute] == value, factor, 1.0)
    return np.asarray(level)


def _moved(plan: Plan, driver: Driver, points: Stream) -> Floats:
    """Relative level at each point, after all moves of this driver."""
    relative = np.ones(len(points.client))
    for move in plan.moves:
        if move.driver == driver.name:
            relative = relative + move.size * move.share(points.client, points.day)
    return np.asarray(relative)


def felt_events(plan: Plan, cause: Cause, points: Stream, rng: np.random.Generator) -> Floats:
    """Dissatisfaction by complaints: the ones that the move brought about, felt late."""
    late = cause.lag * rng.uniform(0.7, 1.3, len(plan.clients))
    shown = points.where(points.extra)
    week = ((shown.day + late[shown.client]) // STEP).astype(int)
    inside = week < len(grid(plan))
    felt = np.zeros((len(plan.clients), len(grid(plan))))
    weight = plan.clients.sensitivity[shown.client]
    np.add.at(felt, (shown.client[inside], week[inside]), weight[inside])
    return felt


def events(
    plan: Plan, leaving: Leaving, streams: Mapping[str, Stream], rng: np.random.Generator
) -> Columns:
    """Return the rows of `events`: what fell while the client was there, and the symptoms."""
    parts: list[tuple[str, Stream]] = []
    last = _last_contact(plan, leaving, rng)
    for name, points in streams.items():
        here = points.day < last[points.client]
        if plan.drivers[name].per_order:
            here &= rng.random(len(here)) < _activity(leaving, points)
        parts.append((name, points.where(here)))
        rescues = [s for s in plan.symptoms if s.driver == name]
        parts.extend((name, _rescue(plan, s, leaving, rng)) for s in rescues)
    return _event_columns(plan, parts, rng)


def _last_contact(plan: Plan, leaving: Leaving, rng: np.random.Generator) -> Floats:
    """Contact ends a while after a whole departure, at once after a closing."""
    after = leaving.onset + leaving.fade + rng.uniform(0.5, 2.0, len(leaving.onset)) * MONTH
    whole = np.where(leaving.keep > 0, np.inf, after)
    quick = np.maximum(plan.clients.entry, 0) + 30
    return np.minimum(np.where(plan.clients.one_off, quick, whole), leaving.closed)


def _noticed(
    symptom: Symptom, leaving: Leaving, rng: np.random.Generator
) -> tuple[Bools, Floats, Floats]:
    """Whom a symptom happens to, from which day to which."""
    n = len(leaving.onset)
    begin = leaving.onset + rng.uniform(*symptom.delay, n)
    hit = leaving.leaves & (rng.random(n) < symptom.noticed)
    return hit, begin, begin + symptom.length


def _rescue(plan: Plan, symptom: Symptom, leaving: Leaving, rng: np.random.Generator) -> Stream:
    hit, begin, end = _noticed(symptom, leaving, rng)
    stop = np.where(leaving.keep > 0, np.inf, leaving.onset + leaving.fade + 2 * MONTH)
    end = np.minimum(np.minimum(end, stop), plan.days)
    rate = np.where(hit, symptom.size * plan.drivers[symptom.driver].base / MONTH, 0.0)
    return _poisson(rng, rate, np.where(hit, begin, 0.0), np.where(hit, end, 0.0))


def _event_columns(
    plan: Plan, parts: list[tuple[str, Stream]], rng: np.random.Generator
) -> Columns:
    if not parts:
        return {}
    client = np.concatenate([p.client for _, p in parts])
    day = np.concatenate([p.day for _, p in parts])
    kind = np.concatenate([np.full(len(p.client), name) for name, p in parts])
    value = np.full(len(client), np.nan)
    level = np.full(len(client), "", dtype="U16")
    for name in sorted({name for name, _ in parts}):
        driver, rows = plan.drivers[name], kind == name
        if driver.valued:
            value[rows] = np.round(rng.lognormal(3, 0.7, rows.sum()), 2)
        if driver.levels:
            level[rows] = rng.choice(np.array(driver.levels), rows.sum(), p=[0.15, 0.35, 0.5])
    order = np.lexsort((kind, client, np.floor(day)))
    return {
        "client_id": plan.clients.ids[client[order]],
        "event_date": _dates(plan, day[order]),
        "event_type": kind[order],
        "value": value[order],
        "level": level[order],
    }


# -- orders ----------------------------------------------------------------------------------------


def order_stream(plan: Plan, rng: np.random.Generator) -> Stream:
    """When orders would fall if nobody left: by season and regularity."""
    clients, top = plan.clients, 1 + plan.oddities.season
    begin = np.maximum(clients.entry, 0.0)
    end = np.where(clients.one_off, begin + 14, plan.days)
    shape = np.where(clients.one_off, 1, clients.regularity)
    rate = np.where(clients.one_off, 2.5 / 14, clients.rate)
    points = _poisson(rng, rate * shape * top, begin, np.minimum(end, plan.days))
    turn = 2 * np.pi * (points.day + _day_of_year(plan) - clients.peak[points.client]) / YEAR
    season = (1 + plan.oddities.season * np.cos(turn)) / top
    points = points.where(rng.random(len(points.day)) < season)
    return points.where(_every(points.client, shape, rng))


def placed(leaving: Leaving, points: Stream, rng: np.random.Generator) -> Stream:
    """Keep the orders that are placed although clients leave."""
    stays = rng.random(len(points.day)) < _activity(leaving, points)
    return points.where(stays & (points.day < leaving.closed[points.client]))


def _day_of_year(plan: Plan) -> int:
    return int((plan.start - plan.start.astype("datetime64[Y]")).astype(int))


def _every(client: Ints, shape: Ints, rng: np.random.Generator) -> Bools:
    """Keep every k-th point of a client: gaps become Erlang, buyers more regular."""
    first = np.searchsorted(client, np.arange(len(shape)))
    phase = rng.integers(0, shape)
    place = np.arange(len(client)) - first[client] + phase[client]
    return np.asarray(place % shape[client] == 0)


def _faded(leaving: Leaving, points: Stream) -> Floats:
    """Return how far a departure has come at each point, 0 before the onset and 1 at its end."""
    since = points.day - leaving.onset[points.client]
    come = np.clip(since / np.maximum(leaving.fade[points.client], 1.0), 0.0, 1.0)
    return np.where(np.isfinite(since), come, 0.0)


def _activity(leaving: Leaving, points: Stream) -> Floats:
    """Share of the usual orders still placed at each point."""
    floor = np.where(leaving.shrinks_basket & (leaving.keep > 0), 1.0, leaving.keep)
    share = 1 - (1 - floor[points.client]) * _faded(leaving, points)
    return np.where(points.day >= leaving.returns[points.client], 1.0, share)


def orders(plan: Plan, leaving: Leaving, points: Stream, rng: np.random.Generator) -> Columns:
    """Return the rows of `orders`, returns included, sorted by date."""
    client = points.client
    amount = _amounts(plan, leaving, points, rng)
    columns: Columns = {
        "client_id": plan.clients.ids[client],
        "order_date": points.day,
        "amount": amount,
        "margin": np.round(
            amount * plan.clients.margin[client] * rng.normal(1, 0.1, len(client)), 2
        ),
        "category": _categories(plan.clients, leaving, points, rng),
        "quantity": 1 + rng.poisson(8, len(client)),
    }
    for name, driver in plan.drivers.items():
        if not driver.is_event:
            columns[name] = _measure(plan, driver, leaving, points, rng)
    columns = _with_returns(plan, columns, client, rng)
    return _finish(plan, columns)


def _amounts(plan: Plan, leaving: Leaving, points: Stream, rng: np.random.Generator) -> Floats:
    client = points.client
    small = leaving.shrinks_basket & (leaving.keep > 0)
    shrunk = np.where(small, leaving.keep, 1.0)[client]
    volume = 1 - (1 - shrunk) * _faded(leaving, points)
    noise = rng.lognormal(-0.08, 0.4, len(client)) * (1 + 0.02 * points.day / YEAR)
    bulk = np.where(plan.clients.one_off, 12.0, 1.0)[client]
    amount = np.maximum(plan.clients.basket[client] * volume * noise * bulk, 1.0)
    return np.asarray(np.round(amount, 2))


def _categories(
    clients: Clients, leaving: Leaving, points: Stream, rng: np.random.Generator
) -> Any:
    """Clients keep to three categories, mostly to the first; in part leavers give up the others."""
    home = rng.integers(len(names.CATEGORIES), size=len(clients))
    step = rng.choice(3, len(points.client), p=[0.6, 0.25, 0.15])
    narrowed = (leaving.keep > 0) & leaving.leaves & ~leaving.shrinks_basket
    given_up = narrowed[points.client] & (rng.random(len(step)) < _faded(leaving, points))
    place = home[points.client] + np.where(given_up, 0, step)
    return np.array(names.CATEGORIES)[place % len(names.CATEGORIES)]


def _measure(
    plan: Plan, driver: Driver, leaving: Leaving, points: Stream, rng: np.random.Generator
) -> Floats:
    """One measure on every order: the client's level, the moves, the symptom, and noise."""
    level = _client_level(plan, driver, rng)[points.client]
    level = level * (1 + driver.trend * points.day / YEAR) * _moved(plan, driver, points)
    for symptom in plan.symptoms:
        if symptom.driver == driver.name:
            hit, begin, end = _noticed(symptom, leaving, rng)
            inside = hit[points.client] & (points.day >= begin[points.client])
            inside &= points.day < end[points.client]
            level = level + inside * symptom.size * driver.base
    count, cv = len(level), max(driver.noise_cv, 1e-3)
    value = level * rng.gamma(1 / cv**2, cv**2, count)
    value = np.where(rng.random(count) < driver.zeros, 0.0, value / (1 - driver.zeros))
    return np.asarray(np.where(rng.random(count) < driver.missing, np.nan, np.round(value, 2)))


def _with_returns(plan: Plan, columns: Columns, client: Ints, rng: np.random.Generator) -> Columns:
    """Add credit notes: a few always, many after a recall."""
    day = columns["order_date"]
    back = rng.random(len(day)) < 0.015
    later = day + rng.uniform(3, 25, len(day))
    if plan.oddities.recall is not None:
        when, scope = plan.oddities.recall
        recalled = (day < when) & (day > when - 75) & (rng.random(len(day)) < 0.55)
        recalled &= plan.clients.members(scope)[client]
        later = np.where(recalled, when + rng.uniform(0, 25, len(day)), later)
        back |= recalled
    back &= later < plan.days
    note = {name: values[back] for name, values in columns.items()}
    note["order_date"] = later[back]
    for name in ("amount", "margin"):
        note[name] = -note[name]
    for name in columns.keys() & plan.drivers.keys():
        note[name] = np.full(back.sum(), np.nan)
    return {name: np.concatenate([columns[name], note[name]]) for name in columns}


def _finish(plan: Plan, columns: Columns) -> Columns:
    """Drop what fell into the gap, sort by date, number the orders."""
    day, ids = columns["order_date"], columns["client_id"]
    kept = np.ones(len(day), dtype=bool)
    if plan.oddities.gap is not None:
        low, high = plan.oddities.gap
        within = plan.clients.members(plan.oddities.gap_scope or {})
        kept = ~((day >= low) & (day < high) & np.isin(ids, plan.clients.ids[within]))
    place = np.flatnonzero(kept)
    place = place[np.lexsort((ids[place], np.floor(day[place])))]
    columns = {name: values[place] for name, values in columns.items()}
    columns["order_date"] = _dates(plan, columns["order_date"])
    number = np.arange(1, len(place) + 1)
    return {
        "order_id": np.char.add("N", np.char.zfill(number.astype(str), 7)),
        **columns,
    }


def _dates(plan: Plan, day: Floats) -> Any:
    return np.asarray(plan.start + np.floor(day).astype("timedelta64[D]"))
