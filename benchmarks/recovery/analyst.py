"""An able analyst's chain of public tools."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from benchmarks.recovery import cox
from benchmarks.recovery.answers import Answer, Claim
from benchmarks.recovery.months import Months
from scipy import stats

from churnlens.results import Estimate, RemedyResult

LAG = 3  # months
LEVEL = 0.05
STEP_RATIO = 4.0  # log-likelihood ratio that a client's step must show
RESIDUAL_Z = 3.7  # what a residual subgroup must show: Bonferroni over some hundred segments


def departed(months: Months) -> np.ndarray:
    """Month in which each client's ordering fell to half or less for good; -1 none.

    The step that fits a client's own season-adjusted volume best (Poisson likelihood ratio, volume
    in units of its mean order); who is silent for three months and three of its own median gaps
    has departed at that step too, or after its last order where no step fits.
    """
    month, ratio, kept = _steps(months)
    silence = np.maximum(3, np.ceil(3 * months.gap / 30.4)).astype(int)
    whole = months.span - 1 - months.last >= silence
    fell = (ratio > STEP_RATIO) & (kept <= 0.5)
    late = np.minimum(months.last + 1, months.span - 1)
    return np.where(fell, month, np.where(whole, late, -1))


def _steps(months: Months) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best step down of every client: its month, log-likelihood ratio, share of volume kept."""
    unit = months.amount.sum(1, keepdims=True) / np.maximum(months.orders.sum(1, keepdims=True), 1)
    volume = months.amount / np.maximum(unit, 1e-9) / np.maximum(_season(months), 0.2)
    total = np.concatenate([np.zeros((len(volume), 1)), np.cumsum(volume, axis=1)], axis=1)
    split = np.arange(1, months.span - 2)[None, :]
    length = np.maximum(split - months.first[:, None], 1)
    before, after = total[:, split[0]], total[:, [-1]] - total[:, split[0]]
    rest = months.span - split
    high, low = before / length, after / rest
    mean = total[:, [-1]] / np.maximum(months.span - months.first[:, None], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = before * np.log(high / mean) + np.where(after > 0, after * np.log(low / mean), 0)
    usable = (split - months.first[:, None] >= 3) & (low < high)
    ratio = np.where(usable & np.isfinite(ratio), ratio, 0)
    best = ratio.argmax(1)
    rows = np.arange(len(best))
    return best + 1, ratio[rows, best], low[rows, best] / np.maximum(high[rows, best], 1e-9)


def _season(months: Months) -> np.ndarray:
    total = months.amount.sum(0)
    trend = pd.Series(total).rolling(12, center=True, min_periods=6).mean().to_numpy()
    month = (np.arange(months.span) + months.start.month) % 12
    ratio = pd.Series(total / np.maximum(trend, 1e-9)).groupby(month).transform("mean")
    return ratio.to_numpy()[None, :]


def answer(months: Months, remedies: pd.DataFrame | None) -> Answer:
    """Cox with lagged drivers, Bonferroni; subgroup of the driver's change; its change point."""
    gone = departed(months)
    z = cox.z_values(months, gone, LAG)
    passing = [d for d in z.index if 2 * stats.norm.sf(abs(z[d])) < LEVEL / len(z)]
    claims = [_claim(months, str(d)) for d in passing]
    first = claims[0] if claims else _claim(months, str(z.index[0]))
    if not claims:
        left = _unexplained(months, gone)
        claims, first = ([left], left) if left is not None else ([], first)
    judged = () if remedies is None else (_remedy(months, gone, remedies.iloc[0]),)
    return Answer(first, tuple(claims), judged)


def _claim(months: Months, driver: str) -> Claim:
    level = months.drivers[driver]
    half = months.span // 2
    change = np.abs(level[:, half:].mean(1) - level[:, :half].mean(1))
    scope = _subgroup(months, change)
    inside = months.members(scope)
    return Claim(driver, scope, months.date(_break(level[inside].mean(0))))


def _subgroup(months: Months, target: np.ndarray) -> dict[str, tuple[str, ...]]:
    """Find the best subgroup of up to two attributes by pysubgroup's standard quality."""
    import pysubgroup as ps

    frame = months.clients.fillna("").assign(target=target)
    goal = ps.NumericTarget("target")
    task = ps.SubgroupDiscoveryTask(
        frame,
        goal,
        ps.create_selectors(frame, ignore=["target"]),
        result_set_size=1,
        depth=2,
        qf=ps.StandardQFNumeric(0.5),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = ps.BeamSearch().execute(task).to_descriptions()[0][1]
    return {s.attribute_name: (str(s.attribute_value),) for s in best.selectors}


def _break(series: np.ndarray) -> int:
    import ruptures

    found = ruptures.Dynp(model="l2", min_size=3, jump=1).fit(series).predict(n_bkps=1)
    return int(found[0])


def _unexplained(months: Months, gone: np.ndarray) -> Claim | None:
    """Subgroup of last year's departures beyond what attributes and tenure had let expect."""
    grid = np.arange(months.span)[None, :]
    last = np.where(gone >= 0, gone, months.span - 1)[:, None]
    risk = (grid >= months.first[:, None]) & (grid <= last)
    event = (gone[:, None] == grid) & risk
    begin, end = months.span - 15, months.span - 3
    rate = _usual(months, event[:, :begin], risk[:, :begin])
    expected = rate * risk[:, begin:end].sum(1)
    observed = event[:, begin:end].sum(1)
    expected *= observed.sum() / max(expected.sum(), 1e-9)
    scope = _subgroup(months, observed - expected)
    inside = months.members(scope)
    z = (observed - expected)[inside].sum() / np.sqrt(max(expected[inside].sum(), 1e-9))
    if z < RESIDUAL_Z:
        return None
    hazard = event[inside].sum(0) / np.maximum(risk[inside].sum(0), 1)
    return Claim(None, scope, months.date(_break(hazard)))


def _usual(months: Months, event: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Monthly departure rate by client, from a Poisson model of the attributes before."""
    from sklearn.linear_model import PoissonRegressor

    known = risk.sum(1)
    x = pd.get_dummies(months.clients.fillna("")).to_numpy(float)
    rate = event.sum(1) / np.maximum(known, 1)
    fit = PoissonRegressor(alpha=1e-3, max_iter=300).fit(x, rate, sample_weight=known + 1e-9)
    return np.asarray(fit.predict(x))


def _remedy(months: Months, gone: np.ndarray, remedy: pd.Series) -> RemedyResult:
    """Difference in differences on client-months, by pyfixest, clustered by client."""
    import pyfixest as pf

    scope = {
        a: tuple(str(remedy[a]).split("|"))
        for a in months.clients.columns
        if a in remedy.index and isinstance(remedy[a], str)
    }
    begin = (pd.Period(remedy["start_date"], "M") - months.start).n
    grid = np.arange(months.span)[None, :]
    last = np.where(gone >= 0, gone, months.span - 1)[:, None]
    client, month = np.nonzero((grid >= months.first[:, None]) & (grid <= last))
    inside = months.members(scope)[client]
    frame = pd.DataFrame(
        {
            "gone": (gone[client] == month).astype(float),
            "treated": (inside & (month >= begin)).astype(float),
            "client": client,
            "month": month,
            "scope": inside.astype(int),
        }
    )
    frame = frame[frame["month"] >= begin - 12]
    fit = pf.feols("gone ~ treated | scope + month", frame, vcov={"CRV1": "client"})
    effect, p = float(fit.coef()["treated"]), float(fit.pvalue()["treated"])
    worked = effect < 0 and p < LEVEL
    return RemedyResult(
        action=str(remedy["action"]),
        issue_id=None,
        segment=scope,
        start_date=str(remedy["start_date"]),
        verdict="worked" if worked else "did_not",
        departures_avoided=None,
        risk_ratio=None if not worked else Estimate(float("nan"), float("nan"), float("nan")),
        readable_from=None,
    )
