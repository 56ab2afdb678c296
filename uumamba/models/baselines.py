"""nnU-Net's own networks as baselines: its plain U-Net, and the one with a residual encoder (preset M).

They compute what `PlainConvUNet` and `ResidualEncoderUNet` of the package dynamic_network_architectures compute, as
nnU-Net's planners ask for them (Isensee et al., Nature Methods 2021; arXiv 2404.09556), with parameters by the same
names. There every parameter has several names, and heads stand without a gradient; here not.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import ClassVar, Literal

from torch import Tensor, nn

from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.blocks import checkpointed, plain_stage
from uumamba.models.decoders.unet import UNetDecoder
from uumamba.models.encoder import Encoder
from uumamba.models.unet import UNet
from uumamba.scan import ScanBackend

_PLAIN = 2
_RESIDUAL_FIRST, _RESIDUAL_REST = (1, 3, 4), 6


class PlainEncoder(nn.Module):
    """Stages of convolutions without shortcuts, the first convolution of each strided."""

    def __init__(self, topology: Topology, *, input_channels: int, checkpoint_stages: Collection[int]) -> None:
        super().__init__()
        self.checkpoint_stages = frozenset(checkpoint_stages)
        inputs = (input_channels, *topology.features[:-1])
        sizes = zip(inputs, topology.features, topology.kernels, topology.blocks_encoder, topology.strides, strict=True)
        self.stages = nn.ModuleList(nn.Sequential(plain_stage(*stage)) for stage in sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps (batch, features, *size) of every stage of an image batch, full resolution first."""
        maps = []
        for number, stage in enumerate(self.stages):
            x = checkpointed(stage, x, when=number in self.checkpoint_stages)
            maps.append(x)
        return maps


class NnunetUNet(UNet):
    """nnU-Net's U-Net for 2D and 3D, its encoder plain or `residual`; the decoder is plain in both.

    Residual blocks start as their shortcuts. `checkpoint_stages` as in `UMamba`.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        input_channels: int,
        classes: int,
        residual: bool,
        deep_supervision: bool = True,
        checkpoint_stages: Collection[int] = (),
    ) -> None:
        super().__init__(topology, input_channels=input_channels, checkpoint_stages=checkpoint_stages)
        if residual:
            self.encoder = Encoder(
                topology, input_channels=input_channels, generation="v1", checkpoint_stages=checkpoint_stages
            )
        else:
            self.encoder = PlainEncoder(topology, input_channels=input_channels, checkpoint_stages=checkpoint_stages)
        self.decoder = UNetDecoder(
            topology,
            classes=classes,
            generation="v1",
            deep_supervision=deep_supervision,
            checkpoint_stages=checkpoint_stages,
            stage=plain_stage,
        )
        self.initialise(zero_last_norms=residual)


class _NnunetSettings(Settings):
    """What both networks' settings share."""

    residual: ClassVar[bool]

    @property
    def uses_scan(self) -> bool:
        """No."""
        return False

    @property
    def uses_filter(self) -> bool:
        """No."""
        return False

    def build(
        self,
        topology: Topology,
        *,
        input_channels: int,
        classes: int,
        deep_supervision: bool,
        scan_backend: ScanBackend = "auto",
        checkpoint_stages: Collection[int] = (),
    ) -> NnunetUNet:
        """The network, freshly initialised from torch's global random state; no scan runs in it."""
        return NnunetUNet(
            topology,
            input_channels=input_channels,
            classes=classes,
            residual=self.residual,
            deep_supervision=deep_supervision,
            checkpoint_stages=checkpoint_stages,
        )


class NnunetPlainSettings(_NnunetSettings):
    """nnU-Net's default network: a plain U-Net, two convolutions per stage."""

    residual: ClassVar[bool] = False
    name: Literal["nnunet_plain"] = "nnunet_plain"

    def adapt(self, topology: Topology) -> Topology:
        """The topology that the network has unless other blocks are asked for: two convolutions per stage."""
        stages = len(topology.features)
        return replace(topology, blocks_encoder=(_PLAIN,) * stages, blocks_decoder=(_PLAIN,) * (stages - 1))


class NnunetResEncMSettings(_NnunetSettings):
    """nnU-Net's network with a residual encoder, as its presets ResEnc M, L and XL have it."""

    residual: ClassVar[bool] = True
    name: Literal["nnunet_resenc_m"] = "nnunet_resenc_m"

    def adapt(self, topology: Topology) -> Topology:
        """The topology that the network has unless other blocks are asked for.

        The encoder's stages have 1, 3, 4, 6, 6, ... blocks, the decoder's one convolution each.
        """
        stages = len(topology.features)
        encoder = (*_RESIDUAL_FIRST, *(_RESIDUAL_REST,) * stages)[:stages]
        return replace(topology, blocks_encoder=encoder, blocks_decoder=(1,) * (stages - 1))
