"""A short recovery board with generous bounds; the full one is `benchmarks/recovery`."""

import importlib.util

import pytest

from churnlens.config import Settings
from churnlens.simulate import Score, read_members, score, write_world

if importlib.util.find_spec("churnlens.pipeline") is None:
    pytest.skip("the pipeline is not there yet", allow_module_level=True)

PLANTED = ("approval", "lateness", "fewer_visits")
QUIET = ("quiet", "quiet_reactive")


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> dict[str, Score]:
    from churnlens.pipeline import investigate

    made = {}
    for world in PLANTED + QUIET:
        folder = tmp_path_factory.mktemp(world)
        truth = write_world(folder, world, 700, 11)
        review = investigate(folder, Settings(draws=199)).review
        made[world] = score(review, truth, read_members(folder / "clients.csv"))
    return made


def test_most_planted_causes_come_first(board: dict[str, Score]) -> None:
    right = [board[w].first_right for w in PLANTED]
    assert sum(right) >= 2, {w: board[w] for w in PLANTED}
    assert board["approval"].first_named


def test_hardly_anybody_is_blamed_wrongly(board: dict[str, Score]) -> None:
    assert sum(bool(s.blamed) for s in board.values()) <= 1, board


def test_quiet_worlds_stay_quiet(board: dict[str, Score]) -> None:
    assert sum(bool(board[w].false_alarm) for w in QUIET) <= 1, {w: board[w] for w in QUIET}
