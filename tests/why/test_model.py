"""The additive excess risk model: what was planted, no more than the total, published figures."""

import drawn_books
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlens.which.baseline import Baseline
from churnlens.why.attribution import attribute
from churnlens.why.model import DOSES, LEVEL_PRIOR, Term, fit, gains_alone, tally
from churnlens.why.selection import Explained, Explanation

T = np.arange(drawn_books.MONTHS)


def term(book: drawn_books.Drawn, dose: np.ndarray, name: str = "planted") -> Term:
    late = np.where(T > drawn_books.START, dose[:, None], 0)
    return Term(name, late.astype(np.float32).clip(0, 4), np.ones(late.shape, bool))


@pytest.fixture(scope="module")
def large() -> drawn_books.Drawn:
    return drawn_books.draw(clients=12_000, excess=3.0, seed=6)


def test_the_planted_excess_is_found(large: drawn_books.Drawn) -> None:
    fitted = fit(large.baseline, (term(large, np.where(large.key, large.dose, 0)),))
    assert fitted.excess[0] == pytest.approx(3.0, abs=3 * fitted.errors[0])
    assert fitted.errors[0] < 0.3
    assert fitted.levels[0] == pytest.approx(0, abs=0.1)
    assert fitted.gain > 50


def test_two_causes_are_told_apart(large: drawn_books.Drawn) -> None:
    other = np.random.default_rng(0).gamma(3, 1 / 3, len(large.dose))
    both = fit(
        large.baseline,
        (term(large, np.where(large.key, large.dose, 0)), term(large, other, "idle")),
    )
    assert both.excess[0] == pytest.approx(3.0, abs=0.6)
    assert both.excess[1] < 0.2


def test_a_term_that_protects_is_kept_at_nothing(large: drawn_books.Drawn) -> None:
    spared = fit(large.baseline, (term(large, np.where(large.key, 0, 1.0)),))
    assert spared.excess[0] >= 0
    assert spared.gain < 1


def test_no_terms_gain_nothing(quiet: drawn_books.Drawn) -> None:
    assert fit(quiet.baseline, ()).gain == 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_what_is_attributed_never_sums_past_the_total(seed: int) -> None:
    rng = np.random.default_rng(seed)
    book = drawn_books.draw(clients=150, base=0.03, excess=rng.uniform(0, 6), seed=seed % 1000)
    doses = [rng.gamma(1, 1, 150) * (rng.random(150) < 0.6) for _ in range(3)]
    parts = tuple(
        Explanation(None, None, term(book, d, str(k)), 0.0, 0.0) for k, d in enumerate(doses)
    )
    settled = attribute(book.baseline, Explained(parts, fit(book.baseline, ()), ()))
    shares = np.sum([p.share for p in settled.parts], axis=0)
    assert shares.min() >= 0
    assert shares.max() < 1
    total = sum(p.attributable.value for p in settled.parts)
    assert 0 <= total <= book.panel.found.sum()
    for part in settled.parts:
        assert part.attributable.low <= part.attributable.value <= part.attributable.high
        assert part.expected + part.attributable.value == pytest.approx(part.observed)


def cells(o: np.ndarray, e: np.ndarray, dose: np.ndarray) -> tuple[Baseline, tuple[Term, ...]]:
    """Return a book of one period: observed and expected of each cell, and the dose it had."""
    one = (np.asarray(values, float)[:, None] for values in (e, o))
    term = Term("dose", np.asarray(dose, np.float32)[:, None], np.ones((len(dose), 1), bool))
    return Baseline(None, None, *one), (term,)


def test_the_unit_of_a_dose_is_of_no_matter() -> None:
    rng = np.random.default_rng(2)
    dose, e = rng.integers(0, 9, 60) / 4, rng.uniform(0.5, 3, 60)
    o = rng.poisson(e * (1 + 0.8 * dose))
    once, twice = fit(*cells(o, e, dose)), fit(*cells(o, e, 2 * dose))
    assert once.gain == pytest.approx(twice.gain, abs=1e-3)
    assert once.excess[0] == pytest.approx(2 * twice.excess[0], rel=0.02)


def counts(cases: int, exposed: int, ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed and expected in two cells, unexposed and exposed; the unexposed are as expected."""
    unexposed = cases - exposed
    return (
        np.array([unexposed, exposed], float),
        np.array([unexposed, exposed / ratio], float),
        np.array([0.0, 1.0]),
    )


def test_hammond_and_horn_s_share_among_cases() -> None:
    """Hammond & Horn 1958: risk ratio 10.73; p_c(RR − 1)/RR gives .8036 of the cases."""
    ratio, cases = 10.73, 1_000_000
    exposed = round(cases * 0.8036 * ratio / (ratio - 1))
    o, e, dose = counts(cases, exposed, ratio)
    excess = fit(*cells(o, e, dose)).excess
    assert 1 + excess[0] == pytest.approx(ratio, rel=1e-3)
    due = o * excess[0] * dose / (1 + excess[0] * dose)
    assert due.sum() / cases == pytest.approx(0.8036, abs=1e-4)


@pytest.mark.parametrize(("share", "ratio"), [(0.3, 2.0), (0.5, 4.0), (0.9, 10.73)])
def test_one_yes_or_no_dose_gives_miettinen_s_formula(share: float, ratio: float) -> None:
    cases = 500_000
    o, e, dose = counts(cases, round(cases * share), ratio)
    excess = fit(*cells(o, e, dose)).excess
    due = float((o * excess[0] * dose / (1 + excess[0] * dose)).sum())
    assert due / cases == pytest.approx(share * (ratio - 1) / ratio, rel=2e-3)


def test_a_term_alone_gains_what_the_model_says(hit: drawn_books.Drawn) -> None:
    c = hit.candidate("cause")
    whole = fit(hit.baseline, (Term("", c.dose, c.inside),)).gain
    o, e = tally(hit.baseline, c.dose, c.inside)
    o_by_dose, e_by_dose = (table.sum(axis=1)[None] for table in (o, e))
    assert gains_alone(o_by_dose, e_by_dose, DOSES)[0] == pytest.approx(whole, abs=1e-5)
    assert o.sum() == pytest.approx(hit.baseline.observed[c.inside].sum())


def test_a_level_is_held_near_the_baseline_s_where_there_is_little() -> None:
    (level,) = fit(*cells([3.0], [1.0], [0.0])).levels
    assert np.exp(level) == pytest.approx((3 + LEVEL_PRIOR) / (1 + LEVEL_PRIOR), rel=1e-3)


def test_standard_errors_are_those_of_repeated_draws() -> None:
    rng = np.random.default_rng(7)
    dose, e = np.array([0.0, 0.5, 1.0, 2.0]), np.array([60.0, 20.0, 20.0, 20.0])
    drawn = [fit(*cells(rng.poisson(e * (1 + 2 * dose)), e, dose)) for _ in range(200)]
    excess, errors = np.array([[d.excess[0], d.errors[0]] for d in drawn]).T
    assert errors.mean() == pytest.approx(excess.std(), rel=0.25)


def test_of_a_dose_that_nobody_had_nothing_is_known() -> None:
    assert fit(*cells(np.ones(3), np.ones(3), np.zeros(3))).errors[0] > 100
