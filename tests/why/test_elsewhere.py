"""Who else got as much of it, and did they leave for it?"""

from __future__ import annotations

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.why.checks import CHECKS
from churnlens.why.verdicts import verdict


def _book(*, everyone: bool, follow: str, seed: int) -> drawn_books.Drawn:
    """Key clients leave more, by their dose or all alike; the driver rose for them or for all."""

    def drivers(rng, key, dose, onset):
        hit = np.ones(len(key), bool) if everyone else key
        got = np.where(key, dose, rng.gamma(4, 0.25, len(key)))
        return {"price": drawn_books.shifted(rng, hit, got)}

    return drawn_books.draw(clients=1800, excess=3.0, follow=follow, drivers=drivers, seed=seed)


def _case(book: drawn_books.Drawn):
    return drawn_books.case(book, book.candidate("price"))


def _answer(book: drawn_books.Drawn):
    return CHECKS["elsewhere"](_case(book))


@pytest.mark.parametrize("seed", range(3))
def test_what_changed_for_the_segment_alone_passes(seed: int) -> None:
    assert _answer(_book(everyone=False, follow="dose", seed=seed)).outcome == "pass"


@pytest.mark.parametrize("outside", ["unmoved", "unrecorded"])
def test_who_has_no_record_since_the_change_was_not_reached_by_it(
    outside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four months before the end it changed for the segment alone, and is read from that month."""
    monkeypatch.setattr(drawn_books, "START", drawn_books.MONTHS - 4)
    book = _book(everyone=False, follow="dose", seed=0)
    price = book.exposure("price")
    if outside == "unrecorded":
        t = np.arange(drawn_books.MONTHS)
        gone = ~book.key[:, None] & (t >= drawn_books.START)
        price = dataclasses.replace(price, values=np.where(gone, np.nan, price.values))
    book = drawn_books.with_exposures(book, price)
    found = book.candidate("price", start=drawn_books.START)
    at_once = dataclasses.replace(found, lag=0)
    assert CHECKS["elsewhere"](drawn_books.case(book, at_once)).outcome == "pass"


@pytest.mark.parametrize("seed", range(3))
def test_what_changed_for_all_while_one_segment_left_fails(seed: int) -> None:
    found = _answer(_book(everyone=True, follow="flat", seed=seed))
    assert found.outcome == "fail"
    assert "of all other clients as well" in found.detail


def test_where_it_changed_for_all_and_all_left_nobody_else_can_be_asked() -> None:
    book = _book(everyone=True, follow="dose", seed=0)
    case = drawn_books.case(book, book.candidate("price", segment={}))
    assert CHECKS["elsewhere"](case).outcome == "skip"


def test_others_who_left_for_it_as_well_do_not_speak_against_it() -> None:
    book = _book(everyone=True, follow="flat", seed=4)
    late = np.arange(drawn_books.MONTHS) > drawn_books.START
    more = np.where(late & ~book.key[:, None], 4 * book.baseline.expected, book.baseline.observed)
    left = dataclasses.replace(book, baseline=dataclasses.replace(book.baseline, observed=more))
    assert _answer(left).outcome == "skip"


@pytest.mark.parametrize(("follow", "said"), [("dose", "cause"), ("flat", "cannot_tell")])
def test_where_others_stayed_only_its_dose_makes_it_a_cause(follow: str, said: str) -> None:
    case = _case(_book(everyone=True, follow=follow, seed=5))
    evidence = tuple(CHECKS[name](case) for name in ("dose_response", "elsewhere"))
    assert evidence[1].outcome == "fail"
    assert verdict(case, evidence) == said
