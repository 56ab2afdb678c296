"""FreqFusion's offset generator: where to look instead, so that features near a border come from their own side."""

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.models.blocks import convolution

_NORM_GROUP = 8
_EPS = 1e-8


class OffsetGenerator(nn.Module):
    """Offsets from both compressed maps and their local similarity (arXiv 2408.12879, section 3.3), and the resampling.

    The fine map is finer by `scale`. `kernel` is that of the convolutions; where it is 1, an axis is flat: neighbours
    along it are not looked at. Each of `groups` of the resampled map's channels has offsets of its own, along every axis.
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
        self.norm_hr, self.norm_lr = (
            nn.GroupNorm(max(1, compressed // _NORM_GROUP), compressed) if norm else nn.Identity() for _ in range(2)
        )
        self.offset, self.hr_offset = (convolution(inputs, outputs, kernel) for outputs in (coarse, fine))
        self.direct_scale, self.hr_direct_scale = (convolution(inputs, outputs, kernel) for outputs in (coarse, fine))

    def initialise(self) -> None:
        """Offsets start next to nothing, each halved by its gate."""
        for convolution_ in (self.offset, self.hr_offset):
            nn.init.normal_(convolution_.weight, std=0.001)
            nn.init.zeros_(convolution_.bias)
        for convolution_ in (self.direct_scale, self.hr_direct_scale):
            nn.init.zeros_(convolution_.weight)
            nn.init.zeros_(convolution_.bias)

    def forward(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Compressed maps (batch, compressed, *high) and (batch, compressed, *low) to offsets in voxels of the low grid.

        (batch, axes, groups, *high), the last axis first as `grid_sample` has it; 0 is where plain upsampling looks.
        """
        hr, lr = (torch.cat((x, self._similarity(x)), dim=1) for x in (self.norm_hr(hr), self.norm_lr(lr)))
        size = hr.shape[2:]
        offsets = spread(self.offset(lr), self.scale, size) + self.hr_offset(hr)
        gate = spread(self.direct_scale(lr), self.scale, size) + self.hr_direct_scale(hr)
        return (offsets * gate.sigmoid()).unflatten(1, (len(size), self.groups))

    def resample(self, x: Tensor, offsets: Tensor) -> Tensor:
        """A map (batch, channels, *high) read where `offsets` point, between voxels linearly, at the border clamped."""
        size, axes = x.shape[2:], x.ndim - 2
        coordinates = []
        for axis in reversed(range(axes)):
            place = torch.arange(size[axis], device=x.device, dtype=torch.float32) + 0.5
            moved = (
                place.reshape([-1 if other == axis else 1 for other in range(axes)])
                + offsets[:, axes - 1 - axis].float() * self.scale[axis]
            )
            coordinates.append(moved * (2 / size[axis]) - 1)
        grid = torch.stack(coordinates, dim=-1).flatten(0, 1)
        maps = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
        with torch.autocast(x.device.type, enabled=False):
            found = functional.grid_sample(
                maps.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
            )
        return found.to(x.dtype).unflatten(0, (-1, self.groups)).flatten(1, 2)

    def _similarity(self, x: Tensor) -> Tensor:
        """The cosine between each voxel's features and its neighbours', (batch, neighbours, *size); 0 beyond the map."""
        unit = x / x.norm(dim=1, keepdim=True).clamp_min(_EPS)
        bordered = functional.pad(unit, [step for step in reversed(self.steps) for _ in range(2)])
        similarities = []
        for corner in product(*((0, step, 2 * step) if step else (0,) for step in self.steps)):
            if corner != self.steps:
                places = [slice(start, start + size) for start, size in zip(corner, x.shape[2:], strict=True)]
                similarities.append((unit * bordered[(..., *places)]).sum(1))
        return torch.stack(similarities, dim=1)


def spread(x: Tensor, scale: Sequence[int], size: Sequence[int]) -> Tensor:
    """Channels to voxels (batch, channels, *size) from (batch, channels prod(scale), *low), low = ceil(size / scale).

    `pixel_shuffle` in any number of axes, with a factor of its own for each, and for sizes that do not divide.
    """
    axes = len(scale)
    blocks = x.unflatten(1, (-1, *scale))
    order = [0, 1, *(place for axis in range(axes) for place in (2 + axes + axis, 2 + axis))]
    shuffled = blocks.permute(order)
    for axis in range(axes):
        shuffled = shuffled.flatten(2 + axis, 3 + axis)
    return shuffled[(..., *(slice(length) for length in size))]
