"""Convolution, normalisation, activation, the two residual blocks of U-Mamba, and stages of blocks; 2D and 3D.

Module names are those of the published networks, so that their weights load as they are.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Convolution = nn.Conv2d | nn.Conv3d
_CONVOLUTION: dict[int, Callable[..., Convolution]] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Callable[..., nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_AVERAGE_POOL: dict[int, Callable[..., nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_NORM: dict[int, Callable[..., nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
NEGATIVE_SLOPE = 1e-2


def convolution(
    inputs: int,
    outputs: int,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] | None = None,
    dilation: int = 1,
    bias: bool = True,
) -> Convolution:
    """A convolution over len(kernel) axes that keeps the size up to the stride (odd kernels)."""
    return _CONVOLUTION[len(kernel)](
        inputs,
        outputs,
        tuple(kernel),
        tuple(stride or [1] * len(kernel)),
        tuple(k // 2 * dilation for k in kernel),
        dilation,
        bias=bias,
    )


def zero_bias(layer: Convolution) -> None:
    """Let a convolution's bias, if it has one, start at 0."""
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def transposed_convolution(inputs: int, outputs: int, scale: Sequence[int]) -> nn.Module:
    """A transposed convolution that enlarges each axis by its whole factor in `scale`; kernel = stride."""
    return _TRANSPOSED[len(scale)](inputs, outputs, tuple(scale), tuple(scale))


def instance_norm(spatial_dims: int, channels: int) -> nn.Module:
    """Instance normalisation with learned scale and shift."""
    return _NORM[spatial_dims](channels, eps=1e-5, affine=True)


def activate(x: Tensor) -> Tensor:
    """LeakyReLU(0.01), in place."""
    return functional.leaky_relu(x, NEGATIVE_SLOPE, inplace=True)


class ConvNormAct(nn.Module):
    """Convolution, instance norm and, unless `activation` is off, LeakyReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Sequence[int],
        *,
        stride: Sequence[int] | None = None,
        bias: bool = True,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, kernel, stride=stride, bias=bias)
        self.norm = instance_norm(len(kernel), outputs)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, *spatial) to (batch, outputs, *strided spatial)."""
        y: Tensor = self.norm(self.conv(x))
        return activate(y) if self.activation else y


class BasicBlock(nn.Module):
    """conv-norm-act-conv-norm, plus the input, then act (the basic block D of ResNet-D, arXiv 1812.01187).

    Where the stride or the number of channels changes, the input is average-pooled, then goes through 1x1 convolution
    without bias and norm.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: Sequence[int], *, stride: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        stride = tuple(stride or [1] * len(kernel))
        self.conv1 = ConvNormAct(inputs, outputs, kernel, stride=stride)
        self.conv2 = ConvNormAct(outputs, outputs, kernel, activation=False)
        shortcut: list[nn.Module] = []
        if max(stride) > 1:
            shortcut.append(_AVERAGE_POOL[len(kernel)](stride, stride))
        if inputs != outputs:
            shortcut.append(ConvNormAct(inputs, outputs, [1] * len(kernel), bias=False, activation=False))
        self.skip = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, *spatial) to (batch, outputs, *strided spatial)."""
        y: Tensor = self.conv2(self.conv1(x))
        return activate(y.add_(self.skip(x)))


class ResidualBlock(nn.Module):
    """conv1-norm1-act-conv2-norm2, plus a 1x1 strided convolution of the input, then act: U-Mamba's v2 block."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Sequence[int], *, stride: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, kernel, stride=stride)
        self.norm1 = instance_norm(len(kernel), outputs)
        self.conv2 = convolution(outputs, outputs, kernel)
        self.norm2 = instance_norm(len(kernel), outputs)
        self.conv3 = convolution(inputs, outputs, [1] * len(kernel), stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, *spatial) to (batch, outputs, *strided spatial)."""
        y: Tensor = activate(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return activate(y.add_(self.conv3(x)))


def v1_stage(inputs: int, outputs: int, kernel: Sequence[int], blocks: int, stride: Sequence[int]) -> nn.Module:
    """`blocks` basic blocks, the first strided."""
    first = BasicBlock(inputs, outputs, kernel, stride=stride)
    rest = [BasicBlock(outputs, outputs, kernel) for _ in range(blocks - 1)]
    stage = nn.Sequential()
    stage.add_module("blocks", nn.Sequential(first, *rest))
    return stage


def v2_stage(inputs: int, outputs: int, kernel: Sequence[int], blocks: int, stride: Sequence[int]) -> nn.Module:
    """A strided residual block and `blocks - 1` basic blocks."""
    first = ResidualBlock(inputs, outputs, kernel, stride=stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, kernel) for _ in range(blocks - 1)))


def plain_stage(inputs: int, outputs: int, kernel: Sequence[int], blocks: int, stride: Sequence[int]) -> nn.Module:
    """`blocks` convolutions with norm and activation, the first strided: nnU-Net's stage without shortcuts."""
    first = ConvNormAct(inputs, outputs, kernel, stride=stride)
    rest = [ConvNormAct(outputs, outputs, kernel) for _ in range(blocks - 1)]
    stage = nn.Sequential()
    stage.add_module("convs", nn.Sequential(first, *rest))
    return stage


def checkpointed(part: Callable[..., Tensor], *maps: Tensor, when: bool) -> Tensor:
    """`part(*maps)`; with `when` the activations inside it are not kept, but computed again for the gradient.

    This trades time for memory (arXiv 1604.06174); every number stays the same.
    """
    if not (when and torch.is_grad_enabled()):
        return part(*maps)
    result: Tensor = checkpoint(part, *maps, use_reentrant=False)
    return result
