"""Logits of an image from a network that sees one patch at a time, cut and weighted exactly as nnU-Net does.

They come in slabs along the first network axis, so that memory does not grow with the image's length: only what the
windows reach is kept. Every voxel's sum has one order, so the slabs are the whole, bit for bit.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from uumamba.inference.mirroring import mirrored_mean

SIGMA = 0.125
"""Standard deviation of the window's Gaussian weight, as a fraction of the patch (nnU-Net's value)."""

SLAB = 8
"""Slices of every slab but the last."""

_PEAK = 10.0
"""The largest weight, nnU-Net's; the smallest ones are what half precision leaves of theirs."""

Place = tuple[slice, slice, slice]


def predict_logits(
    network: nn.Module,
    data: Tensor,
    *,
    patch_size: Sequence[int],
    overlap: float = 0.5,
    mirror_axes: Sequence[int] = (),
    batch_size: int = 1,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Logits, float32 `(classes, *3D network axes)` on `device`: all slabs of `predict_slabs` in one.

    `mirror_axes` are indices into `patch_size`: the logits of all 2^n flips are averaged. The network must already be
    on `device`; it runs in evaluation mode and is given back in the mode that it had.
    Raises `ValueError` if shapes and axes do not fit together.
    """
    if not set(mirror_axes) <= set(range(len(patch_size))):
        raise ValueError(f"mirror axes must be among 0..{len(patch_size) - 1}, got {tuple(mirror_axes)}")
    with torch.inference_mode(), evaluating(network):
        whole, done = torch.empty(0), 0
        for slab in predict_slabs(
            lambda windows: mirrored_mean(network, windows, mirror_axes),
            data,
            patch_size=patch_size,
            overlap=overlap,
            batch_size=batch_size,
            device=device,
        ):
            if not done:
                whole = slab.new_empty((len(slab), *data.shape[1:]))
            whole[:, done : done + slab.shape[1]] = slab
            done += slab.shape[1]
    return whole


def predict_slabs(
    predict: Callable[[Tensor], Tensor],
    data: Tensor,
    *,
    patch_size: Sequence[int],
    overlap: float = 0.5,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Means over windows of what `predict` says, float32 `(maps, SLAB or fewer slices, *2 network axes)`, in order.

    `data` is float32 `(channel, *3D network axes)`. `predict` takes windows `(window, channel, *patch)` on `device` and
    gives float32 `(window, maps, *patch)`: logits, and whatever else is to be averaged. Windows of `patch_size` overlap
    by the fraction `overlap` or more, in [0, 1), along each axis, spread evenly (`window_starts`), weighted by a
    Gaussian that is nowhere zero (`window_weights`). An image smaller than the patch has zeros around it. With a patch
    of two axes every index of the first network axis is an image of its own, and a batch may hold windows of several.
    `batch_size` is the number of windows given to `predict` at once; it changes time and memory, not the result.
    Raises `ValueError` if shapes and axes do not fit together.
    """
    _check(data, patch_size, overlap)
    sliced, device = len(patch_size) == 2, torch.device(device)
    patch = (1, *patch_size) if sliced else tuple(patch_size)
    weights = window_weights(tuple(patch_size)).to(device).reshape(patch)
    windows = _windows(data.shape[1:], patch, overlap)
    stitched: _Stitched | None = None
    for first in range(0, len(windows), batch_size):
        batch = windows[first : first + batch_size]
        cuts = torch.stack([_cut(data, window, patch) for window in batch])
        with torch.inference_mode():  # not around a yield, where it would reach whoever takes the slab
            maps = predict((cuts[:, :, 0] if sliced else cuts).to(device)).float()
        maps = maps[:, :, None] if sliced else maps
        if stitched is None:
            stitched = _Stitched(maps.shape[1], data.shape[1:], patch[0], device)
        for window, of_window in zip(batch, maps, strict=True):
            yield from stitched.finished(window.target[0].start)
            stitched.add(window, of_window, weights)
    if stitched is not None:
        yield from stitched.finished(data.shape[1], whole=True)


def stitching_bytes(maps: int, shape: Sequence[int], patch_size: Sequence[int]) -> int:
    """What `predict_slabs` holds beside the windows and the slab that it gives, for data of 3 axes `shape`."""
    depth = _depth(shape, patch_size[0] if len(patch_size) == 3 else 1)
    return 4 * (maps + 1) * depth * shape[1] * shape[2]


def window_starts(size: int, patch: int, overlap: float) -> list[int]:
    """The first voxels of the windows along an axis of `size` voxels, `size >= patch`.

    As few as `overlap` allows, spread evenly and rounded, as nnU-Net's `compute_steps_for_sliding_window` does.
    """
    steps = math.ceil((size - patch) / max(1.0, patch * (1 - overlap)))
    return [round((size - patch) / steps * step) for step in range(steps + 1)] if steps else [0]


@lru_cache(maxsize=4)
def window_weights(patch_size: tuple[int, ...]) -> Tensor:
    """The Gaussian weight of each voxel of a window, float32, rounded as nnU-Net's `compute_gaussian` rounds it."""
    peak = np.zeros(patch_size)
    peak[tuple(size // 2 for size in patch_size)] = 1
    weights = gaussian_filter(peak, [size * SIGMA for size in patch_size], mode="constant")
    rounded = torch.from_numpy(weights / (weights.max() / _PEAK)).half()
    return rounded.clamp(min=rounded[rounded > 0].min().item()).float()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, afterwards as it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass(frozen=True)
class _Window:
    """The part of the image that a window sees, `target`, and where that lies in the window, `inside`."""

    target: Place
    inside: Place


class _Stitched:
    """Weighted sums of the slices that windows still reach; `given` is the first that was not given away yet."""

    def __init__(self, maps: int, shape: Sequence[int], patch_depth: int, device: torch.device) -> None:
        depth = _depth(shape, patch_depth)
        self._first, self.given = 0, 0
        self._sums = torch.zeros((maps, depth, *shape[1:]), device=device)
        self._weights = torch.zeros((1, depth, *shape[1:]), device=device)

    def add(self, window: _Window, maps: Tensor, weights: Tensor) -> None:
        """Add a window's maps, weighted."""
        slices, *plane = window.target
        if slices.stop - self._first > self._weights.shape[1]:
            self._move()
        place = (slice(None), slice(slices.start - self._first, slices.stop - self._first), *plane)
        weights = weights[window.inside]
        self._sums[place] += maps[(slice(None), *window.inside)] * weights
        self._weights[place] += weights

    def finished(self, before: int, *, whole: bool = False) -> Iterator[Tensor]:
        """The slabs that end at the slice `before` or earlier; if that is the `whole`, a thinner one too."""
        while self.given + SLAB <= before or (whole and self.given < before):
            slab = slice(self.given - self._first, min(self.given + SLAB, before) - self._first)
            yield self._sums[:, slab] / self._weights[:, slab]
            self.given += slab.stop - slab.start

    def _move(self) -> None:
        """Let the sums begin at the first slice that was not given away."""
        by, depth = self.given - self._first, self._weights.shape[1]
        for sums in (self._sums, self._weights):
            for start in range(0, depth - by, by):  # in blocks that do not overlap
                stop = min(start + by, depth - by)
                sums[:, start:stop] = sums[:, start + by : stop + by]
            sums[:, depth - by :] = 0
        self._first = self.given


def _depth(shape: Sequence[int], patch_depth: int) -> int:
    """The slices that have to be kept: those of a window, and those before it that make no whole slab."""
    return min(shape[0], patch_depth + SLAB - 1)


def _windows(shape: Sequence[int], patch: Sequence[int], overlap: float) -> list[_Window]:
    """All windows of an image, sorted by their first slice; one that is larger than the image has it in its middle."""
    axes = []
    for size, length in zip(shape, patch, strict=True):
        before = max(length - size, 0) // 2
        axes.append(
            [
                (slice(start, min(start + length, size)), slice(before, before + min(length, size)))
                for start in window_starts(max(size, length), length, overlap)
            ]
        )
    return [
        _Window((first[0], second[0], third[0]), (first[1], second[1], third[1]))
        for first, second, third in product(*axes)
    ]


def _cut(data: Tensor, window: _Window, patch: Sequence[int]) -> Tensor:
    """What a window sees, `(channel, *patch)`, with zeros where there is no image."""
    seen = data[(slice(None), *window.target)]
    if seen.shape[1:] == tuple(patch):
        return seen
    padded = data.new_zeros((len(data), *patch))
    padded[(slice(None), *window.inside)] = seen
    return padded


def _check(data: Tensor, patch_size: Sequence[int], overlap: float) -> None:
    if data.ndim != 4 or data.dtype != torch.float32:
        raise ValueError(f"data must be float32 (channel, 3 axes), got {data.dtype} {tuple(data.shape)}")
    if len(patch_size) not in (2, 3):
        raise ValueError(f"a patch has two or three axes, got {tuple(patch_size)}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap must be in [0, 1), got {overlap}")
