"""The residual encoder of U-Mamba, in both published generations, with Mamba in its stages or without."""

import math
from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn

from uumamba.core.topology import Topology
from uumamba.models.blocks import ConvNormAct, checkpointed, v1_stage, v2_stage
from uumamba.models.mamba import MambaLayer

Generation = Literal["v1", "v2"]


class Encoder(nn.Module):
    """Stem and stages, each followed by its Mamba layer where there is one."""

    def __init__(
        self,
        topology: Topology,
        *,
        input_channels: int,
        generation: Generation,
        mamba: bool = False,
        scan_backend: str = "auto",
        checkpoint_stages: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.checkpoint_stages = frozenset(checkpoint_stages)
        first, kernel = topology.features[0], topology.kernels[0]
        blocks = reduced_blocks(topology.blocks_encoder, math.ceil(len(topology.features) / 2), generation)
        build = v1_stage if generation == "v1" else v2_stage
        self.stem: nn.Module
        if generation == "v1":
            self.stem = nn.Sequential()
            self.stem.add_module("convs", nn.Sequential(ConvNormAct(input_channels, first, kernel)))
        else:
            self.stem = v2_stage(input_channels, first, kernel, blocks[0], [1] * topology.spatial_dims)
        inputs = (first, *topology.features[:-1])
        sizes = zip(inputs, topology.features, topology.kernels, blocks, topology.strides, strict=True)
        self.stages = nn.ModuleList(build(*stage) for stage in sizes)
        self.mamba_layers = nn.ModuleList(
            _mamba_layer(topology, stage, generation, scan_backend) if mamba else nn.Identity()
            for stage in range(len(topology.features))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps (batch, features, *size) of every stage of an image batch, full resolution first."""
        x = self.stem(x)
        maps = []
        for number, (stage, mamba_layer) in enumerate(zip(self.stages, self.mamba_layers, strict=True)):
            x = checkpointed(nn.Sequential(stage, mamba_layer), x, when=number in self.checkpoint_stages)
            maps.append(x)
        return maps


def reduced_blocks(planned: tuple[int, ...], first_reduced: int, generation: Generation) -> tuple[int, ...]:
    """Blocks per stage: as planned in v1; in v2 one from stage `first_reduced` on."""
    if generation == "v1":
        return planned
    return tuple(1 if stage >= first_reduced else count for stage, count in enumerate(planned))


def _mamba_layer(topology: Topology, stage: int, generation: Generation, scan_backend: str) -> nn.Module:
    """The layer behind a stage: in v1 and in 3D everywhere, in 2D v2 behind every other stage, the last always.

    In v2, channels are the tokens where the feature map has no more voxels than channels.
    """
    channels, grid = topology.features[stage], topology.feature_maps[stage]
    if generation == "v1":
        return MambaLayer(channels, scan_backend=scan_backend)
    if topology.spatial_dims == 2 and (len(topology.features) - 1 - stage) % 2:
        return nn.Identity()
    few_voxels = math.prod(grid) <= channels
    return MambaLayer(channels, grid=grid if few_voxels else None, scan_backend=scan_backend)
