"""Overlap of two masks."""

from collections.abc import Sequence

import numpy as np

from uumamba.metrics.masks import Mask, check_masks


def dice(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Dice coefficient 2 |P and R| / (|P| + |R|), in [0, 1]; the spacing cancels out.

    Masks: boolean, same shape, 2D or 3D, in any common axis order. None if both are empty, 0 if one is.
    """
    check_masks(prediction, reference, spacing_mm)
    voxels = np.count_nonzero(prediction) + np.count_nonzero(reference)
    return float(2 * np.count_nonzero(prediction & reference) / voxels) if voxels else None
