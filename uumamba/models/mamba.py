"""The Mamba block (arXiv 2312.00752, figure 3), and the layer that runs it over an image's voxels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.errors import InputError
from uumamba.scan import selective_scan

# mamba_ssm's defaults: step sizes start log-uniformly in this range.
_DELTA_MIN, _DELTA_MAX, _DELTA_FLOOR = 1e-3, 1e-1, 1e-4


class Mamba(nn.Module):
    """mamba_ssm's `Mamba(d_model, d_state, d_conv, expand)`: same parameters by name, shape and initialisation.

    Takes and gives (batch, length, d_model). Runs in float32 also under autocast (float64 if the module is).
    """

    def __init__(
        self, d_model: int, *, d_state: int = 16, d_conv: int = 4, expand: int = 2, scan_backend: str = "auto"
    ) -> None:
        super().__init__()
        inner, rank = expand * d_model, math.ceil(d_model / 16)
        self.scan_backend = scan_backend
        self.splits = (rank, d_state, d_state)
        self.in_proj = nn.Linear(d_model, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, d_conv, groups=inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(inner, sum(self.splits), bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, d_state + 1, dtype=torch.float32)).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, d_model, bias=False)
        self._start_step_sizes(rank)

    @torch.no_grad()
    def _start_step_sizes(self, rank: int) -> None:
        """Bias such that softplus(bias) is log-uniform in [0.001, 0.1]; weights that keep the variance."""
        bound = rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        low, high = math.log(_DELTA_MIN), math.log(_DELTA_MAX)
        delta = torch.exp(torch.rand_like(self.dt_proj.bias) * (high - low) + low).clamp(min=_DELTA_FLOOR)
        self.dt_proj.bias.copy_(delta + torch.log(-torch.expm1(-delta)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens (batch, length, d_model) along the length, causally."""
        with torch.autocast(tokens.device.type, enabled=False):
            # Two products instead of one that is cut: each is contiguous, as the convolution wants it.
            x, z = (functional.linear(tokens.to(self.D.dtype), weight) for weight in self.in_proj.weight.chunk(2))
            x = functional.silu(self._convolve(x), inplace=not torch.is_grad_enabled()).transpose(1, 2)
            low_rank, B, C = self.x_proj(x.transpose(1, 2)).split(self.splits, dim=-1)
            y, _ = selective_scan(
                x,
                functional.linear(low_rank, self.dt_proj.weight).transpose(1, 2),
                -torch.exp(self.A_log),
                B.transpose(1, 2),
                C.transpose(1, 2),
                self.D,
                z=z.transpose(1, 2),
                delta_bias=self.dt_proj.bias,
                delta_softplus=True,
                return_last_state=True,
                backend=self.scan_backend,
            )
            mixed: Tensor = self.out_proj(y.transpose(1, 2))
            return mixed

    def _convolve(self, x: Tensor) -> Tensor:
        """The causal depthwise convolution of x (batch, length, inner).

        Run as a channels-last image of height 1: the layout that the projections around it have, so nothing is copied.
        """
        image = x.transpose(1, 2).unsqueeze(2)
        weight = self.conv1d.weight.unsqueeze(2)
        padding = (0, weight.shape[-1] - 1)
        y = functional.conv2d(image, weight, self.conv1d.bias, padding=padding, groups=self.conv1d.groups)
        return y.squeeze(2).transpose(1, 2)[:, : x.shape[1]]


class MambaLayer(nn.Module):
    """LayerNorm, then Mamba, over the flattened grid (row-major, one forward scan), in float32; no residual.

    Voxels are tokens and channels their features, or with `grid` the other way round: then every feature map must have
    exactly that size, or `forward` raises `InputError`.
    """

    def __init__(self, channels: int, *, grid: tuple[int, ...] | None = None, scan_backend: str = "auto") -> None:
        super().__init__()
        self.grid = grid
        features = channels if grid is None else math.prod(grid)
        self.norm = nn.LayerNorm(features)
        self.mamba = Mamba(features, scan_backend=scan_backend)

    def forward(self, x: Tensor) -> Tensor:
        """Mix a feature map (batch, channel, *spatial); gives the same shape and dtype."""
        if self.grid is not None and tuple(x.shape[2:]) != self.grid:
            raise InputError(
                f"mamba layer: its tokens are channels, so it fits feature maps of {self.grid} only, got "
                f"{tuple(x.shape[2:])}; use the training patch size, or generation v1"
            )
        with torch.autocast(x.device.type, enabled=False):
            flat = x.to(self.norm.weight.dtype).flatten(2)
            tokens = flat.transpose(1, 2) if self.grid is None else flat
            mixed: Tensor = self.mamba(self.norm(tokens))
            mixed = mixed.transpose(1, 2) if self.grid is None else mixed
        return mixed.reshape(x.shape).to(x.dtype)
