"""The region term: 1 - soft Dice."""

from collections.abc import Callable

import torch
from torch import Tensor

from uumamba.losses.level import Level

BatchTotal = Callable[[Tensor], Tensor]
"""Makes the whole batch's sum of this process's."""


def own_batch(own: Tensor) -> Tensor:
    """The total where this process has the whole batch."""
    return own


def soft_dice(level: Level, *, batch_dice: bool, smooth: float, batch_total: BatchTotal = own_batch) -> Tensor:
    """Soft Dice (2 sum(p r) + smooth) / (sum(p) + sum(r) + smooth), the mean over the structures, in [0, 1].

    `batch_dice` sums over the voxels of the whole batch (with `batch_total` over all processes' shares of it),
    otherwise of each element before the mean over batch and structures. Background is left out; all regions are
    structures. Where a structure is absent from the reference the quotient is smooth / (sum(p) + smooth), as published:
    1 if the prediction is empty too, near 0 with a vanishing gradient as soon as it is not, since `smooth` (1e-5
    voxels) is far below one voxel. Such structures raise the term but hardly steer the network.
    """
    # Sums of products are deterministic, a scatter is not.
    probability, reference = level.structures()
    if level.counted is not None:
        probability = torch.where(level.counted, probability, 0)
    axes = [0, *range(2, probability.ndim)] if batch_dice else list(range(2, probability.ndim))
    sums = torch.stack([(probability * reference).sum(axes), probability.sum(axes), reference.sum(axes)])
    overlap, predicted, labelled = batch_total(sums) if batch_dice else sums
    dice: Tensor = (2 * overlap + smooth) / (predicted + labelled + smooth)
    return dice.mean()


def region(level: Level, *, batch_dice: bool, smooth: float = 1e-5, batch_total: BatchTotal = own_batch) -> Tensor:
    """1 - soft Dice, a scalar in [0, 1].

    Learned weights need terms that are not negative: with -Dice, 0.5 / p^2 * (-Dice) has no minimum.
    """
    return (1 - soft_dice(level, batch_dice=batch_dice, smooth=smooth, batch_total=batch_total)).clamp(min=0)
