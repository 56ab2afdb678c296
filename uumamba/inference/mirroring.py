"""What a network says of windows and of their mirrored copies."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from torch import Tensor, nn


def mirrored_logits(network: nn.Module, windows: Tensor, mirror_axes: Sequence[int]) -> Iterator[Tensor]:
    """Logits, float32 `(window, classes, *patch)`, of all 2^n flips along n axes of the patch, each turned back."""
    axes = [axis + 2 for axis in sorted(set(mirror_axes))]
    yield network(windows).float()
    for count in range(1, len(axes) + 1):
        for flips in combinations(axes, count):
            yield network(windows.flip(flips)).flip(flips).float()


def mirrored_mean(network: nn.Module, windows: Tensor, mirror_axes: Sequence[int]) -> Tensor:
    """Mean logits (not probabilities, as in nnU-Net) over all flips, float32 `(window, classes, *patch)`."""
    share = 0.5 ** len(set(mirror_axes))
    flips = mirrored_logits(network, windows, mirror_axes)
    total = next(flips) * share
    for logits in flips:
        total.add_(logits, alpha=share)
    return total
