"""What does it look like: Vega-Lite specifications, and the static SVG made from them.

A specification is a plain dict. Colours are CSS variables of the page, so that one drawing
serves light, dark and print; what differs by colour differs also by shape, dash or place, so
that it can be read in grey. Words are written by the caller in the reader's language.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]

INK, MUTED, RULE = "var(--ink)", "var(--muted)", "var(--rule)"
ACCENT, BAND, ONSET, GOOD = "var(--accent)", "var(--band)", "var(--onset)", "var(--good)"

WIDE, HALF, THIRD, NARROW = (1130, 172), (530, 175), (340, 195), (340, 220)
FONT_SIZE = 13
_THREADS = 2

_CONFIG: Spec = {
    "aria": False,
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "labelFontSize": FONT_SIZE,
        "labelPadding": 6,
        "gridColor": RULE,
        "domain": False,
        "ticks": False,
        "title": None,
    },
    "axisX": {
        "grid": False,
        "labelPadding": 9,
        "labelFlush": False,
        "domain": True,
        "domainColor": RULE,
    },
    "text": {"fontSize": FONT_SIZE, "color": INK},
}


def svgs(specs: Sequence[Spec]) -> list[str]:
    """Draw Vega-Lite specifications as SVG elements, in their order.

    Each element scales with its box and leaves its description to the page around it.
    """
    if not specs:
        return []
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_svg, specs))


def start_ahead() -> None:
    """Start the drawing engine beside other work: its first drawing takes half a second."""
    threading.Thread(target=_svg, args=({"mark": "bar"},), daemon=True).start()


def _svg(spec: Spec) -> str:
    import vl_convert  # starts a JavaScript engine; only readers of charts pay

    drawn = vl_convert.vegalite_to_svg({**spec, "config": _CONFIG}, allowed_base_urls=[])
    rounded = _PLACED.sub(lambda part: _LONG.sub(_short, part.group()), drawn)
    return re.sub(
        r'^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>',
        r'<svg class="drawing" viewBox="0 0 \1 \2" aria-hidden="true" focusable="false">',
        rounded,
        count=1,
    )


_PLACED = re.compile(r' (?:d|transform|[xy]2?|width|height)="[^"<>]*"')
_LONG = re.compile(r"-?\d+\.\d{2,}")


def _short(coordinate: re.Match[str]) -> str:
    """Round to a tenth of a pixel: less to carry, and no noise of the last digit."""
    return f"{float(coordinate.group()):.1f}"


def over_time(
    rows: Rows, ticks: Mapping[int, str], onset: Mapping[str, Any] | None, size: tuple[int, int]
) -> Spec:
    """Departures seen against departures expected, period by period.

    Parameters
    ----------
    rows
        One mapping a period: ``x`` (0, 1, …), ``observed``, ``expected``, ``low``, ``high``.
    ticks
        Labels by ``x``.
    onset
        ``x``, ``low``, ``high`` (in periods, may be fractions) and ``label``, ``until`` where it
        has passed; None: no change.
    """
    x = _periods(len(rows), ticks)
    layers: list[Spec] = []
    if all(row.get("low") is not None for row in rows):
        layers.append(
            _mark({"type": "area", "color": BAND}, x, _y("low"), {"y2": {"field": "high"}})
        )
    layers += [*_onset(onset, len(rows)), *_excess(onset, x)]
    layers += [
        _mark(
            {"type": "line", "color": MUTED, "strokeWidth": 1.5, "strokeDash": [5, 4]},
            x,
            _y("expected"),
        ),
        _mark({"type": "line", "color": ACCENT, "strokeWidth": 2.5}, x, _y("observed")),
    ]
    if len(rows) <= 60:
        layers.append(
            _mark(
                {"type": "point", "filled": True, "size": 26, "color": ACCENT, "opacity": 1},
                x,
                _y("observed"),
            )
        )
    return layered(rows, layers, size)


def _excess(onset: Mapping[str, Any] | None, x: Spec) -> list[Spec]:
    """Shade what lies above the expected since the onset."""
    if onset is None:
        return []
    top = {"y2": {"field": "top"}}
    shade = _mark({"type": "area", "color": ACCENT, "opacity": 0.22}, x, _y("expected"), top)
    passed = f" && datum.x <= {onset['until'] + 0.5}" if "until" in onset else ""
    since = [
        {"filter": f"datum.x >= {onset['x'] - 0.5}{passed}"},
        {"calculate": "max(datum.observed, datum.expected)", "as": "top"},
    ]
    return [{"transform": since, **shade}]


def inside_outside(
    rows: Rows, ticks: Mapping[int, str], onset: Mapping[str, Any] | None, size: tuple[int, int]
) -> Spec:
    """Compare a driver's mean inside the segment and elsewhere.

    Parameters
    ----------
    rows
        One mapping a period: ``x``, ``inside``, ``outside`` (None where not recorded).
    """
    x = _periods(len(rows), ticks)
    layers = [
        *_onset(onset, len(rows)),
        _mark(
            {"type": "line", "color": MUTED, "strokeWidth": 1.5, "strokeDash": [5, 4]},
            x,
            _y("outside"),
        ),
        _mark({"type": "line", "color": INK, "strokeWidth": 2.5}, x, _y("inside")),
    ]
    return layered(rows, layers, size)


def dose(rows: Rows, size: tuple[int, int]) -> Spec:
    """Departure rate by band of the driver, each with its interval.

    Parameters
    ----------
    rows
        One mapping a band: ``band`` (its label), ``rate``, ``low``, ``high``, ``label``.
    """
    x = {
        "x": {
            "field": "band",
            "type": "ordinal",
            "sort": None,
            "axis": {"labelAngle": 0, "labelLimit": 0, "labelOverlap": False},
            "scale": {"padding": 0.4},
        }
    }
    layers = [
        _mark(
            {"type": "rule", "color": MUTED, "strokeWidth": 1.5},
            x,
            _y("low"),
            {"y2": {"field": "high"}},
        ),
        _mark({"type": "line", "color": RULE, "strokeWidth": 2}, x, _y("rate")),
        _mark(
            {"type": "point", "filled": True, "size": 90, "color": INK, "opacity": 1}, x, _y("rate")
        ),
        _mark(
            {"type": "text", "align": "left", "dx": 9, "fontWeight": 600},
            x,
            _y("rate"),
            {"text": {"field": "label"}},
        ),
    ]
    return layered(rows, layers, size)


def around(rows: Rows, ticks: Mapping[float, str], size: tuple[int, int], zero: str) -> Spec:
    """Show an excess by periods before and after a moment, with its interval.

    Parameters
    ----------
    rows
        One mapping a lag: ``lag`` (negative: before), ``value``, ``low``, ``high``.
    zero
        What happens at lag 0, written above the upright line.
    """
    lags = [row["lag"] for row in rows]
    axis = {"values": list(ticks), "labelExpr": written(ticks), "labelOverlap": True}
    x = {
        "x": {
            "field": "lag",
            "type": "quantitative",
            "axis": axis,
            "scale": {"domain": [min(lags), max(lags)], "nice": False},
        }
    }
    moment = {"x": {"datum": 0, "type": "quantitative"}}
    layers = [
        _mark({"type": "area", "color": BAND}, x, _y("low"), {"y2": {"field": "high"}}),
        _once({"type": "rule", "color": MUTED, "strokeWidth": 1}, {"y": {"datum": 0}}),
        _once({"type": "rule", "color": INK, "strokeDash": [2, 3]}, moment),
        _once(
            {"type": "text", "baseline": "bottom", "dy": -4, "color": MUTED},
            {**moment, "y": {"value": 0}, "text": {"value": zero}},
        ),
        _mark({"type": "line", "color": INK, "strokeWidth": 2}, x, _y("value")),
        _mark(
            {"type": "point", "filled": True, "size": 34, "color": INK, "opacity": 1},
            x,
            _y("value"),
        ),
    ]
    return layered(rows, layers, size)


_ROW_HEIGHT, _ROWS_IN_FULL = 36, 6  # more rows than these share their height
_PATTERNS: Mapping[str, Spec] = {
    "start": {"fill": MUTED, "stroke": MUTED},
    "end": {"fill": MUTED, "stroke": MUTED},
    "cause": {"fill": ACCENT, "stroke": ACCENT},
    "less cause": {"fill": GOOD, "stroke": GOOD, "fillOpacity": 0.45},
    "unexplained": {"fill": "transparent", "stroke": ACCENT, "strokeDash": [4, 3]},
    "less unexplained": {"fill": "transparent", "stroke": GOOD, "strokeDash": [4, 3]},
    "mix": {"fill": BAND, "stroke": MUTED},
    "less mix": {"fill": BAND, "stroke": MUTED},
    "season": {"fill": BAND, "stroke": MUTED},
    "less season": {"fill": BAND, "stroke": MUTED},
}


def waterfall(rows: Rows, width: int) -> Spec:
    """From one total to another, step by step; what is left unexplained is an empty bar.

    A step that takes departures away differs in colour and, as print may be grey, in lightness.

    Parameters
    ----------
    rows
        One mapping a bar, in order: ``label``, ``role`` (of a `Bar`; of a fall with ``less`` before
        it), ``from``, ``to``, ``amount`` (text).
    """
    down = {
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, len(rows)], "reverse": True, "nice": False},
    }
    numbered = [
        {**row, "n": n + 0.5, "top": n + 0.5, "bottom": n + 0.86, "text": n + 0.26}
        for n, row in enumerate(rows)
    ]
    roles = {row["role"] for row in rows}
    layers = [_bars_of(role, look, down) for role, look in _PATTERNS.items() if role in roles]
    layers += [
        _words(down, "label", 0, {"align": "left", "limit": width - 60}),
        _words(down, "amount", width, {"align": "right", "fontWeight": 600}),
    ]
    return layered(numbered, layers, (width, _ROW_HEIGHT * min(len(rows), _ROWS_IN_FULL)))


def _bars_of(role: str, look: Mapping[str, Any], down: Spec) -> Spec:
    """Draw the steps of one role as bars from where one begins to where it ends."""
    across = {"type": "quantitative", "axis": None, "scale": {"nice": False, "zero": True}}
    return {
        "transform": [{"filter": f"datum.role == '{role}'"}],
        "mark": {"type": "rect", "cornerRadius": 1, "strokeWidth": 1.2, **look},
        "encoding": {
            "x": {"field": "from", **across},
            "x2": {"field": "to"},
            "y": {"field": "top", **down},
            "y2": {"field": "bottom"},
        },
    }


def _words(down: Spec, field: str, at: int, look: Mapping[str, Any]) -> Spec:
    """Write a field above each bar, at one place across."""
    return {
        "mark": {"type": "text", "baseline": "middle", **look},
        "encoding": {
            "x": {"value": at},
            "y": {"field": "text", **down},
            "text": {"field": field},
        },
    }


_DASHES: tuple[list[int], ...] = ([1, 0], [9, 5], [2, 4])


def dash_of(number: int) -> list[int]:
    """Return the dash pattern of the n-th line of a chart with several."""
    return _DASHES[number % len(_DASHES)]


def steps(
    curves: Sequence[tuple[str, Rows]],
    ticks: Mapping[float, str],
    size: tuple[int, int],
    top: float = 1.0,
) -> Spec:
    """Several shares over a span, told apart by dash and by the name at their end.

    Parameters
    ----------
    curves
        Name and points (``x``, ``y`` in 0 to ``top``) of each.
    """
    rows = [{**p, "curve": n} for n, (_, points) in enumerate(curves) for p in points]
    axis = {"values": list(ticks), "labelExpr": written(ticks)}
    x = {"x": {"field": "x", "type": "quantitative", "axis": axis, "scale": {"nice": False}}}
    y = {
        "y": {
            "field": "y",
            "type": "quantitative",
            "axis": {"format": "%", "tickCount": 4},
            "scale": {"domain": [0, top]},
        }
    }
    layers: list[Spec] = []
    for n in range(len(curves)):
        look = {
            "type": "line",
            "interpolate": "step-after",
            "color": ACCENT if n == 0 else INK,
            "strokeWidth": 2.2,
            "strokeDash": dash_of(n),
        }
        layers.append({"transform": [{"filter": f"datum.curve == {n}"}], **_mark(look, x, y)})
    return layered(rows, layers, size)


def falling(
    points: Rows, ticks: Mapping[float, str], threshold: float, size: tuple[int, int]
) -> Spec:
    """Show a share that falls along ``x`` (``y``, ``low``, ``high``), a threshold marked."""
    axis = {"values": list(ticks), "labelExpr": written(ticks)}
    x = {"x": {"field": "x", "type": "quantitative", "axis": axis, "scale": {"nice": False}}}
    share: Spec = {"axis": {"format": "%", "tickCount": 4}, "scale": {"domain": [0, 1]}}
    y = {"y": {"field": "y", "type": "quantitative", **share}}
    at = {"x": {"datum": threshold, "type": "quantitative"}}
    band = {"y": {**y["y"], "field": "low"}, "y2": {"field": "high"}}
    layers = [
        _mark({"type": "area", "color": BAND}, x, band),
        _once({"type": "rule", "color": INK, "strokeDash": [2, 3]}, at),
        _mark({"type": "line", "color": ACCENT, "strokeWidth": 2.2}, x, y),
    ]
    return layered(points, layers, size)


def _periods(count: int, ticks: Mapping[int, str]) -> Spec:
    axis = {"values": list(ticks), "labelExpr": written(ticks), "labelOverlap": False}
    scale = {"domain": [-0.3, max(count - 0.7, 0.7)], "nice": False}
    return {"x": {"field": "x", "type": "quantitative", "axis": axis, "scale": scale}}


def written(ticks: Mapping[Any, str]) -> str:
    """Return a Vega expression that writes our own labels: no locale inside the drawing."""
    pairs = ", ".join(f"'{_key(at)}': '{_quoted(label)}'" for at, label in ticks.items())
    return f"{{{pairs}}}[datum.value]"


def _key(at: Any) -> Any:
    """Write a tick as Vega looks it up: 3.0 is 3 there."""
    return int(at) if isinstance(at, float) and at.is_integer() else at


def _quoted(label: str) -> str:
    return label.replace("\\", " ").replace("'", "’")


def _onset(onset: Mapping[str, Any] | None, count: int) -> list[Spec]:
    if onset is None:
        return []
    at = {"x": {"datum": onset["x"], "type": "quantitative"}}
    late = onset["x"] > count * 0.6
    wide = onset["high"] - onset["low"] > count / 3  # it would hide what lies under it
    side = {"align": "right", "dx": 3} if late else {"align": "left", "dx": -3}
    band = {
        "x": {"datum": onset["low"], "type": "quantitative"},
        "x2": {"datum": onset["high"]},
    }
    label = {**at, "y": {"value": 0}, "text": {"value": onset["label"]}}
    ends = [onset["x"], *([onset["until"]] if "until" in onset else [])]
    return [
        _once({"type": "rect", "color": ONSET, "opacity": 0.35 if wide else 0.75}, band),
        *(
            _once(
                {"type": "rule", "color": INK, "strokeWidth": 1.2},
                {"x": {"datum": x, "type": "quantitative"}},
            )
            for x in ends
        ),
        _once({"type": "text", "baseline": "bottom", "dy": -5, "fontWeight": 600, **side}, label),
    ]


def _once(mark: Spec, encoding: Spec) -> Spec:
    """Return a layer drawn once, not once a row."""
    return {"data": {"values": [{}]}, "mark": mark, "encoding": encoding}


def _y(field: str) -> Spec:
    axis = {"tickCount": 4, "format": ",~f"}
    return {"y": {"field": field, "type": "quantitative", "axis": axis, "scale": {"zero": True}}}


def _mark(mark: Spec, *channels: Mapping[str, Any]) -> Spec:
    encoding: Spec = {}
    for channel in channels:
        encoding.update(channel)
    return {"mark": mark, "encoding": encoding}


def _drawable(row: Mapping[str, Any]) -> Spec:
    """Return the row with gaps where a number is none or has no end."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def layered(rows: Rows, layers: list[Spec], size: tuple[int, int]) -> Spec:
    """Return the specification of some layers over the same rows, `size` in pixels."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": size[0],
        "height": size[1],
        "data": {"values": [_drawable(row) for row in rows]},
        "layer": layers,
    }
