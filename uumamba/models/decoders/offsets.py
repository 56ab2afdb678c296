"""FreqFusion's offset generator: where to look instead, so that features near a border come from their own side."""

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.filtering.window import sum_dtype
from uumamba.models.blocks import Convolution, convolution, zero_bias

NORM_GROUP = 8
"""Compressed channels are normalised in groups of so many."""
_EPS = 1e-8
_PLANE = 4
"""Axes of a batch of 2D maps."""


class OffsetGenerator(nn.Module):
    """Offsets from both compressed maps and their local similarity (arXiv 2408.12879, section 3.3), and the resampling.

    The fine map is finer by `scale`. `kernel` is that of the convolutions; an axis where it is 1 is flat: neighbours
    along it are not looked at. Each of `groups` of the resampled map's channels has its own offsets, along every axis.
    """

    def __init__(
        self, compressed: int, *, kernel: Sequence[int], scale: Sequence[int], groups: int, norm: bool = True
    ) -> None:
        super().__init__()
        self.scale, self.groups = tuple(scale), groups
        # Along axes of one resolution neighbours are next to each other, as slices of anisotropic images are.
        self.steps = tuple(
            0 if size == 1 else 2 if factor > 1 else 1 for size, factor in zip(kernel, scale, strict=True)
        )
        inputs = compressed + prod(3 if step else 1 for step in self.steps) - 1
        fine = groups * len(kernel)
        coarse = fine * prod(scale)
        self.norm_hr, self.norm_lr = (_group_norm(compressed) if norm else nn.Identity() for _ in range(2))
        self.offset, self.hr_offset = (convolution(inputs, outputs, kernel) for outputs in (coarse, fine))
        self.direct_scale, self.hr_direct_scale = (convolution(inputs, outputs, kernel) for outputs in (coarse, fine))

    def initialise(self) -> None:
        """Offsets start next to nothing, each halved by its gate."""
        for layer in (self.offset, self.hr_offset, self.direct_scale, self.hr_direct_scale):
            nn.init.zeros_(layer.weight)
            zero_bias(layer)
        for layer in (self.offset, self.hr_offset):
            nn.init.normal_(layer.weight, std=0.001)

    def forward(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Offsets in voxels of the low grid, 0 being where plain upsampling looks, of both maps' features.

        Compressed maps (batch, compressed, *high) and (batch, compressed, *low) to (batch, axes, groups, *high), the
        last axis first, as `grid_sample` has it.
        """
        hr, lr = (torch.cat((x, self._similarity(x)), dim=1) for x in (self.norm_hr(hr), self.norm_lr(lr)))
        size = hr.shape[2:]
        coarse, coarse_gate = _convolve_both(self.offset, self.direct_scale, lr)
        fine, fine_gate = _convolve_both(self.hr_offset, self.hr_direct_scale, hr)
        gate = spread(coarse_gate, self.scale, size) + fine_gate
        gated: Tensor = (spread(coarse, self.scale, size) + fine) * gate.sigmoid()
        return gated.reshape(len(hr), len(size), self.groups, *size)

    def resample(self, x: Tensor, offsets: Tensor) -> Tensor:
        """A map (batch, channels, *high) read where `offsets` point, between voxels linearly, at the border clamped."""
        size, axes, dtype = x.shape[2:], x.ndim - 2, sum_dtype(x)
        coordinates = []
        for axis in reversed(range(axes)):
            place = torch.arange(size[axis], device=x.device, dtype=dtype) + 0.5
            moved = (
                place.reshape([-1 if other == axis else 1 for other in range(axes)])
                + offsets[:, axes - 1 - axis].to(dtype) * self.scale[axis]
            )
            coordinates.append(moved * (2 / size[axis]) - 1)
        grid = torch.stack(coordinates, dim=-1).flatten(0, 1)
        maps = x.reshape(len(x) * self.groups, -1, *size).to(dtype)
        with torch.autocast(x.device.type, enabled=False):
            found = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return found.to(x.dtype).reshape(x.shape)

    def _similarity(self, x: Tensor) -> Tensor:
        """Each voxel's cosine with its neighbours' features (batch, neighbours, *size); 0 with what lies outside."""
        # In half precision the least length would be 0, and a voxel of zeros no direction but NaN.
        wide = x.to(sum_dtype(x))
        unit = wide / wide.norm(dim=1, keepdim=True).clamp_min(_EPS)
        bordered = functional.pad(unit, [step for step in reversed(self.steps) for _ in range(2)])
        similarities = []
        for corner in product(*((0, step, 2 * step) if step else (0,) for step in self.steps)):
            if corner != self.steps:
                moved = bordered
                for axis, (start, size) in enumerate(zip(corner, x.shape[2:], strict=True), start=2):
                    moved = moved.narrow(axis, start, size)
                similarities.append((unit * moved).sum(1))
        return torch.stack(similarities, dim=1).to(x.dtype)


def _group_norm(channels: int) -> nn.GroupNorm:
    """Groups of 8 channels, as published, or of the next more that divide them."""
    groups = next(count for count in range(max(1, channels // NORM_GROUP), 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)


def _convolve_both(one: Convolution, other: Convolution, x: Tensor) -> tuple[Tensor, Tensor]:
    """`one(x)` and `other(x)`: one convolution with few channels takes as long as with twice as many."""
    bias = None if one.bias is None or other.bias is None else torch.cat((one.bias, other.bias))
    convolve = functional.conv2d if x.ndim == _PLANE else functional.conv3d
    both = convolve(x, torch.cat((one.weight, other.weight)), bias, padding=one.padding)
    first, second = torch.split(both, [one.out_channels, other.out_channels], dim=1)
    return first, second


def spread(x: Tensor, scale: Sequence[int], size: Sequence[int]) -> Tensor:
    """Channels to voxels (batch, channels, *size) from (batch, channels prod(scale), *low), low = ceil(size / scale).

    `pixel_shuffle` in any number of axes, with a factor of its own for each, and for sizes that do not divide.
    """
    axes = len(scale)
    blocks = x.reshape(len(x), -1, *scale, *x.shape[2:])
    order = [0, 1, *(place for axis in range(axes) for place in (2 + axes + axis, 2 + axis))]
    shuffled = blocks.permute(order)
    for axis in range(axes):
        shuffled = shuffled.flatten(2 + axis, 3 + axis)
    return cut(shuffled, size)


def cut(x: Tensor, size: Sequence[int]) -> Tensor:
    """The first `size` voxels along the last axes."""
    for axis, length in enumerate(size, start=x.ndim - len(size)):
        x = x.narrow(axis, 0, length)
    return x
