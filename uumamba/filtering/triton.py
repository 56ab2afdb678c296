"""Adaptive filtering on NVIDIA and AMD cards, by the Triton kernels of `triton_kernels`.

It holds nothing beside its results but copies of what is not contiguous. Every product is computed once, without
atomic additions, in an order that does not depend on the card: every run gives the same bits.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from uumamba.core.backends import why_not_by_triton
from uumamba.core.errors import InputError, UumambaError
from uumamba.filtering.window import Window

# A program is four warps, of 32 threads or 64, with one place to a thread and as many sums as its registers hold.
_WARPS, _ROWS, _ITEMS, _SUMS = 4, 4, 16, 32
# On a CPU runs the interpreter, which pays for each operation, not for its size.
_INTERPRETED_PLACES = 256
# Offsets within a channel have 32 bits, with room for what a program computes beyond the end.
_LARGEST = 2**31 - 2**16


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: no Triton, another precision than float32, or no GPU."""
    return why_not_by_triton(device, dtype)


def forward(x: Tensor, kernels: Tensor, window: Window) -> Tensor:
    """Filter the map x by kernels (b, g, t, high); gives (b, g, c, high)."""
    from uumamba.filtering.triton_kernels import filter_kernel

    problem = _problem(x, kernels, window)
    out = x.new_empty(*x.shape[:3], *kernels.shape[3:])
    problem.launch(filter_kernel, x, kernels, out, items=problem.channels, over_map=False)
    return out


def backward(
    grad: Tensor, x: Tensor, kernels: Tensor, window: Window, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x and of the kernels, each if it is wanted, from that of the output."""
    from uumamba.filtering.triton_kernels import kernel_gradient_kernel, map_gradient_kernel

    problem = _problem(x, kernels, window)
    by_x = by_kernels = None
    if wanted[0]:
        by_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        problem.launch(map_gradient_kernel, grad, kernels, by_x, items=problem.channels, over_map=True)
    if wanted[1]:
        by_kernels = torch.empty_like(kernels, memory_format=torch.contiguous_format)
        problem.launch(kernel_gradient_kernel, grad, x, by_kernels, items=window.taps, over_map=False)
    return by_x, by_kernels


@dataclass(frozen=True)
class _Problem:
    """The sizes of a filtering along three axes; `low` is the map's with its border, `groups` counts through the batch.

    One in 2D has depth 1.
    """

    groups: int
    channels: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    kernel_size: tuple[int, ...]
    scale: tuple[int, ...]

    def launch(self, kernel: Any, *tensors: Tensor, items: int, over_map: bool) -> None:
        """Run a kernel for so many items of every group, over places of the map or of the output."""
        depth, height, _ = (1, 1, 1) if over_map else self.scale
        size = self.low if over_map else self.high
        length = math.ceil(size[0] / depth) * math.ceil(size[1] / height) * size[2]
        rows = min(_power_of_2(depth * height), _ROWS)
        block = rows, min(_power_of_2(items), _ITEMS, _SUMS // rows), _places(tensors[0].device)
        counts = math.ceil(depth * height / rows), math.ceil(items / block[1]), math.ceil(length / block[2])
        contiguous = [tensor.contiguous() for tensor in tensors]
        constants = {"KERNEL_SIZE": self.kernel_size, "SCALE": self.scale, "BLOCK": block}
        from triton.errors import TritonError

        try:
            # Kernels run on the current card: make it the tensors'. Fused multiply and add is the default, or not, by
            # Triton's version.
            with torch.cuda.device(tensors[0].device) if tensors[0].is_cuda else nullcontext():
                kernel[(self.groups * math.prod(counts),)](
                    *contiguous,
                    (self.channels, self.low, self.high),
                    **constants,
                    num_warps=_WARPS,
                    enable_fp_fusion=True,
                )
        except TritonError as error:
            reason = " ".join(str(error).split())
            raise UumambaError(
                f"adaptive filter: backend 'triton' does not compile or start here ({reason}); it is not needed on the "
                "CPU (hardware.device=cpu), nor with network.decoder.name=unet"
            ) from error


def _problem(x: Tensor, kernels: Tensor, window: Window) -> _Problem:
    """The sizes; raises `InputError` for a channel that 32 bits cannot count."""
    low, high, kernel_size, scale = (
        (1, *sizes)[-3:] for sizes in (x.shape[3:], kernels.shape[3:], window.kernel_size, window.scale)
    )
    if max(math.prod(low), math.prod(high)) >= _LARGEST:
        raise InputError(
            f"adaptive filter: backend 'triton' takes channels of fewer than {_LARGEST} elements, got {tuple(high)} on "
            f"a map, with border, of {tuple(low)}; use smaller patches"
        )
    return _Problem(x.shape[0] * x.shape[1], x.shape[2], low, high, kernel_size, scale)


def _places(device: torch.device) -> int:
    """Places of a program: one to a thread."""
    if device.type == "cpu":
        return _INTERPRETED_PLACES
    return _WARPS * (64 if torch.version.hip else 32)


def _power_of_2(number: int) -> int:
    """The smallest that is no less."""
    return 1 << (number - 1).bit_length()
