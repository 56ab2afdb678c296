"""The selective scan on NVIDIA and AMD cards, as Triton kernels: see `triton_scan`, which only `run` imports."""

import os
from importlib.util import find_spec

import torch
from torch import Tensor

from uumamba.scan.inputs import ScanInputs


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: no Triton, another precision, or no GPU.

    On a CPU it runs in Triton's interpreter only (TRITON_INTERPRET=1), which is for tests: it is very slow.
    """
    if dtype != torch.float32:
        return f"its state is torch.float32, got {dtype}"
    interpreted = device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
    if device.type != "cuda" and not interpreted:
        return f"it needs a CUDA or ROCm device, got {device.type}"
    return None if find_spec("triton") else "triton is not installed; pip install triton, on Linux"


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
