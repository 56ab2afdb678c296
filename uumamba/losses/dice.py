"""The region term: 1 - soft Dice."""

import torch
from torch import Tensor

from uumamba.losses.level import Level


def soft_dice(level: Level, *, batch_dice: bool, smooth: float) -> Tensor:
    """Soft Dice (2 sum(p r) + smooth) / (sum(p) + sum(r) + smooth), the mean over the structures, in [0, 1].

    `batch_dice` sums over the voxels of the whole batch (of this process), otherwise of each element before the mean
    over batch and structures. Background is left out. Where a structure is absent from the reference the quotient is
    smooth / (sum(p) + smooth), as published: 1 if the prediction is empty too, near 0 with a vanishing gradient as soon
    as it is not, since `smooth` (1e-5 voxels) is far below one voxel. Such structures raise the term but hardly steer
    the network.
    """
    classes = level.log_probabilities.shape[1]
    spatial = [1] * (level.target.ndim - 2)
    structures = torch.arange(1, classes, device=level.target.device).view(1, -1, *spatial)
    # One byte per voxel and structure, and a deterministic sum: a float one-hot map needs four, a scatter is not.
    reference = level.target == structures
    probability = level.log_probabilities[:, 1:].exp()
    if level.counted is not None:
        probability = torch.where(level.counted, probability, 0)
    axes = [0, *range(2, probability.ndim)] if batch_dice else list(range(2, probability.ndim))
    overlap = (probability * reference).sum(axes)
    dice = (2 * overlap + smooth) / (probability.sum(axes) + reference.sum(axes) + smooth)
    return dice.mean()


def region(level: Level, *, batch_dice: bool, smooth: float = 1e-5) -> Tensor:
    """1 - soft Dice, a scalar in [0, 1].

    Learned weights need terms that are not negative: with -Dice, 0.5 / p^2 * (-Dice) has no minimum.
    """
    return (1 - soft_dice(level, batch_dice=batch_dice, smooth=smooth)).clamp(min=0)
