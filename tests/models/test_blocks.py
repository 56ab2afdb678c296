"""The residual blocks."""

import pytest
import torch
from torch import nn

from uumamba.models.blocks import BasicBlock, ConvNormAct, ResidualBlock, activate


@pytest.mark.parametrize("block", [BasicBlock, ResidualBlock])
@pytest.mark.parametrize(
    ("kernel", "stride", "size", "expected"),
    [
        ((3, 3), (2, 2), (8, 6), (4, 3)),
        ((1, 3, 3), (1, 2, 2), (3, 8, 8), (3, 4, 4)),
        ((3, 3, 3), None, (2, 5, 4), (2, 5, 4)),
    ],
)
@pytest.mark.parametrize("channels", [(4, 4), (4, 6)])
def test_shapes_and_gradients(
    block: type[nn.Module],
    kernel: tuple[int, ...],
    stride: tuple[int, ...] | None,
    size: tuple[int, ...],
    expected: tuple[int, ...],
    channels: tuple[int, int],
) -> None:
    """Size over stride, new channels, and a gradient for the input and for every parameter."""
    built = block(*channels, kernel, stride=stride)
    image = torch.randn(2, channels[0], *size, requires_grad=True)
    output = built(image)
    assert output.shape == (2, channels[1], *expected)
    output.square().sum().backward()
    assert image.grad is not None
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize("size", [(8, 8), (4, 8, 8)])
def test_basic_block_is_its_shortcut_without_its_last_norm(size: tuple[int, ...]) -> None:
    """With the last norm at 0, a strided block is the activated average pool."""
    axes = len(size)
    block = BasicBlock(3, 3, (3,) * axes, stride=(2,) * axes)
    nn.init.zeros_(block.conv2.norm.weight)
    image = torch.randn(1, 3, *size)
    pooled = image
    for axis in range(2, 2 + axes):
        pooled = pooled.unflatten(axis, (-1, 2)).mean(axis + 1)
    torch.testing.assert_close(block(image), activate(pooled))


def test_the_input_survives() -> None:
    """In-place activation and addition never touch the caller's tensor."""
    image = torch.randn(1, 4, 6, 6)
    kept = image.clone()
    for block in (BasicBlock(4, 4, (3, 3)), ResidualBlock(4, 4, (3, 3)), ConvNormAct(4, 4, (3, 3))):
        block(image)
    assert torch.equal(image, kept)


def test_names_are_the_published_ones() -> None:
    """Published weights load by name."""
    assert {name for name, _ in BasicBlock(2, 4, (3, 3), stride=(2, 2)).named_parameters()} == {
        f"{part}.{leaf}"
        for part in ("conv1.conv", "conv1.norm", "conv2.conv", "conv2.norm", "skip.1.norm")
        for leaf in ("weight", "bias")
    } | {"skip.1.conv.weight"}
