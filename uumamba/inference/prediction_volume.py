"""A prediction as it comes together, slab by slab."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from uumamba.inference.ensemble import entropy_of


class PredictionVolume:
    """Label map and maps of a cropped image, from slabs of scores along its first axis.

    `shape` is the image's after cropping, in network axis order. Scores become probabilities by
    softmax(scores / temperature). `labels` (uint8) is the class of the highest score, ties to the lower number.
    `probability_sums` (classes) sums every class's probability over all voxels, `sums_in_mask` over the voxels that
    have its label. `winner` (float16) is the probability of each voxel's label; it is kept only if the labels may yet
    be changed. `entropy` and `disagreement` are float32 or None, as in `Prediction`.
    """

    def __init__(
        self, shape: Sequence[int], classes: int, *, temperature: float, keep_winner: bool, maps: bool, opinions: bool
    ) -> None:
        self.classes, self.temperature = classes, temperature
        self.labels = np.zeros(shape, np.uint8)
        self.probability_sums, self.sums_in_mask = np.zeros(classes), np.zeros(classes)
        self.winner = np.zeros(shape, np.float16) if keep_winner else None
        self.entropy = np.zeros(shape, np.float32) if maps else None
        self.disagreement = np.zeros(shape, np.float32) if maps and opinions else None
        self._done = 0

    def add(self, slab: NDArray[np.float32]) -> None:
        """Take the next slab, `(classes, n, *rest)`, or `(classes + 1, n, *rest)` with the disagreement behind."""
        here = slice(self._done, self._done + slab.shape[1])
        self._done = here.stop
        scores = torch.from_numpy(slab[: self.classes])
        highest = torch.from_numpy(slab[: self.classes].argmax(0))  # of equal scores numpy takes the first
        probabilities = torch.softmax(scores / self.temperature, dim=0)
        winner = probabilities.gather(0, highest[None])[0]
        self.labels[here] = highest.numpy()
        self.probability_sums += probabilities.flatten(1).sum(1, dtype=torch.float64).numpy()
        self.sums_in_mask += torch.bincount(highest.flatten(), winner.flatten().double(), self.classes).numpy()
        if self.winner is not None:
            self.winner[here] = winner.numpy()
        if self.entropy is not None:
            self.entropy[here] = (entropy_of(probabilities, dim=0) / math.log(self.classes)).clamp(0, 1).numpy()
        if self.disagreement is not None:
            self.disagreement[here] = np.maximum(slab[self.classes], 0)  # rounding may take it below

    @staticmethod
    def bytes_per_voxel(*, keep_winner: bool, maps: bool, opinions: bool) -> int:
        """What is held for each voxel."""
        return 1 + 2 * keep_winner + 4 * maps + 4 * (maps and opinions)
