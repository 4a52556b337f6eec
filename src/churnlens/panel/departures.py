"""Who left, in which way and since when? The churn definitions and their registry.

A definition is one function `Activity -> Departures` and one line in `DEFINITIONS` (or a
`"my_module:name"` string in the config). It may read the data up to a period to declare a
departure in that period, never what comes after; the onset is then dated before it. One that a book
does not bear (no categories, say) returns `Skipped` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.errors import ConfigError, did_you_mean
from churnlens.panel.activity import Activity
from churnlens.panel.alive import p_alive
from churnlens.panel.baskets import basket
from churnlens.panel.cumulative import cumulative
from churnlens.panel.onsets import LEAST_ORDERS, onset_likelihood
from churnlens.panel.returns import missed, not_made_up, silence_threshold
from churnlens.panel.spells import Departures, spells, unsound, yes_or_no
from churnlens.plugins import load_function
from churnlens.results import Skipped

Array = npt.NDArray[Any]
CLEAR = 3.0  # standard deviations that a fall must be beyond the scatter of a steady client
SURE = 0.5  # probability of having left beyond which a client is counted as gone: likelier than not

Definition = Callable[[Activity], Departures | Skipped]


def cadence(activity: Activity) -> Departures:
    """Orders fell by more than half against the client's own rhythm, and stayed down.

    Every possible onset is weighed by how well a fall there explains what the client ordered, whole
    or partial, at once or fading; a client counts as gone where that is likelier than not. A
    silence from which three in four never return ends a spell; who comes back starts anew.
    """
    limit = silence_threshold(activity).threshold
    client, begin, end = spells(activity, limit)
    part = activity.rows(client)
    likelihood = onset_likelihood(part, begin, end, np.minimum(end, part.closing))
    onset, low, high = most_probable(likelihood.by_book.found)
    # A posterior has no moment of declaration; a client's own clock stands in for it.
    declared = np.where(onset >= 0, np.minimum(onset + activity.calendar.span(3), end - 1), -1)
    return Departures(client, begin, end, onset, low, high, declared, likelihood)


def silence(activity: Activity) -> Departures:
    """Fell silent for longer than its own rhythm allows; the onset is the last order's period.

    Silence is counted in orders missed over the client's own scatter, so that a buyer who comes
    every thirty days is judged sooner than an irregular one; the limit is where the observed chance
    of a return drops to one in four.
    """
    limit = silence_threshold(activity).threshold
    client, begin, end = spells(activity, limit)
    part = activity.rows(client)
    due, after = missed(part, begin)
    t = np.arange(due.shape[1])
    gone = not_made_up(part, due >= limit, after) & (t < end[:, None])
    return yes_or_no(client, begin, end, gone, np.maximum(after - 1, 0))


def volume(activity: Activity) -> Departures:
    """Bought under half as much over half a year as over the year before, season allowed for."""
    window = activity.calendar.span(6)
    client, begin, end = spells(activity, np.inf)
    part = activity.rows(client)
    x, e, orders = (cumulative(a) for a in (part.volume, part.exposure, part.orders))
    stop = np.arange(activity.orders.shape[1]) + 1
    start, back = np.maximum(stop - window, 0), np.maximum(stop - 3 * window, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        after = (x[:, stop] - x[:, start]) / (e[:, stop] - e[:, start])
        before = (x[:, start] - x[:, back]) / (e[:, start] - e[:, back])
        chance = part.volume_scatter[:, None] * before * (e[:, stop] - e[:, start])
    missing = (before - after) * (e[:, stop] - e[:, start])
    clear = missing >= CLEAR * np.sqrt(chance.clip(0))
    enough = orders[:, start] - orders[:, back] >= 2 * LEAST_ORDERS
    possible = enough & (start - begin[:, None] >= window)
    halved = possible & (after <= 0.5 * before) & clear & (stop <= end[:, None])
    found = yes_or_no(client, begin, end, halved, np.broadcast_to(start, halved.shape))
    watched = np.zeros_like(possible)
    watched[:, : -window + 1] = possible[:, window - 1 :]  # by the period in which a fall begins
    return replace(found, watched=watched)


DEFINITIONS: dict[str, Definition] = {
    "cadence": cadence,
    "silence": silence,
    "volume": volume,
    "p_alive": p_alive,
    "basket": basket,
}


def definition(name: str) -> Definition:
    """Return a registered definition, or an analyst's own named as `"my_module:name"`.

    Raises
    ------
    ConfigError
        When there is no such definition.
    """
    if name in DEFINITIONS:
        return DEFINITIONS[name]
    if ":" in name:
        return _own(name)
    raise ConfigError(
        f"there is no churn definition '{name}'.{did_you_mean(name, DEFINITIONS)} "
        f"Known: {', '.join(DEFINITIONS)}, or 'my_module:name'."
    )


def _own(name: str) -> Definition:
    """Return an analyst's own definition, whose answer is looked at before it is believed."""
    function = load_function(name, "definition")

    def found(activity: Activity) -> Departures | Skipped:
        answer = function(activity)
        if isinstance(answer, Skipped):
            return answer
        if not isinstance(answer, Departures):
            raise ConfigError(
                f"definition '{name}' gives {type(answer).__name__}, not Departures or Skipped."
            )
        fault = unsound(answer, activity.orders.shape)
        if fault:
            raise ConfigError(f"definition '{name}' gives Departures that cannot be: {fault}.")
        return answer.in_order()  # which row ends where the client's next begins

    return found


def most_probable(found: Array) -> tuple[Array, Array, Array]:
    """Return onset (−1 where staying is as likely), and its 95 % interval.

    The onset is the period that, with its two neighbours, is most likely to hold it: a date is of
    use where it is right to within one period.
    """
    cdf = np.cumsum(found, axis=1)
    total = cdf[:, -1:]
    gone = total[:, 0] > SURE

    def quantile(q: float) -> Array:
        return np.asarray(np.argmax(cdf >= q * total, axis=1))

    low, high = quantile(0.025), quantile(0.975)
    edge = np.pad(found, ((0, 0), (1, 1)))
    likeliest = (edge[:, :-2] + found + edge[:, 2:]).argmax(axis=1)
    onset = np.clip(likeliest, low, high)
    return np.where(gone, onset, -1), np.where(gone, low, -1), np.where(gone, high, -1)
