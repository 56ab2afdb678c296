"""The decoders of U-Mamba that there are, chosen by name."""

from typing import Annotated

from pydantic import Field

from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.decoders.unet import UNetDecoderSettings

DecoderSettings = Annotated[UNetDecoderSettings | FreqFusionDecoderSettings, Field(discriminator="name")]
"""Each says how a stage's coarse map and its skip come together (`fusion`)."""
