"""The selective scan in a few large tensor operations: chunks of the sequence side by side, states in small blocks.

The sequence is cut into chunks that are scanned together, so that every step is one operation on a large tensor. A
first sweep finds each chunk's last state from zero, the states are carried from chunk to chunk, a second sweep does the
work from the right starts. Sweeps go block by block of a few steps: only one block of states exists at a time, and the
backward pass recomputes it from the state at the block's start. Every decay is computed from its own exponent,
`exp(delta A)`, never as a quotient of products, so nothing overflows on long decay.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from uumamba.scan.inputs import ScanInputs

# Elements per step and per block of states: on a CPU a step outweighs its dispatch and a block stays in the cache.
_CPU_STEP, _CPU_BLOCK = 1 << 16, 1 << 19
_GPU_STEP, _GPU_BLOCK = 1 << 22, 1 << 26
# One state per block is kept for the backward pass: at most a state in eight.
_MIN_BLOCK = 8
# exp(x) is computed as exp2(x log2 e): torch's exp2 is three times as fast on a CPU, and as exact.
_LOG2_E, _LN_2 = math.log2(math.e), math.log(2)


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there; plain torch runs everywhere."""
    del device, dtype
    return None


def run(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; gives the output (b, d, l) and the last state (b, d, n)."""
    inputs = inputs.raised()
    batch, channels, length = inputs.u.shape
    groups, state = inputs.B.shape[1:3]
    sizes = _sizes(length, batch * channels * state, inputs.u.device)
    grouped = (batch, groups, channels // groups, length)
    delta = _steps_first(inputs.step_sizes().view(grouped), sizes)
    drive = delta * _steps_first(inputs.u.view(grouped), sizes)
    A = (inputs.A * _LOG2_E).view(groups, channels // groups, state).transpose(1, 2).contiguous()
    B, C = _steps_first(inputs.B, sizes), _steps_first(inputs.C, sizes)
    y, last_state = _scan(delta, drive, A, B, C, sizes.block)
    # Channels stay side by side in memory, as a Mamba block's projections leave and want them.
    y = y.permute(1, 2, 0, 3, 4).reshape(batch, sizes.chunks * sizes.steps, channels)[:, :length].transpose(1, 2)
    return inputs.finish(y), last_state.transpose(2, 3).reshape(batch, channels, state)


def _steps_first(x: Tensor, sizes: "_Sizes") -> Tensor:
    """(b, g, row, l) to (step in chunk, b, chunk, g, row); steps after the end are zero and so change no state."""
    padded = functional.pad(x.permute(0, 3, 1, 2), (0, 0, 0, 0, 0, sizes.chunks * sizes.steps - x.shape[-1]))
    cut = padded.view(len(x), sizes.chunks, sizes.steps, *padded.shape[2:])
    return cut.permute(2, 0, 1, 3, 4).contiguous()


@dataclass(frozen=True)
class _Sizes:
    chunks: int
    steps: int
    block: int


def _sizes(length: int, width: int, device: torch.device) -> _Sizes:
    """Number of chunks, steps per chunk and steps per block for a state of `width` elements."""
    step_elements, block_elements = (_CPU_STEP, _CPU_BLOCK) if device.type == "cpu" else (_GPU_STEP, _GPU_BLOCK)
    chunks = max(1, min(step_elements // width, math.isqrt(length)))
    steps = math.ceil(length / chunks)
    chunks = math.ceil(length / steps)
    block = min(max(block_elements // (chunks * width), _MIN_BLOCK), steps)
    return _Sizes(chunks, steps, block)


class _States:
    """Room for one block of states, and the recurrences on it.

    Axes: step, batch, chunk, group, state n, channel d within the group.
    """

    def __init__(self, delta: Tensor, A: Tensor, block: int, backward: bool = False) -> None:
        one_step = (*delta.shape[1:-1], *A.shape[-2:])
        self.A = A
        self.decay = delta.new_empty((block, *one_step))
        self.history = delta.new_empty((block + 1, *one_step))
        self.adjoint = delta.new_empty((block, *one_step) if backward else 0)
        self.decay_steps = self.decay.unbind()
        self.adjoint_steps = self.adjoint.unbind()
        self.history_steps = self.history.unbind()

    def decays(self, delta: Tensor) -> Tensor:
        """`exp2(delta A)` of the block's steps."""
        decay = self.decay[: len(delta)]
        return torch.mul(delta.unsqueeze(-2), self.A, out=decay).exp2_()

    def forward(self, start: Tensor, delta: Tensor, drive: Tensor, B: Tensor) -> Tensor:
        """States of a block from the state before it; entry 0 is that state, entry i + 1 the state after step i."""
        history, decay = self.history_steps, self.decay_steps
        history[0].copy_(start)  # first of all: it may be the last state of the block before, in the same room
        self.decays(delta)
        torch.mul(drive.unsqueeze(-2), B.unsqueeze(-1), out=self.history[1 : len(delta) + 1])
        for step in range(len(delta)):
            history[step + 1].addcmul_(decay[step], history[step])
        return self.history[: len(delta) + 1]

    def backward(self, leaving: Tensor, grad_y: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the block's states, and of the state before it; needs the block's decays.

        `leaving` is the gradient of the block's last state from everything after the block.
        """
        adjoint, decay = self.adjoint_steps, self.decay_steps
        block = torch.mul(grad_y.unsqueeze(-2), C.unsqueeze(-1), out=self.adjoint[: len(grad_y)])
        adjoint[len(grad_y) - 1].add_(leaving)
        for step in range(len(grad_y) - 2, -1, -1):
            adjoint[step].addcmul_(decay[step + 1], adjoint[step + 1])
        return block, decay[0] * adjoint[0]


def _over_states(states: Tensor, weights: Tensor) -> Tensor:
    """Sum over n of states (..., n, d) times weights (..., n)."""
    return torch.matmul(weights.unsqueeze(-2), states).squeeze(-2)


def _carry(ends: Tensor, delta: Tensor, A: Tensor, first: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    """Carry states over the chunks (axis 1): what enters each chunk, and what leaves the last one.

    `ends` is what leaves each chunk if nothing enters it; `first` enters the first chunk (the last if `reverse`).
    """
    decay = torch.exp2(delta.sum(0).unsqueeze(-2) * A)
    entering = torch.empty_like(ends)
    order = range(ends.shape[1])
    for chunk in reversed(order) if reverse else order:
        entering[:, chunk] = first
        first = torch.addcmul(ends[:, chunk], decay[:, chunk], first)
    return entering, first


class _Scan(torch.autograd.Function):
    """The recurrence in steps-first order, with states recomputed in the backward pass.

    `delta` and `drive` (delta u) are (step, batch, chunk, group, d), B and C (step, batch, chunk, group, n), and A is
    (group, n, d), times log2 e. Gives y like `drive`, and the last state (batch, group, n, d).
    """

    @staticmethod
    def forward(
        ctx: Any, delta: Tensor, drive: Tensor, A: Tensor, B: Tensor, C: Tensor, block: int
    ) -> tuple[Tensor, Tensor]:
        """Scan in blocks of `block` steps, keeping the state at each block's start."""
        states = _States(delta, A, block)
        blocks = [slice(cut, cut + block) for cut in range(0, len(delta), block)]
        state = torch.zeros_like(states.history[0])
        if delta.shape[2] > 1:
            for here in blocks:
                state = states.forward(state, delta[here], drive[here], B[here])[-1]
            state, _ = _carry(state, delta, A, torch.zeros_like(state[:, 0]), reverse=False)
        starts = delta.new_empty((len(blocks), *state.shape))
        y = torch.empty_like(drive)
        for here, start in zip(blocks, starts, strict=True):
            start.copy_(state)
            history = states.forward(start, delta[here], drive[here], B[here])
            y[here] = _over_states(history[1:], C[here])
            state = history[-1]
        ctx.save_for_backward(delta, drive, A, B, C, starts)
        ctx.block = block
        return y, state[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in the order of `forward`'s arguments, in the state's precision also under autocast."""
        delta, drive, A, B, C, starts = ctx.saved_tensors
        with torch.autocast(delta.device.type, enabled=False):
            return *_gradients((delta, drive, A, B, C), starts, grad_y.contiguous(), grad_last, ctx.block), None


def _gradients(
    inputs: tuple[Tensor, ...], starts: Tensor, grad_y: Tensor, grad_last: Tensor, block: int
) -> tuple[Tensor, ...]:
    """Gradients of delta, drive, A, B and C from those of y and the last state; `starts` as the forward saved them."""
    delta, drive, A, B, C = inputs
    states = _States(delta, A, block, backward=True)
    blocks = [slice(cut, cut + block) for cut in range(0, len(delta), block)]
    leaving = grad_last.unsqueeze(1)
    if delta.shape[2] > 1:
        local = torch.zeros_like(starts[0])
        for here in reversed(blocks):
            states.decays(delta[here])
            _, local = states.backward(local, grad_y[here], C[here])
        leaving, _ = _carry(local, delta, A, grad_last, reverse=True)
    grad_delta, grad_drive, grad_B, grad_C = (torch.empty_like(tensor) for tensor in (delta, drive, B, C))
    grad_A = torch.zeros_like(A)
    for here, start in zip(reversed(blocks), reversed(starts.unbind()), strict=True):
        history = states.forward(start, delta[here], drive[here], B[here])
        adjoint, leaving = states.backward(leaving, grad_y[here], C[here])
        by_exponent = states.decay[: len(adjoint)].mul_(history[:-1]).mul_(adjoint)
        room = history[1:]  # overwritten by products as soon as the states have served
        torch.sum(room.mul_(grad_y[here].unsqueeze(-2)), -1, out=grad_C[here])
        torch.sum(torch.mul(adjoint, drive[here].unsqueeze(-2), out=room), -1, out=grad_B[here])
        grad_drive[here] = _over_states(adjoint, B[here])
        torch.sum(torch.mul(by_exponent, A, out=room), -2, out=grad_delta[here])
        rows = by_exponent.mul_(delta[here].unsqueeze(-2)).view(-1, A.numel())
        grad_A += (rows.new_ones((1, len(rows))) @ rows).view_as(A)
    # The exponent is base 2.
    return grad_delta.mul_(_LN_2), grad_drive, grad_A.mul_(_LN_2), grad_B, grad_C


_scan: Callable[..., tuple[Tensor, Tensor]] = _Scan.apply
