"""Vessels of a label map: volume, centrelines, branches, breaks, diameters; of the whole and of each zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uumamba.measures.centreline import Centreline, find_centrelines
from uumamba.measures.curve import at_lengths
from uumamba.measures.gaps import End, Gap, find_gaps
from uumamba.measures.lumen import Lumen
from uumamba.measures.profile import Section, measure_profiles

_ALL_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Vessel:
    """One centreline of a label map: of its connected part `component`, with a section at every point of it.

    `zones` (n,) are the numbers in the label map along it, 0 where it is not in a zone of its own yet.
    """

    component: int
    line: Centreline
    sections: tuple[Section, ...]
    zones: NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class VesselTree:
    """All vessels of a label map, the largest first, and what can be counted.

    `short` of the `components` are wider than long and so have no centreline; `border_voxels` touch the image's border.
    """

    vessels: tuple[Vessel, ...]
    components: int
    short: int
    junctions: int
    loops: int
    gaps: tuple[Gap, ...]
    voxels: Mapping[int, int]
    border_voxels: Mapping[int, int]

    @property
    def branches(self) -> int:
        """Pieces between ends and junctions."""
        return sum(len(vessel.line.branch_lengths_mm) for vessel in self.vessels)

    @property
    def ends(self) -> int:
        """Ends that are neither a junction nor within another vessel."""
        return sum(sum(vessel.line.free) for vessel in self.vessels)


def find_vessels(label_map: NDArray[np.integer], spacing_mm: Sequence[float], numbers: Sequence[int]) -> VesselTree:
    """Measure what has one of `numbers` in a label map (x, y, z) as vessels; positions are indices times spacing.

    Connected parts (26 neighbours) are measured one by one in boxes of their own.
    """
    box, labels = _cropped(label_map, numbers)
    voxels, border = _counted(label_map, labels, box, numbers)
    parts, count = ndimage.label(labels > 0, structure=_ALL_NEIGHBOURS)
    step = float(min(spacing_mm))
    vessels: list[Vessel] = []
    short = junctions = loops = 0
    for component, place in enumerate(ndimage.find_objects(parts) if count else [], 1):
        corner = [whole.start + part.start for whole, part in zip(box, place, strict=True)]
        lumen = Lumen(parts[place] == component, spacing_mm, corner)
        found = find_centrelines(lumen, step)
        short += not found.lines
        junctions, loops = junctions + found.junctions, loops + found.loops
        profiles = measure_profiles(found, lumen, label_map.shape)
        for line, sections in zip(found.lines, profiles, strict=True):
            zones = _zones_along(line, labels[place], corner, spacing_mm)
            vessels.append(_directed(Vessel(component, line, sections, zones)))
    vessels.sort(key=_size, reverse=True)
    ends = [end for vessel in vessels for end in _ends_of(vessel)]
    gaps = find_gaps(ends)
    return VesselTree(tuple(vessels), count, short, junctions, loops, gaps, voxels, border)


def _cropped(label_map: NDArray[np.integer], numbers: Sequence[int]) -> tuple[Box, NDArray[np.integer]]:
    """The box of all voxels with one of the numbers, and the label map in it with all others 0."""
    chosen = np.zeros(max(int(label_map.max()), *numbers) + 1, dtype=bool)
    chosen[list(numbers)] = True
    mask = chosen[label_map]
    found = ndimage.find_objects(mask.view(np.uint8))
    nothing: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
    x, y, z = found[0] if found else nothing
    box: Box = (x, y, z)
    return box, np.where(mask[box], label_map[box], 0)


def _counted(
    label_map: NDArray[np.integer], labels: NDArray[np.integer], box: Box, numbers: Sequence[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Voxels of each number, and how many of them are on the image's border."""
    sides = zip(box, labels.shape, label_map.shape, strict=True)
    inner = tuple(slice(int(part.start == 0), size - int(part.stop == whole)) for part, size, whole in sides)
    length = max(numbers) + 1
    total = np.bincount(labels.ravel(), minlength=length)
    within = np.bincount(labels[inner].ravel(), minlength=length)
    return (
        {number: int(total[number]) for number in numbers},
        {number: int(total[number] - within[number]) for number in numbers},
    )


def _zones_along(
    line: Centreline, labels: NDArray[np.integer], corner: Sequence[int], spacing_mm: Sequence[float]
) -> NDArray[np.integer]:
    """The number at each point of a centreline; the nearest one where it has left the mask, 0 within another vessel."""
    indices = np.round(line.points_mm / np.asarray(spacing_mm)).astype(int) - np.asarray(corner)
    zones = labels[tuple(np.clip(indices, 0, np.array(labels.shape) - 1).T)].astype(int)
    known = np.flatnonzero((zones > 0) & ~line.inside)
    if len(known):
        places = np.arange(len(zones))
        after = np.minimum(np.searchsorted(known, places), len(known) - 1)
        before, after = known[np.maximum(after - 1, 0)], known[after]
        zones = zones[np.where(np.abs(places - before) <= np.abs(after - places), before, after)]
    return np.where(line.inside, 0, zones)


def _directed(vessel: Vessel) -> Vessel:
    """The vessel from its first zone to its last one, or from where it leaves another; else from its wider end."""
    line, zones = vessel.line, vessel.zones[vessel.zones > 0]
    if line.closed:
        return vessel
    if line.free[0] != line.free[1]:
        backwards = line.free[0]
    elif len(zones) and zones[0] != zones[-1]:
        backwards = bool(zones[0] > zones[-1])
    else:
        wide = [section.equivalent_mm for section in vessel.sections if section.equivalent_mm is not None]
        third = max(1, len(wide) // 3)
        backwards = bool(wide) and sum(wide[:third]) < sum(wide[-third:])
    return _reversed(vessel) if backwards else vessel


def _reversed(vessel: Vessel) -> Vessel:
    line, length = vessel.line, vessel.line.length_mm
    turned = Centreline(
        line.points_mm[::-1],
        line.closed,
        (line.free[1], line.free[0]),
        line.inside[::-1],
        tuple(length - each for each in reversed(line.breaks_mm)),
    )
    sections = tuple(
        Section(length - each.at_mm, each.place_mm, each.equivalent_mm, each.largest_mm, each.smallest_mm, each.reason)
        for each in reversed(vessel.sections)
    )
    return Vessel(vessel.component, turned, sections, vessel.zones[::-1])


def _size(vessel: Vessel) -> float:
    """Roughly a volume: the length times the square of the middle diameter."""
    wide = [section.equivalent_mm for section in vessel.sections if section.equivalent_mm is not None]
    return vessel.line.length_mm * (float(np.median(wide)) ** 2 if wide else 1e-3)


def _ends_of(vessel: Vessel) -> list[End]:
    """The free ends of a vessel; it goes on there as it comes over its last two diameters."""
    wide = [section.equivalent_mm for section in vessel.sections if section.equivalent_mm is not None]
    step = vessel.line.length_mm / max(1, len(vessel.line.points_mm) - 1)
    diameter = float(np.median(wide)) if wide else 2 * step
    ends = []
    for free, points in zip(vessel.line.free, (vessel.line.points_mm, vessel.line.points_mm[::-1]), strict=True):
        if free:
            back = at_lengths(points, np.array([min(vessel.line.length_mm, max(2 * diameter, 6 * step))]))[0]
            outward = (points[0] - back) / max(float(np.linalg.norm(points[0] - back)), 1e-9)
            ends.append(End(points[0], outward, diameter))
    return ends
