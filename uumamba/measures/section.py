"""A vessel's cross-section: the connected part, around a point of the centreline, of the plane across it."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from uumamba.measures.lumen import FloatArray, Lumen

_DIRECTIONS = np.radians(np.arange(0, 180, 3))
_COMPASS = np.stack([np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)])
_ENLARGEMENTS = 4
_PIXELS_PER_RADIUS = 12
SMOOTHED_VOXELS = 1.2
"""Standard deviation, in voxels, of the smoothing before widths are taken."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The wall of a cross-section: points (n, 3) in mm, its centroid (3,), and diameters in mm.

    `equivalent_mm` is that of the circle of equal area, `largest_mm` and `smallest_mm` are the widths between parallel
    tangents (Feret). `inside_mm` are points (m, 3) of the section.
    """

    wall_mm: FloatArray
    centre_mm: FloatArray
    equivalent_mm: float
    largest_mm: float
    smallest_mm: float
    inside_mm: FloatArray


def cut(lumen: Lumen, centre_mm: FloatArray, direction: FloatArray, radius_mm: float) -> Outline | None:
    """The cross-section at a point (3,) across a unit vector (3,); `radius_mm` says how large it may be, roughly.

    The plane is sampled finer than the voxels and the wall found between them. None if there is no lumen at the point,
    or if the section has no end: it runs along another vessel, for instance.
    """
    across = _axes_across(direction)
    pixel = float(np.clip(radius_mm / _PIXELS_PER_RADIUS, lumen.finest_mm / 2, lumen.finest_mm))
    half = int(np.ceil((1.5 * radius_mm + 2 * lumen.voxel_mm) / pixel))
    for _ in range(_ENLARGEMENTS):
        steps = np.arange(-half, half + 1) * pixel
        offsets = steps[:, None, None] * across[0] + steps[None, :, None] * across[1]
        values = lumen.values(centre_mm + offsets)
        parts, _ = ndimage.label(values >= 0.5)
        part = _part_at(parts, half, near=max(1.0, radius_mm / 2 / pixel))
        if part is None:
            return None
        found = parts == part
        if not (found[0].any() or found[-1].any() or found[:, 0].any() or found[:, -1].any()):
            corner = centre_mm - half * pixel * across.sum(axis=0)
            rim = ndimage.binary_dilation(found, iterations=math.ceil(lumen.voxel_mm / pixel)) & ((parts == 0) | found)
            return _outline(np.where(rim, values, 0), found, corner, across * pixel, lumen.voxel_mm)
        half *= 2
    return None


def coarsest_mm(direction: FloatArray, spacing_mm: FloatArray) -> float:
    """The width of a voxel in the direction across a unit vector in which it is widest."""
    across = _axes_across(direction)
    rays = _COMPASS.T @ across
    return float((1 / np.sqrt(((rays / spacing_mm) ** 2).sum(axis=1))).max())


def _axes_across(direction: FloatArray) -> FloatArray:
    """Two unit vectors (2, 3) at right angles to a direction and to each other."""
    first = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first)])


def _part_at(parts: np.ndarray, middle: int, *, near: float) -> int | None:
    """The number of the part in the middle, else of the nearest one not further than `near` pixels; else None."""
    if parts[middle, middle]:
        return int(parts[middle, middle])
    places = np.argwhere(parts)
    if not len(places):
        return None
    apart = np.linalg.norm(places - middle, axis=1)
    nearest = int(np.argmin(apart))
    return int(parts[tuple(places[nearest])]) if apart[nearest] <= near else None


def _outline(
    values: np.ndarray, found: np.ndarray, corner: FloatArray, axes_mm: FloatArray, voxel_mm: float
) -> Outline:
    """What a section measures; `values` have no other part, `axes_mm` (2, 3) are the plane's axes, a pixel long.

    The area is the sum of the values, which are shares of voxels. The steps of voxels make every wall wider one way and
    narrower another: widths are taken from values that are smoothed over a voxel, at the level that keeps the area.
    """
    pixel = float(np.linalg.norm(axes_mm[0]))
    area = float(values.sum())
    centre = np.array([(values.sum(axis=1 - axis) * np.arange(len(values))).sum() / area for axis in (0, 1)])
    smoothed = ndimage.gaussian_filter(values, SMOOTHED_VOXELS * voxel_mm / pixel)
    rank = min(max(1, round(area)), smoothed.size)
    contour = _outer(smoothed, float(np.partition(smoothed.ravel(), -rank)[-rank]))
    heights = contour @ _COMPASS
    widths = (heights.max(axis=0) - heights.min(axis=0)) * pixel
    return Outline(
        wall_mm=corner + contour @ axes_mm,
        centre_mm=corner + centre @ axes_mm,
        equivalent_mm=float(2 * np.sqrt(area / np.pi) * pixel),
        largest_mm=float(widths.max()),
        smallest_mm=float(widths.min()),
        inside_mm=corner + np.argwhere(found)[::3] @ axes_mm,
    )


def _outer(values: np.ndarray, level: float) -> FloatArray:
    """The contour (n, 2) round the largest area at a level."""
    contours: list[FloatArray] = find_contours(values, level)
    return max(contours, key=_area)


def _area(contour: FloatArray) -> float:
    """Area of a closed polygon (n, 2)."""
    ahead = np.roll(contour, -1, axis=0)
    return float(abs((contour[:, 0] * ahead[:, 1] - ahead[:, 0] * contour[:, 1]).sum()) / 2)
