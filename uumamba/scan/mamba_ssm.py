"""The selective scan by the published CUDA kernel, where mamba_ssm is installed with it.

It computes in float32, runs one block of threads per batch element and channel, and has no gradient of the last state.
Written from mamba_ssm 2.3's source; it has not been run with the real kernel yet.
"""

from functools import reduce
from importlib.util import find_spec

import torch
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.scan.barred import without_gradient
from uumamba.scan.inputs import ScanInputs

INSTALL = "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation mamba-ssm"
"""Builds the kernel, which needs a CUDA compiler."""

_MOST_STATES = 256
# The kernel's offsets are 32-bit numbers.
_MOST_ELEMENTS = 2**31


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: no GPU, another precision, or no kernel."""
    if device.type != "cuda":
        return f"it needs a CUDA device, got {device.type}"
    if dtype != torch.float32:
        return f"its state is torch.float32, got {dtype}"
    if find_spec("mamba_ssm") is None or find_spec("selective_scan_cuda") is None:
        missing = "mamba_ssm is not installed with its compiled selective_scan_cuda, which a plain install leaves out"
        return f"{missing}; {INSTALL}"
    return None


def run(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; gives the output (b, d, l) and the last state (b, d, n), from which no gradient may come.

    Sequences keep their precision if they share one, else they are raised to what holds them all; parameters are
    raised to float32. Raises `InputError` beyond the kernel's limits.
    """
    check_limits(inputs)
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    tensors = inputs.tensors()
    parameters = {name: tensors[name].float() for name in ("A", "D", "delta_bias") if name in tensors}
    sequences = {name: tensor for name, tensor in tensors.items() if name not in parameters}
    precision = reduce(torch.promote_types, (tensor.dtype for tensor in sequences.values()))
    sequences = {name: tensor.to(precision) for name, tensor in sequences.items()}
    y, last_state = selective_scan_fn(
        **sequences, **parameters, delta_softplus=inputs.delta_softplus, return_last_state=True
    )
    message = "selective scan: backend 'mamba_ssm' has no gradient of the last state; use triton or chunked"
    return y, without_gradient(last_state, message)


def check_limits(inputs: ScanInputs) -> None:
    """Raise `InputError` where the kernel would refuse or miscount: too many states, or too large a tensor."""
    states = inputs.A.shape[1]
    if states > _MOST_STATES:
        raise InputError(
            f"selective scan: backend 'mamba_ssm' takes at most {_MOST_STATES} states, got {states}; "
            "use triton or chunked"
        )
    for name, tensor in inputs.tensors().items():
        if tensor.numel() >= _MOST_ELEMENTS:
            raise InputError(
                f"selective scan: backend 'mamba_ssm' takes tensors of fewer than 2^31 elements, got {name} with "
                f"{tensor.numel()}; use triton or chunked"
            )
