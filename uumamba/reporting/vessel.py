"""Vessels on one sheet: the centrelines in two projections, and the diameters along the largest of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from uumamba.measures.profile import Section
from uumamba.measures.vessel import Vessel, VesselTree
from uumamba.measures.vessel_part import Part
from uumamba.reporting.style import new_figure, structure_colour, tidy

PROFILES = 3
"""Vessels whose diameters are drawn, the largest first."""
_MARGIN_MM = 4.0
_NARROW = 0.11
_LETTERS_PER_INCH = 13
_MASK_GREY = 0.82


@dataclass(frozen=True)
class _View:
    """A projection: the axes across and up, whether the first runs backwards, and the letters at its sides."""

    name: str
    across: int
    up: int
    sides: tuple[str, str]


_VIEWS = (_View("coronal", 0, 2, ("R", "L")), _View("sagittal", 1, 2, ("A", "P")))


def vessel_figure(
    mask: np.ndarray,
    spacing_mm: Sequence[float],
    tree: VesselTree,
    whole: Part,
    *,
    zones: Mapping[str, Sequence[int]],
    title: str,
) -> Figure:
    """The sheet of a mask (x, y, z) on a canonical grid (RAS) with its vessels; `zones` name numbers along them.

    Projections are seen as a radiologist looks, the patient's right or front on the left. Every vessel has a colour;
    points are junctions, crosses breaks, and a ring is round the maximal diameter.
    """
    shown = [number for number, vessel in enumerate(tree.vessels) if _measured(vessel)][:PROFILES]
    rows = max(1, len(shown))
    figure = new_figure(13.0, max(5.2, 1.6 + 2.5 * rows), pad_inches=0.08, gap=0.03)
    figure.suptitle("\n".join([title, _headline(whole)]), fontsize=11)
    grid = figure.add_gridspec(rows, 4, width_ratios=(1.15, 1.15, 1.3, 1.3))
    for column, view in enumerate(_VIEWS):
        _draw_projection(figure.add_subplot(grid[:, column]), view, mask, spacing_mm, tree, whole)
    if not shown:
        _say_why_not(figure.add_subplot(grid[0, 2:]), whole)
    for row, number in enumerate(shown):
        axes = figure.add_subplot(grid[row, 2:])
        _draw_profile(axes, number, tree, whole, zones)
        if row == len(shown) - 1:
            axes.set_xlabel("along the centreline, mm", fontsize=9)
    if shown:
        figure.legend(handles=_legend(tree), loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure


def _measured(vessel: Vessel) -> list[Section]:
    return [section for section in vessel.sections if section.equivalent_mm is not None]


def _headline(whole: Part) -> str:
    """The main numbers in a line; where one is missing, why."""
    measures = whole.measures
    if measures["volume_in_view_ml"].value is None:
        return str(measures["volume_in_view_ml"].reason)
    words = [f"volume {measures['volume_in_view_ml'].value:.3g} ml"]
    if (length := measures["length_in_view_mm"].value) is not None:
        words.append(f"length {length:.0f} mm")
    if measures["volume_ml"].value is None:
        words[-1] += " in the image (cut by the field of view)"
    if (widest := measures["max_diameter_mm"].value) is not None:
        words.append(f"maximal diameter {widest:.1f} mm")
    for name, one, many in (
        ("components", "component", "components"),
        ("broken_branches", "broken branch", "broken branches"),
    ):
        count = int(measures[name].value or 0)
        words.append(f"{count} {one if count == 1 else many}")
    return ", ".join(words)


def _draw_projection(
    axes: Axes, view: _View, mask: np.ndarray, spacing_mm: Sequence[float], tree: VesselTree, whole: Part
) -> None:
    across, up = view.across, view.up
    through = 3 - across - up
    flat = np.asarray(mask.any(axis=through)).T
    sides = [spacing_mm[across], spacing_mm[up]]
    extent = (-sides[0] / 2, (flat.shape[1] - 0.5) * sides[0], -sides[1] / 2, (flat.shape[0] - 0.5) * sides[1])
    shade = np.where(flat, _MASK_GREY, 1.0)
    axes.imshow(shade, cmap="gray", vmin=0, vmax=1, origin="lower", extent=extent, interpolation="nearest")
    for number, vessel in enumerate(tree.vessels):
        line = vessel.line
        outside = np.where(line.inside[:, None], np.nan, line.points_mm)
        axes.plot(outside[:, across], outside[:, up], color=structure_colour(number + 1), linewidth=1.8)
        joints = _at(vessel, line.breaks_mm)
        axes.plot(joints[:, across], joints[:, up], ".", color="black", markersize=5)
    for gap in tree.gaps:
        middle = np.mean(gap.places_mm, axis=0)
        axes.plot(middle[across], middle[up], "x", color="#D50000", markersize=9, markeredgewidth=2)
    if whole.widest is not None:
        place = whole.widest[1].place_mm
        axes.plot(place[across], place[up], "o", color="black", fillstyle="none", markersize=11, markeredgewidth=1.5)
    _frame(axes, view, flat, sides, tree)


def _frame(axes: Axes, view: _View, flat: np.ndarray, sides: Sequence[float], tree: VesselTree) -> None:
    """Cut to the vessels, or without one to the mask; the patient's right and front are on the left; a scale in mm."""
    limits = []
    for direction, axis in enumerate((view.across, view.up)):
        found = np.flatnonzero(flat.any(axis=direction)) * float(sides[direction])
        if tree.vessels:
            found = np.concatenate([vessel.line.points_mm[:, axis] for vessel in tree.vessels])
        low, high = (found.min(), found.max()) if len(found) else (0.0, flat.shape[1 - direction] * sides[direction])
        margin = _MARGIN_MM + _margin_of(tree)
        limits.append((float(low) - margin, float(high) + margin))
    axes.set_xlim(*limits[0][::-1])
    axes.set_ylim(*limits[1])
    axes.set_aspect("equal")
    axes.set_title(f"{view.name}, mm", fontsize=9)
    axes.tick_params(labelsize=7)
    for place, letter, edge in ((0.02, view.sides[0], "left"), (0.98, view.sides[1], "right")):
        axes.text(place, 0.985, letter, transform=axes.transAxes, ha=edge, va="top", fontsize=9, color="0.3")


def _margin_of(tree: VesselTree) -> float:
    """Half the widest section: centrelines lie in the middle of what is shown."""
    return max((section.largest_mm or 0 for vessel in tree.vessels for section in vessel.sections), default=0.0) / 2


def _at(vessel: Vessel, along_mm: Sequence[float]) -> np.ndarray:
    """The places (n, 3) along a vessel."""
    step = vessel.line.length_mm / (len(vessel.line.points_mm) - 1)
    indices = np.clip(np.round(np.asarray(along_mm) / step), 0, len(vessel.line.points_mm) - 1).astype(int)
    points: np.ndarray = vessel.line.points_mm[indices]
    return points.reshape(-1, 3)


def _draw_profile(axes: Axes, number: int, tree: VesselTree, whole: Part, zones: Mapping[str, Sequence[int]]) -> None:
    vessel, colour = tree.vessels[number], structure_colour(number + 1)
    along = [section.at_mm for section in vessel.sections]
    values = {
        name: np.array([getattr(section, name) or np.nan for section in vessel.sections], dtype=float)
        for name in ("equivalent_mm", "largest_mm", "smallest_mm")
    }
    axes.fill_between(along, values["smallest_mm"], values["largest_mm"], color=colour, alpha=0.3, linewidth=0)
    axes.plot(along, values["largest_mm"], color=colour, linewidth=0.9)
    axes.plot(along, values["smallest_mm"], color=colour, linewidth=0.9)
    axes.plot(along, values["equivalent_mm"], color="black", linewidth=1.5)
    top = 1.5 * float(np.nanmax(values["largest_mm"]))
    axes.set_xlim(0, vessel.line.length_mm)
    axes.set_ylim(0, top)
    for place in vessel.line.breaks_mm:
        axes.axvline(place, color="0.5", linewidth=0.8, linestyle=":")
    _shade_zones(axes, vessel, zones)
    if whole.widest is not None and whole.widest[0] == number:
        at, widest = whole.widest[1].at_mm, whole.widest[1].largest_mm or 0.0
        axes.plot(at, widest, "o", color="black", fillstyle="none", markersize=9)
        side = "left" if at < vessel.line.length_mm / 2 else "right"
        axes.text(at, widest, f"  maximum {widest:.1f} mm at {at:.0f} mm  ", ha=side, va="bottom", fontsize=8)
    axes.set_ylabel("diameter, mm", fontsize=9)
    axes.set_title(
        f"vessel {number + 1} of {len(tree.vessels)}, {vessel.line.length_mm:.0f} mm", fontsize=9, color="0.2"
    )
    axes.tick_params(labelsize=8)
    tidy(axes)


def _shade_zones(axes: Axes, vessel: Vessel, zones: Mapping[str, Sequence[int]]) -> None:
    """Every run of one zone along a vessel as a shade of its own with its name."""
    name_of = {number: name for name, numbers in zones.items() for number in numbers}
    names = [name_of.get(int(number), "") for number in vessel.zones]
    starts = [0, *(index for index in range(1, len(names)) if names[index] != names[index - 1]), len(names)]
    length = vessel.line.length_mm
    for run, (first, end) in enumerate(pairwise(starts)):
        low, high = (length * index / (len(names) - 1) for index in (first, min(end, len(names) - 1)))
        if not names[first] or high <= low:
            continue
        axes.axvspan(low, high, color="0.5", alpha=0.16 if run % 2 else 0.04, linewidth=0)
        upright = (high - low) / length < _NARROW + 0.012 * len(names[first])
        axes.text(
            (low + high) / 2, 0.97, names[first], transform=axes.get_xaxis_transform(), ha="center", va="top",
            fontsize=7, color="0.25", rotation=90 if upright else 0,
        )  # fmt: skip


def _say_why_not(axes: Axes, whole: Part) -> None:
    """In place of a profile, the reason that there is none."""
    axes.set_axis_off()
    reason = str(whole.measures["max_diameter_mm"].reason)
    axes.text(0.5, 0.5, f"no diameter:\n{reason}", ha="center", va="center", fontsize=9, color="0.3", wrap=True)


def _legend(tree: VesselTree) -> list[Line2D | Patch]:
    marks: list[Line2D | Patch] = [
        Line2D([], [], color="black", linewidth=1.5, label="area-equivalent"),
        Patch(color="0.6", alpha=0.5, label="minimal to maximal"),
        Line2D([], [], color="black", marker="o", fillstyle="none", linestyle="", label="maximal diameter"),
    ]
    if any(vessel.line.breaks_mm for vessel in tree.vessels):
        marks.append(Line2D([], [], color="black", marker=".", linestyle=":", linewidth=0.8, label="junction"))
    if tree.gaps:
        marks.append(Line2D([], [], color="#D50000", marker="x", linestyle="", label="broken branch"))
    return marks
