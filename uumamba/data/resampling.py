"""nnU-Net's rules of resampling, and its voxels for less memory.

The voxels are bit for bit those of nnU-Net's `resample_data_or_seg_to_shape` with `order_z=0, force_separate_z=None`,
made by the same functions. It makes a float64 copy of all channels and, along a coarse axis, three float64 coordinates
for each new voxel, only to look up the nearest slice; here one channel is resampled after the other in float32 (inside,
scipy filters and sums in float64 in any case), and only the slices that are looked up.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from batchgenerators.augmentations.utils import resize_segmentation
from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis
from numpy.typing import NDArray
from skimage.transform import resize

_ORDER_IMAGE, _ORDER_LABELS = 3, 1
_SPLINE_MARGIN = 24
_FLOAT32, _FLOAT64 = 4, 8


def coarse_axis(current_mm: Sequence[float], new_mm: Sequence[float]) -> int | None:
    """The axis along which the nearest slice is taken, since its spacing is far the largest; None if there is none."""
    separate, axis = determine_do_sep_z_and_axis(None, current_mm, new_mm)
    return int(axis) if separate else None


def nearest_slices(old: int, new: int) -> NDArray[np.intp]:
    """For each of `new` slices the nearest of `old`, with half-pixel centres; half-way it is the upper one."""
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    nearest: NDArray[np.intp] = np.floor(np.clip(centres, 0, old - 1) + 0.5).astype(np.intp)
    return nearest


def resample_image(data: NDArray[np.float32], shape: Sequence[int], coarse: int | None) -> NDArray[np.float32]:
    """Channels (channel, *axes), float32, on `shape`, by cubic splines, or as they are if they have that shape."""
    return _each_channel(data, shape, coarse, _resize_image)


def resample_labels(labels: NDArray[Any], shape: Sequence[int], coarse: int | None) -> NDArray[Any]:
    """Label maps (channel, *axes) of integers on `shape`: the label whose indicator, resampled linearly, is largest."""
    return _each_channel(labels, shape, coarse, _resize_labels)


def resampling_bytes(channels: int, old: Sequence[int], new: Sequence[int], coarse: int | None) -> int:
    """The most memory that `resample_image` takes, with the array that it makes but without the one it is given."""
    if tuple(old) == tuple(new):
        return 0
    at_once = [axis for axis in range(3) if axis != coarse]
    padded = math.prod(old[axis] + _SPLINE_MARGIN for axis in at_once)
    being_made = padded * (_FLOAT32 + _FLOAT64) + math.prod(new[axis] for axis in at_once) * _FLOAT32
    alone = channels == 1 and coarse is None
    return being_made if alone else being_made + channels * math.prod(new) * _FLOAT32


def _each_channel(
    data: NDArray[Any], shape: Sequence[int], coarse: int | None, resize_one: Callable[..., NDArray[Any]]
) -> NDArray[Any]:
    if data.shape[1:] == tuple(shape):
        return data
    if coarse is None and len(data) == 1:
        return resize_one(data[0], shape)[None]
    result = np.empty((len(data), *shape), dtype=data.dtype)
    for values, resampled in zip(data, result, strict=True):
        if coarse is None:
            resampled[...] = resize_one(values, shape)
        else:
            _slice_by_slice(np.moveaxis(values, coarse, 0), np.moveaxis(resampled, coarse, 0), resize_one)
    return result


def _slice_by_slice(values: NDArray[Any], resampled: NDArray[Any], resize_one: Callable[..., NDArray[Any]]) -> None:
    """Fill `resampled` (slice, *rest) with the nearest slices of `values`, each resampled in plane once."""
    last = -1
    for slice_to_fill, nearest in zip(resampled, nearest_slices(len(values), len(resampled)), strict=True):
        if nearest != last:
            last, in_plane = nearest, resize_one(values[nearest], slice_to_fill.shape)
        slice_to_fill[...] = in_plane


def _resize_image(values: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    resized: NDArray[np.float32] = resize(values, shape, _ORDER_IMAGE, mode="edge", anti_aliasing=False)
    return resized


def _resize_labels(labels: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    resized: NDArray[Any] = resize_segmentation(labels, shape, _ORDER_LABELS)
    return resized
