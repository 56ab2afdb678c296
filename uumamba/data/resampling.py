"""nnU-Net's rules of resampling, and its voxels for less memory and time.

The voxels are bit for bit those of nnU-Net's `resample_data_or_seg_to_shape` with `order_z=0, force_separate_z=None`.
It makes float64 copies of all channels, resamples a label map once for each label, and looks the nearest slice along a
coarse axis up with three float64 coordinates for each new voxel. Here one channel is resampled after the other, plane
by plane, and of float64 there is one array of a channel's size: the splines' coefficients along the first axis. All
labels are weighed in one pass.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis
from numpy.typing import NDArray

from uumamba.core.compiled import side_by_side

_CUBIC = 3
_PAD = 12
"""Edge voxels that scipy repeats before it filters, so that splines do not feel the array's end."""
_TAPS = 4
_BLOCK = 1 << 22
_FLOAT32, _FLOAT64 = 4, 8
_WHAT = "resampling"


@dataclass(frozen=True)
class _Taps:
    """What each new voxel along an axis takes from the old ones: the first of its taps, and weights (taps, new)."""

    first: NDArray[np.uintp]
    weights: NDArray[np.float64]


def coarse_axis(current_mm: Sequence[float], new_mm: Sequence[float]) -> int | None:
    """The axis along which the nearest slice is taken, since its spacing is far the largest; None if there is none."""
    separate, axis = determine_do_sep_z_and_axis(None, current_mm, new_mm)
    return int(axis) if separate else None


def nearest_slices(old: int, new: int) -> NDArray[np.intp]:
    """For each of `new` slices the nearest of `old`, with half-pixel centres; half-way it is the upper one."""
    nearest: NDArray[np.intp] = np.floor(np.clip(_centres(old, new), 0, old - 1) + 0.5).astype(np.intp)
    return nearest


def resample_image(data: NDArray[np.float32], shape: Sequence[int], coarse: int | None) -> NDArray[np.float32]:
    """Channels (channel, *axes), float32, on `shape`, by cubic splines, or as they are if they have that shape."""
    return _each_channel(data, shape, coarse, _cubic_volume if coarse is None else _cubic_slice)


def resample_labels(labels: NDArray[Any], shape: Sequence[int], coarse: int | None) -> NDArray[Any]:
    """Label maps (channel, *axes) of integers on `shape`: the label whose indicator, resampled linearly, is largest."""
    return _each_channel(labels, shape, coarse, _heaviest)


def resampling_bytes(channels: int, old: Sequence[int], new: Sequence[int], coarse: int | None) -> int:
    """The most memory that `resample_image` takes, with the array that it makes but without the one it is given."""
    if tuple(old) == tuple(new):
        return 0
    made = channels * math.prod(new) * _FLOAT32
    first, *plane = (old[axis] for axis in ((0, 1, 2) if coarse is None else (coarse, *_others(coarse))))
    new_plane = [new[axis] for axis in ((1, 2) if coarse is None else _others(coarse))]
    padded = (plane[0] + 2 * _PAD) * (plane[1] + 2 * _PAD)
    planes = padded * (_FLOAT32 + 2 * _FLOAT64) + math.prod(new_plane) * _FLOAT64
    if coarse is not None:
        return made + planes + math.prod(new_plane) * _FLOAT32
    coefficients = (first + 2 * _PAD) * math.prod(plane) * _FLOAT64
    block = _rows_at_once(first, plane) * plane[1] * (first + 2 * _PAD) * (_FLOAT32 + _FLOAT64)
    return coefficients + max(block + made, made + planes + _TAPS * padded * _FLOAT64)


def _each_channel(
    data: NDArray[Any], shape: Sequence[int], coarse: int | None, resize: Callable[[NDArray[Any], NDArray[Any]], None]
) -> NDArray[Any]:
    if data.shape[1:] == tuple(shape):
        return data
    result = np.empty((len(data), *shape), dtype=data.dtype)
    for values, resampled in zip(data, result, strict=True):
        if coarse is None:
            resize(values, resampled)
        else:
            _slice_by_slice(np.moveaxis(values, coarse, 0), np.moveaxis(resampled, coarse, 0), resize)
    return result


def _slice_by_slice(
    values: NDArray[Any], resampled: NDArray[Any], resize: Callable[[NDArray[Any], NDArray[Any]], None]
) -> None:
    """Fill `resampled` (slice, *rest) with the nearest slices of `values`, each resampled in plane once."""
    last = -1
    in_plane = np.empty((1, *resampled.shape[1:]), resampled.dtype)
    for slice_to_fill, nearest in zip(resampled, nearest_slices(len(values), len(resampled)), strict=True):
        if nearest != last:
            last = nearest
            resize(values[nearest : nearest + 1], in_plane)
        slice_to_fill[...] = in_plane[0]


def _cubic_volume(values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Fill `out` (3D) from cubic splines through `values` (3D), within their range."""
    _weigh(_filtered_along_first(values), _cubic_taps(len(values), len(out)), values, out)


def _cubic_slice(values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """The same for one slice (1, rows, columns), in plane; nothing is multiplied along the first axis."""
    if values.shape == out.shape:
        out[...] = values
    else:
        _weigh(values, _Taps(np.zeros(1, np.uintp), np.ones((1, 1))), values, out)


def _weigh(coefficients: NDArray[Any], along: _Taps, values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Fill `out` from splines whose coefficients are filtered `along` the first axis alone."""
    from uumamba.data.resampling_kernels import weigh_plane

    low, high = values.min(), values.max()
    rows, columns = (_cubic_taps(values.shape[axis], out.shape[axis]) for axis in (1, 2))
    planes = _Planes(coefficients, len(along.weights))
    target = np.empty(out.shape[1:])
    for number, first in enumerate(along.first.tolist()):
        weights = np.ascontiguousarray(along.weights[:, number]), rows.weights, columns.weights
        side_by_side(_WHAT, weigh_plane, [(planes.beginning(first), weights, (rows.first, columns.first), target)])
        out[number] = target
        np.clip(out[number], low, high, out=out[number])


class _Planes:
    """Coefficients of neighbouring planes; each plane is filtered along its own axes when it is first asked for."""

    def __init__(self, coefficients: NDArray[Any], count: int) -> None:
        self._coefficients = coefficients
        self._held = np.empty((count, *(size + 2 * _PAD for size in coefficients.shape[1:])))
        self._first = -count

    def beginning(self, first: int) -> NDArray[np.float64]:
        """The planes from `first` on (count, rows, columns), until the next call, whose `first` is not smaller."""
        count = len(self._held)
        moved = min(first - self._first, count)
        self._held[: count - moved] = self._held[moved:]
        for place in range(count - moved, count):
            padded = np.pad(self._coefficients[first + place].astype(np.float64, copy=False), _PAD, mode="edge")
            _filter(padded)
            columns = np.ascontiguousarray(padded.T)
            _filter(columns)
            self._held[place] = columns.T
        self._first = first
        return self._held


def _filtered_along_first(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spline coefficients along the first axis alone, padded there (first + 24, *rest)."""
    length, rows, columns = values.shape
    coefficients = np.empty((length + 2 * _PAD, rows, columns))
    step = _rows_at_once(length, (rows, columns))
    for start in range(0, rows, step):
        block = values[:, start : start + step].reshape(length, -1).astype(np.float64)
        padded = np.pad(block, ((_PAD, _PAD), (0, 0)), mode="edge")
        _filter(padded)
        coefficients[:, start : start + step] = padded.reshape(len(padded), -1, columns)
    return coefficients


def _filter(values: NDArray[np.float64]) -> None:
    """Make values (length, columns) spline coefficients along the first axis."""
    from uumamba.data.resampling_kernels import POLE, filter_columns

    side_by_side(_WHAT, filter_columns, [(values, POLE ** len(values))])


def _rows_at_once(length: int, plane: Sequence[int]) -> int:
    return max(1, min(plane[0], _BLOCK // ((length + 2 * _PAD) * plane[1])))


def _heaviest(labels: NDArray[Any], out: NDArray[Any]) -> None:
    """Fill `out` (3D) with the label of `labels` (3D) that has the largest linear share at each voxel."""
    from uumamba.data.resampling_kernels import heaviest_labels

    corners, weights, nearest = [], [], []
    for old, new in zip(labels.shape, out.shape, strict=True):
        centres = np.clip(_centres(old, new), 0, old - 1)
        floor = np.floor(centres)
        lower = 1.0 - (centres - floor)
        corners.append(np.stack((floor, np.minimum(floor + 1, old - 1))).astype(np.uintp))
        weights.append(np.stack((lower, 1.0 - lower)))
        nearest.append(nearest_slices(old, new).astype(np.uintp))
    side_by_side(_WHAT, heaviest_labels, [(labels, tuple(corners), tuple(weights), tuple(nearest), out)])


def _centres(old: int, new: int) -> NDArray[np.float64]:
    """Where the centres of `new` voxels lie among `old` ones, in old voxels from the first one's centre."""
    places = np.arange(new, dtype=np.float64)
    return (places + 0.5) * (old / new) - 0.5


def _cubic_taps(old: int, new: int) -> _Taps:
    """Four taps of a cubic B-spline, counted in the padded array."""
    centres = _centres(old, new) + _PAD
    floor = np.floor(centres)
    x = centres - floor
    z = 1.0 - x
    weights = np.empty((_TAPS, new))
    weights[0] = z * z * z / 6.0
    weights[1] = (x * x * (x - 2.0) * 3.0 + 4.0) / 6.0
    weights[2] = (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0
    weights[3] = 1.0 - weights[0] - weights[1] - weights[2]
    return _Taps(floor.astype(np.uintp) - np.uintp(1), weights)


def _others(axis: int) -> tuple[int, int]:
    first, second = (other for other in range(3) if other != axis)
    return first, second
