"""The pixel term: focal loss (Lin et al., 2017, equation 5)."""

from torch import Tensor

from uumamba.losses.level import Level

_PUBLISHED_SMOOTH = 1e-5


def pixel(level: Level, *, gamma: float = 2.0, alpha: float = 0.5) -> Tensor:
    """Focal loss, the mean of -alpha (1 - p)^gamma log p of the target class over the voxels that count; a scalar >= 0.

    Of regions it is the binary form, p being the probability of the right answer, and the mean is over the regions too.
    `alpha` weighs every class alike, as in the published settings. `gamma` 0 gives alpha times the cross-entropy;
    between 0 and 1 the gradient is infinite at p = 1.
    """
    return level.mean(-alpha * (-level.log_true.expm1()) ** gamma * level.log_true)


def pixel_as_published(level: Level, *, gamma: float = 2.0, alpha: float = 0.5) -> Tensor:
    """The published focal loss, for comparison: probabilities pass through a second softmax and a label smoothing.

    No p comes above e / (e + classes - 1), so the term never vanishes, and its gradient is small.
    """
    classes = level.log_probabilities.shape[1]
    softmax_twice = level.log_probabilities.exp().softmax(dim=1).gather(1, level.target)
    share_of_others = _PUBLISHED_SMOOTH / (classes - 1)
    p = (1 - _PUBLISHED_SMOOTH) * softmax_twice + share_of_others * (1 - softmax_twice) + _PUBLISHED_SMOOTH
    return level.mean(-alpha * (1 - p) ** gamma * p.log())
