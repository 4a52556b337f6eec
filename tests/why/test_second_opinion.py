"""Another way of estimating what a cause accounts for, and with an analyst's own model."""

from __future__ import annotations

import dataclasses
import sys
import types

import drawn_books
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churnlens.config import PluginSettings, Settings
from churnlens.errors import ConfigError
from churnlens.results import Estimate
from churnlens.why import second_opinion
from churnlens.why.case import Case
from churnlens.why.nuisances import boosted_trees, chance, features
from churnlens.why.registry import classifiers
from churnlens.why.second_opinion import contradicts, opinion, sample

OWN = "an_analyst_s_models"


def linear():
    """A model of an analyst's own."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1))


class OddOdds:
    """Gives odds for chances."""

    def fit(self, x, y, sample_weight=None):
        return self

    def predict_proba(self, x):
        return np.full((len(x), 2), 1.7)


@pytest.fixture(scope="module")
def clear(hit: drawn_books.Drawn) -> Case:
    return drawn_books.case(hit, hit.candidate("cause"))


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType(OWN)
    module.linear, module.odd = linear, OddOdds
    monkeypatch.setitem(sys.modules, OWN, module)
    return OWN


def test_it_comes_to_what_was_planted(hit: drawn_books.Drawn, clear: Case) -> None:
    found = opinion(clear)
    assert found is not None
    estimate, slope = found
    assert estimate.low < hit.caused < estimate.high
    assert estimate.value == pytest.approx(hit.caused, rel=0.3)
    assert 0.01 < slope.robustness < 0.5
    said = second_opinion.second_opinion(clear)
    assert said.outcome == "pass"
    assert "agrees" in said.detail


def test_it_finds_nothing_where_nobody_minds(quiet: drawn_books.Drawn) -> None:
    found = opinion(drawn_books.case(quiet, quiet.candidate("cause")))
    assert found is not None
    assert found[0].low < 0 < found[0].high


def test_it_does_not_take_a_rise_of_everybody_for_the_cause() -> None:
    """All leave more from the month on in which a driver moved for some."""

    def drivers(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, key, dose)}

    book = drawn_books.draw(clients=3000, drivers=drivers, seed=11)
    late = np.broadcast_to(np.arange(drawn_books.MONTHS) > drawn_books.START, (3000, 36))
    extra = late & (np.random.default_rng(1).random((3000, 36)) < 0.024)
    risen = drawn_books.with_departures(book, extra)
    case = drawn_books.case(risen, risen.candidate("cause"))
    assert case.attribution.attributable.low > 0  # the first way has no calendar to hold it to
    said = second_opinion.second_opinion(case)
    assert said.outcome == "fail"
    assert "less sure" in said.detail


def test_where_all_were_hit_alike_there_is_nothing_to_compare() -> None:
    def drivers(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, np.ones(len(dose), bool), np.ones(len(dose)))}

    book = drawn_books.draw(drivers=drivers, follow="flat", seed=12)
    case = drawn_books.case(book, book.candidate("cause", segment={}))
    flat = np.broadcast_to(np.arange(drawn_books.MONTHS) > drawn_books.START, (1200, 36))
    alike = dataclasses.replace(case.lasting, dose=flat.astype(np.float32))
    case = dataclasses.replace(case, lasting=alike)
    assert opinion(case) is None
    assert second_opinion.second_opinion(case).outcome == "skip"


def test_the_same_case_gives_the_same_sentence(clear: Case) -> None:
    assert second_opinion.second_opinion(clear) == second_opinion.second_opinion(clear)


@pytest.mark.parametrize(
    ("other", "first", "differ"),
    [
        ((50, 30, 70), (60, 40, 80), False),
        ((50, 30, 70), (90, 75, 110), True),
        ((50, 10, 95), (90, 75, 110), False),  # its interval holds the first
        ((-20, -35, -5), (10, 0, 25), True),  # sure of the other direction
        ((-2, -20, 16), (10, 0, 25), False),
    ],
)
def test_when_two_estimates_disagree(other, first, differ: bool) -> None:
    assert contradicts(Estimate(*other), Estimate(*first)) is differ


def test_a_sample_stands_for_the_whole_book(clear: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "MOST", 500)
    base, dose = clear.baseline, clear.lasting.dose
    part = sample(base, dose, np.random.default_rng(0))
    assert len(part.rows) < 2000
    there = base.expected > 0
    assert (part.weight * part.of(base.expected)).sum() == pytest.approx(
        base.expected.sum(), rel=0.1
    )
    assert (part.weight * part.of(dose)).sum() == pytest.approx(dose[there].sum(), rel=0.1)


def test_features_know_nothing_of_their_period_or_later(hit: drawn_books.Drawn) -> None:
    rows, period = np.arange(200), np.full(200, 20)
    now = features(hit.baseline, rows, period, (), {"cause"})
    values = {e.driver: e.values.copy() for e in hit.panel.exposures}
    for v in values.values():
        v[:, 20:] = 99.0
    later = drawn_books.with_exposures(
        hit,
        *(dataclasses.replace(e, values=values[e.driver]) for e in hit.panel.exposures),
    )
    revenue = hit.panel.revenue.copy()
    revenue[:, 20:] = 0
    panel = dataclasses.replace(later.panel, revenue=revenue)
    changed = dataclasses.replace(later.baseline, panel=panel)
    then = features(changed, rows, period, (), {"cause"})
    assert np.isfinite(now).all()
    assert (now[:, 0] == 20).all()
    np.testing.assert_array_equal(now, then)


# --- an analyst's own model ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [boosted_trees, linear])
def test_every_model_gives_chances_on_the_panel(make, hit: drawn_books.Drawn, clear: Case) -> None:
    """The conformance test of models: fit and predict_proba on features of client-periods."""
    part = sample(clear.baseline, clear.lasting.dose, np.random.default_rng(0))
    x = features(clear.baseline, part.rows, part.period, (), {"cause"})
    left = part.of(clear.baseline.panel.found) > 0.5
    told = chance(make)(x, left * 1.0, part.weight, x)
    assert told.shape == (len(x),)
    assert ((told >= 0) & (told <= 1)).all()
    assert np.average(told, weights=part.weight) == pytest.approx(
        np.average(left, weights=part.weight), rel=0.2
    )


def test_a_model_of_ones_own_stands_in_for_the_trees(clear: Case, own_module: str) -> None:
    chosen = Settings(plugins=PluginSettings(models=(f"{own_module}:linear",)))
    by_trees, by_own = (
        opinion(clear),
        opinion(dataclasses.replace(clear, models=classifiers(chosen))),
    )
    assert by_trees is not None
    assert by_own is not None
    assert by_own[0].value != by_trees[0].value
    assert by_own[0].value == pytest.approx(by_trees[0].value, rel=0.25)


def test_a_model_whose_chances_are_none_is_refused(clear: Case, own_module: str) -> None:
    chosen = Settings(plugins=PluginSettings(models=(f"{own_module}:odd",)))
    with pytest.raises(ConfigError, match=r"'an_analyst_s_models:odd'.*between 0 and 1"):
        opinion(dataclasses.replace(clear, models=classifiers(chosen)))


def test_a_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        classifiers(Settings(plugins=PluginSettings(models=("no_such_module:make",))))
