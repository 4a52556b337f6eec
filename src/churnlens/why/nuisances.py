"""What is known of a client-period beforehand, and the learners that foretell from it.

For the second opinion on a cause: how likely was a departure without the cause, and how much of the
cause was to be expected? Boosted trees by default. The calendar, and what goes with it, enters
without interaction: what identifies a cause is just that a driver moved for some clients at one
time, and a learner that could say "these clients, from then on" would explain it away (the
restriction of difference-in-differences).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from churnlens.panel import Panel
from churnlens.panel.cumulative import cumulative
from churnlens.which.baseline import Baseline
from churnlens.why.model import Term
from churnlens.why.orthogonal import Learner

Array = npt.NDArray[Any]
Maker = Callable[[], Any]  # gives a new classifier with scikit-learn's fit and predict_proba

MOST_VALUES, MOST_DRIVERS = 8, 12  # columns an attribute and the drivers may take
BUFFER = 2  # months before a period that are not read: a departure may have begun a little earlier
LEAST = 1e-5
TREES: dict[str, Any] = {
    "max_iter": 50,
    "learning_rate": 0.1,
    "max_leaf_nodes": 8,
    "max_bins": 32,
    # Calendar, tenure (the calendar, where clients were there from the start) and the baseline's
    # hazard (season, time left) each by itself, all other columns together.
    "interaction_cst": [{0}, {1}, {2}],
    "early_stopping": False,
}


def features(
    baseline: Baseline, rows: Array, period: Array, beside: tuple[Term, ...], left_out: set[str]
) -> Array:
    """Return what is known of client-periods before they begin, float32[m, columns].

    The first columns are those that `TREES` keeps apart. `rows`, `period` are int[m]; `beside` are
    other explanations whose dose is known; `left_out` are drivers that are not read. Nothing is
    missing: what was not recorded is the mean of what was.
    """
    panel = baseline.panel
    own, at = np.unique(rows, return_inverse=True)
    tenure = np.log1p(np.maximum(period - panel.entry[rows], 0))
    columns = [period, tenure, np.log(baseline.hazard[rows, period] + LEAST)]
    columns += _own_past(panel, own, at, period)
    columns += [t.dose[rows, period] for t in beside]
    columns += _attributes(panel, rows, period)
    columns += _other_drivers(panel, own, at, period, left_out)
    return np.column_stack([np.asarray(c, np.float32) for c in columns])


def _own_past(panel: Panel, own: Array, at: Array, period: Array) -> list[Array]:
    """Order rate and spending of the past year, and where both have gone since."""
    cal = panel.calendar
    columns = [panel.known_from_start[own][at]]
    end = np.maximum(period - cal.span(BUFFER), 0)
    for values in (panel.activity.orders[own], np.maximum(panel.revenue[own], 0)):
        year, half = (
            _mean(values, at, np.maximum(end - cal.span(m), 0), end, 0.0) for m in (12, 6)
        )
        unit = max(float(year.mean()), LEAST)
        columns += [np.log1p(year / unit), np.log((half + unit / 9) / (year + unit / 9))]
    return columns


def _mean(values: Array, at: Array, begin: Array, end: Array, blank: float) -> Array:
    """Mean of what is recorded from `begin` to before `end` by row; `blank` where nothing is."""
    there = np.isfinite(values)
    sums, counts = cumulative(np.where(there, values, 0)), cumulative(there.astype(np.float32))
    n = counts[at, end] - counts[at, begin]
    return np.where(n > 0, (sums[at, end] - sums[at, begin]) / np.maximum(n, 1), blank)


def _attributes(panel: Panel, rows: Array, period: Array) -> list[Array]:
    """One column a value of each attribute, the commonest only; value tiers too."""
    columns = [
        (panel.attributes[name] == value).to_numpy()[rows]
        for name in panel.attributes.columns
        for value in panel.attributes[name].value_counts().index[:MOST_VALUES]
    ]
    return [*columns, panel.tiers[rows, period]]


def _other_drivers(
    panel: Panel, own: Array, at: Array, period: Array, left_out: set[str]
) -> list[Array]:
    """Half a year's mean of each other driver, up to the buffer."""
    cal = panel.calendar
    end = np.maximum(period - cal.span(BUFFER), 0)
    begin = np.maximum(end - cal.span(6), 0)
    read = [
        e for e in panel.exposures if e.driver not in left_out and e.measure in ("mean", "count")
    ]
    columns = [_mean(e.values[own], at, begin, end, np.nan) for e in read[:MOST_DRIVERS]]
    return [np.where(np.isfinite(c), c, np.nanmean(c)) for c in columns if np.isfinite(c).any()]


def in_bins(x: Array, weight: Array) -> Array:
    """Return columns with the mean of its bin for each value, float32 as `x`; ranks stay.

    At most as many bins as boosted trees make of a column, of equal weight each. Done once, trees
    take the bins as they find them; otherwise each fit sorts every column for every bin.
    """
    return np.column_stack([_in_bins(column, weight) for column in x.T]).astype(np.float32)


def _in_bins(column: Array, weight: Array) -> Array:
    values, at = np.unique(column, return_inverse=True)
    if len(values) <= TREES["max_bins"]:
        return column
    held = np.bincount(at, weight)
    bins = np.minimum(
        (np.cumsum(held) - held / 2) / held.sum() * TREES["max_bins"], TREES["max_bins"] - 1
    ).astype(int)
    sums, counts = np.bincount(bins, values * held), np.bincount(bins, held)
    return np.asarray((sums / np.maximum(counts, 1e-300))[bins][at])


def boosted_trees() -> Any:
    """Return a new boosted classifier of departures."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**TREES, min_samples_leaf=60, random_state=0)


def chance(make: Maker) -> Learner:
    """Return a learner of chances from a classifier: a row counts as a leaver by its chance."""

    def learn(x: Array, y: Array, weight: Array, new: Array) -> Array:
        label = np.repeat([1, 0], len(y))
        part = np.concatenate([weight * y, weight * (1 - y)])
        used = part > 0
        model = make()
        weighted = {_weight_name(model): part[used]}
        model.fit(np.concatenate([x, x])[used], label[used], **weighted)
        return np.asarray(model.predict_proba(new)[:, 1])

    return learn


def _weight_name(model: Any) -> str:
    """How a classifier's `fit` calls the weight of a row; a pipeline hands it to its last step."""
    steps = getattr(model, "steps", None)
    return f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"


def amount(x: Array, y: Array, weight: Array, new: Array) -> Array:
    """Learn an amount, such as a dose, with boosted trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(**TREES, min_samples_leaf=60, random_state=0)
    return np.asarray(model.fit(x, y, sample_weight=weight).predict(new))
