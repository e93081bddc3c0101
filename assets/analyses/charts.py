"""Plots of analyses: Vega-Lite, drawn as SVG without a browser, and shown as an image in Markdown."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

MAX_POINTS = 60
MAX_NAMES = 25  # more would hide one another
MAX_TEXT = 120
ROW_HEIGHT = 18
WIDTH = 420
VEGA_LITE = "5.20"
NOTHING = "Nothing to draw yet."

type ChartRows = Sequence[Mapping[str, object]]
type ScaleType = Literal["linear", "log", "time"]


def interval_chart(rows: ChartRows, *, title: str, zero_line: bool = False, is_log: bool = False) -> str:
    """Return points with intervals, one line a row: `label`, `value`, `lower`, `upper` (None: no end), `colour`."""
    shown = [_cut(row) for row in rows if row["value"] is not None][:MAX_POINTS]
    if not shown:
        return NOTHING
    across: dict[str, Any] = {
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log"} if is_log else {"zero": False},
    }
    rule: dict[str, Any] = {
        "transform": [{"filter": "datum.lower !== null && datum.upper !== null"}],
        "mark": "rule",
        "encoding": {"x": {"field": "lower", **across}, "x2": {"field": "upper"}},
    }
    points = {"mark": {"type": "point", "filled": True, "size": 50}, "encoding": {"x": {"field": "value", **across}}}
    coloured = {"color": {"field": "colour", "type": "nominal", "title": None}}
    down = {"y": {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 320}}}
    layers: list[dict[str, Any]] = [{"layer": [rule, points], "encoding": {**down, **coloured}}]
    if zero_line:
        zero = {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": "#999999"}}
        layers.insert(0, {**zero, "encoding": {"x": {"field": "zero", "type": "quantitative"}}})
    return _markdown_image({"layer": layers, "height": ROW_HEIGHT * len(shown)}, shown, title)


def scatter_chart(
    rows: ChartRows,
    *,
    title: str,
    x: str,
    y: str,
    x_type: ScaleType = "log",
    y_type: ScaleType = "linear",
    line: ChartRows = (),
) -> str:
    """Return points with their names: `x`, `y`, `label`, `colour`; a point without x or y is not drawn.

    `line` has the x and y of points that a line goes through.
    """
    shown = [_cut(row) for row in rows if row["x"] is not None and row["y"] is not None][:MAX_POINTS]
    if not shown:
        return NOTHING
    place = {"x": _axis("x", x, x_type), "y": _axis("y", y, y_type)}
    points = {
        "mark": {"type": "point", "filled": True, "size": 60},
        "encoding": {"color": {"field": "colour", "type": "nominal", "title": None}},
    }
    layers: list[dict[str, Any]] = [points]
    if line:
        layers.insert(0, {"data": {"values": list(line)}, "mark": {"type": "line", "color": "#999999"}})
    if sum(bool(row["label"]) for row in shown) <= MAX_NAMES:
        text = {"text": {"field": "label", "type": "nominal"}}
        layers.append({"mark": {"type": "text", "align": "left", "dx": 6, "limit": 200}, "encoding": text})
    return _markdown_image({"layer": layers, "encoding": place, "height": 300}, shown, title)


def _cut(row: Mapping[str, object]) -> dict[str, object]:
    """Return the row with texts as long as a plot can show; strangers' programs name tasks and models."""
    return {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in row.items()}


def _axis(field: str, title: str, scale: ScaleType) -> dict[str, Any]:
    if scale == "time":
        return {"field": field, "type": "temporal", "title": title}
    return {"field": field, "type": "quantitative", "title": title, "scale": {"type": scale, "zero": False}}


def _markdown_image(chart: Mapping[str, Any], rows: ChartRows, title: str) -> str:
    import vl_convert

    specification = {**chart, "data": {"values": list(rows)}, "width": WIDTH, "background": "white"}
    svg = str(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE))
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
