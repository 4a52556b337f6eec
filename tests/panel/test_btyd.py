"""Buy till you die: CDNOW's published fits, and what must hold whatever the data."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.panel import btyd


@pytest.fixture(scope="module")
def cdnow():
    """Fader and Hardie's sample of 2,357 clients over 39 weeks: x, t_x, T and mean repeat spend.

    The sample follows no rule on the ids, so they are listed beside this file; the purchases are
    those of the full cohort.
    """
    here = Path(__file__).resolve()
    home = Path(os.environ.get("CHURNLENS_DATA", here.parents[3] / "shared" / "data"))
    if not (home / "cdnow.parquet").exists():
        pytest.skip("cdnow.parquet is not among the data beside the repository")
    sample = here.with_name("cdnow_sample_ids.txt").read_text().split()
    orders = pd.read_parquet(home / "cdnow.parquet")
    end = pd.Timestamp("1997-09-30")
    orders = orders[orders["customer_id"].isin(sample) & (orders["date"] <= end)]
    days = orders.groupby(["customer_id", "date"], as_index=False)["value"].sum()
    repeats = days[days.groupby("customer_id").cumcount() > 0]
    clients = days.groupby("customer_id")["date"].agg(["min", "max", "size"])
    return pd.DataFrame(
        {
            "x": clients["size"] - 1,
            "t_x": (clients["max"] - clients["min"]).dt.days / 7,
            "T": (end - clients["min"]).dt.days / 7,
            "spend": repeats.groupby("customer_id")["value"].mean(),
        }
    )


def test_bg_nbd_on_cdnow(cdnow):
    assert (len(cdnow), (cdnow["x"] > 0).sum()) == (2357, 946)
    fit = btyd.fit_bg_nbd(cdnow["x"], cdnow["t_x"], cdnow["T"])
    found = [fit.r, fit.alpha, fit.a, fit.b]
    np.testing.assert_allclose(found, [0.243, 4.414, 0.793, 2.426], atol=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert fit.p_alive(2, 30.43, 38.86) == pytest.approx(0.7266, abs=5e-5)
    assert fit.expected_purchases(39, 2, 30.43, 38.86) == pytest.approx(1.226, abs=5e-4)


def test_pareto_nbd_on_cdnow(cdnow):
    fit = btyd.fit_pareto_nbd(cdnow["x"], cdnow["t_x"], cdnow["T"])
    found = [fit.r, fit.alpha, fit.s, fit.beta]
    np.testing.assert_allclose(found, [0.553, 10.578, 0.606, 11.669], atol=1e-3)
    assert fit.log_likelihood == pytest.approx(-9595.0, abs=0.05)


def test_gamma_gamma_on_the_946_repeaters(cdnow):
    fit = btyd.fit_gamma_gamma(cdnow["x"], cdnow["spend"].fillna(0.0))
    np.testing.assert_allclose([fit.p, fit.q, fit.v], [6.25, 3.74, 15.45], atol=0.01)
    many, few = fit.expected_spend([50, 1], [100.0, 100.0])
    assert 35 < few < many < 100


@pytest.mark.parametrize(
    ("remaining", "alpha", "beta"),
    [
        ([100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1], 0.668, 3.806),
        ([100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1], 0.704, 1.182),
    ],
)
def test_shifted_beta_geometric_of_the_high_end_and_the_regular_clients(remaining, alpha, beta):
    fit = btyd.fit_shifted_beta_geometric(remaining)
    assert (fit.alpha, fit.beta) == (pytest.approx(alpha, abs=5e-4), pytest.approx(beta, abs=5e-4))
    np.testing.assert_allclose(100 * fit.survival(np.arange(8)), remaining, atol=2.0)


def _clients(size, seed=0):
    """Clients that buy at gamma rates and may leave after any purchase, watched 20 to 40 weeks."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(0.8, 1 / 5.0, size), rng.beta(1.0, 3.0, size)
    span = rng.integers(20, 41, size).astype(float)
    lives = rng.geometric(leave)
    times = np.cumsum(rng.exponential(1 / rate[:, None], (size, 60)), axis=1)
    bought = (times < span[:, None]) & (np.arange(60) < lives[:, None])
    x = bought.sum(axis=1)
    t_x = np.where(x > 0, times[np.arange(size), np.maximum(x - 1, 0)], 0.0)
    return x, t_x, span, lives > x


def test_p_alive_is_the_share_of_clients_still_there():
    x, t_x, span, alive = _clients(20_000)
    fit = btyd.fit_bg_nbd(x, t_x, span)
    assert fit.r == pytest.approx(0.8, rel=0.15)
    assert fit.alpha == pytest.approx(5.0, rel=0.2)
    chance = fit.p_alive(x, t_x, span)
    bands = np.minimum((chance * 5).astype(int), 4)
    counted = np.bincount(bands)
    assert counted.min() > 100
    np.testing.assert_allclose(
        np.bincount(bands, alive) / counted, np.bincount(bands, chance) / counted, atol=0.04
    )


@pytest.mark.parametrize("fit", [btyd.fit_bg_nbd, btyd.fit_pareto_nbd])
def test_the_unit_of_time_does_not_matter(fit):
    x, t_x, span, _ = _clients(1_000)
    weeks, days = fit(x, t_x, span), fit(x, 7 * t_x, 7 * span)
    assert days.alpha == pytest.approx(7 * weeks.alpha, rel=1e-3)
    assert days.log_likelihood == pytest.approx(
        weeks.log_likelihood - x.sum() * np.log(7), rel=1e-8
    )
    np.testing.assert_allclose(
        days.p_alive(x, 7 * t_x, 7 * span), weeks.p_alive(x, t_x, span), atol=1e-4
    )


@pytest.mark.parametrize(
    "model",
    [
        btyd.BetaGeometricNBD(0.243, 4.414, 0.793, 2.426, 0.0),
        btyd.ParetoNBD(0.553, 10.578, 0.606, 11.669, 0.0),
        btyd.ParetoNBD(0.553, 11.669, 0.606, 10.578, 0.0),
    ],
)
@settings(max_examples=60, deadline=None)
@given(
    x=st.integers(0, 2_000),
    t_x=st.floats(0.0, 200.0),
    silence=st.floats(0.0, 200.0),
    more=st.floats(0.1, 50.0),
)
def test_p_alive_is_a_chance_and_falls_with_silence(model, x, t_x, silence, more):
    last = t_x if x else 0.0
    chance = model.p_alive([x, x], [last, last], [last + silence, last + silence + more])
    assert np.all((chance >= 0) & (chance <= 1))
    assert chance[1] <= chance[0] + 1e-9


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="second time"):
        btyd.fit_bg_nbd([0, 0], [0, 0], [10, 10])
    with pytest.raises(ValueError, match="outside the time"):
        btyd.fit_bg_nbd([1, 0], [12, 0], [10, 10])
    with pytest.raises(ValueError, match="three falling"):
        btyd.fit_shifted_beta_geometric([100, 100, 100])
    with pytest.raises(ValueError, match="fewer than two"):
        btyd.fit_gamma_gamma([1, 0], [20.0, 0.0])
