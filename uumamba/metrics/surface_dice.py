"""Normalised surface Dice (NSD) of Nikolov et al., arXiv 1809.04430, as in DeepMind's `surface-distance`.

The surface lies between voxels: wherever the 2 x 2 x 2 voxels round a grid corner are not all alike, there is a surface
element at that corner whose area (marching cubes, in mm2) depends on the eight and on the spacing. Weighing by area
matters for slices: at 1.5 x 1.5 x 10 mm, a voxel of a cap has 2.25 mm2 of surface, one of the wall 15 mm2.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uumamba.metrics.masks import Mask, check_masks, foreground_box
from uumamba.metrics.surface import Points, nearest_mm

DEFAULT_TOLERANCE_MM = 2.0
_ROUNDING_MM = 1e-6


def surface_dice(
    prediction: Mask, reference: Mask, spacing_mm: Sequence[float], *, tolerance_mm: float = DEFAULT_TOLERANCE_MM
) -> float | None:
    """The part of both surfaces, by area, that lies within `tolerance_mm` of the other one; in [0, 1].

    Masks: boolean, same shape, 2D (contours, by length) or 3D; spacing in the same axis order. None if both are empty,
    0 if one is.
    """
    check_masks(prediction, reference, spacing_mm)
    if not (prediction.any() or reference.any()):
        return None
    if not (prediction.any() and reference.any()):
        return 0.0
    spacing = tuple(float(step) for step in spacing_mm)
    predicted, predicted_areas = surface_elements(prediction, spacing)
    true, true_areas = surface_elements(reference, spacing)
    limit = tolerance_mm + _ROUNDING_MM
    within = predicted_areas[nearest_mm(predicted, true) <= limit].sum()
    within += true_areas[nearest_mm(true, predicted) <= limit].sum()
    return float(within / (predicted_areas.sum() + true_areas.sum()))


def surface_elements(mask: Mask, spacing_mm: tuple[float, ...]) -> tuple[Points, NDArray[np.float64]]:
    """Points in mm (n, axes) and areas in mm2 (n,) of the surface of a mask that is not empty.

    Only differences between points mean something: their origin is a corner outside the image.
    """
    box = foreground_box(mask)
    padded = np.pad(mask[box], 1).astype(np.uint8)
    table, kernel = _area_table(spacing_mm)
    codes = np.zeros([size - 1 for size in padded.shape], dtype=np.uint8)
    for corner in np.ndindex(kernel.shape):
        shifted = tuple(slice(start, start + size) for start, size in zip(corner, codes.shape, strict=True))
        codes += padded[shifted] * kernel[corner]
    surface = (codes != 0) & (codes != len(table) - 1)
    points = (np.argwhere(surface) + [side.start for side in box]) * np.asarray(spacing_mm)
    return points, table[codes[surface]]


@lru_cache(maxsize=64)
def _area_table(spacing_mm: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Area by neighbourhood code, and the kernel of powers of two (2 per axis) that makes the code."""
    # imported here: it takes seconds, and whoever wants only Dice need not wait
    from monai.metrics.utils import get_code_to_measure_table

    areas, kernel = get_code_to_measure_table(spacing_mm)
    return areas.numpy().astype(np.float64), kernel.numpy().reshape((2,) * len(spacing_mm)).astype(np.uint8)
