"""The whole room: from the scans to issues and verdicts, on drawn books."""

import dataclasses
import json

import drawn_books
import numpy as np
import pytest

from churnlens.config import Settings
from churnlens.issues.summary import ranked
from churnlens.panel.exposures import BEYOND, Exposure
from churnlens.results import Book, DefinitionUsed, Issue, Review, from_json, to_json
from churnlens.why.investigate import Answer, answer
from churnlens.why.series import dose_points, driver_series

SMALLEST = 5


def answered(book: drawn_books.Drawn, **others: drawn_books.Drawn) -> Answer:
    elsewhere = {name: other.baseline for name, other in others.items()}
    return answer(book.baseline, book.scan(), book.attributes, elsewhere, Settings())


@pytest.fixture(scope="module")
def explained(hit: drawn_books.Drawn) -> Answer:
    return answered(hit, another=hit)


@pytest.fixture(scope="module")
def unrecorded() -> Answer:
    """Key clients leave for something that nobody recorded."""

    def drivers(rng, key, dose, onset):
        return {"still": drawn_books.measure(rng, len(dose))}

    return answered(drawn_books.draw(excess=4.0, drivers=drivers, seed=5))


def level_book() -> drawn_books.Drawn:
    """All clients mind a driver of which they always got different amounts."""
    level = np.random.default_rng(55).normal(0, 1, 1500)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((1500, drawn_books.MONTHS))
        return {"level": 2 + 0.5 * level[:, None] + 0.4 * noise}

    rate = np.exp(0.6 * level)
    return drawn_books.draw(clients=1500, lasting_rate=rate, drivers=drivers, seed=5)


@pytest.fixture(scope="module")
def all_along() -> Answer:
    return answered(level_book())


def test_the_cause_is_named_with_its_clients_and_its_date(explained: Answer) -> None:
    (issue,) = explained.issues
    assert (issue.kind, issue.driver, issue.direction) == ("shift", "cause", "more")
    assert issue.verdict == "cause"
    assert issue.segment == drawn_books.KEY
    assert issue.onset is not None
    assert issue.onset.low <= "2022-07-01" <= issue.onset.high
    assert issue.driver_change == pytest.approx((2.0, 4.0), abs=0.4)
    assert issue.definitions_agreeing.agree == issue.definitions_agreeing.of == 2
    assert "cause" in issue.title


def test_a_cause_that_has_passed_has_its_last_month_and_no_price_of_waiting() -> None:
    lasts = np.arange(drawn_books.MONTHS) < drawn_books.START + 9

    def drivers(rng, key, dose, onset):
        level = drawn_books.measure(rng, len(dose))
        return {"cause": np.where(lasts, drawn_books.shifted(rng, key, dose), level)}

    (issue,) = answered(drawn_books.draw(excess=6.0 * lasts, drivers=drivers, seed=1)).issues
    assert issue.kind == "shift"
    assert issue.until is not None
    assert issue.until.low <= "2023-03-01" <= issue.until.high
    assert issue.title.startswith("From July 2022 to March 2023")
    assert issue.revenue_per_month_of_waiting is None


def test_what_was_done_once_is_told_for_as_long_as_its_clients_leave_more() -> None:
    month = np.arange(drawn_books.MONTHS) == drawn_books.START

    def drivers(rng, key, dose, onset):
        calls = rng.poisson(0.02, (len(dose), drawn_books.MONTHS)) + (key[:, None] & month)
        return {"cause": Exposure("cause", "count", "events", calls.astype(np.float32))}

    book = drawn_books.draw(excess=3.0, follow="flat", drivers=drivers, seed=1)
    (issue,) = answered(book).issues
    assert (issue.driver, issue.until) == ("cause", None)
    assert issue.driver_until is not None
    assert issue.driver_until.date == "2022-07-01"
    assert issue.title.endswith("and the effect has stayed.")
    assert issue.revenue_per_month_of_waiting is not None
    assert issue.departures.attributable.low <= book.caused <= issue.departures.attributable.high


def test_every_driver_stands_once(hit: drawn_books.Drawn, explained: Answer) -> None:
    named = [i.driver for i in explained.issues] + [r.driver for r in explained.ruled_out]
    assert sorted(named) == sorted(e.driver for e in hit.panel.exposures)
    verdicts = {r.driver: r.verdict for r in explained.ruled_out}
    assert verdicts == {"still": "no_effect", "symptom": "symptom"}


def test_a_rise_that_nothing_recorded_explains_is_called_so(unrecorded: Answer) -> None:
    (issue,) = unrecorded.issues
    assert (issue.kind, issue.driver, issue.verdict) == ("unexplained", None, None)
    assert issue.segment == drawn_books.KEY
    assert issue.onset is not None
    assert issue.onset.low <= "2022-08-01" <= issue.onset.high
    assert issue.unknown  # what would decide it
    assert [r.verdict for r in unrecorded.ruled_out] == ["no_effect"]


def test_a_standing_trouble_has_no_date(all_along: Answer) -> None:
    (issue,) = all_along.issues
    assert (issue.kind, issue.driver, issue.onset) == ("standing", "level", None)
    assert issue.verdict == "cause"
    said = {e.check: e.outcome for e in issue.evidence}
    assert said.pop("definitions") in ("pass", "skip")
    assert said == {
        "lead_lag": "pass",
        "sensitivity": "pass",
        "leave_one_account_out": "pass",
        "held_out": "pass",
    }


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("checks.SHOWS", 1e9),  # no half shows it by itself
        ("attribution.COUNT_ERROR", 1.0),  # it may account for none
    ],
)
def test_a_standing_trouble_that_hangs_on_few_clients_or_may_cost_none_is_no_cause(
    monkeypatch: pytest.MonkeyPatch, part: str, value: float
) -> None:
    monkeypatch.setattr(f"churnlens.why.{part}", value)
    answer = answered(level_book())
    assert answer.issues == ()
    assert {r.driver: r.verdict for r in answer.ruled_out} == {"level": "cannot_tell"}


@pytest.mark.parametrize("months", [4, 12])
def test_an_early_sign_of_leaving_costs_nobody(months: int) -> None:
    def drivers(rng, key, dose, onset):
        return {"sign": drawn_books.before_onset(rng, onset, months)}

    found = answered(drawn_books.draw(clients=1500, drivers=drivers, seed=6))
    assert found.issues == ()
    (sign,) = found.ruled_out
    assert (sign.driver, sign.verdict) == ("sign", "symptom")
    assert "as leaving nears" in sign.why


def test_a_standing_trouble_of_a_segment_may_be_all_that_it_leaves_more() -> None:
    much = np.random.default_rng(70).gamma(2.0, 1.0, 1500)
    key = drawn_books.draw(clients=1500, seed=0).key
    level = np.where(key, much, 0.1)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((1500, drawn_books.MONTHS))
        return {"trouble": 1 + 0.5 * level[:, None] + 0.4 * noise}

    rate = 1 + 1.2 * level
    book = drawn_books.draw(clients=1500, base=0.008, lasting_rate=rate, drivers=drivers, seed=0)
    (issue,) = answered(book).issues
    assert issue.segment == drawn_books.KEY
    caused = float((book.panel.found.sum(axis=1) * (1 - 1 / rate))[book.key].sum())
    a = issue.departures.attributable
    assert a.low <= caused <= a.high <= issue.departures.observed
    assert issue.revenue_per_year.high > issue.revenue_per_year.value


def test_a_quiet_book_has_no_issue(quiet: drawn_books.Drawn) -> None:
    found = answered(quiet)
    assert found.issues == ()
    assert {r.driver for r in found.ruled_out} == {"cause", "still", "symptom"}
    assert {r.driver: r.verdict for r in found.ruled_out}["cause"] == "no_effect"


def review_of(*issues: Issue) -> Review:
    return Review(
        as_of="2023-12-31",
        period="month",
        currency="EUR",
        rows={},
        departure_definition=DefinitionUsed("cadence", ""),
        issues=ranked(issues),
        book=Book(1000, 1, "2021-01-01", "2023-12-31", 0),
    )


@pytest.mark.parametrize("kind", ["explained", "unrecorded", "all_along"])
def test_an_issue_survives_its_json(kind: str, request: pytest.FixtureRequest) -> None:
    review = review_of(*request.getfixturevalue(kind).issues)
    text = to_json(review)
    json.loads(text)
    assert to_json(from_json(text)) == text


@pytest.mark.parametrize("kind", ["explained", "unrecorded", "all_along"])
def test_the_waterfall_adds_up(kind: str, request: pytest.FixtureRequest) -> None:
    (issue,) = request.getfixturevalue(kind).issues
    bars = {bar.role: bar.value for bar in issue.waterfall}
    steps = sum(b.value for b in issue.waterfall if b.role not in ("start", "end"))
    assert bars["start"] + steps == pytest.approx(bars["end"], abs=1e-6)
    assert ("cause" in bars) == (issue.driver is not None)


@pytest.mark.parametrize("kind", ["explained", "unrecorded", "all_along"])
def test_departures_add_up_and_intervals_hold_their_value(
    kind: str, request: pytest.FixtureRequest
) -> None:
    (issue,) = request.getfixturevalue(kind).issues
    due = issue.departures.attributable
    assert issue.departures.expected + due.value == pytest.approx(
        issue.departures.observed, abs=0.51
    )
    for estimate in (due, issue.revenue_per_year, issue.revenue_per_month_of_waiting):
        assert 0 <= estimate.low <= estimate.value <= estimate.high
    assert due.high <= issue.departures.observed
    assert len(issue.series) == drawn_books.MONTHS
    assert issue.effect is not None
    assert 1 <= issue.effect.low <= issue.effect.value <= issue.effect.high


def test_doses_rise_and_no_band_shows_fewer_than_five(explained: Answer) -> None:
    (issue,) = explained.issues
    assert len(issue.dose) >= 3
    assert all(p.clients >= SMALLEST for p in issue.dose)
    assert [p.low for p in issue.dose] == sorted(p.low for p in issue.dose)
    assert issue.dose[-1].rate.value > 2 * issue.dose[0].rate.value


def test_small_groups_are_not_shown() -> None:
    def drivers(rng, key, dose, onset):
        return {"cause": drawn_books.shifted(rng, key, dose)}

    book = drawn_books.draw(clients=60, excess=9.0, base=0.03, drivers=drivers, seed=1)
    settled = drawn_books.attribute(
        book.baseline, drawn_books.explained(book, book.candidate("cause"))
    )
    points = dose_points(settled, book.baseline, book.candidate("cause"))
    assert all(p.clients >= SMALLEST for p in points)
    few = book.inside(drawn_books.KEY) & (np.cumsum(book.key) <= 4)[:, None]
    candidate = dataclasses.replace(book.candidate("cause"), inside=few)
    points = driver_series(book.baseline, candidate)
    assert {p.inside for p in points} == {None}
    assert max(p.inside_clients for p in points) < 5 <= min(p.outside_clients for p in points)
    assert dose_points(settled, book.baseline, candidate) == ()


def test_what_the_data_hardly_tell_makes_the_dose_response_unsure(hit: drawn_books.Drawn) -> None:
    candidate = hit.candidate("cause")
    settled = drawn_books.attribute(hit.baseline, drawn_books.explained(hit, candidate))
    guessed = dataclasses.replace(hit.baseline, expected=0.25 * hit.baseline.expected)
    sure, unsure = (dose_points(settled, base, candidate) for base in (hit.baseline, guessed))
    assert len(sure) >= 3
    for told, less in zip(sure, unsure, strict=True):
        assert less.rate.value == pytest.approx(told.rate.value)
        assert less.rate.high - less.rate.low > 1.3 * (told.rate.high - told.rate.low)


def test_a_client_that_came_back_is_one_client() -> None:
    def drivers(rng, key, dose, onset):
        return {"cause": np.ones((len(key), drawn_books.MONTHS))}

    drawn = drawn_books.draw(clients=200, base=0.0, drivers=drivers)
    book = drawn_books.with_returns(drawn, drawn_books.START)
    points = driver_series(book.baseline, book.candidate("cause", segment={}))
    assert {p.inside_clients for p in points} == {100}


def test_a_negative_control_is_never_blamed(hit: drawn_books.Drawn) -> None:
    """Neither for a rise nor for what goes on all along."""
    level = np.random.default_rng(55).normal(0, 1, 1500)

    def drivers(rng, key, dose, onset):
        noise = rng.standard_normal((1500, drawn_books.MONTHS))
        return {"level": 2 + 0.5 * level[:, None] + 0.4 * noise}

    lasting = drawn_books.draw(
        clients=1500, lasting_rate=np.exp(0.6 * level), drivers=drivers, seed=5
    )
    for book in (hit, lasting):
        marked = [dataclasses.replace(e, role="negative_control") for e in book.panel.exposures]
        found = answered(drawn_books.with_exposures(book, *marked))
        assert all(issue.driver is None for issue in found.issues)


def test_a_driver_with_several_sides_stands_once() -> None:
    """The mean and the far tail of a measure move together, and its far tail once more alone."""

    def drivers(rng, key, dose, onset):
        t = np.arange(drawn_books.MONTHS)
        grown = 0.02 + 0.2 * (key[:, None] & (t >= drawn_books.START)) * dose[:, None]
        north = rng.random(len(dose)) < 0.3
        grown = grown + 0.2 * (north[:, None] & ~key[:, None] & (t >= 8))
        tail = rng.binomial(4, grown.clip(0, 0.9)) / 4
        return {"cause": drawn_books.shifted(rng, key, dose), "tail": tail}

    book = drawn_books.draw(clients=2000, excess=3.0, drivers=drivers, seed=21)
    mean, tail = book.panel.exposures
    side = Exposure("cause", BEYOND, "orders", tail.values, limit=6.0)
    panel = dataclasses.replace(book.panel, exposures=(mean,), sides=(side,))
    found = answered(
        dataclasses.replace(book, baseline=dataclasses.replace(book.baseline, panel=panel))
    )
    named = [i.driver for i in found.issues] + [r.driver for r in found.ruled_out]
    assert named == ["cause"]
    assert found.issues[0].exposure == "mean"
