"""The laws of grids: plausible spacing, right angles, two images on one grid."""

from itertools import product
from pathlib import Path

import numpy as np

from uumamba.core.errors import GeometryError
from uumamba.imaging.image import FloatArray, Image

SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 0.01, 100.0
ROUNDING_DEGREES = 1e-3
"""Axes this close to right angles are left as they are: a float32 header cannot do better."""
SHEAR_TOLERANCE_DEGREES = 0.1
"""Up to here a rounded header is straightened (a voxel moves by 0.3 mm in 150); beyond, the voxels are sheared."""
GRID_TOLERANCE_VOXELS = 0.1
"""Grids are the same if no corner of the volume is further apart, in the smallest spacing."""


def join_numbers(values: object, separator: str = " x ") -> str:
    """Numbers for a message: (1.5625, 1.5625, 10.0) -> "1.5625 x 1.5625 x 10"."""
    return separator.join(f"{value:.6g}" for value in np.ravel(np.asarray(values)).tolist())


def spacing_of(affine: FloatArray) -> FloatArray:
    """Lengths of an affine's three columns, in its unit."""
    lengths: FloatArray = np.linalg.norm(affine[:3, :3], axis=0)
    return lengths


def directions_of(affine: FloatArray) -> FloatArray:
    """Unit vectors of the voxel axes in the patient, one per column (3, 3)."""
    directions: FloatArray = affine[:3, :3] / spacing_of(affine)
    return directions


def angle_between_degrees(first: FloatArray, second: FloatArray) -> float:
    """The largest angle between matching columns of two direction matrices (3, 3)."""
    half_chords = np.linalg.norm(first - second, axis=0) / 2
    return float(np.degrees(2 * np.arcsin(np.clip(half_chords, 0, 1))).max())


def affine_from(directions: FloatArray, spacing_mm: FloatArray, origin_mm: FloatArray) -> FloatArray:
    """The affine (4, 4) of a grid: unit columns times spacing, and the first voxel's position."""
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing_mm
    affine[:3, 3] = origin_mm
    return affine


def check_spacing(spacing_mm: FloatArray, path: Path, source: str) -> None:
    """Raise `GeometryError` for a spacing that is zero, negative, not finite or absurd; `source` says where it is."""
    plausible = np.isfinite(spacing_mm) & (spacing_mm >= SMALLEST_SPACING_MM) & (spacing_mm <= LARGEST_SPACING_MM)
    if not plausible.all():
        raise GeometryError(
            f"{path}: the spacing in its {source} is {join_numbers(spacing_mm)} mm; each must lie between "
            f"{SMALLEST_SPACING_MM:g} and {LARGEST_SPACING_MM:g} mm; correct the header or export the image again"
        )


def straighten(affine: FloatArray, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """Give the axes right angles and say so; raise `GeometryError` for a real shear, such as a tilted CT gantry's.

    Spacing and first voxel stay; the directions become the nearest orthonormal ones (polar decomposition).
    """
    directions = directions_of(affine)
    cosines = np.abs((directions.T @ directions)[np.triu_indices(3, 1)])
    degrees = float(np.degrees(np.arcsin(np.clip(cosines, 0, 1))).max())
    if degrees <= ROUNDING_DEGREES:
        return affine, ()
    if degrees > SHEAR_TOLERANCE_DEGREES:
        raise GeometryError(
            f"{path}: the axes are sheared by {degrees:.3g} degrees, as in a CT with a tilted gantry; up to "
            f"{SHEAR_TOLERANCE_DEGREES:g} is straightened; resample the image to right angles"
        )
    left, _, right = np.linalg.svd(directions)
    note = f"the axes were {degrees:.2g} degrees off right angles: straightened"
    return affine_from(left @ right, spacing_of(affine), affine[:3, 3]), (note,)


def require_same_grid(image: Image, label_map: Image, image_name: str, label_name: str) -> None:
    """Raise `GeometryError`, with both grids' numbers, unless the two have one shape and their voxels one place.

    The names stand for the two in the message (paths or case names).
    """
    corners = np.array([[*corner, 1] for corner in product(*((0, size - 1) for size in image.shape))], dtype=float)
    apart_mm = float(np.linalg.norm((corners @ (image.affine - label_map.affine).T)[:, :3], axis=1).max())
    if image.shape == label_map.shape and apart_mm <= GRID_TOLERANCE_VOXELS * min(image.spacing_mm):
        return
    origin_mm = float(np.linalg.norm(image.affine[:3, 3] - label_map.affine[:3, 3]))
    degrees = angle_between_degrees(directions_of(image.affine), directions_of(label_map.affine))
    raise GeometryError(
        f"{label_name}: not on the grid of {image_name}: shape {join_numbers(label_map.shape)} against "
        f"{join_numbers(image.shape)}, spacing {join_numbers(label_map.spacing_mm)} against "
        f"{join_numbers(image.spacing_mm)} mm, origins {origin_mm:.3g} mm apart, axes up to {degrees:.3g} degrees "
        f"apart; resample one to the other"
    )
