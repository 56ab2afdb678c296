"""Logits of a whole image from a network that sees one patch at a time, cut and weighted exactly as nnU-Net does."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import combinations, product

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn import functional

SIGMA = 0.125
"""Standard deviation of the window's Gaussian weight, as a fraction of the patch (nnU-Net's value)."""

_PEAK = 10.0
"""The largest weight, nnU-Net's; the smallest ones are what half precision leaves of theirs."""


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
    """Logits, float32 `(classes, *3D network axes)` on `device`, of `data`, float32 `(channel, *3D network axes)`.

    Windows of `patch_size` overlap by the fraction `overlap` or more, in [0, 1), along each axis, and are spread evenly
    (`window_starts`). Their logits are averaged with Gaussian weights that are nowhere zero (`window_weights`), in
    float32. An image smaller than the patch is padded with zeros on both sides and cropped back. With a patch of two
    axes the network sees slices: every index of the first network axis is an image of its own, and a batch may hold
    windows of several.

    `mirror_axes` are indices into `patch_size`. The logits (not probabilities, as in nnU-Net) of all 2^n flips are
    averaged. `batch_size` is the number of windows in a forward pass; it changes time and memory, not the result.
    The network must already be on `device`; it runs in evaluation mode and is given back in the mode that it had.
    Raises `ValueError` if shapes and axes do not fit together.
    """
    _check(data, patch_size, overlap, mirror_axes)
    sliced = len(patch_size) == 2
    with torch.inference_mode(), _evaluating(network):
        images, inside = _padded(data.transpose(0, 1) if sliced else data[None], patch_size)
        logits = _stitched(
            lambda windows: _mirrored_mean(network, windows, mirror_axes),
            images,
            patch_size,
            overlap=overlap,
            batch_size=batch_size,
            device=torch.device(device),
        )[inside]
    return logits.transpose(0, 1) if sliced else logits[0]


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


def _padded(images: Tensor, patch_size: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """Images (image, channel, *axes of the patch) at least as large as the patch, and where they are in that."""
    sizes = images.shape[2:]
    missing = [max(patch - size, 0) for patch, size in zip(patch_size, sizes, strict=True)]
    padding = [side for extra in reversed(missing) for side in (extra // 2, extra - extra // 2)]
    inside = [slice(extra // 2, extra // 2 + size) for extra, size in zip(missing, sizes, strict=True)]
    return functional.pad(images, padding), (slice(None), slice(None), *inside)


def _stitched(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    patch_size: Sequence[int],
    *,
    overlap: float,
    batch_size: int,
    device: torch.device,
) -> Tensor:
    """Weighted mean of all windows' logits, float32 (image, classes, *axes of the patch) on `device`."""
    sizes, weights = images.shape[2:], window_weights(tuple(patch_size)).to(device)
    starts = [window_starts(*axis, overlap) for axis in zip(sizes, patch_size, strict=True)]
    places = [
        tuple(slice(start, start + patch) for start, patch in zip(corner, patch_size, strict=True))
        for corner in product(*starts)
    ]
    windows = list(product(range(len(images)), places))
    total, weight = torch.empty(0), torch.zeros(tuple(sizes), device=device)
    for place in places:
        weight[place] += weights
    for first in range(0, len(windows), batch_size):
        batch = windows[first : first + batch_size]
        logits = predict(torch.stack([images[(index, slice(None), *place)] for index, place in batch]).to(device))
        if not first:
            total = torch.zeros((len(images), logits.shape[1], *sizes), device=device)
        for (index, place), window in zip(batch, logits, strict=True):
            total[(index, slice(None), *place)] += window * weights
    return total.div_(weight)


def _check(data: Tensor, patch_size: Sequence[int], overlap: float, mirror_axes: Sequence[int]) -> None:
    if data.ndim != 4 or data.dtype != torch.float32:
        raise ValueError(f"data must be float32 (channel, 3 axes), got {data.dtype} {tuple(data.shape)}")
    if len(patch_size) not in (2, 3):
        raise ValueError(f"a patch has two or three axes, got {tuple(patch_size)}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap must be in [0, 1), got {overlap}")
    if not set(mirror_axes) <= set(range(len(patch_size))):
        raise ValueError(f"mirror axes must be among 0..{len(patch_size) - 1}, got {tuple(mirror_axes)}")


def _mirrored_mean(network: nn.Module, windows: Tensor, mirror_axes: Sequence[int]) -> Tensor:
    """Mean logits, float32 `(window, classes, *patch)`, over all flips."""
    axes = [axis + 2 for axis in sorted(set(mirror_axes))]
    share = 0.5 ** len(axes)
    total: Tensor = network(windows).float() * share
    for count in range(1, len(axes) + 1):
        for flips in combinations(axes, count):
            total.add_(network(windows.flip(flips)).flip(flips), alpha=share)
    return total


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
