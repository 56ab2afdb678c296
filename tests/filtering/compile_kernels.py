"""Compile the Triton kernels as launches would, for a card that is not there, and tell how threads exchange data.

    python -m tests.filtering.compile_kernels cuda 90 32
    python -m tests.filtering.compile_kernels hip gfx942 64

One line for each launch of a forward and a backward pass: the kernel's name and its number of barriers, of instructions
for memory that threads share, and of shuffles between threads.
"""

import re
import sys
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import JITFunction, driver

from uumamba.filtering import triton
from uumamba.filtering.window import Window

EXCHANGES = r"bar\.sync|\.shared|shfl\.sync|s_barrier|\bds_|_dpp\b"


class Card:
    """What Triton asks of a driver in order to compile."""

    def __init__(self, backend: str, architecture: str, warp: str) -> None:
        self.target = GPUTarget(backend, int(architecture) if architecture.isdigit() else architecture, int(warp))

    def get_current_target(self) -> GPUTarget:
        """The card's architecture."""
        return self.target

    def get_current_device(self) -> int:
        """The only card."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """The default stream."""
        return device


def filter_without_data(
    window: Window, high: tuple[int, ...], *, groups: int, channels: int, dtypes: tuple[torch.dtype, torch.dtype]
) -> None:
    """Filter a map of `channels` in a group by kernels, in two precisions, and go back."""
    low = [n + size - 1 for n, size in zip(window.low(high), window.kernel_size, strict=True)]
    x = torch.empty(2, groups, channels, *low, dtype=dtypes[0], device="meta")
    kernels = torch.empty(2, groups, window.taps, *high, dtype=dtypes[1], device="meta")
    grad = triton.forward(x, kernels, window)
    triton.backward(grad, x, kernels, window, (True, True))


def compile_only(self: Any, *arguments: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of a kernel's launch."""
    del warmup
    compiled = launch(self, *arguments, grid=grid, warmup=True, **options)
    code = compiled.asm.get("ptx") or compiled.asm["amdgcn"]
    instructions = re.sub(r"^\s*(\.|//|;).*$", "", code, flags=re.MULTILINE)
    sys.stdout.write(f"{self.fn.__name__} {len(re.findall(EXCHANGES, instructions))}\n")


if __name__ == "__main__":
    card = Card(*sys.argv[1:])
    driver.set_active(card)
    torch.version.hip = "a version" if sys.argv[1] == "hip" else None
    launch, JITFunction.run = JITFunction.run, compile_only
    full, half = torch.float32, torch.bfloat16
    filter_without_data(Window((5, 5, 5), (2, 2, 2)), (20, 128, 112), groups=1, channels=64, dtypes=(full, full))
    filter_without_data(Window((1, 5, 5), (1, 2, 2)), (20, 128, 112), groups=1, channels=64, dtypes=(half, full))
    filter_without_data(Window((3, 3), (1, 1)), (55, 41), groups=2, channels=1, dtypes=(half, half))
    filter_without_data(Window((3, 5), (3, 1)), (55, 41), groups=1, channels=20, dtypes=(full, full))
