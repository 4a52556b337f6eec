"""The notebook way: what most analyses of churn do, and the same ranked by a Cox model."""

from __future__ import annotations

import numpy as np
from benchmarks.recovery import cox
from benchmarks.recovery.answers import Answer, Claim
from benchmarks.recovery.months import Months

SILENCE = 3  # months without an order that count as churn
FEWEST = 30  # clients below which a segment is not looked at


def churned(months: Months) -> np.ndarray:
    """Month after the last order, for who has been silent; -1 for the others."""
    silent = months.span - 1 - months.last >= SILENCE
    return np.where(silent, np.minimum(months.last + 1, months.span - 1), -1)


def boosting(months: Months) -> Answer:
    """Monthly snapshot, gradient boosting, permutation importance; worst segment, biggest jump."""
    return _answer(months, _most_important(months))


def ranked_by_z(months: Months) -> Answer:
    """A Cox model with time-varying drivers in place of the boosting."""
    return _answer(months, str(cox.z_values(months, churned(months), lag=0).index[0]))


def _answer(months: Months, driver: str) -> Answer:
    gone = churned(months)
    scope = _worst(months, gone)
    claim = Claim(driver, scope, months.date(_jump(months, gone, months.members(scope))))
    return Answer(claim, (claim,))


def _most_important(months: Months) -> str:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance

    gone = churned(months)
    grid = np.arange(months.span)[None, :]
    last = np.where(gone >= 0, gone - 1, months.span - 1 - SILENCE)
    client, month = np.nonzero((grid >= months.first[:, None]) & (grid <= last[:, None]))
    rng = np.random.default_rng(0)
    kept = rng.permutation(len(client))[:30_000]
    client, month = client[kept], month[kept]
    names = list(months.drivers)
    x = np.column_stack([months.drivers[d][client, month] for d in names])
    y = gone[client] == month + 1
    half = len(y) // 2
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[:half], y[:half])
    test = slice(half, half + 4000)
    seen = permutation_importance(
        model, x[test], y[test], scoring="neg_log_loss", n_repeats=3, random_state=0
    )
    return names[int(seen.importances_mean.argmax())]


def _worst(months: Months, gone: np.ndarray) -> dict[str, tuple[str, ...]]:
    """Return the attribute value with the highest churn rate in the last year."""
    rates = [
        (float((gone[inside] >= months.span - 12).mean()), attribute, str(value))
        for attribute, values in months.clients.items()
        for value in values.unique()
        if (inside := (values == value).to_numpy()).sum() >= FEWEST
    ]
    if not rates:
        return {}
    _, attribute, value = max(rates)
    return {str(attribute): (value,)}


def _jump(months: Months, gone: np.ndarray, inside: np.ndarray) -> int:
    """Return the month with the biggest step in the segment's churn rate, three months a side."""
    count = np.bincount(gone[inside & (gone >= 0)], minlength=months.span).astype(float)
    steps = [
        (count[m : m + 3].sum() - count[m - 3 : m].sum(), m) for m in range(6, months.span - 4)
    ]
    return max(steps)[1]
