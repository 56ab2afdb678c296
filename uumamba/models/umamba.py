"""U-Mamba: a residual U-Net with Mamba layers (arXiv 2401.04722), the network of UU-Mamba (arXiv 2405.17496)."""

from typing import Literal

from torch import Tensor, nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.blocks import NEGATIVE_SLOPE, BasicBlock
from uumamba.models.decoders.unet import UNetDecoder
from uumamba.models.encoder import Encoder, Generation
from uumamba.models.mamba import MambaLayer
from uumamba.scan import BACKENDS

MambaPlace = Literal["none", "bottleneck", "encoder"]


class UMamba(nn.Module):
    """U-Mamba for 2D and 3D, with Mamba nowhere, on the bottleneck or behind the encoder's stages.

    The generations `v1` (what UU-Mamba trains) and `v2` (U-Mamba today) differ in blocks, upsampling and tokens and are
    not weight-compatible. Of v2 with Mamba in the encoder, the weights depend on the patch size.
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
    ) -> None:
        super().__init__()
        if scan_backend not in ("auto", *BACKENDS):
            raise ConfigError(f"scan backend: unknown {scan_backend!r}; choose auto or one of {', '.join(BACKENDS)}")
        self.topology = topology
        self.input_channels = input_channels
        self.deep_supervision = deep_supervision
        self.encoder = Encoder(
            topology,
            input_channels=input_channels,
            generation=generation,
            mamba=mamba == "encoder",
            scan_backend=scan_backend,
        )
        self.mamba_layer = (
            MambaLayer(topology.features[-1], scan_backend=scan_backend) if mamba == "bottleneck" else nn.Identity()
        )
        self.decoder = UNetDecoder(topology, classes=classes, generation=generation, deep_supervision=deep_supervision)
        self._initialise(zero_last_norms=generation == "v1" and mamba == "encoder")

    def _initialise(self, *, zero_last_norms: bool) -> None:
        """He initialisation of convolutions; optionally basic blocks start as their shortcuts. Mamba keeps its own."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif zero_last_norms and isinstance(module, BasicBlock):
                for parameter in module.conv2.norm.parameters():
                    nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        """Logits of images (batch, input channel, *spatial), sizes being multiples of the total stride.

        In training with deep supervision a list, one per decoder stage, full resolution first; else one tensor (batch,
        classes, *spatial). Raises `InputError` on a wrong number of axes or channels, or sizes that do not divide.
        """
        self._check(x)
        every_level = self.deep_supervision and self.training
        maps = self.encoder(x)
        maps[-1] = self.mamba_layer(maps[-1])
        logits: list[Tensor] = self.decoder(maps, every_level=every_level)
        return logits if every_level else logits[0]

    def _check(self, x: Tensor) -> None:
        """Refuse what the convolutions would fail on, in words."""
        axes, steps, sizes = self.topology.spatial_dims, self.topology.total_stride, tuple(x.shape[2:])
        if x.ndim != axes + 2 or x.shape[1] != self.input_channels:
            raise InputError(
                f"network: expects (batch, {self.input_channels} channels, {axes} spatial axes), got {tuple(x.shape)}"
            )
        if any(size % step or size == 0 for size, step in zip(sizes, steps, strict=True)):
            raise InputError(
                f"network: spatial sizes must be multiples of its total stride {steps}, got {sizes}; pad the image"
            )


class UMambaSettings(Settings):
    """Which U-Mamba: where Mamba layers stand, which published generation, and which scan runs them."""

    name: Literal["umamba"] = "umamba"
    mamba: MambaPlace = "encoder"
    generation: Generation = "v1"
    scan_backend: Literal["auto", "cpu", "triton", "mamba_ssm", "chunked", "reference"] = "auto"

    def build(self, topology: Topology, *, input_channels: int, classes: int, deep_supervision: bool) -> UMamba:
        """The network, freshly initialised from torch's global random state."""
        return UMamba(
            topology,
            input_channels=input_channels,
            classes=classes,
            mamba=self.mamba,
            generation=self.generation,
            deep_supervision=deep_supervision,
            scan_backend=self.scan_backend,
        )


NetworkSettings = UMambaSettings
