"""The selective scan as it is written down: one step after the other, by autograd: slow, and the truth."""

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
    inputs = inputs.raised()
    repeats = inputs.u.shape[1] // inputs.B.shape[1]
    B, C = (matrix.repeat_interleave(repeats, dim=1).unbind(-1) for matrix in (inputs.B, inputs.C))
    state = torch.zeros_like(inputs.u[:, :, :1] * inputs.A)
    outputs = []
    for delta, u, B_l, C_l in zip(inputs.step_sizes().unbind(-1), inputs.u.unbind(-1), B, C, strict=True):
        state = torch.exp(delta[..., None] * inputs.A) * state + (delta * u)[..., None] * B_l
        outputs.append((state * C_l).sum(dim=-1))
    return inputs.finish(torch.stack(outputs, dim=-1)), state
