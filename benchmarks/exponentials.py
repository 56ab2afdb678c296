"""A GPU's rate of exponentials: a Triton kernel that does nothing else."""

from collections.abc import Callable

import torch
import triton
import triton.language as tl

_ROUNDS, _BLOCK, _PROGRAMS = 1024, 1024, 4096


@triton.jit
def _chain(numbers, ROUNDS: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(numbers + place)
    for _ in range(ROUNDS):
        x = tl.exp2(-x)
    tl.store(numbers + place, x)


def chain_on_gpu(device: torch.device) -> tuple[Callable[[], object], int]:
    """A call, and how many exponentials it computes: each number's depends on the one before, all in registers."""
    numbers = torch.rand(_BLOCK * _PROGRAMS, device=device)
    return lambda: _chain[(_PROGRAMS,)](numbers, _ROUNDS, _BLOCK), numbers.numel() * _ROUNDS
