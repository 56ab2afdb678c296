"""Compile the Triton kernels as launches would, for a card that is not there, and tell how threads exchange data.

    python -m tests.scan.compile_kernels cuda 90 32
    python -m tests.scan.compile_kernels hip gfx942 64

One line for each launch of a forward and a backward pass: the kernel's name and its number of shuffles between threads.
"""

import re
import sys
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import JITFunction, driver

from uumamba.scan import triton
from uumamba.scan.inputs import ScanInputs

SHUFFLES = r"shfl\.sync|ds_bpermute|ds_swizzle|_dpp\b"


class Card:
    """What Triton asks of a driver in order to compile."""

    multi_processor_count = 132

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


def scan(*, batch: int, channels: int, states: int, length: int, groups: int, dtype: torch.dtype, every: bool) -> None:
    """Scan tensors without data, forwards and backwards, with every argument or with those only that must be there."""

    def meta(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(size, dtype=dtype, device="meta", requires_grad=True)

    u, delta, z = (meta(batch, length, channels, dtype=dtype).transpose(1, 2) for _ in range(3))
    B, C = (meta(batch, groups, states, length, dtype=dtype) for _ in range(2))
    A, D, bias = meta(channels, states), meta(channels), meta(channels)
    optional = (D, z, bias) if every else (None, None, None)
    y, last_state = triton.run(ScanInputs(u, delta, A, B, C, *optional, delta_softplus=every))
    (y.float().sum() + last_state.sum()).backward()


def compile_only(self: Any, *arguments: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of a kernel's launch."""
    del warmup
    compiled = launch(self, *arguments, grid=grid, warmup=True, **options)
    code = compiled.asm.get("ptx") or compiled.asm["amdgcn"]
    sys.stdout.write(f"{self.fn.__name__} {len(re.findall(SHUFFLES, code))}\n")


if __name__ == "__main__":
    card = Card(*sys.argv[1:])
    driver.set_active(card)
    torch.cuda.get_device_properties = lambda _: card
    torch.version.hip = "a version" if sys.argv[1] == "hip" else None
    launch, JITFunction.run = JITFunction.run, compile_only
    scan(batch=2, channels=64, states=16, length=4096, groups=1, dtype=torch.float32, every=True)
    scan(batch=1, channels=192, states=5, length=200, groups=2, dtype=torch.bfloat16, every=False)
