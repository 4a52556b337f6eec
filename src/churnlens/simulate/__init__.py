"""Planted worlds with their truth, and the scoring of a review against it."""

from churnlens.simulate.truth import TrueCause, TrueRemedy, Truth, read_truth
from churnlens.simulate.world import World, play, write_world
from churnlens.simulate.worlds import RECIPES

__all__ = [
    "RECIPES",
    "TrueCause",
    "TrueRemedy",
    "Truth",
    "World",
    "play",
    "read_truth",
    "write_world",
]
