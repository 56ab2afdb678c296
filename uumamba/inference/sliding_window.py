"""Logits of a whole image from a network that sees one patch at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

SIGMA = 0.125
"""Standard deviation of the window's Gaussian weight, as a fraction of the patch (nnU-Net's and MONAI's value)."""


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

    Windows of `patch_size` overlap by the fraction `overlap`, in [0, 1), along each axis. Their logits are averaged
    with Gaussian weights that are nowhere zero (corners are lifted to 0.001 of the peak), in float32. An image smaller
    than the patch is padded with zeros on both sides and cropped back. With a patch of two axes the network sees
    slices: every index of the first network axis is an image of its own, and a batch may hold windows of several.

    `mirror_axes` are indices into `patch_size`. The logits (not probabilities, as in nnU-Net) of all 2^n flips are
    averaged. `batch_size` is the number of windows in a forward pass; it changes time and memory, not the result.
    The network must already be on `device`; it runs in evaluation mode and is given back in the mode that it had.
    Raises `ValueError` if shapes and axes do not fit together.
    """
    _check(data, patch_size, overlap, mirror_axes)
    sliced = len(patch_size) == 2
    with torch.inference_mode(), _evaluating(network):
        logits: Tensor = sliding_window_inference(
            inputs=data.transpose(0, 1) if sliced else data[None],
            roi_size=tuple(patch_size),
            sw_batch_size=batch_size,
            predictor=lambda windows: _mirrored_mean(network, windows, mirror_axes),
            overlap=overlap,
            mode="gaussian",
            sigma_scale=SIGMA,
            sw_device=device,
            device=device,
        )
    return logits.transpose(0, 1) if sliced else logits[0]


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
    """Mean logits, float32 `(window, classes, *patch)`, over all flips; a new tensor, as MONAI weights it in place."""
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
