"""Whole scores and label maps back on the image's grid, as the predictor does it slab by slab."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry
from uumamba.data.restoration import Scores, blank_on_image_grid, highest_class, restored_slabs


def restore_labels(logits: NDArray[Any], geometry: Geometry, plan: Plan) -> NDArray[np.uint8]:
    """The label map (uint8) on the original image's axes and grid from `logits` (classes, *network axes) float.

    Logits are resampled linearly in plane and by the nearest slice between thick slices; ties go to the lower number.
    Voxels that preprocessing cropped away are background.
    """
    slices = (logits[:, index : index + 1].astype(np.float32, copy=False) for index in range(logits.shape[1]))
    return _restore(slices, logits.shape[1:], geometry, plan)


def restore_label_map(labels: NDArray[Any], geometry: Geometry, plan: Plan) -> NDArray[np.uint8]:
    """As `restore_labels` for a label map (*network axes) of integers; what is no structure's number is background."""
    numbers = np.arange(plan.labels.classes).reshape(-1, 1, 1, 1)
    slabs = ((of_slice == numbers).astype(np.float32) for of_slice in labels[:, None])
    return _restore(slabs, labels.shape, geometry, plan)


def _restore(slabs: Iterable[Scores], shape: tuple[int, ...], geometry: Geometry, plan: Plan) -> NDArray[np.uint8]:
    """The class with the highest score at each voxel of the image's own grid; `slabs` as in `restored_slabs`."""
    x, y, z = shape
    whole, view = blank_on_image_grid(geometry, plan, dtype=np.uint8)
    start = 0
    for scores in restored_slabs(slabs, (x, y, z), geometry, plan):
        stop = start + scores.shape[1]
        view[start:stop] = highest_class(scores)
        start = stop
    return whole
