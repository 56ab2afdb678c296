"""The shape of an encoder-decoder as pure numbers."""

import math
from dataclasses import dataclass

from uumamba.core.errors import ConfigError


@dataclass(frozen=True)
class Topology:
    """Sizes of an encoder-decoder, per stage from full resolution to the bottleneck; axes in network order.

    `patch_size` in voxels; `kernels` and `strides` one entry per axis and stage (the stride is applied on entering the
    stage); `blocks_encoder` and `blocks_decoder` are blocks per stage as planned, the decoder's from low to full
    resolution. Raises `ConfigError` if the lengths do not fit each other.
    """

    patch_size: tuple[int, ...]
    features: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    blocks_encoder: tuple[int, ...]
    blocks_decoder: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that all parts speak of the same number of stages and axes."""
        stages, axes = len(self.features), len(self.patch_size)
        if axes not in (2, 3):
            raise ConfigError(f"topology: patch_size must have 2 or 3 axes, got {self.patch_size}")
        lengths = {"kernels": self.kernels, "strides": self.strides, "blocks_encoder": self.blocks_encoder}
        for name, part in lengths.items():
            if len(part) != stages:
                raise ConfigError(f"topology: {name} must have {stages} entries as features has, got {len(part)}")
        if stages < 2 or len(self.blocks_decoder) != stages - 1:
            raise ConfigError(
                f"topology: needs at least 2 stages and one entry of blocks_decoder per stage but the last; "
                f"got {stages} stages, {len(self.blocks_decoder)} entries"
            )
        if any(len(entry) != axes for entry in (*self.kernels, *self.strides)):
            raise ConfigError(f"topology: kernels and strides must have {axes} axes as patch_size has")

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return len(self.patch_size)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Voxels per bottleneck voxel along each axis; sizes of inputs must be multiples of it."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))

    @property
    def feature_maps(self) -> tuple[tuple[int, ...], ...]:
        """Size of each stage's feature map for an input of `patch_size`, full resolution first."""
        sizes, current = [], self.patch_size
        for stride in self.strides:
            current = tuple(size // step for size, step in zip(current, stride, strict=True))
            sizes.append(current)
        return tuple(sizes)
