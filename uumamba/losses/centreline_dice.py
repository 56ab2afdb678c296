"""The centreline term: 1 - soft clDice (Shit et al., CVPR 2021, arXiv 2003.07311), for vessels that must not break."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from uumamba.core.errors import ConfigError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.losses.dice import BatchTotal, own_batch
from uumamba.losses.level import Level


class CentrelineDiceSettings(Settings):
    """The centreline term of the loss, which no run has by default.

    `weight` is as those of the other terms. `iterations` of the soft skeleton peel a voxel each from all sides: at
    least the radius of the thickest vessel, in voxels of the plan's spacing. `structures` are the names of those that
    it is for, all if there are none; every one costs time and memory. `smooth` in voxels of the skeleton.
    """

    weight: float = Field(default=0.5, gt=0)
    iterations: PositiveInt = 5
    structures: tuple[str, ...] | None = Field(default=None, min_length=1)
    smooth: float = Field(default=1.0, gt=0)

    def build(
        self, *, labels: LabelSet, batch_dice: bool, batch_total: BatchTotal = own_batch
    ) -> Callable[[Level], Tensor]:
        """The term; raises `ConfigError` if one of `structures` is not among the labels."""
        names = labels.names[1:]
        chosen = names if self.structures is None else self.structures
        if unknown := [name for name in chosen if name not in names]:
            raise ConfigError(
                f"loss.centreline.structures: must be among {', '.join(names)}, got {unknown[0]!r}; null is all of them"
            )
        return partial(
            centreline,
            structures=None if set(chosen) == set(names) else [names.index(name) for name in chosen],
            iterations=self.iterations,
            batch_dice=batch_dice,
            smooth=self.smooth,
            batch_total=batch_total,
        )


def centreline(
    level: Level,
    *,
    structures: Sequence[int] | None = None,
    iterations: int = 5,
    batch_dice: bool,
    smooth: float = 1.0,
    batch_total: BatchTotal = own_batch,
) -> Tensor:
    """1 - soft clDice, the mean over `structures` (places behind the background; None is all), a scalar in [0, 1].

    Soft clDice is the harmonic mean of topology precision, (sum(S(p) r) + smooth) / (sum(S(p)) + smooth) with the soft
    skeleton S(p) of the probabilities, and topology sensitivity with S(r) and p. `batch_dice` and `batch_total` as in
    `soft_dice`. Where a structure is absent from the reference, whatever line is predicted costs. The soft skeleton of
    the reference has no gradient; that of the probabilities is computed again in the backward pass, step by step, and
    so needs two maps a step and structure in memory.
    """
    probability, reference = level.structures()
    if structures is not None:
        probability, reference = probability[:, structures], reference[:, structures]
    if level.counted is not None:
        probability = torch.where(level.counted, probability, 0)
    with torch.no_grad():
        true_line = soft_skeleton(reference.to(probability.dtype), iterations)
    line = soft_skeleton(probability, iterations)
    axes = [0, *range(2, probability.ndim)] if batch_dice else list(range(2, probability.ndim))
    maps = (line * reference, line, true_line * probability, true_line)
    sums = torch.stack([each.sum(axes) for each in maps])
    right, predicted, found, true = batch_total(sums) if batch_dice else sums
    precision, sensitivity = (right + smooth) / (predicted + smooth), (found + smooth) / (true + smooth)
    together: Tensor = 2 * precision * sensitivity / (precision + sensitivity)
    return (1 - together.mean()).clamp(min=0)


def soft_skeleton(image: Tensor, iterations: int) -> Tensor:
    """What openings take away from an image while it is eroded (algorithm 1 of the paper); of the image's shape.

    `image` (batch, structure, *spatial) in [0, 1]. Written as minima and maxima of neighbours, since the backward pass
    of torch's pooling is not deterministic on a GPU in 3D.
    """
    line = torch.zeros_like(image)
    for _ in range(iterations + 1):
        if image.requires_grad:
            image, line = checkpoint(_peel, image, line, use_reentrant=False, preserve_rng_state=False)
        else:
            image, line = _peel(image, line)
    return line


def _peel(image: Tensor, line: Tensor) -> tuple[Tensor, Tensor]:
    """The image eroded once more, and the line with what the opening of this image takes away."""
    eroded = _erode(image)
    lost = (image - _dilate(eroded)).relu()
    return eroded, line + (lost - line * lost).relu()


def _erode(image: Tensor) -> Tensor:
    """The smallest of each voxel and its neighbours by a face; what is outside the image does not count."""
    axes = range(2, image.ndim)
    padded = functional.pad(image, (1, 1) * len(axes), value=torch.inf)
    eroded = image
    for axis in axes:
        for start in (0, 2):
            beside = padded
            for other in axes:
                beside = beside.narrow(other, start if other == axis else 1, image.shape[other])
            eroded = torch.minimum(eroded, beside)
    return eroded


def _dilate(image: Tensor) -> Tensor:
    """The largest of each voxel and all its neighbours, by a corner too."""
    for axis in range(2, image.ndim):
        behind = image.ndim - 1 - axis
        padded = functional.pad(image, (0, 0) * behind + (1, 1), value=-torch.inf)
        size = image.shape[axis]
        image = torch.maximum(torch.maximum(padded.narrow(axis, 0, size), image), padded.narrow(axis, 2, size))
    return image
