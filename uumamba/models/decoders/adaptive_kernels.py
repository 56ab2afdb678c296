"""The generators of FreqFusion's filters: at every place a kernel of its own, positive and with sum 1.

One class makes the adaptive low-pass filter (ALPF), and the smoothing that the adaptive high-pass filter (AHPF) takes
away (arXiv 2408.12879).
"""

from collections.abc import Sequence
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from uumamba.filtering import adaptive_filter
from uumamba.filtering.window import sum_dtype
from uumamba.models.blocks import convolution

Padding = Literal["zeros", "reflect"]


class KernelGenerator(nn.Module):
    """From compressed features to kernels of `kernel_size` for each of `groups` of channels, and the filter by them.

    With `hamming` kernels are weighted by a Hamming window. Beyond the map's border a tap has no weight, and the others
    sum to 1; with `padding` "reflect" the map is mirrored there, as published.
    """

    def __init__(
        self,
        compressed: int,
        kernel_size: Sequence[int],
        *,
        encoder_kernel: Sequence[int],
        encoder_dilation: int = 1,
        groups: int = 1,
        hamming: bool = True,
        padding: Padding = "zeros",
    ) -> None:
        super().__init__()
        self.encoder = convolution(compressed, groups * prod(kernel_size), encoder_kernel, dilation=encoder_dilation)
        self.kernel_size = tuple(kernel_size)
        self.padding = padding
        # Of the cosine window alpha - beta cos: Hamming's, or 1 everywhere.
        self._window = (0.54, 0.46) if hamming else (1.0, 0.0)

    def logits(self, features: Tensor) -> Tensor:
        """Features (batch, compressed, *size) to the logits of kernels (batch, groups taps, *size)."""
        logits: Tensor = self.encoder(features)
        return logits

    def kernels(self, logits: Tensor, *, scale: Sequence[int]) -> Tensor:
        """Kernels in float32 at least from their logits, for a map that is coarser by `scale`.

        Softmax, times the window, brought back to sum 1: that is the softmax of logits plus the window's logarithm.
        """
        taps = prod(self.kernel_size)
        logits = logits.to(sum_dtype(logits))
        scores = logits.reshape(len(logits), -1, taps, *logits.shape[2:]) + self._offsets(logits, scale)
        return torch.softmax(scores, dim=2).flatten(1, 2)

    def smooth(self, x: Tensor, kernels: Tensor, *, scale: Sequence[int]) -> Tensor:
        """A map (batch, channels, *low) filtered by kernels (batch, groups taps, *high)."""
        return adaptive_filter(x, kernels, kernel_size=self.kernel_size, scale=scale, padding=self.padding)

    def _offsets(self, logits: Tensor, scale: Sequence[int]) -> Tensor:
        """What the logits of every tap and place are raised by (taps, *size): -inf where a tap falls beyond the map."""
        axes = len(self.kernel_size)
        total = torch.zeros((), device=logits.device, dtype=logits.dtype)
        for axis, (taps, step) in enumerate(zip(self.kernel_size, scale, strict=True)):
            size = logits.shape[2 + axis]
            window = torch.hamming_window(taps, False, *self._window, dtype=logits.dtype, device=logits.device)
            offset = window.log()[:, None]
            if self.padding == "zeros":
                low, radius = -(-size // step), taps // 2
                place = torch.arange(size, device=logits.device) // step
                seen = place + torch.arange(-radius, radius + 1, device=logits.device)[:, None]
                offset = torch.where((seen >= 0) & (seen < low), offset, -torch.inf)
            shape = [1] * (2 * axes)
            shape[axis], shape[axes + axis] = offset.shape
            total = total + offset.reshape(shape)
        return total.flatten(0, axes - 1)
