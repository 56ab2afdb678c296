"""The distribution term: cross-entropy."""

from torch import Tensor

from uumamba.losses.level import Level


def distribution(level: Level) -> Tensor:
    """Cross-entropy in nats, the mean of -log p(target) over the voxels that count; a scalar >= 0.

    Of regions it is the binary cross-entropy, the mean over the voxels that count and the regions. nnU-Net takes the
    sum over the regions where there is an ignore label, and the mean where there is none; here it is always the mean,
    so that an ignore label that no voxel has changes nothing.
    """
    return level.mean(-level.log_true)
