"""Several opinions on one image: the networks of an ensemble, and mirrored copies.

With p_k the calibrated probabilities of member k, w_k its weight and H the entropy in nats, the ensemble says the mean
p = sum w_k p_k, and its disagreement is the mutual information between the class and the member,
H(p) - sum w_k H(p_k) (Depeweg et al. 2018, arXiv 1710.07283). With mirroring, a member's own disagreement over its
copies, all of one weight, is added: by the chain rule that is the information between the class and both.

Of regions, which are questions of their own, entropy and disagreement are the sums over the regions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from uumamba.core.labels import LabelSet
from uumamba.inference.mirroring import mirrored_logits
from uumamba.inference.scores import entropy_of, probabilities_of


def mirrored_opinion(
    network: nn.Module, windows: Tensor, mirror_axes: Sequence[int], temperature: float, labels: LabelSet
) -> Tensor:
    """Mean logits over all flips, then their disagreement: float32 `(window, outputs + 1, *patch)`.

    The disagreement is that of the flips' probabilities at `temperature`; without flips it is 0.
    """
    flips = mirrored_logits(network, windows, mirror_axes)
    logits = next(flips)
    of_voxel = probabilities_of(logits / temperature, labels, dim=1)
    probabilities, entropy, copies = of_voxel, entropy_of(of_voxel, labels, dim=1), 1
    for of_flip in flips:
        of_voxel = probabilities_of(of_flip / temperature, labels, dim=1)
        logits, probabilities = logits + of_flip, probabilities + of_voxel
        entropy, copies = entropy + entropy_of(of_voxel, labels, dim=1), copies + 1
    disagreement = entropy_of(probabilities / copies, labels, dim=1) - entropy / copies
    return torch.cat([logits / copies, disagreement[:, None]], dim=1)


def combine(
    members: Sequence[Tensor], weights: Sequence[float], temperatures: Sequence[float], labels: LabelSet
) -> Tensor:
    """The scores of the members' mean probabilities, float32 `(outputs, ...)`; with their disagreement behind it.

    The scores are the means' logarithms, of regions their log-odds. Each member is `(outputs, ...)` of logits, or
    `(outputs + 1, ...)` where the last is its own disagreement. `weights` sum to 1. Logarithms are finite, at least
    log 1e-30.
    """
    count = labels.outputs
    logits = [member[:count] / temperature for member, temperature in zip(members, temperatures, strict=True)]
    of_members = [probabilities_of(of_member, labels, dim=0) for of_member in logits]
    mean = _weighted(of_members, weights)
    scores = _logarithm(mean)
    if labels.regions is not None:
        scores -= _logarithm(_weighted([torch.sigmoid(-of_member) for of_member in logits], weights))
    if len(members[0]) == count:
        return scores
    own_entropy = _weighted([entropy_of(of_member, labels, dim=0) for of_member in of_members], weights)
    own_disagreement = _weighted([member[count] for member in members], weights)
    return torch.cat([scores, (entropy_of(mean, labels, dim=0) - own_entropy + own_disagreement)[None]])


def _logarithm(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=1e-30).log()


def _weighted(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = total + weight * value
    return total
