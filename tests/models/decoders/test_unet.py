"""The U-Net decoder."""

import torch
from torch.nn import functional

from uumamba.models.decoders.unet import UpsampleLayer


def test_convolution_before_upsampling_is_the_same() -> None:
    """The published order, upsample then 1x1 convolution, gives the same numbers."""
    torch.manual_seed(0)
    layer, image = UpsampleLayer(3, 5, (1, 2, 2)), torch.randn(2, 3, 2, 4, 3)
    published = layer.conv(functional.interpolate(image, scale_factor=(1.0, 2.0, 2.0), mode="nearest"))
    assert layer(image).shape == (2, 5, 2, 8, 6)
    torch.testing.assert_close(layer(image), published)
