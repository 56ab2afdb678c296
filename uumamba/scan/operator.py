"""The public operator, and the table of its backends."""

from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from uumamba.core.backends import BackendChoice
from uumamba.scan import chunked, cpu, mamba_ssm, reference, triton
from uumamba.scan.barred import differentiable_once
from uumamba.scan.inputs import ScanInputs

# "auto" takes the first that can run. Each module has why_not(device, dtype) -> str | None, dtype being the state's
# precision, and run(inputs) -> (y, last_state); it imports what only it needs inside them.
BACKENDS: dict[str, ModuleType] = {
    "cpu": cpu,
    "triton": triton,
    "mamba_ssm": mamba_ssm,
    "chunked": chunked,
    "reference": reference,
}
ScanBackend = Literal["auto", "cpu", "triton", "mamba_ssm", "chunked", "reference"]
"""What a setting or a command may name."""
_CHOICE = BackendChoice("scan", BACKENDS)


def resolve_backend(name: str, *, device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """The backend that `name` ("auto" or a key of `BACKENDS`) stands for on this device and state precision.

    Raises `ConfigError` if the name is unknown, or if the named backend cannot run there: nothing falls back silently.
    """
    return _CHOICE.resolve(name, device=device, dtype=dtype)


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
    backend: str = "auto",
) -> Tensor | tuple[Tensor, Tensor]:
    """Mamba's selective state-space scan (arXiv 2312.00752, section 3), differentiable in every tensor.

    Shapes as in mamba_ssm: `u`, `delta`, `z` (batch, channels, length); `A` (channels, state); `B`, `C` (batch, state,
    length) or (batch, groups, state, length); `D`, `delta_bias` (channels,). Gives the output, shaped and typed as `u`,
    and with `return_last_state` also the last state (batch, channels, state). The state is float32 at least, also
    under autocast and for half-precision arguments; float64 if any argument is. Only `reference` can be differentiated
    twice; the gradients of the others raise `InputError` when they are differentiated. Raises `InputError` on shapes
    that do not fit, and `ConfigError` on a backend that is unknown or cannot run.
    """
    with torch.autocast(u.device.type, enabled=False):
        inputs = ScanInputs(u, delta, A, B, C, D, z, delta_bias, delta_softplus).checked()
        name = resolve_backend(backend, device=u.device, dtype=inputs.state_dtype)
        if name != "reference":
            inputs = differentiable_once(inputs, name)
        y, last_state = BACKENDS[name].run(inputs)
    return (y.to(u.dtype), last_state) if return_last_state else y.to(u.dtype)
