"""The centreline term: 1 - soft clDice (Shit et al., CVPR 2021, arXiv 2003.07311), for vessels that must not break."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    the reference has no gradient.
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

    `image` (batch, structure, *spatial) in [0, 1]. What is outside the image does not count.
    """
    line = torch.zeros_like(image)
    faces = [(axis, step) for axis in range(2, image.ndim) for step in (-1, 1)]
    for _ in range(iterations + 1):
        eroded = _extreme(image, faces, largest=False)
        opened = eroded
        for axis in range(2, image.ndim):
            opened = _extreme(opened, [(axis, -1), (axis, 1)], largest=True)
        lost = (image - opened).relu()
        line = line + (lost - line * lost).relu()
        image = eroded
    return line


Steps = Sequence[tuple[int, int]]
"""Neighbours as (axis, -1 or 1)."""


def _extreme(image: Tensor, steps: Steps, *, largest: bool) -> Tensor:
    """The smallest, or largest, of each voxel and its neighbours; the voxel itself where it is as good as they are."""
    result: Tensor = _Extreme.apply(image, steps, largest)  # type: ignore[no-untyped-call]
    return result


class _Extreme(torch.autograd.Function):
    """Keeps a byte of each voxel. Torch's pooling keeps eight, and its gradient in 3D is not deterministic on a GPU."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, steps: Steps, largest: bool) -> Tensor:
        """Take the best of all, and note which it was."""
        best, taken = image.clone(), torch.zeros_like(image, dtype=torch.uint8)
        for number, step in enumerate(steps, 1):
            there, here = _beside(image, step)
            found = best[here]
            better = image[there] > found if largest else image[there] < found
            best[here] = torch.where(better, image[there], found)
            taken[here].masked_fill_(better, number)
        ctx.save_for_backward(taken)
        ctx.steps = steps
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Give each gradient to the voxel that was taken."""
        (taken,) = ctx.saved_tensors
        result = gradient * (taken == 0)
        for number, step in enumerate(ctx.steps, 1):
            there, here = _beside(gradient, step)
            result[there] += gradient[here] * (taken[here] == number)
        return result, None, None


def _beside(image: Tensor, step: tuple[int, int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the neighbours lie, and the voxels whose neighbours they are."""
    axis, way = step
    inner = [slice(None)] * image.ndim
    low, high = list(inner), list(inner)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return (tuple(low), tuple(high)) if way < 0 else (tuple(high), tuple(low))
