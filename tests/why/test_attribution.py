"""How many departures, and how much money, an explanation accounts for."""

import dataclasses

import drawn_books
import numpy as np
import pytest

from churnlens.results import Z95
from churnlens.why.attribution import COUNT_ERROR, attribute
from churnlens.why.model import Term, fit
from churnlens.why.names import behind
from churnlens.why.selection import Explained, Explanation


@pytest.fixture(scope="module")
def settled(hit: drawn_books.Drawn):
    return attribute(hit.baseline, drawn_books.explained(hit, hit.candidate("cause")))


def test_the_interval_holds_the_planted_number(hit: drawn_books.Drawn, settled) -> None:
    (part,) = settled.parts
    assert part.attributable.low <= hit.caused <= part.attributable.high
    assert part.attributable.value == pytest.approx(hit.caused, rel=0.25)
    assert part.ratio.low < part.ratio.value < part.ratio.high
    assert part.ratio.low <= 4 <= part.ratio.high


def test_the_risk_is_that_of_the_whole_shift_whatever_clients_got_of_it(
    hit: drawn_books.Drawn, settled
) -> None:
    known = drawn_books.explained(hit, hit.candidate("cause"))
    (part,) = known.parts
    lasting = dataclasses.replace(part.lasting, dose=part.lasting.dose / 2)
    half = dataclasses.replace(known, parts=(dataclasses.replace(part, lasting=lasting),))
    (found,) = attribute(hit.baseline, half).parts
    assert found.ratio.value - 1 == pytest.approx(2 * (settled.parts[0].ratio.value - 1), rel=0.05)


@pytest.mark.parametrize("seed", range(30, 36))
def test_other_books_hold_it_too(seed: int) -> None:
    book = drawn_books.draw(excess=2.5, drivers=drawn_books.two_drivers, seed=seed)
    (part,) = attribute(book.baseline, drawn_books.explained(book, book.candidate("cause"))).parts
    assert part.attributable.low <= book.caused <= part.attributable.high


def test_however_many_leave_the_count_is_not_sharper_than_what_is_never_seen() -> None:
    book = drawn_books.draw(clients=20_000, excess=2.5, drivers=drawn_books.two_drivers, seed=36)
    (part,) = attribute(book.baseline, drawn_books.explained(book, book.candidate("cause"))).parts
    half = (part.attributable.high - part.attributable.low) / 2
    assert half >= Z95 * COUNT_ERROR * part.attributable.value
    assert half < 1.2 * Z95 * COUNT_ERROR * part.attributable.value  # chance adds little here


def test_what_goes_on_all_along_is_as_sure_as_its_effect() -> None:
    """All have had some of it ever since: there is no time before to hold it against."""
    level = np.random.default_rng(55).gamma(2, 0.5, 1500)
    book = drawn_books.draw(clients=1500, lasting_rate=0.4 + level, seed=5)
    dose = np.repeat(level.clip(0.05, 3)[:, None], drawn_books.MONTHS, axis=1).astype(np.float32)
    term = Term("level", dose, np.ones_like(dose, bool))
    known = Explanation(None, None, term, float("nan"), 9.0)
    (part,) = attribute(book.baseline, Explained((known,), fit(book.baseline, (term,)), ())).parts
    sure = (part.ratio.low - 1) / (part.ratio.value - 1)
    assert sure - 0.05 <= part.attributable.low / part.attributable.value < 1


def test_observed_is_expected_and_attributable(hit: drawn_books.Drawn, settled) -> None:
    (part,) = settled.parts
    assert part.expected + part.attributable.value == pytest.approx(part.observed)
    assert part.observed == hit.panel.found[hit.candidate("cause").lasting.dose > 0].sum()
    assert not part.share[~hit.key].any()


def test_money_is_what_those_departures_brought(settled) -> None:
    (part,) = settled.parts
    assert part.revenue.value == pytest.approx(part.attributable.value * 1200, rel=0.02)
    assert part.margin is None
    assert part.revenue.low < part.revenue.value < part.revenue.high
    assert part.largest_account < 0.05
    assert 0 < part.accounts <= part.observed


def test_a_client_that_left_twice_is_one_account(hit: drawn_books.Drawn, settled) -> None:
    panel = dataclasses.replace(hit.panel, client=np.zeros(len(hit.key), int))
    base = dataclasses.replace(hit.baseline, panel=panel)
    (part,) = attribute(base, drawn_books.explained(hit, hit.candidate("cause"))).parts
    assert (part.accounts, part.largest_account) == (1, 1.0)
    assert part.revenue == settled.parts[0].revenue


def test_the_part_that_stayed_is_not_lost(hit: drawn_books.Drawn, settled) -> None:
    kept = np.where(hit.panel.onset >= 0, 0.4, np.nan)
    panel = dataclasses.replace(hit.panel, kept=kept, margin=hit.panel.revenue * 0.2)
    base = dataclasses.replace(hit.baseline, panel=panel)
    again = attribute(base, drawn_books.explained(hit, hit.candidate("cause"))).parts[0]
    assert again.revenue.value == pytest.approx(0.6 * settled.parts[0].revenue.value)
    assert again.margin.value == pytest.approx(0.2 * again.revenue.value, rel=1e-4)


def test_the_interval_of_a_loss_holds_it_too(hit: drawn_books.Drawn) -> None:
    panel = dataclasses.replace(hit.panel, margin=hit.panel.revenue * -0.5)
    base = dataclasses.replace(hit.baseline, panel=panel)
    margin = attribute(base, drawn_books.explained(hit, hit.candidate("cause"))).parts[0].margin
    assert margin.low < margin.value < margin.high <= 0


def test_nothing_explained_leaves_the_baseline(quiet: drawn_books.Drawn) -> None:
    settled = attribute(quiet.baseline, drawn_books.explained(quiet))
    assert settled.parts == ()
    assert settled.usual is quiet.baseline.hazard


def test_the_clients_behind_it_are_leavers_of_the_segment(hit: drawn_books.Drawn, settled) -> None:
    ids = [f"c{i}" for i in range(len(hit.key))]
    named = behind(settled, settled.parts[0], ids)
    rows = [int(name[1:]) for name in named]
    assert 0 < len(named) <= 20
    assert hit.key[rows].all()
    assert (hit.panel.onset[rows] > drawn_books.START).all()
