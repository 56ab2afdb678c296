"""A prediction as it comes together, slab by slab."""

import numpy as np
import torch
from numpy.typing import NDArray

from uumamba.core.labels import mask_of
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry
from uumamba.data.restoration import blank_on_image_grid, highest_class
from uumamba.inference.scores import entropy_of, highest_entropy, label_map_of, probabilities_of


class PredictionVolume:
    """Label map and maps on the image's own grid, from restored slabs of scores.

    Scores become probabilities by softmax(scores / temperature). `labels` (uint8) is the class of the highest score,
    ties to the lower number; what was cropped away is background. `probability_sums` (outputs) sums every class's
    probability over all voxels, `sums_in_mask` over the voxels that have its label. `winner` (float16) is the
    probability of each voxel's label; it is kept only if the labels may yet be changed. `entropy` and `disagreement`
    are float32 or None, as in `Prediction`.

    Of regions the probabilities are sigmoid(scores / temperature), and the labels are written as `label_map_of` says;
    the sums are those of each region, in the mask over the voxels that have one of its numbers. There is no `winner`,
    since no step of post-processing changes regions.
    """

    def __init__(
        self,
        geometry: Geometry,
        plan: Plan,
        *,
        temperature: float = 1.0,
        keep_winner: bool = False,
        maps: bool = False,
        opinions: int = 1,
    ) -> None:
        self._label_set, self._temperature, self._done = plan.labels, temperature, 0
        self._classes = plan.labels.outputs
        self.probability_sums, self.sums_in_mask = np.zeros(self._classes), np.zeros(self._classes)
        self.labels, self._labels = blank_on_image_grid(geometry, plan, dtype=np.uint8)
        self.winner = self.entropy = self.disagreement = None
        if keep_winner and plan.labels.regions is None:
            self.winner, self._winner = blank_on_image_grid(geometry, plan, dtype=np.float16)
        if maps:
            self.entropy, self._entropy = blank_on_image_grid(geometry, plan, dtype=np.float32)
        if maps and opinions > 1:
            self.disagreement, self._disagreement = blank_on_image_grid(geometry, plan, dtype=np.float32)

    def add(self, slab: NDArray[np.float32]) -> None:
        """Take the next slab, `(outputs, n, *rest)`, or `(outputs + 1, n, *rest)` with the disagreement behind."""
        for index in range(slab.shape[1]):  # slice by slice: of many classes even a slab is large
            self._add(slab[:, index : index + 1])

    def _add(self, slab: NDArray[np.float32]) -> None:
        here = slice(self._done, self._done + 1)
        self._done = here.stop
        scores = torch.from_numpy(slab[: self._classes])
        probabilities = probabilities_of(scores / self._temperature, self._label_set, dim=0)
        self.probability_sums += probabilities.flatten(1).sum(1).double().numpy()
        if self._label_set.regions is None:
            self._take_labels(here, highest_class(slab[: self._classes]), probabilities)
        else:
            self._take_regions(here, label_map_of(scores, self._label_set, dim=0).numpy(), probabilities)
        if self.entropy is not None:
            entropy = entropy_of(probabilities, self._label_set, dim=0) / highest_entropy(self._label_set)
            self._entropy[here] = entropy.clamp(0, 1).numpy()
        if self.disagreement is not None:
            self._disagreement[here] = np.maximum(slab[self._classes], 0)  # rounding may take it below

    def _take_labels(self, here: slice, labels: NDArray[np.uint8], probabilities: torch.Tensor) -> None:
        number = torch.from_numpy(labels).long()
        winner = probabilities.gather(0, number[None])[0]
        self._labels[here] = labels
        self.sums_in_mask += torch.bincount(number.flatten(), winner.flatten().double(), self._classes).numpy()
        if self.winner is not None:
            self._winner[here] = winner.numpy()

    def _take_regions(self, here: slice, labels: NDArray[np.integer], probabilities: torch.Tensor) -> None:
        self._labels[here] = labels
        for output, numbers in enumerate(self._label_set.members.values()):
            self.sums_in_mask[output] += probabilities[output].numpy()[mask_of(labels, numbers)].sum(dtype=float)

    def sums_in_mask_of(self, labels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """`sums_in_mask` after the labels were changed to these; a voxel with a new structure adds nothing."""
        if self.winner is None:
            return self.sums_in_mask
        sums = self.sums_in_mask.copy()
        for before, after, winner in zip(self.labels, labels, self.winner, strict=True):  # a slice at a time
            changed = before != after
            gone = np.bincount(before[changed], weights=winner[changed].astype(float), minlength=self._classes)
            sums -= gone
        return np.maximum(sums, 0)

    @staticmethod
    def bytes_per_voxel(*, keep_winner: bool, maps: bool, opinions: int) -> int:
        """What is held for each voxel of the image."""
        return 1 + 2 * keep_winner + 4 * maps + 4 * (maps and opinions > 1)
