"""The selective scan as it is written down: one step after the other, differentiated by autograd. Slow, and the truth."""

import torch
from torch import Tensor

from uumamba.scan.inputs import ScanInputs


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there; the reference runs everywhere."""
    del device, dtype
    return None


def run(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; gives the output (b, d, l) and the last state (b, d, n).

    Mamba (arXiv 2312.00752, equations 2a, 2b with the discretisation of section 3.6):
    `h_l = exp(delta_l A) h_{l-1} + delta_l B_l u_l`, `y_l = C_l h_l`, from `h = 0`.
    """
    delta = inputs.step_sizes()
    repeats = inputs.u.shape[1] // inputs.B.shape[1]
    B = inputs.B.repeat_interleave(repeats, dim=1)
    C = inputs.C.repeat_interleave(repeats, dim=1)
    state = torch.zeros_like(inputs.u[:, :, :1] * inputs.A)
    outputs = []
    for step in range(inputs.u.shape[2]):
        now = delta[:, :, step, None]
        state = torch.exp(now * inputs.A) * state + now * inputs.u[:, :, step, None] * B[..., step]
        outputs.append((state * C[..., step]).sum(dim=-1))
    return inputs.finish(torch.stack(outputs, dim=-1)), state
