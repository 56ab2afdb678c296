"""What a kernel sees: its size, and how much finer than the map the places are at which kernels stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor, unflatten

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class Window:
    """One odd kernel size and one scale for each spatial axis.

    Axes of every tensor here: b batch, g group, c channel or t tap in the group, then two or three spatial ones. The
    map x (b, g, c, low + kernel_size - 1) has its border already; tap t of the kernel at place p falls on its element
    floor(p / scale) + t.
    """

    kernel_size: tuple[int, ...]
    scale: tuple[int, ...]

    @property
    def radius(self) -> tuple[int, ...]:
        """Elements on each side of the middle, for each axis."""
        return tuple(size // 2 for size in self.kernel_size)

    @property
    def taps(self) -> int:
        """Number of elements in a kernel."""
        return prod(self.kernel_size)

    def low(self, high: tuple[int, ...]) -> tuple[int, ...]:
        """The size of the map, without border, that places of this size lie on."""
        return tuple(-(-size // step) for size, step in zip(high, self.scale, strict=True))

    def check(self, axes: int) -> None:
        """Raise `InputError` unless this is a window for that number of spatial axes."""
        for name, numbers, odd in (("kernel_size", self.kernel_size, True), ("scale", self.scale, False)):
            fits = [isinstance(n, int) and n >= 1 and (n % 2 == 1 or not odd) for n in numbers]
            if len(numbers) != axes or not all(fits):
                what = "odd whole number" if odd else "whole number"
                raise InputError(
                    f"adaptive filter: {name} must be one {what}, at least 1, for each of {axes} axes, got {numbers}"
                )

    def enlarge(self, x: Tensor) -> Tensor:
        """Every element repeated to a block of `scale`, so that tap t of place p falls on element p + t scale."""
        for axis, step in enumerate(self.scale, start=3):
            x = x.repeat_interleave(step, axis) if step > 1 else x
        return x

    def shrink(self, x: Tensor) -> Tensor:
        """The sum of every block of `scale`: the gradient of `enlarge`."""
        for axis, step in enumerate(self.scale, start=3):
            x = unflatten(x, axis, (-1, step)).sum(axis + 1) if step > 1 else x
        return x

    def views(self, enlarged: Tensor, high: tuple[int, ...]) -> Iterator[Tensor]:
        """For one tap after the other, row by row, what it falls on at all places (b, g, c, high); without a copy."""
        starts = [range(0, size * step, step) for size, step in zip(self.kernel_size, self.scale, strict=True)]
        for corner in product(*starts):
            view = enlarged
            for axis, (start, size) in enumerate(zip(corner, high, strict=True), start=3):
                view = view.narrow(axis, start, size)
            yield view


def sum_dtype(x: Tensor) -> torch.dtype:
    """The precision in which products are added: float32, or float64 where x is float64."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32
