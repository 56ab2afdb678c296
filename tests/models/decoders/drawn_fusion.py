"""FreqFusion with drawn weights, in every option, and maps for it."""

from typing import Any

import torch
from torch import Tensor

from uumamba.models.decoders.freqfusion import FreqFusion

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "resample": {"feature_resample": True},
    "no semi_conv": {"semi_conv": False, "feature_resample": True},
    "bilinear": {"semi_conv": False, "upsample_mode": "bilinear"},
    "aligned": {"semi_conv": False, "upsample_mode": "bilinear", "align_corners": True},
    "no comp_feat_upsample": {"comp_feat_upsample": False, "feature_resample": True},
    "no hamming_window": {"hamming_window": False},
    "no use_high_pass": {"use_high_pass": False, "comp_feat_upsample": False},
    "sharpened by nothing": {"use_high_pass": False},
    "no hr_residual": {"hr_residual": False},
    "no feature_resample_norm": {"feature_resample": True, "feature_resample_norm": False},
    "groups": {"up_group": 2, "feature_resample": True, "feature_resample_group": 2},
    "dilation": {"encoder_dilation": 2},
}
HR, LR = 4, 8
"""Channels of the two maps."""
Size = tuple[int, ...]


def drawn_fusion(axes: int, **options: Any) -> FreqFusion:
    """A small module with drawn weights far from its initialisation, in float64."""
    torch.manual_seed(0)
    module = FreqFusion(axes, HR, LR, **{"compressed_channels": 8} | options).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.2)
    return module


def drawn_maps(high: Size, scale: Size, *, batch: int = 2) -> tuple[Tensor, Tensor]:
    """A fine and a coarse map that fit."""
    low = [-(-size // step) for size, step in zip(high, scale, strict=True)]
    hr, lr = (torch.randn(batch, n, *size, dtype=torch.float64) for n, size in ((HR, high), (LR, low)))
    return hr, lr


def check_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], atol: float = 1e-12) -> None:
    """The results of two modules agree."""
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=atol, rtol=0)
