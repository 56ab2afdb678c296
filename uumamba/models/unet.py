"""What all networks here have in common: an encoder, a decoder, logits, and which images they take."""

from collections.abc import Collection

from torch import Tensor, nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.topology import Topology
from uumamba.models.blocks import NEGATIVE_SLOPE, BasicBlock
from uumamba.models.decoders.freqfusion import FreqFusion
from uumamba.models.decoders.unet import UNetDecoder


class UNet(nn.Module):
    """A U-Net, whose `encoder` and `decoder` its subclass makes.

    Raises `ConfigError` if `checkpoint_stages` names a stage that `topology` does not have.
    """

    encoder: nn.Module
    decoder: UNetDecoder

    def __init__(self, topology: Topology, *, input_channels: int, checkpoint_stages: Collection[int]) -> None:
        super().__init__()
        stages = range(len(topology.features))
        if not set(checkpoint_stages) <= set(stages):
            raise ConfigError(
                f"checkpoint_stages: the network's stages are {stages[0]} (full resolution) to {stages[-1]}, got "
                f"{', '.join(map(str, checkpoint_stages))}"
            )
        self.topology = topology
        self.input_channels = input_channels

    def initialise(self, *, zero_last_norms: bool) -> None:
        """He initialisation of convolutions; optionally basic blocks start as their shortcuts.

        Mamba and FreqFusion keep their own.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif zero_last_norms and isinstance(module, BasicBlock):
                for parameter in module.conv2.norm.parameters():
                    nn.init.zeros_(parameter)
        for module in self.modules():
            if isinstance(module, FreqFusion):
                module.initialise()

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
        maps[-1] = self.bottleneck(maps[-1])
        logits: list[Tensor] = self.decoder(maps, every_level=every_level)
        return logits

    def bottleneck(self, x: Tensor) -> Tensor:
        """What happens to the lowest map between encoder and decoder: nothing, unless a subclass says otherwise."""
        return x

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
