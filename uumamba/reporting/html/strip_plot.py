"""One score of every case, structure by structure: points that tell their case, over a box plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from uumamba.reporting.html.svg import Axis, axis_around, element, line, picture, text
from uumamba.reporting.spread import spread_by_rank
from uumamba.reporting.style import structure_colour

_WIDTH = 560.0
_SIDE = 14.0
_ROW = 66.0
_BAND = 32.0
_HEAD = 22.0
_FOOT = 26.0


@dataclass(frozen=True)
class Point:
    """One case: its name, its value, and what must be said of it; `stands_out` draws it as a ring."""

    name: str
    value: float
    remark: str = ""
    stands_out: bool = False


@dataclass(frozen=True)
class Strip:
    """One row: a structure's name and its cases."""

    name: str
    points: Sequence[Point]


def strip_plot(strips: Sequence[Strip], *, title: str, form: str, limits: tuple[float, float] | None = None) -> Markup:
    """A row per structure, in the order of their numbers; box = quartiles, thick line = median.

    `form` is Python's format of a value. The axis spans `limits`, or the values where there are none.
    """
    values = [point.value for strip in strips for point in strip.points]
    axis = axis_around([*values, *(limits or ())], _SIDE, _WIDTH - _SIDE, margin=0.0 if limits else 0.04)
    bottom = _ROW * len(strips)
    drawn = [_grid(axis, bottom)]
    summaries = []
    for number, strip in enumerate(strips):
        summaries.append(f"{strip.name}: {_summary(strip, form)}")
        drawn.append(_row(strip, number, axis, form))
    return picture(
        *drawn, width=_WIDTH, height=bottom + _FOOT, description=f"{title} of every case. {'; '.join(summaries)}"
    )


def share_limits(strips: Sequence[Strip]) -> tuple[float, float]:
    """From the tenth below the lowest value to 1, for scores in [0, 1]."""
    lowest = min((point.value for strip in strips for point in strip.points), default=0.0)
    return max(0.0, math.floor(lowest * 10) / 10), 1.0


def _grid(axis: Axis, bottom: float) -> Markup:
    parts = [line((_SIDE, bottom), (_WIDTH - _SIDE, bottom), class_="axis")]
    for place, label in axis.ticks():
        parts.append(line((place, 0), (place, bottom), class_="grid"))
        parts.append(text(label, place, bottom + 17, class_="quiet", text_anchor="middle"))
    return Markup("").join(parts)


def _row(strip: Strip, number: int, axis: Axis, form: str) -> Markup:
    top = _ROW * number
    colour = structure_colour(number + 1)
    values = np.array([point.value for point in strip.points])
    heading = element("tspan", strip.name, font_weight="bold")
    parts = [element("text", heading, f"  {_summary(strip, form)}", x=_SIDE, y=top + 16)]
    if values.size > 1:
        low, median, high = (axis.place(value) for value in np.percentile(values, [25, 50, 75]))
        box = {"x": low, "y": top + _HEAD, "width": max(high - low, 0.5), "height": _BAND}
        parts.append(element("rect", class_="box", fill=colour, stroke=colour, **box))
        parts.append(line((median, top + _HEAD), (median, top + _HEAD + _BAND), class_="median"))
    for point, spread in zip(strip.points, spread_by_rank(values), strict=True):
        y = top + _HEAD + _BAND * (0.12 + 0.76 * float(spread))
        parts.append(_point(point, axis.place(point.value), y, colour, form))
    return Markup("").join(parts)


def _point(point: Point, x: float, y: float, colour: str, form: str) -> Markup:
    said = f"{point.name}: {point.value:{form}}" + (f" ({point.remark})" if point.remark else "")
    shape: dict[str, str | float] = {"class_": "missed"} if point.stands_out else {"class_": "point", "fill": colour}
    return element("circle", element("title", said), cx=x, cy=y, r=4.5, **shape)


def _summary(strip: Strip, form: str) -> str:
    if not strip.points:
        return "no value"
    low, median, high = np.percentile([point.value for point in strip.points], [25, 50, 75])
    out = sum(point.stands_out for point in strip.points)
    remark = f", {out} as a ring" if out else ""
    return f"median {median:{form}} ({low:{form}} to {high:{form}}), n = {len(strip.points)}{remark}"
