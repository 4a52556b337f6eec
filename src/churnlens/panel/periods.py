"""What did each client order in each period? The only place where orders are aggregated.

Everything here is one Ibis expression per question, run by the engine; what comes back is a few
columns of integers and floats, one row a client or a client and period with orders.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlens.config import PeriodName
from churnlens.results import PERIODS_A_YEAR
from churnlens.tables import Tables
from churnlens.tables.model import RETURN

Array = npt.NDArray[Any]
BASKET_DAYS = 6  # days with an order in a category from which a client can be said to give it up
READ_FOR_LIMITS = 1_000  # clients of whose order days a measure's far tail is read
FAR = 0.025  # part of all lines that is a measure's far tail
CAP = 12.0  # a day's amount counts at most this many times the client's median day as volume


@dataclass(frozen=True)
class Calendar:
    """The periods from the first order to the as-of date.

    `starts` are the first days of the T periods; `share[t]` is the part of period t that the data
    cover (1 but for the first and the last).
    """

    period: PeriodName
    starts: tuple[dt.date, ...]
    share: Array

    @property
    def per_year(self) -> int:
        """Periods in a year."""
        return PERIODS_A_YEAR[self.period]

    @property
    def season(self) -> Array:
        """Season of each period: month of year (0–11), or quarter (0–3), as int[T]."""
        months = np.array([start.month - 1 for start in self.starts])
        return months // 3 if self.period == "quarter" else months

    def last_day(self, period: int) -> dt.date:
        """Return the last day of a period (0 … T−1, or one after the data)."""
        after = _index(self.period, self.starts[0]) + period + 1
        return _start(self.period, after) - dt.timedelta(days=1)

    def index(self, day: dt.date) -> int:
        """Return the period that `day` falls in; below 0 or above T−1 outside the data."""
        return _index(self.period, day) - _index(self.period, self.starts[0])

    def indices(self, days: pd.Series[Any]) -> Array:
        """Return the period of each date in a column, int[n]; dates must be given."""
        day = pd.to_datetime(days).to_numpy().astype("datetime64[D]")
        if self.period == "week":
            index = (day.astype(int) + dt.date(1970, 1, 1).toordinal() - 1) // 7
        else:
            index = day.astype("datetime64[M]").astype(int) + 1970 * 12
            index = index if self.period == "month" else index // 3
        return np.asarray(index - _index(self.period, self.starts[0]))

    def span(self, periods_in_months: float) -> int:
        """Return a length given in months as a whole number of periods, at least 1."""
        return max(1, round(periods_in_months * self.per_year / 12))


def _index(period: PeriodName, day: dt.date) -> int:
    if period == "week":
        return (day.toordinal() - 1) // 7  # ordinal 1 was a Monday
    months = day.year * 12 + day.month - 1
    return months if period == "month" else months // 3


def _start(period: PeriodName, index: int) -> dt.date:
    if period == "week":
        return dt.date.fromordinal(index * 7 + 1)
    months = index if period == "month" else index * 3
    return dt.date(months // 12, months % 12 + 1, 1)


def calendar(period: PeriodName, first: dt.date, as_of: dt.date) -> Calendar:
    """Return the calendar of periods from the first order to the as-of date."""
    low, high = _index(period, first), _index(period, as_of)
    edges = [_start(period, i) for i in range(low, high + 2)]
    days = np.diff([e.toordinal() for e in edges]).astype(float)
    share = np.ones(len(days))
    share[0] = (edges[1] - max(first, edges[0])).days / days[0]
    share[-1] -= (edges[-1] - as_of).days / days[-1] - 1 / days[-1]
    return Calendar(period, tuple(edges[:-1]), np.clip(share, 0.0, 1.0))


def period_index(column: Any, cal: Calendar) -> Any:
    """Return an Ibis expression: the period (0 … T−1) a date column falls in."""
    if cal.period == "week":
        first = ibis.literal(cal.starts[0])
        return (column.delta(first, unit="day") // 7).cast("int32")
    months = column.year() * 12 + column.month() - 1
    if cal.period == "quarter":
        months = months // 3
    return (months - _index(cal.period, cal.starts[0])).cast("int32")


@dataclass(frozen=True)
class Baskets:
    """Orders by client, category and period: a row for each category that a client came back to.

    `client` and `category` are codes, int[p], in this order; `orders` counts days with an order in
    the category and `amount` is what was spent there, float32[p, T]. `whole` is all that each
    client spent, float32[n, T].
    """

    client: Array
    category: Array
    orders: Array
    amount: Array
    whole: Array


@dataclass(frozen=True)
class ClientPeriods:
    """Orders by client and period, dense.

    `clients` has one row a client with orders (its row number is the client's code):
    `client_id`, `first`, `last` (dates), `days` (days with an order), `local_variation` (of the
    gaps between them, NaN below two gaps), `amount_cv2` (squared variation of a day's amount).
    `orders` counts order days, `volume` is gross amount with each day capped at twelve times the
    client's median day, `revenue` is net of returns, `margin` is net or None; all float32[n, T].
    `measures[name]` is the mean of an order measure over the lines of the period, NaN without
    orders, float32[n, T]; `limits[name]` where its far tail begins, and `beyond[name]` the share
    of the period's lines above that, float32[n, T].
    """

    codes: Any  # Ibis table of client_id and code
    calendar: Calendar
    clients: pd.DataFrame
    orders: Array
    volume: Array
    revenue: Array
    margin: Array | None
    measures: dict[str, Array]
    baskets: Baskets | None = None
    bought: Any = None  # Ibis table of days and amount by code, category and period
    limits: dict[str, float] = field(default_factory=dict)
    beyond: dict[str, Array] = field(default_factory=dict)


def aggregate(tables: Tables, cal: Calendar) -> ClientPeriods:
    """Bring the order table to clients × periods in the engine.

    Orders of one client on one day count as one occasion, as is usual for repeat-buying models
    (Fader, Hardie & Lee 2005).
    """
    connection = tables.connection
    codes = connection.create_table(_name("client_codes"), _codes(tables), temp=True)
    limits = _limits(tables, codes)
    lines = _with_margins(_lines(tables, codes))
    days = connection.create_table(
        _name("order_days"), _order_days(lines, tables.measures, limits), temp=True
    )
    stats = connection.create_table(_name("client_stats"), _client_stats(days), temp=True)
    clients = stats.inner_join(codes, "code").order_by("code").to_pyarrow()
    rows = _per_period(days, stats, cal, tables, limits).to_pyarrow()
    bought = _bought(tables, codes, cal) if "category" in tables.orders.columns else None
    shape = (len(clients), len(cal.starts))
    at = (rows["code"].to_numpy(), rows["period"].to_numpy())

    def dense(column: str, empty: float = 0.0) -> Array:
        return _dense(rows[column].to_numpy(), at, shape, empty)

    return ClientPeriods(
        codes=codes,
        calendar=cal,
        clients=clients.to_pandas(date_as_object=False),
        orders=dense("orders"),
        volume=dense("volume"),
        revenue=dense("net"),
        margin=dense("margin") if "margin" in rows.column_names else None,
        measures={name: dense(f"m_{i}", np.nan) for i, name in enumerate(tables.measures)},
        bought=bought,
        baskets=None if bought is None else _baskets(bought, dense("gross")),
        limits=limits,
        beyond={n: dense(f"b_{i}", np.nan) for i, n in enumerate(tables.measures) if n in limits},
    )


def _name(stem: str) -> str:
    return str(ibis.util.gen_name(stem))


def _dense(
    values: Array, at: tuple[Array, Array], shape: tuple[int, int], empty: float = 0.0
) -> Array:
    out = np.full(shape, empty, dtype=np.float32)
    out[at] = values
    return out


def _codes(tables: Tables) -> Any:
    """Return a number for every client that ever ordered, by its id."""
    ordered = tables.orders.filter(~tables.orders[RETURN])
    ids = ordered.select("client_id").distinct()
    number = ibis.row_number().over(ibis.window(order_by="client_id"))
    return ids.mutate(code=number.cast("int32"))


def _lines(tables: Tables, codes: Any) -> Any:
    """One row an order line: what a measure is called meets no name of ours, it is `v_0` … here."""
    orders = tables.orders
    fixed = ("client_id", "order_date", "amount", "margin", "category")
    own = [name for name in fixed if name in orders.columns]
    measures = {f"v_{i}": orders[name].cast("float64") for i, name in enumerate(tables.measures)}
    lines = orders.select(*own, real=~orders[RETURN], **measures)
    return lines.inner_join(codes, "client_id")


def _limits(tables: Tables, codes: Any) -> dict[str, float]:
    """Where the far tail of each measure begins: its fortieth part at the end that is farther out.

    Read from the order days of an even sample of clients, so that it costs no pass over all lines
    and no quantile, which not every engine has.
    """
    if not tables.measures:
        return {}
    every = -(-int(codes.count().execute()) // READ_FOR_LIMITS)
    o = _lines(tables, codes.filter(codes.code % every == 0))
    o = o.filter(o.real)
    wanted = {f"v_{i}": o[f"v_{i}"].mean() for i in range(len(tables.measures))}
    days = o.group_by("code", "order_date").aggregate(**wanted).to_pandas()
    found = {name: _far(days[f"v_{i}"].to_numpy(float)) for i, name in enumerate(tables.measures)}
    return {name: limit for name, limit in found.items() if limit is not None}


def _far(values: Array) -> float | None:
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, middle, high = np.quantile(values, (FAR, 0.5, 1 - FAR))
    # Six digits: an engine adds up in no fixed order, and the last ones would differ by run.
    return float(f"{high if high - middle >= middle - low else low:.6g}")


def _with_margins(lines: Any) -> Any:
    """Order lines whose blank margins are the amount times what is margin of it in the others.

    Nought would make a client without margin of one whose margin nobody noted. Where no order has
    one there is no margin to speak of.
    """
    if "margin" not in lines.columns:
        return lines
    noted = lines.filter(lines.real).drop_null("margin")
    seen = noted.aggregate(margin=noted.margin.sum(), amount=noted.amount.sum())
    found = seen.to_pyarrow().to_pylist()[0]
    if found["margin"] is None:
        return lines.drop("margin")
    part = float(f"{found['margin'] / found['amount']:.6g}")  # six digits: see `_far`
    return lines.mutate(margin=lines.margin.fill_null(lines.amount * part))


def _order_days(o: Any, measures: Sequence[str], limits: dict[str, float]) -> Any:
    """One row a client and day: gross, net, margin, and sum and count of every measure."""
    sums = {
        "occasion": o.real.cast("int32").max(),
        "gross": ibis.ifelse(o.real, o.amount, 0.0).sum(),
        "net": o.amount.sum(),
    }
    if "margin" in o.columns:
        sums["margin"] = o.margin.sum()
    for i, name in enumerate(measures):
        value = ibis.ifelse(o.real, o[f"v_{i}"], None)
        sums[f"s_{i}"], sums[f"n_{i}"] = value.sum(), value.count()
        if name in limits:
            sums[f"t_{i}"] = (value > limits[name]).cast("int32").sum()
    return o.group_by("code", "order_date").aggregate(**sums)


def _client_stats(days: Any) -> Any:
    """One row a client, with the rhythm of its order days."""
    order = ibis.window(group_by="code", order_by="order_date")
    real = days.filter(days.occasion == 1)
    gap = real.mutate(
        gap=real.order_date.delta(real.order_date.lag().over(order), unit="day").cast("float64")
    )
    pair = gap.mutate(before=gap.gap.lag().over(order))
    lv = 3 * ((pair.gap - pair.before) / (pair.gap + pair.before)) ** 2
    return pair.group_by("code").aggregate(
        first=pair.order_date.min(),
        last=pair.order_date.max(),
        days=pair.count(),
        local_variation=lv.mean(),
        median_day=pair.gross.median(),
        amount_cv2=(pair.gross.var() / pair.gross.mean() ** 2).cast("float64"),
        mean_day=pair.gross.mean(),
    )


def _per_period(
    days: Any, stats: Any, cal: Calendar, tables: Tables, limits: dict[str, float]
) -> Any:
    known = stats.select("code", "median_day")
    joined = days.inner_join(known, "code").mutate(period=period_index(days.order_date, cal))
    joined = joined.filter(joined.period >= 0)  # returns may be booked before the first order
    sums = {
        "orders": joined.occasion.sum(),
        "volume": ibis.least(joined.gross, CAP * joined.median_day).sum(),
        "net": joined.net.sum(),
    }
    if "margin" in joined.columns:
        sums["margin"] = joined.margin.sum()
    if "category" in tables.orders.columns:
        sums["gross"] = joined.gross.sum()
    for i, name in enumerate(tables.measures):
        lines = joined[f"n_{i}"].sum().nullif(0)
        sums[f"m_{i}"] = joined[f"s_{i}"].sum() / lines
        if name in limits:
            sums[f"b_{i}"] = joined[f"t_{i}"].sum() / lines
    return joined.group_by("code", "period").aggregate(**sums)


def _bought(tables: Tables, codes: Any, cal: Calendar) -> Any:
    """One row a client, category and period: days with an order there, and the money.

    By day first: the engine takes twice as long to count distinct days by period.
    """
    o = _lines(tables, codes).drop_null("category")
    o = o.filter(o.real)
    days = o.group_by("code", "category", "order_date").aggregate(amount=o.amount.sum())
    of_period = days.group_by("code", "category", period=period_index(days.order_date, cal))
    sums = of_period.aggregate(days=days.count(), amount=days.amount.sum())
    return tables.connection.create_table(_name("bought"), sums, temp=True)


def _baskets(bought: Any, whole: Array) -> Baskets:
    """Read the categories that a client came back to often enough to be said to give them up."""
    total = bought.group_by("code", "category").aggregate(total=bought.days.sum())
    often = bought.semi_join(total.filter(total.total >= BASKET_DAYS), ["code", "category"])
    rows = often.order_by("code", "category", "period").to_pyarrow()
    return baskets_of(
        rows["code"].to_numpy(),
        _numbered(rows["category"]),
        rows["period"].to_numpy(),
        (rows["days"].to_numpy(), rows["amount"].to_numpy()),
        whole,
    )


def baskets_of(
    code: Array, category: Array, period: Array, values: tuple[Array, Array], whole: Array
) -> Baskets:
    """Return the baskets of rows in the order of client and category.

    `code`, `category` and `period` are int[rows]; `values` are order days and money.
    """
    new = np.ones(len(code), bool)
    new[1:] = (code[1:] != code[:-1]) | (category[1:] != category[:-1])
    shape, at = (int(new.sum()), whole.shape[1]), (np.cumsum(new) - 1, period)
    days, amount = (_dense(column, at, shape) for column in values)
    return Baskets(code[new], category[new], days, amount, whole)


def _numbered(names: Any) -> Array:
    """Return a column of text as numbers in the order of its values, int[rows]."""
    import pyarrow.compute as pc

    known = pc.unique(names)
    place = pc.index_in(names, value_set=known.take(pc.sort_indices(known)))
    return np.asarray(place.to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class EventCounts:
    """One event type (or one level of it) by client and period: how many, and the sum of value."""

    event_type: str
    level: str | None
    count: Array  # float32[n, T]
    value: Array | None  # float32[n, T]; None where no value was ever given


def events(tables: Tables, data: ClientPeriods) -> tuple[EventCounts, ...]:
    """Count events by client, period and type, and by level where levels are given."""
    if tables.events is None:
        return ()
    cal, e = data.calendar, tables.events
    joined = e.inner_join(data.codes, "client_id").mutate(period=period_index(e.event_date, cal))
    joined = joined.filter((joined.period >= 0) & (joined.period < len(cal.starts)))
    rows = joined.group_by("event_type", "level", "code", "period").aggregate(
        count=joined.count(), value=joined.value.sum(), values=joined.value.count()
    )
    shape = (len(data.clients), len(cal.starts))
    counted = [
        _event_counts(str(event_type), of_type, shape)
        for event_type, of_type in _parts(rows.to_pyarrow(), "event_type")
    ]
    return tuple(c for of_type in counted for c in of_type)


def _parts(rows: Any, column: str) -> list[tuple[str | None, Any]]:
    """Rows of an Arrow table by the values of a text column, in order, blank first."""
    import pyarrow.compute as pc

    values = pc.unique(rows[column]).to_pylist()
    ordered = sorted(values, key=lambda v: (v is not None, v))
    return [
        (v, rows.filter(pc.is_null(rows[column]) if v is None else pc.equal(rows[column], v)))
        for v in ordered
    ]


def _event_counts(event_type: str, rows: Any, shape: tuple[int, int]) -> list[EventCounts]:
    """Return counts of one event type, and of each of its levels where there are several."""
    parts = [_counted(event_type, level, part, shape) for level, part in _parts(rows, "level")]
    whole = replace(parts[0], level=None)
    for part in parts[1:]:
        value = _sum(whole.value, part.value)
        whole = replace(whole, count=whole.count + part.count, value=value)
    named = [part for part in parts if part.level is not None]
    return [whole, *(named if len(named) > 1 else [])]


def _sum(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return b if a is None else a
    return np.asarray(a + b)


def _counted(event_type: str, level: str | None, rows: Any, shape: tuple[int, int]) -> EventCounts:
    at = (rows["code"].to_numpy(), rows["period"].to_numpy())
    given = rows["values"].to_numpy().sum() > 0
    value = _dense(np.nan_to_num(rows["value"].to_numpy()), at, shape) if given else None
    return EventCounts(event_type, level, _dense(rows["count"].to_numpy(), at, shape), value)
