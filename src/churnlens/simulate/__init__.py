"""Planted worlds with their truth, and the scoring of a review against it."""

from churnlens.simulate.scoring import Members, Score, read_members, score, score_files
from churnlens.simulate.truth import TrueCause, TrueRemedy, Truth, read_truth
from churnlens.simulate.world import World, play, write_world
from churnlens.simulate.worlds import RECIPES

__all__ = [
    "RECIPES",
    "Members",
    "Score",
    "TrueCause",
    "TrueRemedy",
    "Truth",
    "World",
    "play",
    "read_members",
    "read_truth",
    "score",
    "score_files",
    "write_world",
]
