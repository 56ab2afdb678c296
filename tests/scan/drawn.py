"""Arguments for a scan drawn at random, where a backend can be tested, and the errors of its results."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from uumamba.scan import BACKENDS, selective_scan

# batch, channels, state, length, groups (0: B and C without a group axis)
Shape = tuple[int, int, int, int, int]
DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
SEQUENCES = ("u", "delta", "z")
# The error allowed, relative to the largest entry of the float64 truth.
TOLERANCES = {torch.float64: 1e-11, torch.float32: 1e-5}


def where_it_runs(backend: str, *precisions: torch.dtype) -> tuple[torch.device, torch.dtype]:
    """The first device and the first of the precisions (float64, then float32) in which a backend can run here.

    Where there is none, the test is skipped with the backend's own reasons.
    """
    reasons = []
    for dtype in precisions or TOLERANCES:
        for device in DEVICES:
            reason = BACKENDS[backend].why_not(device, dtype)
            if reason is None:
                return device, dtype
            reasons.append(f"{device.type}, {dtype}: {reason}")
    pytest.skip(f"{backend} on {'; '.join(reasons)}")


def draw(shape: Shape, *, seed: int = 0) -> dict[str, Tensor]:
    """All tensor arguments of a scan, float64, with gradients."""
    batch, channels, state, length, groups = shape
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    matrix = (batch, groups, state, length) if groups else (batch, state, length)
    arguments = {
        "u": normal(batch, channels, length),
        "delta": normal(batch, channels, length),
        "A": -torch.exp(normal(channels, state)),
        "B": normal(*matrix),
        "C": normal(*matrix),
        "D": normal(channels),
        "z": normal(batch, channels, length),
        "delta_bias": normal(channels),
    }
    return {name: tensor.requires_grad_() for name, tensor in arguments.items()}


def moved(arguments: dict[str, Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """The same arguments elsewhere and in another precision, as new leaves."""
    return {n: t.detach().to(device, dtype, copy=True).requires_grad_(t.requires_grad) for n, t in arguments.items()}


def results(
    arguments: dict[str, Tensor],
    backend: str,
    *,
    softplus: bool = True,
    judged: str | None = None,
    layout: Callable[[Tensor], Tensor] = lambda tensor: tensor,
) -> dict[str, Tensor]:
    """Output, last state, and the gradient of every argument by name, for one loss of the output and the last state.

    With `judged`, the loss is the one that this backend can do: mamba_ssm has no gradient of the last state. `layout`
    may lay an argument out in memory in another way before it is scanned.
    """
    laid = {name: layout(tensor) for name, tensor in arguments.items()}
    y, last_state = selective_scan(**laid, delta_softplus=softplus, return_last_state=True, backend=backend)
    weights = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).bfloat16().to(y).view_as(y)
    loss = (y * weights).sum(dtype=last_state.dtype)
    if (judged or backend) != "mamba_ssm":
        loss = loss + last_state.square().sum()
    gradients = torch.autograd.grad(loss, list(arguments.values()))
    return {"y": y.detach(), "last_state": last_state.detach(), **dict(zip(arguments, gradients, strict=True))}


def worst_error(ours: dict[str, Tensor], truth: dict[str, Tensor]) -> float:
    """The largest error of any tensor, relative to the largest entry of its truth; NaN if there is one."""
    assert ours.keys() == truth.keys()
    errors = [
        (ours[name].detach().cpu().double() - expected.detach().cpu().double()).abs().max()
        / expected.detach().abs().max().double().cpu().clamp(min=1e-12)
        for name, expected in truth.items()
    ]
    return float(torch.stack(errors).max())
