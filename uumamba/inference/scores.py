"""What a network's scores say: of one label for each voxel, or of regions, in each of which a voxel is or is not.

Scores are logits: the softmax of all makes the probabilities of labels, the sigmoid of each that of its region.
"""

import math

import torch
from torch import Tensor

from uumamba.core.labels import LabelSet


def probabilities_of(scores: Tensor, labels: LabelSet, *, dim: int) -> Tensor:
    """Probabilities of the outputs along `dim`: of labels they sum to 1, of regions each is in [0, 1] by itself."""
    return torch.softmax(scores, dim=dim) if labels.regions is None else torch.sigmoid(scores)


def label_map_of(scores: Tensor, labels: LabelSet, *, dim: int) -> Tensor:
    """The label map, int64, of scores with the outputs along `dim`, which it lacks; the same at every temperature.

    Of labels the one of the highest score, ties to any. Of regions, as nnU-Net has it, each that is more likely than
    not (a score above 0) writes its number, in their order, so that the later lie on top.
    """
    if labels.regions is None:
        return scores.argmax(dim)
    label_map = torch.zeros_like(scores.select(dim, 0), dtype=torch.int64)
    for output, number in enumerate(labels.written):
        label_map[scores.select(dim, output) > 0] = number
    return label_map


def entropy_of(probabilities: Tensor, labels: LabelSet, *, dim: int) -> Tensor:
    """Entropy in nats along `dim`; a probability of 0 adds nothing. Of regions it is the sum of each one's own."""
    of_yes = -torch.xlogy(probabilities, probabilities).sum(dim)
    if labels.regions is None:
        return of_yes
    of_no = 1 - probabilities
    return of_yes - torch.xlogy(of_no, of_no).sum(dim)


def highest_entropy(labels: LabelSet) -> float:
    """The most that `entropy_of` can be."""
    return math.log(labels.outputs) if labels.regions is None else labels.outputs * math.log(2)
