"""The U-Net decoder of U-Mamba, in both published generations."""

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.blocks import checkpointed, convolution, transposed_convolution, v1_stage, v2_stage
from uumamba.models.encoder import Generation, reduced_blocks

StageBuilder = Callable[[int, int, Sequence[int], int, Sequence[int]], nn.Module]
"""Makes a stage of input and output features, kernel, number of blocks, and the stride of the first."""
FusionBuilder = Callable[[int], nn.Module | None]
"""Makes what takes the map below and the skip of a stage, counted from full resolution, and gives the map below in the
skip's size and features, and the skip; None where the map below is upsampled by itself."""


class UpsampleLayer(nn.Module):
    """Nearest-neighbour upsampling by whole factors and a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, scale: Sequence[int]) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, [1] * len(scale))
        self.scale = tuple(float(factor) for factor in scale)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, *spatial) to (batch, outputs, *scaled spatial)."""
        # The 1x1 convolution commutes with nearest-neighbour upsampling and is cheaper before it.
        return functional.interpolate(self.conv(x), scale_factor=self.scale, mode="nearest")


class UNetDecoder(nn.Module):
    """Upsample, concatenate the skip, blocks; a 1x1 head per stage, or on the last stage only.

    `stage` makes the blocks of a stage; without it they are the generation's residual ones. `fusion` may change how a
    stage's two maps come together before they are concatenated.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        classes: int,
        generation: Generation,
        deep_supervision: bool,
        checkpoint_stages: Collection[int] = (),
        stage: StageBuilder | None = None,
        fusion: FusionBuilder | None = None,
    ) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        # The decoder counts from the lowest resolution, the stages of the network from the full one.
        self.checkpoint_stages = frozenset(len(topology.features) - 2 - stage for stage in checkpoint_stages)
        axes, stages = topology.spatial_dims, len(topology.features)
        blocks = reduced_blocks(topology.blocks_decoder, math.ceil((stages - 1) / 2 + 0.5), generation)
        build = stage or (v1_stage if generation == "v1" else v2_stage)
        below, skips = topology.features[:0:-1], topology.features[-2::-1]
        sizes = list(zip(below, skips, topology.strides[:0:-1], strict=True))
        from_full = range(stages - 2, -1, -1)
        self.skips = [takes_skip(stage, generation, axes) for stage in from_full]
        fusions = [
            fusion(stage) if fusion and takes else None for stage, takes in zip(from_full, self.skips, strict=True)
        ]
        self.fused = [fused is not None for fused in fusions]
        upsample = transposed_convolution if generation == "v1" else UpsampleLayer
        layers = nn.ModuleList(fused or upsample(*size) for fused, size in zip(fusions, sizes, strict=True))
        self._upsampling = "transpconvs" if generation == "v1" else "upsample_layers"
        self.add_module(self._upsampling, layers)
        self.stages = nn.ModuleList(
            build((1 + takes_skip) * features, features, kernel, count, [1] * axes)
            for takes_skip, features, kernel, count in zip(
                self.skips, skips, topology.kernels[-2::-1], blocks, strict=True
            )
        )
        self.seg_layers = nn.ModuleList(
            convolution(features, classes, [1] * axes) if deep_supervision or stage == stages - 2 else nn.Identity()
            for stage, features in enumerate(skips)
        )

    def forward(self, maps: Sequence[Tensor], *, every_level: bool) -> list[Tensor]:
        """Logits (batch, classes, *size) from the encoder's maps: of every stage, full resolution first, or one."""
        x, logits = maps[-1], []
        for stage, head in enumerate(self.seg_layers):
            here = maps[-2 - stage : -1 - stage] if self.skips[stage] else []
            x = checkpointed(partial(self._decode, stage), x, *here, when=stage in self.checkpoint_stages)
            if every_level or stage == len(self.stages) - 1:
                logits.append(head(x))
        return logits[::-1]

    @property
    def upsampling(self) -> nn.ModuleList:
        """What takes up the map below, stage by stage from the lowest resolution, under the published name."""
        layers: nn.ModuleList = getattr(self, self._upsampling)
        return layers

    def _decode(self, stage: int, x: Tensor, *skip: Tensor) -> Tensor:
        """One stage: the map below it, and its skip if it takes one, to its own map."""
        layer = self.upsampling[stage]
        both = layer(x, *skip) if self.fused[stage] else (layer(x), *skip)
        decoded: Tensor = self.stages[stage](torch.cat(both, dim=1))
        return decoded


def takes_skip(stage: int, generation: Generation, spatial_dims: int) -> bool:
    """Whether the decoder stage, counted from full resolution, takes the encoder's map: in 2D v2 the last does not."""
    return not (generation == "v2" and spatial_dims == 2 and stage == 0)


class UNetDecoderSettings(Settings):
    """The published decoder: the coarse map is upsampled by itself."""

    name: Literal["unet"] = "unet"
    uses_filter: ClassVar[bool] = False

    def fusion(self, _topology: Topology, _generation: Generation) -> FusionBuilder | None:
        """Nowhere."""
        return None
