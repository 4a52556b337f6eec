"""What becomes of a driver that explains a rise and is then found not to be its cause."""

import drawn_books
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
