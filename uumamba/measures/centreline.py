"""Centrelines of a lumen: smoothed, in the middle of the cross-sections, out to the vessel's real ends.

A skeleton is jagged, is drawn towards the crotch of a fork, and in a wide vessel stops short of an end or runs into its
corner. So what lies within a radius of an end or a junction is dropped. The rest is moved to the centroids of the
cross-sections and smoothed, twice; ends are drawn on straight, to the wall or to the vessel that they leave.
"""

from dataclasses import dataclass, replace

import numpy as np

from uumamba.measures.chains import Chain, chains_of
from uumamba.measures.curve import (
    FloatArray,
    arc_lengths_mm,
    at_lengths,
    nearest_along_mm,
    resample,
    smooth,
    tangents,
)
from uumamba.measures.lumen import Lumen
from uumamba.measures.meeting import meeting_point, outward, with_corner
from uumamba.measures.section import Outline, cut
from uumamba.measures.skeleton import SkeletonGraph
from uumamba.measures.territory import Territory

CUTOFF_VOXELS, CUTOFF_DIAMETERS = 10.0, 1.5
"""The larger of the two is the length of the waves below which a centreline is smoothed."""
_ROUNDS = 2
_FOREIGN_SHARE = 0.05
"""Of another vessel in a section whose centroid is still good."""
_THINNEST_VOXELS = 1.0
_DRAWN_ON_RADII = 3.0
_IN_THE_MIDDLE = 0.85
_THIN_VOXELS = 1.5
_MOST_STEPS, _LEFT_OUT = 200, 2
_LOOKS_BACK_RADII = 2.0
_SWERVE, _SHRINKS = 0.05, 0.05
"""A section goes on if its middle swerves and its diameter changes by less than these parts of its diameter."""


@dataclass(frozen=True, eq=False)
class Centreline:
    """A vessel's centreline: `points_mm` (n, 3), evenly spaced; the last one of a closed one is its first.

    `free` says of both ends whether they are the vessel's own, else it begins within another vessel, at whose
    centreline it starts: there `inside` (n,) is true. `breaks_mm` are the junctions along it.
    """

    points_mm: FloatArray
    closed: bool
    free: tuple[bool, bool]
    inside: np.ndarray
    breaks_mm: tuple[float, ...] = ()

    @property
    def length_mm(self) -> float:
        """From its first point to its last."""
        return float(arc_lengths_mm(self.points_mm)[-1])

    @property
    def branch_lengths_mm(self) -> tuple[float, ...]:
        """The lengths of its branches, which end at junctions."""
        if self.closed and self.breaks_mm:
            ends = [*self.breaks_mm, self.breaks_mm[0] + self.length_mm]
        else:
            ends = [0.0, *self.breaks_mm, self.length_mm]
        return tuple(np.diff(ends).tolist())


@dataclass(frozen=True, eq=False)
class Centrelines:
    """All centrelines of one lumen, thickest first, and what its skeleton counts; none if it is wider than long."""

    lines: tuple[Centreline, ...]
    junctions: int
    loops: int


def find_centrelines(lumen: Lumen, step_mm: float) -> Centrelines:
    """The centrelines of a connected mask, their points at most `step_mm` apart."""
    graph = SkeletonGraph(lumen)
    chains = chains_of(graph, lumen)
    if not chains or (len(chains) == 1 and not _is_long(chains[0], lumen)):
        return Centrelines((), 0, graph.loops)
    cores = [_core(chain, graph, lumen) for chain in chains]
    for _ in range(_ROUNDS):
        cores = _centred(cores, chains, lumen)
    even = [_even(line, step_mm) for line in _finished(cores, chains, graph, lumen)]
    thickness = [float(np.median(lumen.radius_mm(line.points_mm))) * line.length_mm for line in even]
    order = sorted(range(len(even)), key=lambda number: -thickness[number])
    lines = [even[number] for number in order]
    return Centrelines(tuple(lines), len(graph.junctions), graph.loops)


def _is_long(chain: Chain, lumen: Lumen) -> bool:
    """Whether a chain with two ends of its own is longer, from end to end, than it is wide."""
    if not all(chain.free):
        return True
    radii = lumen.radius_mm(chain.points_mm)
    length = arc_lengths_mm(chain.points_mm)[-1] + radii[0] + radii[-1]
    return bool(length > 2 * radii.max() + 2 * lumen.voxel_mm)


def _core(chain: Chain, graph: SkeletonGraph, lumen: Lumen) -> FloatArray:
    """The smoothed part of a chain that is neither within a radius of a free end nor within a junction's ball."""
    along = arc_lengths_mm(chain.points_mm)
    first, last = 0.0, along[-1]
    if not chain.closed:
        first = _dropped_mm(chain, graph, lumen, 0)
        last -= _dropped_mm(chain, graph, lumen, 1)
    least = min(lumen.voxel_mm, along[-1])
    if last - first < least:
        middle = np.clip((first + last) / 2, least / 2, along[-1] - least / 2)
        first, last = middle - least / 2, middle + least / 2
    inner = along[(along > first) & (along < last)]
    points = at_lengths(chain.points_mm, np.concatenate([[first], inner, [last]]))
    points = resample(points, lumen.voxel_mm / 2)
    return smooth(points, _cutoff_mm(points, lumen), weights=None, closed=chain.closed)


def _dropped_mm(chain: Chain, graph: SkeletonGraph, lumen: Lumen, side: int) -> float:
    """How much of a chain to drop at an end: until it has come out of a corner to the vessel's middle, or of a ball.

    From a corner on, the distance to the wall grows until the middle is reached, a diameter further on at the latest.
    """
    points = chain.points_mm if side == 0 else chain.points_mm[::-1]
    along = arc_lengths_mm(points)
    if chain.free[side]:
        radii = lumen.radius_mm(points)
        largest = np.maximum.accumulate(radii)
        past = along >= 2 * (largest + lumen.voxel_mm)
        widest = float(largest[np.argmax(past)] if past.any() else largest[-1])
        return float(along[np.argmax(radii >= _IN_THE_MIDDLE * widest)]) + widest / 2
    apart = np.linalg.norm(points - points[0], axis=1)
    out = apart > graph.radius_mm(chain.nodes[side])
    return float(along[np.argmax(out)]) if out.any() else float(along[-1] / 2)


def _cutoff_mm(points: FloatArray, lumen: Lumen) -> float:
    diameter = 2 * float(np.median(lumen.radius_mm(points)))
    return max(CUTOFF_VOXELS * lumen.voxel_mm, 4 * float(lumen.spacing_mm.max()), CUTOFF_DIAMETERS * diameter)


def _centred(cores: list[FloatArray], chains: list[Chain], lumen: Lumen) -> list[FloatArray]:
    """Every core moved to its cross-sections' centroids, bridged where these hold another vessel, and smoothed."""
    radii = [lumen.radius_mm(points) for points in cores]
    territory = Territory(cores, [arc_lengths_mm(points) for points in cores], radii)
    moved = []
    for number, (core, chain) in enumerate(zip(cores, chains, strict=True)):
        points = resample(core, lumen.voxel_mm)
        along, directions = arc_lengths_mm(points), tangents(points, closed=chain.closed)
        weights, length = np.ones(len(points)), along[-1] if chain.closed else None
        targets = points.copy()
        for index, radius in enumerate(lumen.radius_mm(points)):
            if radius < _THINNEST_VOXELS * lumen.voxel_mm:
                continue
            outline = cut(lumen, points[index], directions[index], radius)
            if outline is None or np.linalg.norm(outline.centre_mm - points[index]) > radius:
                weights[index] = 0
                continue
            share = territory.foreign_share(outline.inside_mm, number, along[index], length_mm=length)
            weights[index] = share <= _FOREIGN_SHARE
            targets[index] = outline.centre_mm if weights[index] else points[index]
        if np.count_nonzero(weights) < len(points) / 4:
            moved.append(core)
            continue
        moved.append(smooth(targets, _cutoff_mm(points, lumen), weights=weights, closed=chain.closed))
    return moved


def _finished(cores: list[FloatArray], chains: list[Chain], graph: SkeletonGraph, lumen: Lumen) -> list[Centreline]:
    """Cores with their ends drawn on, and with the junctions along them."""
    cores, met = _met(cores, chains, graph)
    lines = []
    for core, chain in zip(cores, chains, strict=True):
        added = []
        for side, points in enumerate((core, core[::-1])):
            if chain.closed:
                added.append(core[:0])
            elif chain.free[side]:
                added.append(_drawn_on(points, chain.points_mm[-side], lumen))
            else:
                added.append(met[chain.nodes[side]].pop(0)[None])
        points = np.vstack([added[0], core, added[1][::-1]])
        inside = np.zeros(len(points), dtype=bool)
        inside[[0, -1]] = [not chain.closed and not free for free in chain.free]
        breaks = sorted(nearest_along_mm(points, graph.nodes_mm[node]) for node in chain.passed)
        lines.append(Centreline(points, chain.closed, chain.free, inside, tuple(breaks)))
    return lines


def _met(
    cores: list[FloatArray], chains: list[Chain], graph: SkeletonGraph
) -> tuple[list[FloatArray], dict[int, list[FloatArray]]]:
    """Cores with a corner where they fork, and where those that are attached to a junction meet them, in their order.

    The graph's nodes move to where the centrelines meet.
    """
    cores = list(cores)
    met: dict[int, list[FloatArray]] = {}
    for number, chain in enumerate(chains):
        for node in chain.passed:
            radius, place = graph.radius_mm(node), graph.nodes_mm[node]
            attached = [
                core if side == 0 else core[::-1]
                for core, other in zip(cores, chains, strict=True)
                for side in (0, 1)
                if not other.closed and not other.free[side] and other.nodes[side] == node
            ]
            cornered = None if chain.closed else with_corner(cores[number], attached, place, radius)
            if cornered is None:
                met[node] = [meeting_point(points, cores[number], place, radius) for points in attached]
            else:
                cores[number] = cornered[0]
                met[node] = [cornered[1]] * len(attached)
            graph.nodes_mm[node] = np.mean(met[node], axis=0) if met[node] else place
    return cores, met


def _drawn_on(points: FloatArray, tip: FloatArray, lumen: Lumen) -> FloatArray:
    """Points (n, 3) from where the vessel ends to before the first point of its core.

    As long as whole cross-sections go on, they are followed, but for the last ones, which may be cut already; from
    there on the line is straight.
    """
    line, radius = points, float(lumen.radius_mm(points[:1])[0])
    size: float | None = None
    while radius >= _THIN_VOXELS * lumen.voxel_mm and len(line) - len(points) < _MOST_STEPS:
        direction = outward(line, _LOOKS_BACK_RADII * radius)
        place = line[0] + lumen.voxel_mm * direction
        outline = cut(lumen, place, direction, radius)
        if outline is None or not _goes_on(outline, place, size):
            break
        size = outline.equivalent_mm if size is None else size
        line = np.vstack([(place + outline.centre_mm) / 2, line])
    added = max(0, len(line) - len(points) - _LEFT_OUT)
    line = line[len(line) - len(points) - added :]
    return np.vstack([_end_of(line, tip, lumen), line[:added]])


def _goes_on(outline: Outline, place: FloatArray, size_mm: float | None) -> bool:
    """Whether a section further on is as large as the first one and lies round the place where it was sought."""
    apart = float(np.linalg.norm(outline.centre_mm - place))
    return apart < _SWERVE * outline.equivalent_mm and (
        size_mm is None or abs(outline.equivalent_mm / size_mm - 1) < _SHRINKS
    )


def _end_of(points: FloatArray, tip: FloatArray, lumen: Lumen) -> FloatArray:
    """Where a straight line on from the first point leaves the lumen.

    The wall is where the mask has half of what it has along the vessel: a thin one has less than 1 in its middle. There
    the line also comes at least as far as the skeleton's last voxel.
    """
    radius = float(lumen.radius_mm(points[:1])[0])
    direction = outward(points, max(_LOOKS_BACK_RADII * radius, 4 * lumen.voxel_mm))
    step = lumen.finest_mm / 8
    reach = np.arange(0, _DRAWN_ON_RADII * radius + 3 * lumen.voxel_mm, step)
    level = min(0.5, float(np.median(lumen.values(points))) / 2)
    within = lumen.values(points[0] + reach[:, None] * direction) >= level
    wall = float(reach[np.argmin(within)]) - step / 2 if not within.all() else float(reach[-1])
    if radius < _THIN_VOXELS * lumen.voxel_mm:
        wall = max(wall, float((tip - points[0]) @ direction) + lumen.voxel_mm / 2)
    end: FloatArray = points[0] + wall * direction
    return end


def _even(line: Centreline, step_mm: float) -> Centreline:
    """The line with evenly spaced points."""
    points = resample(line.points_mm, step_mm)
    along, old = arc_lengths_mm(points), arc_lengths_mm(line.points_mm)
    inside = np.zeros(len(points), dtype=bool)
    if len(line.inside) > 2:
        if line.inside[0]:
            inside |= along < old[1]
        if line.inside[-1]:
            inside |= along > old[-2]
    return replace(line, points_mm=points, inside=inside)
