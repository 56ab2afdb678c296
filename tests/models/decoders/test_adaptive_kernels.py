"""Kernels at every place: positive, with sum 1, nothing beyond the border, and as numpy makes them."""

from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from uumamba.models.decoders.adaptive_kernels import KernelGenerator, Padding

Size = tuple[int, ...]
CASES = [((5, 5), (2, 2), (7, 10)), ((3, 3), (1, 1), (4, 5)), ((1, 5, 5), (1, 2, 2), (2, 9, 8)),
         ((3, 3, 3), (2, 1, 3), (5, 3, 7)), ((5, 3), (2, 3), (1, 2))]  # fmt: skip
"""Kernel, scale, fine size."""


def generator(kernel: Size, **options: Any) -> KernelGenerator:
    """For eight compressed channels, with drawn weights, in float64."""
    torch.manual_seed(0)
    return KernelGenerator(8, kernel, encoder_kernel=[min(size, 3) for size in kernel], **options).double()


def drawn_logits(kernel: Size, size: Size, *, groups: int = 1) -> Tensor:
    """Far from equal."""
    return 2 * torch.randn(2, groups * prod(kernel), *size, dtype=torch.float64)


def taps_inside(kernel: Size, scale: Size, size: Size) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each tap falls on the coarse map (taps, *size), place by place."""
    low = [-(-n // step) for n, step in zip(size, scale, strict=True)]
    inside = np.zeros((prod(kernel), *size), bool)
    for tap, corner in enumerate(product(*(range(-(n // 2), n // 2 + 1) for n in kernel))):
        for place in product(*map(range, size)):
            seen = [p // step + move for p, step, move in zip(place, scale, corner, strict=True)]
            inside[(tap, *place)] = all(0 <= at < n for at, n in zip(seen, low, strict=True))
    return inside


@pytest.mark.parametrize(("kernel", "scale", "size"), CASES)
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("hamming", [True, False])
def test_kernels_are_softmax_times_window(
    kernel: Size, scale: Size, size: Size, padding: Padding, hamming: bool
) -> None:
    """In numpy: softmax, times the window, what lies beyond the border taken away, brought to sum 1."""
    logits = drawn_logits(kernel, size, groups=2)
    found = generator(kernel, padding=padding, hamming=hamming, groups=2).kernels(logits, scale=scale)
    window = np.ones(())
    for length in kernel:
        window = np.multiply.outer(window, np.hamming(length) if hamming else np.ones(length))
    grouped = logits.reshape(2, 2, -1, *size).numpy()
    kernels = np.exp(grouped) / np.exp(grouped).sum(2, keepdims=True)
    kernels = kernels * window.reshape(-1, *[1] * len(size))
    if padding == "zeros":
        kernels = kernels * taps_inside(kernel, scale, size)
    expected = torch.from_numpy(kernels / kernels.sum(2, keepdims=True)).flatten(1, 2)
    torch.testing.assert_close(found, expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize(("kernel", "scale", "size"), CASES)
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_kernels_are_positive_with_sum_1(kernel: Size, scale: Size, size: Size, padding: Padding) -> None:
    """At the border too, where no weight lies beyond."""
    kernels = generator(kernel, padding=padding).kernels(drawn_logits(kernel, size), scale=scale)
    assert (kernels >= 0).all()
    torch.testing.assert_close(kernels.sum(1), torch.ones_like(kernels.sum(1)), atol=1e-12, rtol=0)
    inside = torch.from_numpy(taps_inside(kernel, scale, size)).expand_as(kernels)
    if padding == "zeros":
        assert not inside.all()
        assert torch.equal(kernels > 0, inside)
    else:
        assert (kernels > 0).all()


def test_padding_matters_at_the_border_alone() -> None:
    kernel, scale = (5, 5), (2, 2)
    logits = drawn_logits(kernel, (14, 12))
    zeros, reflect = (generator(kernel, padding=p).kernels(logits, scale=scale) for p in ("zeros", "reflect"))
    torch.testing.assert_close(zeros[..., 4:-4, 4:-4], reflect[..., 4:-4, 4:-4], atol=1e-13, rtol=0)
    assert not torch.allclose(zeros[..., :4, :], reflect[..., :4, :])


@pytest.mark.parametrize(("kernel", "scale", "size"), CASES)
def test_constant_maps_stay(kernel: Size, scale: Size, size: Size) -> None:
    """Up to the border."""
    layer = generator(kernel)
    low = [-(-n // step) for n, step in zip(size, scale, strict=True)]
    levels = torch.tensor([3.0, -1.0], dtype=torch.float64).reshape(1, 2, *[1] * len(size))
    kernels = layer.kernels(drawn_logits(kernel, size), scale=scale)
    smoothed = layer.smooth(levels.expand(2, 2, *low), kernels, scale=scale)
    torch.testing.assert_close(smoothed, levels.expand(2, 2, *size), atol=1e-12, rtol=0)


def test_large_logits_do_not_overflow() -> None:
    """At a corner, even where all that counts lies beyond."""
    logits = torch.full((1, 9, 3, 3), -1e30)
    logits[:, 0] = 1e30
    kernels = generator((3, 3)).kernels(logits, scale=(1, 1))
    assert kernels.isfinite().all()
    torch.testing.assert_close(kernels.sum(1), torch.ones(1, 3, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_kernels_are_float32_at_least(dtype: torch.dtype) -> None:
    logits = drawn_logits((3, 3), (4, 4))
    halves = logits.to(dtype)
    layer = generator((3, 3))
    kernels = layer.kernels(halves, scale=(2, 2))
    assert kernels.dtype == torch.float32
    assert layer.kernels(logits, scale=(2, 2)).dtype == torch.float64
    torch.testing.assert_close(kernels, layer.kernels(halves.float(), scale=(2, 2)))


def test_logits_are_of_each_group() -> None:
    """Of a dilated encoder too, in the size of the features."""
    layer = generator((3, 5), groups=3, encoder_dilation=2)
    assert layer.logits(torch.randn(2, 8, 6, 7, dtype=torch.float64)).shape == (2, 45, 6, 7)
