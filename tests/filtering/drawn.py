"""What the tests of the adaptive filter share: calls of every kind, the truth as a loop over single places, errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from uumamba.filtering import BACKENDS, adaptive_filter

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]


@dataclass(frozen=True)
class Case:
    """The sizes of one call; `high` is that of the output."""

    batch: int
    channels: int
    groups: int
    high: tuple[int, ...]
    kernel_size: tuple[int, ...]
    scale: tuple[int, ...]
    padding: str = "zeros"

    def draw(self, dtype: torch.dtype = torch.float64, *, seed: int = 0) -> tuple[Tensor, Tensor]:
        """A map and kernels that want gradients."""
        generator = torch.Generator().manual_seed(seed)
        low = [-(-size // step) for size, step in zip(self.high, self.scale, strict=True)]
        shapes = (self.channels, *low), (self.groups * prod(self.kernel_size), *self.high)
        x, kernels = (torch.randn(self.batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes)
        return x.to(dtype).requires_grad_(), kernels.to(dtype).requires_grad_()

    def filter(self, x: Tensor, kernels: Tensor, backend: str = "taps") -> Tensor:
        """The call."""
        options: dict[str, Any] = {"kernel_size": self.kernel_size, "scale": self.scale, "padding": self.padding}
        return adaptive_filter(x, kernels, **options, backend=backend)

    def results(self, x: Tensor, kernels: Tensor, backend: str = "taps") -> tuple[Tensor, ...]:
        """The output and the gradients of both tensors, from a gradient that differs everywhere."""
        out = self.filter(x, kernels, backend)
        return out.detach(), *torch.autograd.grad(out, [x, kernels], quarters(out))


def quarters(out: Tensor) -> Tensor:
    """A gradient shaped as the output that differs from place to place and is exact in half precision."""
    return torch.arange(out.numel()).mul(5).remainder(7).sub(3).div(4).view(out.shape).to(out)


# Odd sizes, one slice, sizes below the kernel's, groups, and scales that differ from axis to axis.
CASES = [
    Case(2, 6, 1, (8, 10), (3, 3), (1, 1)),
    Case(2, 6, 2, (7, 9), (5, 5), (2, 2)),
    Case(1, 4, 4, (7, 5), (3, 1), (3, 2), "reflect"),
    Case(1, 3, 1, (2, 1), (5, 5), (1, 1)),
    Case(1, 1, 1, (1, 1), (1, 1), (1, 1)),
    Case(2, 4, 2, (4, 5, 6), (3, 3, 3), (1, 1, 1), "reflect"),
    Case(1, 4, 1, (1, 9, 7), (1, 5, 5), (1, 2, 2)),
    Case(1, 4, 1, (1, 5, 3), (3, 3, 3), (1, 2, 2)),
    Case(2, 2, 1, (5, 3, 37), (3, 5, 3), (2, 1, 2)),
    Case(1, 3, 3, (4, 7, 8), (3, 3, 5), (2, 3, 4)),
]


def truth(case: Case, x: Tensor, kernels: Tensor) -> Tensor:
    """The definition, place by place and tap by tap."""
    sides = [size // 2 for size in reversed(case.kernel_size) for _ in range(2)]
    bordered = functional.pad(x, sides, mode={"zeros": "constant"}.get(case.padding, case.padding))
    share = case.channels // case.groups
    out = x.new_zeros(case.batch, case.channels, *case.high)
    for place in product(*map(range, case.high)):
        for index, tap in enumerate(product(*map(range, case.kernel_size))):
            source = [p // step + t for p, step, t in zip(place, case.scale, tap, strict=True)]
            for channel in range(case.channels):
                weight = kernels[(slice(None), channel // share * prod(case.kernel_size) + index, *place)]
                out[(slice(None), channel, *place)] += weight * bordered[(slice(None), channel, *source)]
    return out


def where_it_runs(backend: str, *precisions: torch.dtype) -> tuple[torch.device, torch.dtype]:
    """The first device and the first of the precisions (float64, then float32) in which a backend can run here.

    Where there is none, the test is skipped with the backend's own reasons.
    """
    reasons = []
    for dtype in precisions or (torch.float64, torch.float32):
        for device in DEVICES:
            reason = BACKENDS[backend].why_not(device, dtype)
            if reason is None:
                return device, dtype
            reasons.append(f"{device.type}, {dtype}: {reason}")
    pytest.skip(f"{backend} on {'; '.join(reasons)}")


def worst_error(ours: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    """The largest difference of any pair, relative to the largest entry of the truth; NaN counts as infinite."""
    assert len(ours) == len(truth) > 0
    errors = [
        ((a.cpu().double() - b.cpu().double()).abs().max() / b.abs().max().cpu()).nan_to_num(torch.inf).item()
        for a, b in zip(ours, truth, strict=True)
    ]
    return max(errors)
