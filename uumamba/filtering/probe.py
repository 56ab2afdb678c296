"""Whether a filter backend is right, found out here."""

import math

import torch

from uumamba.filtering.operator import adaptive_filter

_KERNEL, _SCALE, _GROUPS, _CHANNELS = (3, 5, 3), (1, 2, 2), 2, 6
_LOW, _HIGH = (3, 5, 7), (3, 9, 13)


def worst_error(name: str, device: torch.device) -> float:
    """The worst error of a backend in float32, in output and gradients, relative to the largest entry of their truth.

    The truth is plain PyTorch ("taps") in float64 on the CPU; infinite if a number is not finite. The call is small and
    odd, in 3D, with groups and a scale that differs from axis to axis.
    """
    ours = _results(name, device, torch.float32)
    true = _results("taps", torch.device("cpu"), torch.float64)
    errors = [float((one.cpu() - other).abs().max() / other.abs().max()) for one, other in zip(ours, true, strict=True)]
    return max(errors) if all(map(math.isfinite, errors)) else math.inf


def _results(name: str, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Output and gradients of map and kernels, of the same numbers whatever device and precision."""
    generator = torch.Generator().manual_seed(0)
    shapes = (1, _CHANNELS, *_LOW), (1, _GROUPS * math.prod(_KERNEL), *_HIGH)
    drawn = [torch.randn(shape, generator=generator).to(device, dtype).requires_grad_() for shape in shapes]
    out = adaptive_filter(drawn[0], drawn[1], kernel_size=_KERNEL, scale=_SCALE, backend=name)
    weights = torch.linspace(-1, 1, out.numel(), device=device).view_as(out).to(dtype)
    return out.detach(), *torch.autograd.grad(out, drawn, weights)
