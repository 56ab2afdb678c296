"""Several opinions on one image: the networks of an ensemble, and mirrored copies.

With p_k the calibrated probabilities of member k, w_k its weight and H the entropy in nats, the ensemble says the mean
p = sum w_k p_k, and its disagreement is the mutual information between the class and the member,
H(p) - sum w_k H(p_k) (Depeweg et al. 2018, arXiv 1710.07283). With mirroring, a member's own disagreement over its
copies, all of one weight, is added: by the chain rule that is the information between the class and both.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from uumamba.inference.mirroring import mirrored_logits


def entropy_of(probabilities: Tensor, *, dim: int) -> Tensor:
    """Entropy in nats along `dim`; a probability of 0 adds nothing."""
    return -torch.xlogy(probabilities, probabilities).sum(dim)


def mirrored_opinion(network: nn.Module, windows: Tensor, mirror_axes: Sequence[int], temperature: float) -> Tensor:
    """Mean logits over all flips, then their disagreement: float32 `(window, classes + 1, *patch)`.

    The disagreement is that of the flips' probabilities at `temperature`; without flips it is 0.
    """
    flips = mirrored_logits(network, windows, mirror_axes)
    logits = next(flips)
    of_voxel = torch.softmax(logits / temperature, dim=1)
    probabilities, entropy, copies = of_voxel, entropy_of(of_voxel, dim=1), 1
    for of_flip in flips:
        of_voxel = torch.softmax(of_flip / temperature, dim=1)
        logits, probabilities = logits + of_flip, probabilities + of_voxel
        entropy, copies = entropy + entropy_of(of_voxel, dim=1), copies + 1
    disagreement = entropy_of(probabilities / copies, dim=1) - entropy / copies
    return torch.cat([logits / copies, disagreement[:, None]], dim=1)


def combine(members: Sequence[Tensor], weights: Sequence[float], temperatures: Sequence[float], classes: int) -> Tensor:
    """The logarithm of the members' mean probabilities, float32 `(classes, ...)`; with their disagreement behind it.

    Each member is `(classes, ...)` of logits, or `(classes + 1, ...)` where the last is its own disagreement. `weights`
    sum to 1. The logarithm is finite, at least log 1e-30.
    """
    of_members = [
        torch.softmax(member[:classes] / temperature, dim=0)
        for member, temperature in zip(members, temperatures, strict=True)
    ]
    mean = _weighted(of_members, weights)
    scores = mean.clamp(min=1e-30).log()
    if len(members[0]) == classes:
        return scores
    own_entropy = _weighted([entropy_of(of_member, dim=0) for of_member in of_members], weights)
    own_disagreement = _weighted([member[classes] for member in members], weights)
    return torch.cat([scores, (entropy_of(mean, dim=0) - own_entropy + own_disagreement)[None]])


def _weighted(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = total + weight * value
    return total
