"""U-Mamba: a residual U-Net with Mamba layers (arXiv 2401.04722), the network of UU-Mamba (arXiv 2405.17496)."""

from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn

from uumamba.core.errors import ConfigError
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.decoders.table import DecoderSettings
from uumamba.models.decoders.unet import FusionBuilder, UNetDecoder, UNetDecoderSettings
from uumamba.models.encoder import Encoder, Generation
from uumamba.models.mamba import MambaLayer
from uumamba.models.unet import UNet
from uumamba.scan import BACKENDS, ScanBackend

MambaPlace = Literal["none", "bottleneck", "encoder"]


class UMamba(UNet):
    """U-Mamba for 2D and 3D, with Mamba nowhere, on the bottleneck or behind the encoder's stages.

    The generations `v1` (what UU-Mamba trains) and `v2` (U-Mamba today) differ in blocks, upsampling and tokens and are
    not weight-compatible. Of v2 with Mamba in the encoder, the weights depend on the patch size.

    Of `checkpoint_stages`, counted from full resolution, the activations inside encoder and decoder stage are not kept
    in training but computed again for the gradient: less memory, more time, the same numbers. `fusion` as in
    `UNetDecoder`.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        input_channels: int,
        classes: int,
        mamba: MambaPlace = "encoder",
        generation: Generation = "v1",
        deep_supervision: bool = True,
        scan_backend: str = "auto",
        checkpoint_stages: Collection[int] = (),
        fusion: FusionBuilder | None = None,
    ) -> None:
        if scan_backend not in ("auto", *BACKENDS):
            raise ConfigError(f"scan backend: unknown {scan_backend!r}; choose auto or one of {', '.join(BACKENDS)}")
        super().__init__(topology, input_channels=input_channels, checkpoint_stages=checkpoint_stages)
        self.encoder = Encoder(
            topology,
            input_channels=input_channels,
            generation=generation,
            mamba=mamba == "encoder",
            scan_backend=scan_backend,
            checkpoint_stages=checkpoint_stages,
        )
        self.mamba_layer = (
            MambaLayer(topology.features[-1], scan_backend=scan_backend) if mamba == "bottleneck" else nn.Identity()
        )
        self.decoder = UNetDecoder(
            topology,
            classes=classes,
            generation=generation,
            deep_supervision=deep_supervision,
            checkpoint_stages=checkpoint_stages,
            fusion=fusion,
        )
        self.initialise(zero_last_norms=generation == "v1" and mamba == "encoder")

    def bottleneck(self, x: Tensor) -> Tensor:
        """The lowest map through its Mamba layer, if it has one."""
        below: Tensor = self.mamba_layer(x)
        return below


class UMambaSettings(Settings):
    """Which U-Mamba: where Mamba layers stand, which published generation, and the decoder."""

    name: Literal["umamba"] = "umamba"
    mamba: MambaPlace = "encoder"
    generation: Generation = "v1"
    decoder: DecoderSettings = UNetDecoderSettings()

    @property
    def uses_scan(self) -> bool:
        """Whether the selective scan runs in it, so that a scan backend matters."""
        return self.mamba != "none"

    @property
    def uses_filter(self) -> bool:
        """Whether the adaptive filter runs in it, so that a filter backend matters."""
        return self.decoder.uses_filter

    def adapt(self, topology: Topology) -> Topology:
        """The topology that the network has unless other blocks are asked for: the planned one."""
        return topology

    def build(
        self,
        topology: Topology,
        *,
        input_channels: int,
        classes: int,
        deep_supervision: bool,
        scan_backend: ScanBackend = "auto",
        checkpoint_stages: Collection[int] = (),
    ) -> UMamba:
        """The network, freshly initialised from torch's global random state."""
        return UMamba(
            topology,
            input_channels=input_channels,
            classes=classes,
            mamba=self.mamba,
            generation=self.generation,
            deep_supervision=deep_supervision,
            scan_backend=scan_backend,
            checkpoint_stages=checkpoint_stages,
            fusion=self.decoder.fusion(topology, self.generation),
        )


class NoMambaSettings(Settings):
    """U-Mamba's network of a generation without its Mamba layers: "U-Mamba without Mamba" of arXiv 2404.09556."""

    name: Literal["no_mamba"] = "no_mamba"
    generation: Generation = "v1"
    decoder: DecoderSettings = UNetDecoderSettings()

    @property
    def mamba(self) -> MambaPlace:
        """Nowhere."""
        return "none"

    @property
    def uses_scan(self) -> bool:
        """No."""
        return False

    @property
    def uses_filter(self) -> bool:
        """Whether its decoder has the adaptive filter."""
        return self.decoder.uses_filter

    def adapt(self, topology: Topology) -> Topology:
        """The topology that the network has unless other blocks are asked for: the planned one."""
        return topology

    def build(
        self,
        topology: Topology,
        *,
        input_channels: int,
        classes: int,
        deep_supervision: bool,
        scan_backend: ScanBackend = "auto",
        checkpoint_stages: Collection[int] = (),
    ) -> UMamba:
        """The network, freshly initialised from torch's global random state; no scan runs in it."""
        return UMambaSettings(mamba="none", generation=self.generation, decoder=self.decoder).build(
            topology,
            input_channels=input_channels,
            classes=classes,
            deep_supervision=deep_supervision,
            scan_backend=scan_backend,
            checkpoint_stages=checkpoint_stages,
        )
