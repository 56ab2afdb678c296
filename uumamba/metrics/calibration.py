"""How far probabilities may be believed: of the voxels that a network is 80 % sure of, 80 % should be right.

The confidence of a voxel is the probability of its likeliest class. The expected calibration error (ECE; Naeini et al.,
AAAI 2015; Guo et al. 2017, arXiv 1706.04599) is the mean distance between confidence and accuracy over bins of equal
width, weighted by their voxels. It depends on which voxels count: background far from any structure is easy, and
flatters it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from uumamba.core.errors import InputError

BINS = 15

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Sums over voxels, so that those of two sets of voxels add up to those of both.

    `voxels`, `confidences` and `correct` have one number for each bin of confidence, from 0 to 1: how many voxels, the
    sum of their confidences, and how many are classified right. A voxel of weight w counts as w voxels. `nll` is the
    sum of the negative log likelihoods of the true classes (nats), `brier` that of the squared distances between
    probabilities and truth over all classes (in [0, 2] each).
    """

    voxels: NDArray[np.float64]
    confidences: NDArray[np.float64]
    correct: NDArray[np.float64]
    nll: float
    brier: float

    @property
    def count(self) -> float:
        """How many voxels there are."""
        return float(self.voxels.sum())

    @property
    def ece(self) -> float | None:
        """Expected calibration error, in [0, 1]; None without voxels, as all of these means."""
        return self._mean(float(np.abs(self.confidences - self.correct).sum()))

    @property
    def mean_nll(self) -> float | None:
        """Negative log likelihood of a voxel, in nats."""
        return self._mean(self.nll)

    @property
    def mean_brier(self) -> float | None:
        """Brier score of a voxel, in [0, 2]."""
        return self._mean(self.brier)

    @property
    def accuracy(self) -> float | None:
        """Share of voxels that are classified right."""
        return self._mean(float(self.correct.sum()))

    @property
    def confidence(self) -> float | None:
        """Confidence of a voxel, in [0, 1]; above the accuracy is overconfident."""
        return self._mean(float(self.confidences.sum()))

    def __add__(self, other: "Reliability") -> "Reliability":
        """Of both sets of voxels together; `ValueError` if they are not binned alike."""
        if self.voxels.shape != other.voxels.shape:
            raise ValueError(f"{len(self.voxels)} and {len(other.voxels)} bins do not add up")
        return Reliability(
            self.voxels + other.voxels,
            self.confidences + other.confidences,
            self.correct + other.correct,
            self.nll + other.nll,
            self.brier + other.brier,
        )

    def _mean(self, total: float) -> float | None:
        return total / self.count if self.count else None


def no_voxels(bins: int = BINS) -> Reliability:
    """To add to."""
    return Reliability(np.zeros(bins), np.zeros(bins), np.zeros(bins), 0.0, 0.0)


def reliability(
    logits: Floats,
    reference: NDArray[np.integer],
    *,
    weights: Floats | None = None,
    temperature: float = 1.0,
    ignore: int | None = None,
    bins: int = BINS,
) -> Reliability:
    """Judge softmax(logits / temperature), logits (voxels, classes), by the true classes, (voxels,).

    Logarithms of probabilities do as logits. `weights` is how many voxels each stands for, 1 unless given; voxels whose
    class is `ignore` are left out. Raises `InputError` if the shapes do not fit, a true class has no logits, or the
    temperature is not positive.
    """
    if reference.shape != logits.shape[:1] or logits.ndim != 2:
        raise InputError(f"logits must be (voxels, classes) for {reference.shape} true classes, got {logits.shape}")
    if not 0 < temperature < np.inf:
        raise InputError(f"temperature must be a positive number, got {temperature}")
    counted = np.ones(len(reference)) if weights is None else np.asarray(weights, dtype=float)
    if ignore is not None:
        known = reference != ignore
        logits, reference, counted = logits[known], reference[known], counted[known]
    if not len(reference):
        return no_voxels(bins)
    if not 0 <= int(reference.min()) <= int(reference.max()) < logits.shape[1]:
        raise InputError(f"true classes must be 0 to {logits.shape[1] - 1}, got {reference.min()} to {reference.max()}")
    log_probability = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    own = log_probability[np.arange(len(reference)), reference]
    probability = np.exp(log_probability)
    confidence = probability.max(1)
    correct = logits.argmax(1) == reference
    squares = np.square(probability).sum(1) - 2 * np.exp(own) + 1
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    voxels, confidences, right = (
        np.bincount(place, counted * values, minlength=bins).astype(np.float64) for values in (1.0, confidence, correct)
    )
    return Reliability(voxels, confidences, right, -float(counted @ own), float(counted @ squares))


def total(parts: Sequence[Reliability]) -> Reliability:
    """The sum of some, in any order; `no_voxels` of none."""
    return sum(parts[1:], parts[0]) if parts else no_voxels()
