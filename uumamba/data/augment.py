"""Augmentation of training patches: what may happen to a patch, how often and how strongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from uumamba.core.errors import ConfigError
from uumamba.core.settings import Settings
from uumamba.data.intensity import (
    Blur,
    Brightness,
    ByChannel,
    Contrast,
    Gamma,
    IntensityTransform,
    LowResolution,
    gaussian_noise,
)
from uumamba.data.patches import RandomAffine

Probability = Annotated[float, Field(ge=0, le=1)]
PositiveRange = tuple[PositiveFloat, PositiveFloat]
_ANISOTROPIC = 3.0
_OBLONG = 1.5


@dataclass(frozen=True)
class Augmentation:
    """All random changes of a patch. `affine` is drawn first, since it decides which part of the case is read.

    `mirror_axes` count the patch's axes from 0.
    """

    affine: RandomAffine
    intensity: tuple[IntensityTransform, ...]
    mirror_axes: tuple[int, ...]
    mirror_probability: float

    def __call__(self, image: Tensor, labels: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Intensities, then mirroring, of a patch that is already cut.

        `image` float32 (channel, *patch), `labels` (1, *patch); both may be changed in place. The same generator state
        gives the same result.
        """
        for transform in self.intensity:
            image = transform(image, random)
        flipped = [axis + 1 for axis in self.mirror_axes if random.random() < self.mirror_probability]
        if flipped:
            image, labels = torch.flip(image, flipped), torch.flip(labels, flipped)
        return image, labels


class AugmentationSettings(Settings):
    """Kinds and strengths, by default those of nnU-Net 2.8's standard trainer (Isensee et al. 2021, supplement 4).

    A probability of 0 turns one kind off, `enabled: false` all. Ranges are (lowest, highest). Blur and low
    resolution then take each channel with probability 0.5. `rotation_degrees` null lets the patch decide: in 2D and for
    anisotropic patches (longest side over 3 times the first) +-180 in the plane, but +-15 where the plane is oblong
    (sides over 1.5), else +-30 about each axis.
    """

    enabled: bool = True
    rotation_probability: Probability = 0.2
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] | None = None
    scaling_probability: Probability = 0.2
    scaling: PositiveRange = (0.7, 1.4)
    noise_probability: Probability = 0.1
    noise_std: Annotated[float, Field(ge=0)] = 0.1
    blur_probability: Probability = 0.2
    blur_sigma: PositiveRange = (0.5, 1.0)
    brightness_probability: Probability = 0.15
    brightness: PositiveRange = (0.75, 1.25)
    contrast_probability: Probability = 0.15
    contrast: PositiveRange = (0.75, 1.25)
    low_resolution_probability: Probability = 0.25
    low_resolution_zoom: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]] = (0.5, 1.0)
    inverted_gamma_probability: Probability = 0.1
    gamma_probability: Probability = 0.3
    gamma: PositiveRange = (0.7, 1.5)
    mirror_probability: Probability = 0.5

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name in ("scaling", "blur_sigma", "brightness", "contrast", "low_resolution_zoom", "gamma"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be (lowest, highest), got ({low}, {high})")
        return self

    def build(self, *, patch_size: Sequence[int], mirror_axes: Sequence[int]) -> Augmentation | None:
        """The augmentation for patches of this size (2 or 3 axes), mirrored along these axes; None if disabled."""
        dims = len(patch_size)
        if not set(mirror_axes) <= set(range(dims)):
            raise ConfigError(
                f"mirror axes must be among {tuple(range(dims))} for patch size {tuple(patch_size)}; got {mirror_axes}"
            )
        if not self.enabled:
            return None
        in_plane = is_anisotropic(patch_size)
        affine = RandomAffine(
            spatial_dims=dims,
            in_plane=in_plane,
            rotation_probability=self.rotation_probability,
            rotation_degrees=default_rotation(patch_size) if self.rotation_degrees is None else self.rotation_degrees,
            scaling_probability=self.scaling_probability,
            scaling=self.scaling,
        )
        return Augmentation(affine, self._intensity(in_plane), tuple(mirror_axes), self.mirror_probability)

    def _intensity(self, in_plane: bool) -> tuple[IntensityTransform, ...]:
        """nnU-Net's order."""
        return (
            gaussian_noise(self.noise_probability, self.noise_std),
            ByChannel(Blur(self.blur_sigma), self.blur_probability, channel_probability=0.5),
            ByChannel(Brightness(self.brightness), self.brightness_probability),
            ByChannel(Contrast(self.contrast), self.contrast_probability),
            ByChannel(
                LowResolution(self.low_resolution_zoom, in_plane),
                self.low_resolution_probability,
                channel_probability=0.5,
            ),
            ByChannel(Gamma(self.gamma, inverted=True), self.inverted_gamma_probability),
            ByChannel(Gamma(self.gamma, inverted=False), self.gamma_probability),
        )


def is_anisotropic(patch_size: Sequence[int]) -> bool:
    """Whether the first of three axes is so coarse that patches are turned in the plane only."""
    return len(patch_size) == 3 and max(patch_size) / patch_size[0] > _ANISOTROPIC


def default_rotation(patch_size: Sequence[int]) -> float:
    """The largest rotation in degrees that nnU-Net takes for such patches.

    nnU-Net turns anisotropic patches by +-180 even where the plane is oblong, and says that it should not; we limit it.
    """
    if len(patch_size) == 3 and not is_anisotropic(patch_size):
        return 30.0
    plane = patch_size[-2:]
    return 15.0 if max(plane) / min(plane) > _OBLONG else 180.0
