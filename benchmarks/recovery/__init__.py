"""The recovery benchmark: planted worlds, truth, and a scoreboard."""
