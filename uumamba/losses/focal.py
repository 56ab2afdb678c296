"""The pixel term: focal loss (Lin et al., 2017, equation 5)."""

from torch import Tensor

from uumamba.losses.level import Level


def _focal(log_true: Tensor, *, gamma: float, alpha: float) -> Tensor:
    return -alpha * (-log_true.expm1()) ** gamma * log_true


def pixel(level: Level, *, gamma: float = 2.0, alpha: float = 0.5) -> Tensor:
    """Focal loss, the mean of -alpha (1 - p)^gamma log p of the target class over the voxels that count; a scalar >= 0.

    `alpha` weighs every class alike, as in the published settings. `gamma` 0 gives alpha times the cross-entropy;
    between 0 and 1 the gradient is infinite at p = 1.
    """
    return level.mean(_focal(level.log_true, gamma=gamma, alpha=alpha))


def pixel_as_published(level: Level, *, gamma: float = 2.0, alpha: float = 0.5) -> Tensor:
    """The published focal loss, for comparison: probabilities pass through a second softmax.

    No p reaches e / (e + classes - 1), so the term never vanishes and its gradient is small.
    """
    softmax_twice = level.log_probabilities.exp().log_softmax(dim=1).gather(1, level.target)
    return level.mean(_focal(softmax_twice, gamma=gamma, alpha=alpha))
