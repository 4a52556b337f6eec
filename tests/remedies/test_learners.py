"""The models of the outlook: what they make of columns that tell nothing."""

import numpy as np
import pytest

from churnlens.remedies.learners import MODELS, Cases


@pytest.mark.parametrize("blank", [np.nan, 1.0], ids=["recorded later", "constant"])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_column_that_tells_nothing_changes_nothing(model, blank) -> None:
    rng = np.random.default_rng(0)
    told = rng.standard_normal((2000, 2))
    chance = 1 / (1 + np.exp(2 - told[:, 0]))
    weight = np.ones(len(told))
    new = rng.standard_normal((50, 2))
    without = MODELS[model](Cases(told, chance, weight), new)
    silent = np.column_stack([told, np.full(len(told), blank)])
    # the measure is recorded by the time that is looked ahead from
    known = np.column_stack([new, rng.standard_normal(50)])
    known[:, 2] = known[:, 2] if np.isnan(blank) else blank
    assert MODELS[model](Cases(silent, chance, weight), known) == pytest.approx(without, abs=1e-3)
