"""What becomes of a driver that explains a rise and is then found not to be its cause."""

import drawn_books
import numpy as np
import pytest

from churnlens.config import Settings
from churnlens.why.investigate import Answer, answer


def answered(book: drawn_books.Drawn) -> Answer:
    return answer(book.baseline, book.scan(), book.attributes, {}, Settings())


def said_of(driver: str, answer: Answer) -> str:
    return next(r.verdict for r in answer.ruled_out if r.driver == driver)


@pytest.fixture(scope="module")
def against_the_dose() -> drawn_books.Drawn:
    """A driver moved by very different doses, and all whom it hit leave alike."""
    return drawn_books.against_the_dose()


def test_a_rise_that_goes_against_a_driver_s_dose_is_unexplained(
    against_the_dose: drawn_books.Drawn,
) -> None:
    found = answered(against_the_dose)
    (issue,) = found.issues
    assert (issue.kind, issue.driver, issue.segment) == ("unexplained", None, drawn_books.KEY)
    assert said_of("cause", found) == "bystander"
    assert said_of("symptom", found) == "symptom"


def test_where_the_scan_does_not_find_the_rise_the_driver_s_move_is_told(
    against_the_dose: drawn_books.Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlens.why.selection.SCAN_ALPHA", 0.0)
    (issue,) = answered(against_the_dose).issues
    assert (issue.kind, issue.driver, issue.verdict) == ("shift", "cause", "cannot_tell")


def test_of_two_whose_doses_departures_go_against_neither_takes_the_other_s_place() -> None:
    def drivers(rng, key, dose, onset):
        other = rng.permutation(dose)
        return {
            "one": drawn_books.shifted(rng, key, dose),
            "two": drawn_books.shifted(rng, key, other),
        }

    book = drawn_books.draw(
        clients=3000, excess=4.0, spread=1.2, follow="flat", drivers=drivers, seed=8
    )
    found = answered(book)
    (issue,) = found.issues
    assert (issue.kind, issue.driver, issue.segment) == ("unexplained", None, drawn_books.KEY)
    assert {said_of("one", found), said_of("two", found)} == {"bystander"}


@pytest.fixture(scope="module")
def answered_with_discounts() -> drawn_books.Drawn:
    """The firm answers a cause, four months on, with discounts for all, and more for leavers."""

    def drivers(rng, key, dose, onset):
        t = np.arange(drawn_books.MONTHS)
        given = np.where(key, dose + 0.5 * (onset >= 0), 0)
        answer = given[:, None] * (t >= drawn_books.START + 4)
        return {
            "cause": drawn_books.shifted(rng, key, dose, noise=2.0),
            "discount": drawn_books.measure(rng, len(dose), noise=0.2) + 2 * answer,
        }

    return drawn_books.draw(clients=3000, excess=2.0, spread=0.9, drivers=drivers, seed=5)


def test_what_moved_before_takes_the_place_of_what_answered(
    answered_with_discounts: drawn_books.Drawn,
) -> None:
    book = answered_with_discounts
    by_dose = [
        book.candidate(d, start=drawn_books.START + lag).gain
        for d, lag in (("cause", 0), ("discount", 4))
    ]
    assert by_dose[1] > by_dose[0]  # so that the answer is looked at first
    found = answered(book)
    (issue,) = found.issues
    assert (issue.driver, issue.verdict, issue.rivals) == ("cause", "cause", ())
    assert said_of("discount", found) == "bystander"


@pytest.mark.parametrize(("alpha", "kinds"), [(0.0, []), (0.015, ["shift"])])
def test_where_a_rise_hangs_on_few_clients_it_is_told_only_if_the_scan_finds_it(
    alpha: float, kinds: list[str], hit: drawn_books.Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlens.why.checks.SHOWS", 1e9)  # no half shows it by itself
    monkeypatch.setattr("churnlens.why.selection.SCAN_ALPHA", alpha)
    found = answered(hit)
    assert [(i.kind, i.verdict) for i in found.issues] == [(k, "cannot_tell") for k in kinds]
    if not kinds:
        assert said_of("cause", found) == "cannot_tell"
