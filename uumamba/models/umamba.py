"""U-Mamba: a residual U-Net with Mamba layers (arXiv 2401.04722), the network of UU-Mamba (arXiv 2405.17496)."""

from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.blocks import NEGATIVE_SLOPE, BasicBlock
from uumamba.models.decoders.unet import UNetDecoder
from uumamba.models.encoder import Encoder, Generation
from uumamba.models.mamba import MambaLayer
from uumamba.scan import BACKENDS, ScanBackend

MambaPlace = Literal["none", "bottleneck", "encoder"]


class UMamba(nn.Module):
    """U-Mamba for 2D and 3D, with Mamba nowhere, on the bottleneck or behind the encoder's stages.

    The generations `v1` (what UU-Mamba trains) and `v2` (U-Mamba today) differ in blocks, upsampling and tokens and are
    not weight-compatible. Of v2 with Mamba in the encoder, the weights depend on the patch size.

    Of `checkpoint_stages`, counted from full resolution, the activations inside encoder and decoder stage are not kept
    in training but computed again for the gradient: less memory, more time, the same numbers.
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
    ) -> None:
        super().__init__()
        if scan_backend not in ("auto", *BACKENDS):
            raise ConfigError(f"scan backend: unknown {scan_backend!r}; choose auto or one of {', '.join(BACKENDS)}")
        stages = range(len(topology.features))
        if not set(checkpoint_stages) <= set(stages):
            raise ConfigError(
                f"checkpoint_stages: the network's stages are {stages[0]} (full resolution) to {stages[-1]}, got "
                f"{', '.join(map(str, checkpoint_stages))}"
            )
        self.topology = topology
        self.input_channels = input_channels
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
        )
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
        every_level = self.decoder.deep_supervision and self.training
        logits = self.every_logits(x, every_level=every_level)
        return logits if every_level else logits[0]

    def every_logits(self, x: Tensor, *, every_level: bool) -> list[Tensor]:
        """Logits as `forward`, in a list: of every decoder stage, full resolution first, or of the last alone."""
        self._check(x)
        maps = self.encoder(x)
        maps[-1] = self.mamba_layer(maps[-1])
        logits: list[Tensor] = self.decoder(maps, every_level=every_level)
        return logits

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
    """Which U-Mamba: where Mamba layers stand, and which published generation."""

    name: Literal["umamba"] = "umamba"
    mamba: MambaPlace = "encoder"
    generation: Generation = "v1"

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
        )


NetworkSettings = UMambaSettings
