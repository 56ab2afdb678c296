"""How well the centreline of a thin structure is found: a break counts, however few voxels it has.

The centreline is the mask's skeleton, one voxel wide, each voxel counting once. Both metrics are for vessels: a heart
chamber has no centreline that means something.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial import KDTree

from uumamba.core.thinning import skeleton
from uumamba.metrics.masks import Mask, check_masks, foreground_box
from uumamba.metrics.surface import Distances, nearest_mm

_ROUNDING_MM = 1e-6
_AT_ONCE = 256
"""Voxels whose neighbours are listed at once: of a wide vessel and a predicted noise these are very many."""


def centreline_dice(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """clDice (Shit et al., CVPR 2021, arXiv 2003.07311), in [0, 1]; the spacing cancels out.

    The harmonic mean of topology precision, the part of the prediction's skeleton inside the reference, and topology
    sensitivity, the part of the reference's skeleton inside the prediction. Masks: boolean, same shape, 2D or 3D. None
    if both are empty, 0 if one is. Another order of the axes may move it by some voxels of the skeleton.
    """
    check_masks(prediction, reference, spacing_mm)
    if not (prediction.any() or reference.any()):
        return None
    if not (prediction.any() and reference.any()):
        return 0.0
    precision, sensitivity = _part_inside(prediction, reference), _part_inside(reference, prediction)
    together = precision + sensitivity
    return 2 * precision * sensitivity / together if together else 0.0


def centreline_overlap(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Overlap OV (Schaap et al., Medical Image Analysis 2009): the part of both centrelines that agrees, in [0, 1].

    OV = (TPR + TPM) / (TPR + FN + TPM + FP) over centreline voxels: one of the reference is found (TPR) if the
    prediction's centreline comes nearer to it than the vessel's radius there, and one of the prediction is right (TPM)
    if it comes that near to any of the reference's. The radius is the distance in mm to the nearest voxel outside the
    reference, so a vessel one voxel wide has to be met exactly. The paper asks only points that correspond along the
    course of the two lines, here any may be met. Not symmetric: the radius is the reference's.
    Masks: boolean, same shape, 2D or 3D; spacing in the same axis order. None if both are empty, 0 if one is.
    """
    check_masks(prediction, reference, spacing_mm)
    if not (prediction.any() or reference.any()):
        return None
    if not (prediction.any() and reference.any()):
        return 0.0
    step_mm = np.asarray(spacing_mm, dtype=float)
    predicted, true = _centreline(prediction), _centreline(reference)
    radius_mm = _radius_mm(reference, true, spacing_mm)
    tree, right, found = KDTree(predicted * step_mm), np.zeros(len(predicted), dtype=bool), 0
    for first in range(0, len(true), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        for voxels in tree.query_ball_point(true[some] * step_mm, radius_mm[some] - _ROUNDING_MM):
            right[voxels] = True
            found += bool(voxels)
    return (found + int(right.sum())) / (len(true) + len(predicted))


def _part_inside(mask: Mask, other: Mask) -> float:
    return float(other[tuple(_centreline(mask).T)].mean())


def _centreline(mask: Mask) -> NDArray[np.intp]:
    """The skeleton's voxels (n, axes) of a mask that is not empty."""
    return np.argwhere(skeleton(mask))


def _radius_mm(mask: Mask, places: NDArray[np.intp], spacing_mm: Sequence[float]) -> Distances:
    """From each of these voxels of the mask (n, axes) to the nearest one outside it, in mm; shape (n,)."""
    box = foreground_box(mask)
    padded = np.pad(mask[box], 1)
    # the nearest voxel outside shares a face with the mask: a step from it towards the inside is nearer still
    outside = np.argwhere(binary_dilation(padded) & ~padded) + [side.start - 1 for side in box]
    step_mm = np.asarray(spacing_mm, dtype=float)
    return nearest_mm(places * step_mm, outside * step_mm)
