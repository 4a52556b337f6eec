"""A heat map over two spans, in a few shades that can be told apart in grey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churnlens.report.charts import ACCENT, RULE, Rows, Spec, layered, written

SHADES = (0.07, 0.25, 0.48, 0.74, 1.0)  # opacity of each, least first; the stylesheet has the same
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def step_of(largest: float) -> float:
    """Return a round width of a shade, so that the last one begins near `largest`."""
    wanted = max(largest, 1.0) / (len(SHADES) - 1)
    power = 10.0 ** (len(str(int(wanted))) - 1) if wanted >= 1 else 0.1
    return next(power * s for s in _STEPS if power * s >= wanted)


def shade_of(value: float, step: float) -> int:
    """Return the number of the shade that a value falls in."""
    return min(int(value // step), len(SHADES) - 1)


def heat(
    cells: Rows,
    across: Mapping[int, str],
    upward: Mapping[int, str],
    bands: tuple[int, int],
    size: tuple[int, int],
) -> Spec:
    """Show a value by two bands.

    Parameters
    ----------
    cells
        One mapping a cell: ``x`` and ``y`` (its bands, 0, 1, …) and ``shade``.
    across, upward
        Labels by band.
    bands
        How many bands there are across, and upward.
    """
    placed = [{**c, "x2": c["x"] + 0.5, "x": c["x"] - 0.5, "y2": c["y"] + 1} for c in cells]
    encoding = {
        "x": _axis("x", across, [-0.5, bands[0] - 0.5]),
        "x2": {"field": "x2"},
        "y": _axis("y", upward, [0, bands[1]]),
        "y2": {"field": "y2"},
    }
    layers = [
        {
            "transform": [{"filter": f"datum.shade == {shade}"}],
            "mark": {"type": "rect", "color": ACCENT, "opacity": opacity, "stroke": RULE},
            "encoding": encoding,
        }
        for shade, opacity in enumerate(SHADES)
    ]
    return layered(placed, layers, size)


def _axis(field: str, labels: Mapping[int, str], domain: list[float]) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {
            "values": list(labels),
            "labelExpr": written(labels),
            "labelOverlap": False,
            "grid": False,
        },
        "scale": {"domain": domain, "nice": False, "zero": False},
    }
