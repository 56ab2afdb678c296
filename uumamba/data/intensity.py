"""Random changes of an image's intensities, with nnU-Net's kinds and strengths on MONAI's operations.

Each transform is a callable `(image, random) -> image`: image float32 (channel, *patch), changed in place or returned
anew, and the sample's own generator, from which every draw comes. None holds a state, so workers and ranks cannot
influence each other. MONAI's own `Rand*` classes draw once for all channels and, for blur and low resolution, pad with
zeros or resize the slice axis; where that differs from nnU-Net the draw is here and the operation MONAI's or torch's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from monai.transforms import AdjustContrast, RandGaussianNoise
from torch import Tensor
from torch.nn import functional

IntensityTransform: TypeAlias = Callable[[Tensor, np.random.Generator], Tensor]
ChannelChange: TypeAlias = Callable[[Tensor, np.random.Generator], Tensor]
Range: TypeAlias = tuple[float, float]
_BLUR_REACH = 4.0


@dataclass(frozen=True)
class ByChannel:
    """Apply `change` (one channel (1, *patch) in and out) with `probability` to an image, channel by channel."""

    change: ChannelChange
    probability: float
    channel_probability: float = 1.0

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Image (channel, *patch), changed in place; every channel draws for itself."""
        if random.random() < self.probability:
            for channel in range(image.shape[0]):
                if random.random() < self.channel_probability:
                    image[channel] = self.change(image[channel : channel + 1], random)[0]
        return image


@dataclass(frozen=True)
class MonaiTransform:
    """A random array transform of MONAI, applied with `probability`, drawing from the sample's generator.

    The decision is taken here: MONAI converts an image even where it then leaves it alone.
    """

    transform: Any
    probability: float

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Image (channel, *patch) through the transform, as a plain tensor."""
        if random.random() >= self.probability:
            return image
        self.transform.set_random_state(state=np.random.RandomState(random.bit_generator))
        return _plain(self.transform(image))


def gaussian_noise(probability: float, largest_std: float) -> IntensityTransform:
    """Noise of one standard deviation in [0, largest_std] on all channels (nnU-Net's "variance" is used as std)."""
    return MonaiTransform(RandGaussianNoise(prob=1.0, std=largest_std, sample_std=True), probability)


@dataclass(frozen=True)
class Blur:
    """Gaussian blur; sigma in voxels, drawn for each axis; mirrored at the borders, cut off at 4 sigma."""

    sigma: Range

    def __call__(self, channel: Tensor, random: np.random.Generator) -> Tensor:
        """Channel (1, *patch) -> the same, blurred."""
        kernels = []
        for size in channel.shape[1:]:
            kernel = gaussian_1d(torch.tensor(random.uniform(*self.sigma)), truncated=_BLUR_REACH, approx="sampled")
            # A mirrored border must be shorter than the axis.
            surplus = max(len(kernel) // 2 - (size - 1), 0)
            kernel = kernel[surplus : len(kernel) - surplus]
            kernels.append(kernel / kernel.sum())
        blurred: Tensor = separable_filtering(channel[None], kernels, mode="reflect")
        return blurred[0]


@dataclass(frozen=True)
class Brightness:
    """Multiply by a factor from `factor`, below and above 1 equally often."""

    factor: Range

    def __call__(self, channel: Tensor, random: np.random.Generator) -> Tensor:
        """Channel (1, *patch) -> the same, times the factor."""
        return channel * around_one(self.factor, random)


@dataclass(frozen=True)
class Contrast:
    """Stretch about the mean by a factor from `factor`, below and above 1 equally often; clip to the old range."""

    factor: Range

    def __call__(self, channel: Tensor, random: np.random.Generator) -> Tensor:
        """Channel (1, *patch) -> the same, within its old minimum and maximum."""
        low, high = torch.aminmax(channel)
        mean = channel.mean()
        return ((channel - mean) * around_one(self.factor, random) + mean).clamp(low, high)


@dataclass(frozen=True)
class LowResolution:
    """Shrink by a `zoom` (nearest voxel) and enlarge again (linear); `in_plane` spares the first axis of three."""

    zoom: Range
    in_plane: bool

    def __call__(self, channel: Tensor, random: np.random.Generator) -> Tensor:
        """Channel (1, *patch) -> the same at the poorer resolution."""
        size = list(channel.shape[1:])
        zoom = random.uniform(*self.zoom)
        small = [max(round(length * zoom), 1) for length in size]
        if self.in_plane:
            small[0] = size[0]
        shrunk = functional.interpolate(channel[None], small, mode="nearest-exact")
        enlarged: Tensor = functional.interpolate(shrunk, size, mode="bilinear" if len(size) == 2 else "trilinear")
        return enlarged[0]


@dataclass(frozen=True)
class Gamma:
    """Gamma curve over the channel's range; mean and deviation are restored; `inverted` bends the negative image."""

    gamma: Range
    inverted: bool

    def __call__(self, channel: Tensor, random: np.random.Generator) -> Tensor:
        """Channel (1, *patch) -> the same, bent; exponents below and above 1 equally often."""
        bend = AdjustContrast(around_one(self.gamma, random), invert_image=self.inverted, retain_stats=True)
        return _plain(bend(channel))


def around_one(bounds: Range, random: np.random.Generator) -> float:
    """A factor within `bounds`: half of the draws below 1, half above, each uniform (or all where `bounds` are)."""
    low, high = bounds
    if low < 1 and random.random() < 0.5:
        return random.uniform(low, min(high, 1.0))
    return random.uniform(max(low, 1.0), high) if high > 1 else random.uniform(low, high)


def _plain(image: Tensor) -> Tensor:
    """The same memory without MONAI's metadata, whose bookkeeping slows every later operation."""
    return image.as_subclass(Tensor)
