"""Diameters along centrelines: the cross-sections that can be measured, and why the others cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uumamba.measures.centreline import Centreline, Centrelines
from uumamba.measures.curve import FloatArray, arc_lengths_mm, at_lengths, tangents
from uumamba.measures.lumen import Lumen
from uumamba.measures.meeting import turns
from uumamba.measures.section import Outline, coarsest_mm, cut
from uumamba.measures.territory import FOREIGN_SHARE, Territory

LARGEST_RATIO = 2.0
"""A section that is longer than this, for its width, runs along a vessel and not across it."""
LARGEST_STEP = 1.3
"""Where the diameter grows by more than this from one section to the next, the plane has run out into a branch."""
SHORTEST_DIAMETERS = 1.5
FEWEST_VOXELS = 2.0
"""A section of fewer voxels across has no diameter."""
NEAR_END, AT_JUNCTION, INSIDE = "near an end", "at a junction", "within the vessel that it leaves"
CUT, THIN, OPEN = "cut by the field of view", "fewer than 2 voxels across", "no whole cross-section"
SHORT = "in a vessel shorter than 1.5 times its width"
OBLONG = "more than twice as long as wide"


@dataclass(frozen=True, eq=False)
class Section:
    """A cross-section `at_mm` along its centreline, at `place_mm` (3,): diameters in mm, or None with the `reason`."""

    at_mm: float
    place_mm: FloatArray
    equivalent_mm: float | None = None
    largest_mm: float | None = None
    smallest_mm: float | None = None
    reason: str | None = None


def measure_profiles(found: Centrelines, lumen: Lumen, shape: Sequence[int]) -> list[tuple[Section, ...]]:
    """The sections at every point of the centrelines of a lumen, which lies in an image of `shape`.

    A section is not measured within its own radius of an end, where its plane may leave the vessel; where more than
    1 % of it is another vessel; where the vessel turns at a fork; where it touches the image's border; where it is less
    than two voxels wide; or where it is more than twice as long as wide, as a plane along a vessel is.
    """
    if not found.lines:
        return []
    along = [arc_lengths_mm(line.points_mm)[~line.inside] for line in found.lines]
    points = [line.points_mm[~line.inside] for line in found.lines]
    territory = Territory(points, along, [lumen.radius_mm(each) for each in points])
    last = (np.asarray(shape) - 1) * lumen.spacing_mm
    return [_profile(number, line, lumen, territory, last) for number, line in enumerate(found.lines)]


def _profile(
    number: int, line: Centreline, lumen: Lumen, territory: Territory, last_mm: FloatArray
) -> tuple[Section, ...]:
    directions, radii = tangents(line.points_mm, closed=line.closed), lumen.radius_mm(line.points_mm)
    turn = line.length_mm if line.closed else None
    within = line.inside | _at_forks(line, radii)
    sections = []
    for index, at in enumerate(arc_lengths_mm(line.points_mm).tolist()):
        place, direction = line.points_mm[index], directions[index]
        if within[index]:
            sections.append(Section(at, place, reason=INSIDE if line.inside[index] else AT_JUNCTION))
            continue
        outline = cut(lumen, place, direction, float(radii[index]))
        reason = _why_not(outline, line, at, coarsest_mm(direction, lumen.spacing_mm), last_mm)
        if reason is None and outline is not None:
            share = territory.foreign_share(outline.inside_mm, number, at, length_mm=turn)
            reason = AT_JUNCTION if share > FOREIGN_SHARE else None
        if outline is None or reason is not None:
            sections.append(Section(at, place, reason=reason))
        else:
            sections.append(Section(at, place, outline.equivalent_mm, outline.largest_mm, outline.smallest_mm))
    return _long_enough(without_spikes(sections), line)


def _long_enough(sections: tuple[Section, ...], line: Centreline) -> tuple[Section, ...]:
    """No section of a vessel that is about as wide as long: which way it runs is then a guess."""
    sizes = [section.equivalent_mm for section in sections if section.equivalent_mm is not None]
    if line.closed or not sizes or line.length_mm >= SHORTEST_DIAMETERS * float(np.median(sizes)):
        return sections
    return tuple(Section(each.at_mm, each.place_mm, reason=each.reason or SHORT) for each in sections)


def without_spikes(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections of which those are not measured that leap out: wider by a step, for less than a quarter of a diameter.

    Beside a branch too short for a centreline a plane runs out into it; a vessel's own bulge has no steps.
    """
    kept = list(sections)
    for run in _runs(sections):
        sizes = [sections[index].equivalent_mm or 0.0 for index in run]
        beside = [_size(sections, run[0] - 1), _size(sections, run[-1] + 1)]
        steps = [
            size > LARGEST_STEP * other for size, other in zip((sizes[0], sizes[-1]), beside, strict=True) if other
        ]
        length = sections[run[-1]].at_mm - sections[run[0]].at_mm
        if any(steps) and length < min(sizes) / 4:
            for index in run:
                kept[index] = Section(kept[index].at_mm, kept[index].place_mm, reason=AT_JUNCTION)
    return tuple(kept)


def _runs(sections: Sequence[Section]) -> list[list[int]]:
    """The numbers of measured sections in a row without a step."""
    runs: list[list[int]] = []
    for index in range(len(sections)):
        size, before = _size(sections, index), _size(sections, index - 1)
        if not size:
            continue
        if before and max(size, before) <= LARGEST_STEP * min(size, before):
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _size(sections: Sequence[Section], index: int) -> float:
    """A section's diameter, 0 if it is not measured or there is none of this number."""
    return (sections[index].equivalent_mm or 0.0) if 0 <= index < len(sections) else 0.0


def _at_forks(line: Centreline, radii_mm: FloatArray) -> NDArray[np.bool_]:
    """Which points (n,) lie within a radius of a junction at which the line turns: no plane there is across it."""
    along = arc_lengths_mm(line.points_mm)
    near = np.zeros(len(along), dtype=bool)
    for place in line.breaks_mm:
        radius = float(np.interp(place, along, radii_mm))
        before, middle, after = at_lengths(line.points_mm, place + 2 * radius * np.array([-1.0, 0.0, 1.0]))
        if turns(middle - before, after - middle):
            near |= np.abs(along - place) < radius
    return near


def _why_not(
    outline: Outline | None, line: Centreline, at_mm: float, voxel_mm: float, last_mm: FloatArray
) -> str | None:
    """Why a section by itself cannot be measured; None if it can."""
    if outline is None:
        return OPEN
    if outline.equivalent_mm < FEWEST_VOXELS * voxel_mm:
        return THIN
    if (outline.wall_mm < 0).any() or (outline.wall_mm > last_mm).any():
        return CUT
    if outline.largest_mm > LARGEST_RATIO * outline.smallest_mm:
        return OBLONG
    ends = [apart for apart, free in zip((at_mm, line.length_mm - at_mm), line.free, strict=True) if free]
    return NEAR_END if ends and min(ends) < outline.equivalent_mm / 2 else None
