"""How many pieces a mask is made of: Betti number 0."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label

from uumamba.metrics.masks import Mask, check_masks, foreground_box


def count_components(mask: Mask) -> int:
    """How many pieces a mask has, any dimension; voxels that touch by a corner (26 neighbours, in 2D 8) are one."""
    if not mask.any():
        return 0
    return int(label(mask[foreground_box(mask)], structure=np.ones((3,) * mask.ndim))[1])


def betti0_error(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> float | None:
    """The absolute difference of the numbers of components, from 0 on; None if both masks are empty.

    It does not ask where they lie: a break here and a stray piece joined there may cancel out. Masks: boolean, same
    shape, 2D or 3D.
    """
    check_masks(prediction, reference, spacing_mm)
    pieces = count_components(prediction), count_components(reference)
    return float(abs(pieces[0] - pieces[1])) if any(pieces) else None
