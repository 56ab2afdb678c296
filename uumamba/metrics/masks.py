"""A pair of masks: what every metric asks of it, the box that holds both, and the longest distance in the image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uumamba.core.errors import InputError

Mask = NDArray[np.bool_]


def check_masks(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> None:
    """Raise an `InputError` unless both are boolean masks of one shape, 2D or 3D, with a positive spacing per axis."""
    if prediction.dtype != np.bool_ or reference.dtype != np.bool_:
        raise InputError(
            f"masks must be boolean, got {prediction.dtype} and {reference.dtype}; compare `label_map == number`"
        )
    if prediction.shape != reference.shape or prediction.ndim not in (2, 3):
        raise InputError(f"masks must be 2D or 3D and have one shape, got {prediction.shape} and {reference.shape}")
    if len(spacing_mm) != prediction.ndim or not all(0 < step < np.inf for step in spacing_mm):
        raise InputError(
            f"spacing must be {prediction.ndim} positive numbers in mm, one per axis, got {tuple(spacing_mm)}"
        )


def foreground_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds every true voxel of a mask that has some, as one slice per axis."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def image_diagonal_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """Distance in mm between the centres of two opposite corner voxels: no two voxels are farther apart."""
    return float(np.linalg.norm((np.asarray(shape) - 1) * np.asarray(spacing_mm, dtype=float)))
