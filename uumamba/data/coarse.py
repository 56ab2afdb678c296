"""Cases on a much coarser grid, for a network that looks at whole images: images averaged, labels by any voxel.

Both take all that a coarse voxel covers. Interpolation between voxels, as `resampling.py` has it, would see one of a
hundred of them: a vessel of three voxels would come and go with its place on the grid, and its label vanish.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from uumamba.data.store import OUTSIDE

Shape: TypeAlias = tuple[int, int, int]
Bounds: TypeAlias = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""A half-open range of voxels along each axis."""

COARSE_VERSION = 1
"""Raised whenever the same case and plan give other arrays, so that stored cases are made again."""

FOREGROUND = 1
"""The label of a coarse voxel that touches any structure; what is ignored is numbered behind it."""
_FLOAT32 = 4
# Values by rank: of all labels in a coarse voxel the one of the highest rank wins.
_OUTSIDE, _BACKGROUND, _IGNORED, _STRUCTURE = range(4)
_LABEL_OF_RANK: NDArray[np.int8] = np.array([OUTSIDE, 0, FOREGROUND + 1, FOREGROUND], dtype=np.int8)


def coarse_shape(shape: Sequence[int], spacing_mm: Sequence[float], coarse_mm: Sequence[float]) -> Shape:
    """The coarse grid over the same box (mm): as many voxels as come nearest to `coarse_mm`, never more than before."""
    first, second, third = (
        max(1, min(size, round(size * fine / coarse)))
        for size, fine, coarse in zip(shape, spacing_mm, coarse_mm, strict=True)
    )
    return first, second, third


def average(data: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """Channels (channel, *axes), float32, on a coarser grid over the same box: the mean of what each voxel covers."""
    first, second, third = (_shares(old, new) for old, new in zip(data.shape[1:], shape, strict=True))
    result = np.empty((len(data), *shape), dtype=np.float32)
    for values, coarse in zip(data, result, strict=True):
        for number, shares in enumerate(first):  # slice by slice: whatever lies how in memory, little is copied
            seen = np.flatnonzero(shares)
            covered = slice(int(seen[0]), int(seen[-1]) + 1)
            coarse[number] = second @ np.tensordot(shares[covered], values[covered], axes=1) @ third.T
    return result


def any_structure(labels: NDArray[np.integer[Any]], shape: Shape, *, ignore: int | None = None) -> NDArray[np.int8]:
    """Label maps (1, *axes) on a coarser grid over the same box: int8, `FOREGROUND` if any voxel is of a structure.

    Where none is, `FOREGROUND` + 1 if any is to be ignored, else background if any is, else outside (-1).
    """
    ranks: NDArray[np.int8] = np.full(labels.shape[1:], _BACKGROUND, dtype=np.int8)
    ranks[labels[0] < 0] = _OUTSIDE
    ranks[labels[0] > 0] = _STRUCTURE
    if ignore is not None:
        ranks[labels[0] == ignore] = _IGNORED
    for axis, new in enumerate(shape):
        ranks = _highest(ranks, axis, new)
    merged: NDArray[np.int8] = _LABEL_OF_RANK[ranks][None]
    return merged


def averaging_bytes(channels: int, shape: Sequence[int], coarse: Sequence[int]) -> int:
    """The most memory that `average` takes, with the array that it makes but without the one it is given."""
    covered = -(-shape[0] // coarse[0]) + 1
    return _FLOAT32 * (channels * int(np.prod(coarse)) + (covered + 3) * shape[1] * shape[2])


def _shares(old: int, new: int) -> NDArray[np.float32]:
    """Float32 (new, old): which share of each new voxel each old one has; rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    lower, upper = np.arange(old), np.arange(1, old + 1)
    common = np.minimum(edges[1:, None], upper) - np.maximum(edges[:-1, None], lower)
    shares: NDArray[np.float32] = (np.clip(common, 0, None) * (new / old)).astype(np.float32)
    return shares


def _highest(ranks: NDArray[np.int8], axis: int, new: int) -> NDArray[np.int8]:
    """The highest of all that each new voxel along `axis` touches."""
    old = ranks.shape[axis]
    # In whole numbers, since a voxel that is touched by a rounding error alone is not touched.
    first = np.arange(new) * old // new
    last = -(-np.arange(1, new + 1) * old // new) - 1
    highest: NDArray[np.int8] = np.take(ranks, first, axis=axis)
    for step in range(1, int((last - first).max()) + 1):
        np.maximum(highest, np.take(ranks, np.minimum(first + step, last), axis=axis), out=highest)
    return highest
