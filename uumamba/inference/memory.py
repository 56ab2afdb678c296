"""How much memory a case will take, known before it is taken.

Arrays are counted; what a network needs for its feature maps is measured, once, on a smaller patch.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from uumamba.core.errors import InputError
from uumamba.core.held_memory import can_measure_peak, forget_peak, held_bytes, peak_bytes
from uumamba.data.plan import Plan

_FEWEST_STRIDES = 2


def forward_bytes(network: nn.Module, plan: Plan, device: torch.device) -> int:
    """What a forward pass of one window of the plan's patch holds on the CPU beside its input; on a GPU 0.

    Measured on noise in a patch of half the length along every axis, as far as the network's strides allow, and taken
    to grow with the number of voxels. Raises `OSError` where the system does not tell (`can_measure_peak`).
    """
    if device.type != "cpu":
        return 0
    if not can_measure_peak(device):
        raise OSError("this system does not tell how much memory a process held")
    patch = _half_patch(plan)
    window = torch.zeros(1, len(plan.channels), *patch)
    with torch.inference_mode():
        network(window)  # libraries and compiled kernels come to stay
        forget_peak(device)
        before = held_bytes(device)
        network(window)
        measured = peak_bytes(device) - before
    return math.ceil(measured * math.prod(plan.patch_size) / math.prod(patch))


def require_memory(needed: int, allowed: int, what: str) -> None:
    """Raise `TooLarge` with the number of GB that are missing."""
    if needed > allowed:
        raise TooLarge(
            f"{what} takes {needed / 1e9:.1f} GB of memory, {allowed / 1e9:.1f} GB may be used: "
            f"{(needed - allowed) / 1e9:.1f} GB are missing; use a machine with more, or give a larger --max-memory"
        )


class TooLarge(InputError):
    """A case takes more memory than there may be."""


def _half_patch(plan: Plan) -> Sequence[int]:
    strides = plan.topology.total_stride
    return [
        min(size, max(round(size / 2 / stride), _FEWEST_STRIDES) * stride)
        for size, stride in zip(plan.patch_size, strides, strict=True)
    ]
