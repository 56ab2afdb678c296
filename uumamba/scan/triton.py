"""The selective scan on NVIDIA and AMD cards, as Triton kernels: see `triton_scan`, which only `run` imports."""

import torch
from torch import Tensor

from uumamba.core.backends import why_not_by_triton
from uumamba.scan.inputs import ScanInputs


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: no Triton, another precision than float32, or no GPU."""
    return why_not_by_triton(device, dtype)


def run(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; gives the output (b, d, l), typed as u, and the last state (b, d, n), in float32."""
    from uumamba.scan.triton_scan import scan

    return scan(
        inputs.delta_softplus,
        inputs.u,
        inputs.delta,
        inputs.z,
        inputs.B,
        inputs.C,
        inputs.A,
        inputs.D,
        inputs.delta_bias,
    )
