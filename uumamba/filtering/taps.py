"""Adaptive filtering in plain torch, one tap after the other: the readable truth, which runs anywhere.

Beyond its results it holds the enlarged map or its gradient, and the products of one tap: nothing that grows with the
number of taps.
"""

import torch
from torch import Tensor

from uumamba.filtering.window import Window, sum_dtype


def why_not(_device: torch.device, _dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: it always can."""
    return None


def forward(x: Tensor, kernels: Tensor, window: Window) -> Tensor:
    """Filter the map x by kernels (b, g, t, high); gives (b, g, c, high)."""
    high, dtype = tuple(kernels.shape[3:]), sum_dtype(x)
    seen = window.enlarge(x.to(dtype))
    out = seen.new_zeros(*x.shape[:3], *high)
    for view, tap in zip(window.views(seen, high), kernels.unbind(2), strict=True):
        out.addcmul_(view, tap.unsqueeze(2).to(dtype))
    return out.to(x.dtype)


def backward(
    grad: Tensor, x: Tensor, kernels: Tensor, window: Window, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x and of the kernels, each if it is wanted, from that of the output."""
    high, dtype = tuple(kernels.shape[3:]), sum_dtype(x)
    grad = grad.to(dtype)
    by_x = by_kernels = None
    if wanted[0]:
        by_x = grad.new_zeros(*x.shape[:3], *(n * step for n, step in zip(x.shape[3:], window.scale, strict=True)))
        for view, tap in zip(window.views(by_x, high), kernels.unbind(2), strict=True):
            view.addcmul_(grad, tap.unsqueeze(2).to(dtype))
        by_x = window.shrink(by_x).to(x.dtype)
    if wanted[1]:
        by_kernels, products = torch.empty_like(kernels), torch.empty_like(grad)
        for view, tap in zip(window.views(window.enlarge(x.to(dtype)), high), by_kernels.unbind(2), strict=True):
            tap.copy_(torch.mul(grad, view, out=products).sum(2))
    return by_x, by_kernels
