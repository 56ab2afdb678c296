"""The distribution term: cross-entropy."""

from torch import Tensor

from uumamba.losses.level import Level


def distribution(level: Level) -> Tensor:
    """Cross-entropy in nats, the mean of -log p(target) over the voxels that count; a scalar >= 0."""
    return level.mean(-level.log_true)
