"""How much memory a case will take, known before it is taken.

Arrays are counted. What a network needs for its feature maps is measured once, on smaller patches.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from uumamba.core.errors import TooLargeError
from uumamba.core.held_memory import forget_peak, held_bytes, peak_bytes
from uumamba.data.plan import Plan

_FEWEST_STRIDES = 2
_PARTS = (4, 2)
"""The smaller patches have a fourth and a half of the patch's length along every axis, as far as strides allow."""


def require_memory(needed: int, allowed: int) -> None:
    """Raise `TooLargeError`, with the number of GB that are missing, if more bytes are needed than allowed."""
    if needed > allowed:
        raise TooLargeError(
            f"takes {needed / 1e9:.1f} GB of memory where {allowed / 1e9:.1f} GB may be used: "
            f"{(needed - allowed) / 1e9:.1f} GB are missing; use a machine with more memory or a larger --max-memory"
        )


def forward_bytes(network: nn.Module, plan: Plan, device: torch.device) -> int:
    """What a forward pass of one window of the plan's patch holds on the CPU; on a GPU 0.

    Measured on two smaller patches; the line through both, over the number of voxels, tells the whole patch's. It must
    be possible to measure (`core/held_memory.py`).
    """
    if device.type != "cpu":
        return 0
    (few, small), (more, large) = (_measured(network, plan, part) for part in _PARTS)
    voxels = math.prod(plan.patch_size)
    slope = (large - small) / (more - few) if more > few else 0.0
    return math.ceil(large + max(slope, 0.0) * (voxels - more))


def _measured(network: nn.Module, plan: Plan, part: int) -> tuple[int, int]:
    """The voxels of a smaller patch, and what a forward pass of it holds at most."""
    patch = _smaller(plan.patch_size, plan.topology.total_stride, part)
    window = torch.zeros(1, len(plan.channels), *patch)
    with torch.inference_mode():
        network(window)  # compiled kernels and prepared weights come to stay
        forget_peak(torch.device("cpu"))
        before = held_bytes(torch.device("cpu"))
        network(window)
    return math.prod(patch), max(peak_bytes(torch.device("cpu")) - before, 0)


def _smaller(patch: Sequence[int], strides: Sequence[int], part: int) -> list[int]:
    return [
        min(size, max(round(size / part / stride), _FEWEST_STRIDES) * stride)
        for size, stride in zip(patch, strides, strict=True)
    ]
