"""Tubes along smooth centrelines, drawn into label maps: the vessels of the CT phantoms. Lengths are in mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Floats = NDArray[np.floating]
LabelVolume = NDArray[np.uint8]

_POINTS_PER_WAYPOINT = 12


@dataclass(frozen=True)
class PhantomGrid:
    """A grid around the patient's middle, which is at (0, 0, 0): axes to the right, to the front and up.

    `shape` counts voxels along (x, y, z).
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @property
    def size_mm(self) -> Floats:
        """The field of view along x, y and z."""
        size: Floats = np.array(self.shape) * np.array(self.spacing_mm)
        return size

    def places(self, axis: int, low: int = 0, high: int | None = None) -> Floats:
        """Where the centres of voxels `low` to `high` lie along an axis, ready to broadcast against the other two."""
        size = self.shape[axis]
        steps = np.arange(low, size if high is None else high) - (size - 1) / 2
        return (steps * self.spacing_mm[axis]).reshape([-1 if axis == other else 1 for other in range(3)])

    def voxels(self, points: Floats) -> Floats:
        """Points (n, 3) in voxels, not rounded."""
        places: Floats = points / np.array(self.spacing_mm) + (np.array(self.shape) - 1) / 2
        return places


@dataclass(frozen=True)
class Tube:
    """A vessel with a round lumen: points (n, 3) along its centreline and its radii there.

    `labels` are the numbers of its n - 1 pieces, each from one point to the next.
    """

    points: Floats
    radii: Floats
    labels: NDArray[np.uint8]

    @property
    def length_mm(self) -> float:
        """Length of the centreline."""
        return float(_arc(self.points)[-1])

    def volume_mm3(self) -> float:
        """Volume of its truncated cones, without what other tubes share with it."""
        steps, start, stop = np.diff(_arc(self.points)), self.radii[:-1], self.radii[1:]
        return float((np.pi * steps * (start**2 + start * stop + stop**2) / 3).sum())


def smooth_tube(waypoints: ArrayLike, radii: Sequence[float], labels: Sequence[int]) -> Tube:
    """A tube through waypoints (k, 3), with a radius at each and a label for each of the k - 1 pieces between them."""
    knots = np.asarray(waypoints, dtype=np.float64)
    along = _arc(knots)
    fine = np.interp(
        np.arange((len(knots) - 1) * _POINTS_PER_WAYPOINT + 1) / _POINTS_PER_WAYPOINT, range(len(knots)), along
    )
    points = CubicSpline(along, knots)(fine)
    pieces = np.repeat(np.asarray(labels, dtype=np.uint8), _POINTS_PER_WAYPOINT)
    return Tube(points, np.interp(fine, along, radii), pieces)


def draw_tube(labels: LabelVolume, grid: PhantomGrid, tube: Tube) -> None:
    """Draw a tube over what is there, piece by piece, each in its own box: time and memory go with the vessel's size.

    A voxel belongs to it if its centre does, and every voxel that the centreline passes through: on a coarse grid a
    thin vessel is one voxel thick, but unbroken.
    """
    corners = grid.voxels(tube.points)
    margins = np.maximum(tube.radii[:-1], tube.radii[1:])[:, None] / np.array(grid.spacing_mm)
    low = np.floor(np.minimum(corners[:-1], corners[1:]) - margins).astype(int).clip(0)
    high = np.ceil(np.maximum(corners[:-1], corners[1:]) + margins).astype(int).clip(max=np.array(grid.shape) - 1) + 1
    for number in np.flatnonzero((low < high).all(axis=1)):
        box = tuple(slice(*bounds) for bounds in zip(low[number].tolist(), high[number].tolist(), strict=True))
        places = [grid.places(axis, each.start, each.stop) for axis, each in enumerate(box)]
        inside = _in_cone(places, tube.points[number : number + 2], tube.radii[number : number + 2])
        labels[box][inside] = tube.labels[number]
    _draw_centreline(labels, grid, tube)


def _in_cone(places: Sequence[Floats], ends: Floats, radii: Floats) -> NDArray[np.bool_]:
    """Whether points lie in the cone between two ends, or in the ball at either."""
    start, along = ends[0], ends[1] - ends[0]
    offsets = [place - start[axis] for axis, place in enumerate(places)]
    part = sum(offset * along[axis] for axis, offset in enumerate(offsets)) / max(float(along @ along), 1e-12)
    part = np.clip(part, 0, 1)
    squared = sum((offset - part * along[axis]) ** 2 for axis, offset in enumerate(offsets))
    return np.asarray(squared <= (radii[0] + part * (radii[1] - radii[0])) ** 2)


def _draw_centreline(labels: LabelVolume, grid: PhantomGrid, tube: Tube) -> None:
    along = _arc(tube.points)
    fine = np.arange(0, along[-1], min(grid.spacing_mm) / 4)
    points = np.stack([np.interp(fine, along, column) for column in tube.points.T], axis=1)
    pieces = np.searchsorted(along, fine, side="right").clip(1, len(tube.labels)) - 1
    voxels = np.rint(grid.voxels(points)).astype(int)
    inside = ((voxels >= 0) & (voxels < np.array(grid.shape))).all(axis=1)
    labels[tuple(voxels[inside].T)] = tube.labels[pieces[inside]]


def _arc(points: Floats) -> Floats:
    """Arc length from the first point to each."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
