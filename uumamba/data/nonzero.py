"""The box around what was measured: where any channel is not zero, as nnU-Net's `crop_to_nonzero` cuts it out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

Crop = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""A half-open range of voxels per axis."""


def nonzero_bounds(mask: NDArray[np.bool_]) -> Crop:
    """The range along each axis that holds a mask; all of it if the mask is empty."""
    seen_along_first: NDArray[np.bool_] = np.any(mask, axis=0)
    if not seen_along_first.any():
        x, y, z = mask.shape
        return (0, x), (0, y), (0, z)
    profiles = mask.any(axis=(1, 2)), np.any(seen_along_first, axis=1), np.any(seen_along_first, axis=0)
    x, y, z = ((int(np.flatnonzero(profile)[0]), int(np.flatnonzero(profile)[-1]) + 1) for profile in profiles)
    return x, y, z


def nonzero_mask(channels: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Where any of the channels (*axes each) is not zero."""
    mask: NDArray[np.bool_] = channels[0] != 0
    for values in channels[1:]:
        mask |= values != 0
    return mask


def crop_to_nonzero(
    data: NDArray[np.float32], labels: NDArray[np.int16] | None, *, needs_mask: bool
) -> tuple[NDArray[np.float32], NDArray[Any] | None, Crop]:
    """The box of `data` (channel, *axes) around its nonzero voxels, and the labels (1, *axes) in it, marked.

    Background outside the mask, holes of which are filled, becomes -1. Holes lie in the box, so that they are only
    filled there, and only if labels are there to be marked or a mask is needed; otherwise there are no labels.
    """
    nonzero = nonzero_mask(list(data))
    crop = nonzero_bounds(nonzero)
    box = tuple(slice(*bounds) for bounds in crop)
    data, nonzero = data[:, *box], nonzero[box]
    if labels is None and not needs_mask:
        return data, None, crop
    outside = np.zeros_like(nonzero) if nonzero.all() else ~binary_fill_holes(nonzero)
    if labels is None:
        return data, -outside.astype(np.int8)[None], crop
    labels = labels[:, *box]
    labels[0][(labels[0] == 0) & outside] = -1
    return data, labels, crop
