"""The one patch of a case in which the structures lie."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.data.plan import Plan


@dataclass(frozen=True)
class LabelledPatch:
    """A patch as the network takes it, of one slice or of a volume.

    `data` (channels, *patch) float32, 0 beyond the image; `labels` (*patch), there `outside`. `slice_` is the index
    along the first network axis in the whole case, `depth` that in the patch (0 in 2D).
    """

    data: Tensor
    labels: NDArray[np.integer]
    slice_: int
    depth: int


def choose_slice(labels: NDArray[np.integer], number: int | None) -> int:
    """The index of slice `number` (from 1) of `labels` (3 network axes), or of the one with most of the structures.

    Raises `InputError` if there is no such slice, or no structure in it.
    """
    voxels = (labels > 0).sum(axis=(1, 2))
    if not voxels.any():
        raise InputError(
            "the label map holds no structure, so there is no border to look at; give --reference, or a model that "
            "finds one"
        )
    if number is None:
        return int(voxels.argmax())
    if not (1 <= number <= len(voxels) and voxels[number - 1]):
        inhabited = np.flatnonzero(voxels) + 1
        raise InputError(
            f"--slice {number}: no structure there; on the network's grid, which has {len(voxels)} slices, those with "
            f"one lie between {inhabited[0]} and {inhabited[-1]}"
        )
    return number - 1


def patch_around(
    data: NDArray[np.float32], labels: NDArray[np.integer], slice_: int, plan: Plan, *, outside: int
) -> LabelledPatch:
    """The plan's patch with the structures of slice `slice_` in its middle, as far as the image reaches.

    `data` (channels, *3 network axes) is preprocessed, `labels` (*3 network axes) on its grid with a structure in that
    slice.
    """
    places = np.argwhere(labels[slice_] > 0)
    middle = (slice_, *(int(middle) for middle in (places.min(0) + places.max(0) + 1) // 2))
    patch_size = plan.patch_size if plan.spatial_dims == 3 else (1, *plan.patch_size)
    starts = [
        min(max(centre - patch // 2, 0), size - patch) if size > patch else -((patch - size) // 2)
        for centre, patch, size in zip(middle, patch_size, labels.shape, strict=True)
    ]
    image, target = np.zeros((len(data), *patch_size), np.float32), np.full(patch_size, outside, labels.dtype)
    from_case, to_patch = [], []
    for start, patch, size in zip(starts, patch_size, labels.shape, strict=True):
        first, last = max(start, 0), min(start + patch, size)
        from_case.append(slice(first, last))
        to_patch.append(slice(first - start, last - start))
    image[(slice(None), *to_patch)] = data[(slice(None), *from_case)]
    target[tuple(to_patch)] = labels[tuple(from_case)]
    if plan.spatial_dims == 2:
        image, target = image[:, 0], target[0]
    return LabelledPatch(torch.from_numpy(image), target, slice_, slice_ - starts[0])
