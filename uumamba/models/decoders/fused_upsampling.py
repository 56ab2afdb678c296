"""FreqFusion in the U-Net decoder: how a stage takes up the coarse map and the skip, and in which stages."""

import math
from collections.abc import Collection
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, NonNegativeInt, PositiveInt, field_validator
from torch import Tensor, nn

from uumamba.core.errors import ConfigError
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.blocks import convolution
from uumamba.models.decoders.freqfusion import FreqFusion
from uumamba.models.decoders.offsets import NORM_GROUP
from uumamba.models.decoders.unet import FusionBuilder, takes_skip
from uumamba.models.encoder import Generation


def _require_odd(size: int) -> int:
    if size < 1 or size % 2 == 0:
        raise ValueError("must be an odd number, 1 or more")
    return size


Odd = Annotated[int, AfterValidator(_require_odd)]


class FusedUpsampling(nn.Module):
    """FreqFusion of a stage's two maps, then a 1x1 convolution of the coarse one to the skip's features."""

    def __init__(self, fusion: FreqFusion, *, below: int, features: int, spatial_dims: int) -> None:
        super().__init__()
        self.fusion = fusion
        self.conv = convolution(below, features, [1] * spatial_dims)

    def forward(self, x: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Map below (batch, below, *low) and skip (batch, features, *size) to two maps like the skip."""
        _, sharpened, upsampled = self.fusion(skip, x)
        return self.conv(upsampled), sharpened


class FreqFusionDecoderSettings(Settings):
    """FreqFusion (arXiv 2408.12879) where a decoder stage takes up the coarse map and the skip.

    `stages`: "coarse", all but full resolution; "all"; or stages counted from full resolution, 0. Those that take no
    skip (the last of 2D v2) keep the plain upsampling. Kernels span one voxel along axes where the stage's
    convolutions do. `lowpass_kernel` is 5 unless set, 3 where that would be a cube. `feature_resample` turns the offset
    generator on.
    """

    name: Literal["freqfusion"] = "freqfusion"
    uses_filter: ClassVar[bool] = True
    stages: Literal["coarse", "all"] | tuple[NonNegativeInt, ...] = "coarse"
    lowpass_kernel: Odd | None = None
    highpass_kernel: Odd = 3
    feature_resample: bool = True
    feature_resample_group: PositiveInt = 4

    def fusion(self, topology: Topology, generation: Generation) -> FusionBuilder | None:
        """Builds the fusion of a stage; raises `ConfigError` if `stages` names one that cannot have it."""
        chosen = self._stages(topology, generation)
        if not chosen:
            raise ConfigError(
                f"network.decoder: of this network's {len(topology.features) - 1} decoder stages none is fused with "
                f"stages {self.stages}; take stages: all, plan more stages, or name: unet"
            )
        return lambda stage: self._build(topology, stage) if stage in chosen else None

    def _stages(self, topology: Topology, generation: Generation) -> Collection[int]:
        axes, decoder_stages = topology.spatial_dims, range(len(topology.features) - 1)
        possible = [stage for stage in decoder_stages if takes_skip(stage, generation, axes)]
        if isinstance(self.stages, str):
            return [stage for stage in possible if stage > 0 or self.stages == "all"]
        if not set(self.stages) <= set(possible):
            raise ConfigError(
                f"network.decoder.stages: must be among the decoder stages with a skip ({possible}; 0 is full "
                f"resolution), got {list(self.stages)}"
            )
        return self.stages

    @field_validator("stages", mode="before")
    @classmethod
    def _check_stages(cls, stages: object) -> object:
        listed = isinstance(stages, list | tuple) and stages and all(isinstance(s, int) and s >= 0 for s in stages)
        if not listed and stages not in ("coarse", "all"):
            raise ValueError("must be coarse, all, or a list of stages such as [1, 2]")
        return stages

    def _build(self, topology: Topology, stage: int) -> FusedUpsampling:
        features, below = topology.features[stage : stage + 2]
        kernel = topology.kernels[stage]
        is_cube = len(kernel) > 2 and min(kernel) > 1
        lowpass = self.lowpass_kernel or (3 if is_cube else 5)
        compressed = NORM_GROUP * math.ceil((features + below) / NORM_GROUP**2)
        try:
            fusion = FreqFusion(
                topology.spatial_dims,
                features,
                below,
                scale=topology.strides[stage + 1],
                lowpass_kernel=[lowpass if size > 1 else 1 for size in kernel],
                highpass_kernel=[self.highpass_kernel if size > 1 else 1 for size in kernel],
                compressed_channels=compressed,
                feature_resample=self.feature_resample,
                feature_resample_group=self.feature_resample_group,
            )
        except ConfigError as error:
            raise ConfigError(f"network.decoder, stage {stage}: {error}; set what fits every stage") from None
        return FusedUpsampling(fusion, below=below, features=features, spatial_dims=topology.spatial_dims)
