"""Learning rates over a run."""

import math

import torch

from uumamba.core.errors import InputError


def poly_learning_rate(initial: float, progress: float, exponent: float = 0.9) -> float:
    """`initial` * (1 - progress)^exponent, with `progress` from 0 (start of the run) to 1 (its end)."""
    if not 0 <= progress <= 1:
        raise InputError(f"learning rate: progress must lie in [0, 1], got {progress}; give epochs done / all epochs")
    return initial * math.pow(1 - progress, exponent)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give all parameter groups the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
