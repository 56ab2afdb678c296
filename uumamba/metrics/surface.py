"""Distances between the surfaces of two masks: Hausdorff, its 95th percentile, and the average.

The surface of a mask is its border: the voxels with a face neighbour outside the mask or outside the image, each at its
centre and each counting once. This is the convention of the ACDC challenge (MedPy) and of MONAI, so that numbers can be
compared with published ones.

For every distance here: None if both masks are empty (there is nothing to compare), and the diagonal of the image, the
longest distance there can be, if only one is. A total miss is thus a finite number that no other result exceeds.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from uumamba.metrics.masks import Mask, check_masks, foreground_box, image_diagonal_mm

Distances = NDArray[np.float64]
Points = NDArray[np.float64]


def hausdorff_mm(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Hausdorff distance in mm: the largest distance from a border voxel of either mask to the other's border.

    Masks: boolean, same shape, 2D or 3D; spacing in the same axis order. Empty masks: see the module.
    """
    return _from_distances(prediction, reference, spacing_mm, lambda there, back: max(there.max(), back.max()))


def hausdorff95_mm(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """HD95 in mm: the 95th percentile of the border distances, the larger of the two directions.

    Masks: boolean, same shape, 2D or 3D; spacing in the same axis order. Empty masks: see the module.
    """
    return _from_distances(
        prediction, reference, spacing_mm, lambda there, back: max(np.percentile(there, 95), np.percentile(back, 95))
    )


def assd_mm(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Average symmetric surface distance in mm: the mean over the border voxels of both masks together.

    Masks: boolean, same shape, 2D or 3D; spacing in the same axis order. Empty masks: see the module.
    """
    return _from_distances(
        prediction, reference, spacing_mm, lambda there, back: (there.sum() + back.sum()) / (there.size + back.size)
    )


def _from_distances(
    prediction: Mask, reference: Mask, spacing_mm: Sequence[float], statistic: Callable[[Distances, Distances], float]
) -> float | None:
    check_masks(prediction, reference, spacing_mm)
    present = int(prediction.any()) + int(reference.any())
    if present == 0:
        return None
    if present == 1:
        return image_diagonal_mm(prediction.shape, spacing_mm)
    return float(statistic(*border_distances_mm(prediction, reference, spacing_mm)))


def border_distances_mm(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> tuple[Distances, Distances]:
    """From each border voxel of the prediction to the reference's border, and back, in mm; neither mask is empty."""
    predicted, true = (_border_points_mm(mask, spacing_mm) for mask in (prediction, reference))
    return nearest_mm(predicted, true), nearest_mm(true, predicted)


def nearest_mm(points: Points, others: Points) -> Distances:
    """Distance from each of `points` (n, axes) to the nearest of `others` (m, axes), all in mm; shape (n,)."""
    return np.asarray(KDTree(others).query(points)[0], dtype=np.float64)


def _border_points_mm(mask: Mask, spacing_mm: Sequence[float]) -> Points:
    box = foreground_box(mask)
    inside = mask[box]
    corner = [side.start for side in box]
    points: Points = (np.argwhere(inside & ~binary_erosion(inside)) + corner) * np.asarray(spacing_mm, dtype=float)
    return points
