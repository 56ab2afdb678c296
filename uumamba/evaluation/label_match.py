"""Which numbers mean which structure, in predictions and in references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet, mask_of

Numbers = Mapping[str, tuple[int, ...]]
"""Name -> the numbers, from 1 on, whose voxels together are the structure."""

LabelMap = NDArray[np.integer]


@dataclass(frozen=True)
class LabelMatch:
    """The names and numbers of both sides; a structure is compared if both name it.

    A number may belong to several names. Voxels that a reference numbers `ignore` do not count. A structure in
    `optional` that a case's reference does not hold is taken as not labelled there, not as absent. Those in
    `tubular` are thin vessels, which have metrics of their own.
    """

    predictions: Numbers
    references: Numbers
    optional: frozenset[str] = frozenset()
    ignore: int | None = None
    tubular: frozenset[str] = frozenset()

    @property
    def structures(self) -> tuple[str, ...]:
        """The names on both sides, in the predictions' order."""
        return tuple(name for name in self.predictions if name in self.references)

    @property
    def only_in_predictions(self) -> tuple[str, ...]:
        """Names that the references do not know: they say nothing about these voxels."""
        return tuple(name for name in self.predictions if name not in self.references)

    @property
    def only_in_references(self) -> tuple[str, ...]:
        """Names that the predictions do not know."""
        return tuple(name for name in self.references if name not in self.predictions)

    @property
    def label_set(self) -> LabelSet:
        """The compared structures, numbered from 1 in their order, as `paint` numbers them."""
        return LabelSet(names=("background", *self.structures))

    def paint(self, label_map: LabelMap, numbers: Numbers) -> NDArray[np.uint8]:
        """A label map of one side (`predictions` or `references`) with the numbers of `label_set`, for pictures.

        Where structures share voxels the later name lies on top; what is not compared becomes background.
        """
        painted = np.zeros(label_map.shape, dtype=np.uint8)
        for place, name in enumerate(self.structures, 1):
            painted[mask_of(label_map, numbers[name])] = place
        return painted


def same_labels(labels: LabelSet, optional: Sequence[str] = (), tubular: Sequence[str] = ()) -> LabelMatch:
    """Predictions and references that both number their structures as `labels` does."""
    numbers = labels.members
    return LabelMatch(numbers, numbers, frozenset(optional), labels.ignore, frozenset(tubular))
