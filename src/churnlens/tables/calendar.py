"""Are there holes in the calendar? Stretches without orders, and months with far too few."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd

from churnlens.results import DataFinding, Text
from churnlens.tables.model import RETURN, Tables

_UNUSUAL = 4  # times the usual longest pause between two order days
_SHORTEST = 5  # days: a pause below is never worth a word
_WHOLE_MONTH = 28
_MOST = 3  # gaps named
_HALF_YEAR = 182  # days
_LATELY, _MANY = 91, 20  # in so many days before the last order at least so many clients ordered
_FEWEST_CLIENTS = 5  # to whom a value belongs; what is said of fewer would be said of persons
_THIN = 0.3  # of the median of the months around
_AROUND = 3  # months on either side
_FEW = 20  # order lines a month below which months are too uneven to compare


def findings(tables: Tables) -> Iterator[DataFinding]:
    """Return the longest unusual pauses, and thin months, from the first order on.

    Returns are no orders: some may be booked before the first of them.
    """
    orders = tables.orders.filter(~tables.orders[RETURN])
    by_day = orders.group_by("order_date").aggregate(lines=orders.count()).order_by("order_date")
    frame = by_day.to_pyarrow().to_pandas()
    days = pd.to_datetime(frame["order_date"])
    yield from _gaps(days.to_numpy("datetime64[D]"), np.datetime64(tables.as_of), tables.ends_on)
    yield from _thin_months(pd.Series(frame["lines"].to_numpy(), index=days))
    if len(days):
        yield from _silent_values(tables, days.iloc[-1].date())


def _silent_values(tables: Tables, last: dt.date) -> Iterator[DataFinding]:
    """Name branches, regions and the like that stopped ordering all at once before the end.

    `last` is the day of the book's last order. The name of a single client is no branch.
    """
    if tables.clients is None:
        return
    own = [name for name in tables.attributes if name in tables.clients.columns]
    orders = tables.orders.filter(~tables.orders[RETURN])
    late = orders.filter(orders.order_date > last - dt.timedelta(days=_HALF_YEAR))
    values = {f"value_{i}": tables.clients[name] for i, name in enumerate(own)}
    # the orders may have columns of the same names
    held = late.select("client_id", "order_date").join(
        tables.clients.select("client_id", **values), "client_id"
    )
    silent = []
    for name, column in zip(own, values, strict=True):
        by_day = held.group_by(value=held[column], day=held.order_date).aggregate(
            lines=held.count()
        )
        frame = by_day.to_pyarrow().to_pandas().dropna().sort_values("day")
        holders = held.group_by(value=held[column]).aggregate(clients=held.client_id.nunique())
        clients = holders.to_pyarrow().to_pandas().set_index("value")["clients"]
        silent += [
            (pause, name, str(value), rows["day"].iloc[-1], int(clients[value]))
            for value, rows in frame.groupby("value", sort=True)
            if clients[value] >= _FEWEST_CLIENTS and (pause := _stopped(rows, last))
        ]
    for pause, name, value, day, clients in sorted(silent, key=lambda s: -s[0])[:_MOST]:
        text = Text(
            "The last order of {clients} is of {day}, {days} days before the end of the data, "
            "which is far beyond their usual pause. Closed, or not loaded yet? Clients may seem to "
            "have left.",
            {
                "clients": {"type": "clients", "value": {name: [value]}},
                "day": _date(np.datetime64(day, "D")),
                "days": pause,
            },
        )
        yield DataFinding("silent_value", "warning", text, pause, clients)


def _stopped(by_day: pd.DataFrame, last: dt.date) -> int:
    """Days of silence before `last` where they are far beyond the usual pause; 0: they are not.

    `by_day` has a group's order lines (`lines`) of every day with one (`day`) in half a year.
    """
    days = pd.to_datetime(by_day["day"]).to_numpy("datetime64[D]")
    pause = int((np.datetime64(last) - days[-1]).astype(int))
    due = pause * float(by_day["lines"].sum()) / (_HALF_YEAR - pause)
    return pause if len(days) >= _FEW and pause >= _unusual_pause(days) and due >= _FEW else 0


def covered_until(tables: Tables, last: dt.date) -> dt.date | None:
    """Return the day of the last order where the time since says that later ones are lacking.

    Where many ordered until a day and nobody at all for a month since, which is far beyond the
    usual pause, the export ends there: read on, every client would seem to have left. None where
    the orders cover all up to `as_of`; `last` is the date of the last accepted order up to then.
    """
    if (tables.as_of - last).days < _WHOLE_MONTH:
        return None
    orders = tables.orders
    late = orders.filter(orders.order_date >= last - dt.timedelta(days=_LATELY))
    days = orders.select("order_date").distinct().order_by("order_date").to_pyarrow()
    dates = days.to_pandas()["order_date"].to_numpy("datetime64[D]")
    if len(dates) < 3 or int(late.client_id.nunique().to_pyarrow().as_py()) < _MANY:
        return None
    return last if (tables.as_of - last).days >= _unusual_pause(dates) else None


def _unusual_pause(days: np.ndarray) -> float:
    """Days without an order from which a pause is unusual, given the days with one."""
    usual = max(float(np.quantile(np.diff(days).astype(int), 0.95)), 1.0)
    return max(_SHORTEST, _UNUSUAL * usual)


def _gaps(days: np.ndarray, as_of: np.datetime64, ends_on: dt.date | None) -> Iterator[DataFinding]:
    """Pauses far beyond the usual ones, that from the last order to `as_of` among them."""
    if len(days) < 3:
        return
    shortest = _unusual_pause(days)
    if ends_on is not None:
        yield _end(ends_on, int((as_of - np.datetime64(ends_on)).astype(int)))
    else:
        days = np.append(days, as_of + 1)
    pauses = np.diff(days).astype(int)
    unusual = np.flatnonzero(pauses >= shortest)
    for i in unusual[np.argsort(-pauses[unusual], kind="stable")][:_MOST]:
        yield _gap(days[i] + 1, days[i + 1] - 1, int(pauses[i]) - 1)


def _gap(first: np.datetime64, last: np.datetime64, days: int) -> DataFinding:
    text = Text(
        "There is no order for {days} days, from {first} to {last}. Was the business closed, or "
        "are orders missing from the export? Clients may seem to have left.",
        {"days": days, "first": _date(first), "last": _date(last)},
    )
    return DataFinding("calendar_gap", "warning" if days >= _WHOLE_MONTH else "info", text, days)


def _end(last: dt.date, days: int) -> DataFinding:
    text = Text(
        "The last order is of {last}; in the {days} days since nobody ordered at all. Orders are "
        "missing from the export, or the business is closed: departures are read up to that day "
        "only.",
        {"last": {"type": "day", "value": last.isoformat()}, "days": days},
    )
    return DataFinding("calendar_gap", "warning", text, days)


def _thin_months(lines: pd.Series[int]) -> Iterator[DataFinding]:
    """Compare every whole month between the first and the last with the months around it."""
    monthly = lines.resample("MS").sum().iloc[1:-1]
    usual = monthly.rolling(2 * _AROUND + 1, center=True, min_periods=_AROUND + 1).median()
    thin = (monthly > 0) & (usual >= _FEW) & (monthly < _THIN * usual)
    months = monthly.index.to_numpy("datetime64[D]")
    for i in np.flatnonzero(thin):
        text = Text(
            "The month from {month} has {lines} order lines where about {usual} are usual: part "
            "of it may be missing from the export.",
            {
                "month": _date(months[i]),
                "lines": int(monthly.iloc[i]),
                "usual": int(usual.iloc[i]),
            },
        )
        yield DataFinding("thin_month", "warning", text, int(monthly.iloc[i]))


def _date(day: np.datetime64) -> dict[str, str]:
    value: dt.date = day.astype("datetime64[D]").item()
    return {"type": "day", "value": value.isoformat()}
