"""The selective scan on a CPU: numba's loops, spread over as many threads as torch uses.

Work is divided into tasks: blocks of channels and, where these are too few for the threads, chunks of the sequence too.
Chunks are then scanned twice: from zero, to find the state that each hands on, and from the right start. No tensor with
a state for every step exists; for the backward pass one state in `TILE` steps is kept.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from uumamba.core.compiled import side_by_side, why_not_on_a_cpu
from uumamba.scan.cpu_problem import (
    TILE,
    Gradients,
    Problem,
    States,
    Task,
    from_blocks,
    from_lanes,
    pack,
    sequence,
    to_blocks,
)
from uumamba.scan.inputs import ScanInputs

# Scanning chunks twice costs nearly as much again: worth it where at least so many threads share a task.
_THREADS_FOR_CHUNKS = 3
# Number of states (b, d, l, n), a few milliseconds of work, below which threads cost more than they save: after one of
# its own operations torch's threads keep their cores for about as long, waiting for the next.
_SMALL = 1 << 23


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: it computes in float32, on a CPU, with numba."""
    return why_not_on_a_cpu(device, dtype)


def run(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; gives the output (b, d, l) and the last state (b, d, n)."""
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs.tensors().values())
    return _scan(keep, *vars(inputs.raised()).values())


def divide(problem: Problem, batch: int, length: int, threads: int) -> list[Task]:
    """Tasks of about equal size for so many threads, in the order of their chunks."""
    groups, blocks, _, _ = problem.A.shape
    parts = min(blocks, math.ceil(threads / (batch * groups)))
    idle = threads // (batch * groups * parts)
    chunks = min(idle, math.ceil(length / TILE)) if idle >= _THREADS_FOR_CHUNKS else 1
    steps = math.ceil(length / (chunks * TILE)) * TILE
    return [
        Task(b, g, part, part * blocks // parts, (part + 1) * blocks // parts, start // steps, start, stop)
        for start in range(0, length, steps)
        for stop in (min(start + steps, length),)
        for b in range(batch)
        for g in range(groups)
        for part in range(parts)
    ]


class _Scan(torch.autograd.Function):
    """The whole operator with bias, softplus, D and gate; arguments are the fields of `ScanInputs` in their order."""

    @staticmethod
    def forward(ctx: Any, keep: bool, *arguments: Any) -> tuple[Tensor, Tensor]:
        """Scan; `keep` a state for each tile if there will be a backward pass, which cannot be seen from in here."""
        from uumamba.scan.cpu_kernels import scan

        inputs = ScanInputs(*arguments)
        batch, channels, length = inputs.u.shape
        groups, states = inputs.B.shape[1:3]
        problem = pack(inputs)
        threads = torch.get_num_threads() if inputs.u.numel() * states >= _SMALL else 1
        tasks = divide(problem, batch, length, threads)
        border = inputs.u.new_zeros(tasks[-1].chunk + 1, batch, *problem.A.shape)
        span = torch.zeros_like(border[..., 0, :])
        tiles = math.ceil(length / TILE) if keep else 0
        kept = border.new_empty(*border.shape[1:4], tiles, *border.shape[4:])
        decay = None
        if len(border) > 1:
            no_tiles, no_output = kept[:, :, :, :0].numpy(), sequence(inputs.u[..., :0], groups)
            _work(scan, tasks, problem, States(border.numpy(), span.numpy(), no_tiles), no_output)
            decay = torch.exp2(span.unsqueeze(-2) * torch.from_numpy(problem.A))
            _carry(border, decay, torch.zeros_like(border[0]), range(len(border)))
        y = torch.empty_like(inputs.u)
        _work(scan, tasks, problem, States(border.numpy(), span.numpy(), kept.numpy()), sequence(y, groups))
        ctx.save_for_backward(*arguments[:-1], kept, decay)
        ctx.softplus, ctx.tasks = inputs.delta_softplus, tasks
        return y, from_blocks(border[-1], channels // groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in the order of `forward`'s arguments."""
        from uumamba.scan.cpu_kernels import adjoint, gradients

        *tensors, kept, decay = ctx.saved_tensors
        inputs, tasks = ScanInputs(*[*tensors, ctx.softplus]), ctx.tasks
        groups, channels = inputs.B.shape[1], inputs.u.shape[1] // inputs.B.shape[1]
        problem, last = pack(inputs), to_blocks(grad_last, groups)
        border = last.new_zeros(tasks[-1].chunk + 1, *last.shape)
        A = torch.zeros_like(border, dtype=torch.float64)
        D, bias = torch.zeros_like(A[..., 0, :]), torch.zeros_like(A[..., 0, :])
        B, C = (last.new_empty(1 + max(task.part for task in tasks), *inputs.B.mT.shape) for _ in range(2))
        u, delta = torch.empty_like(inputs.u), torch.empty_like(inputs.delta)
        z = None if inputs.z is None else torch.empty_like(inputs.z)
        results = Gradients(
            y=sequence(grad_y, groups),
            u=sequence(u, groups),
            delta=sequence(delta, groups),
            z=sequence(u if z is None else z, groups),
            B=B.numpy(),
            C=C.numpy(),
            A=A.numpy(),
            D=D.numpy(),
            bias=bias.numpy(),
        )
        states = States(border.numpy(), border[..., 0, :].numpy(), kept.numpy())
        if decay is None:
            border[0] = last
        else:
            _work(adjoint, tasks, problem, states, results)
            _carry(border, decay, last, range(len(border) - 1, -1, -1))
        _work(gradients, tasks, problem, states, results)
        return (
            None,
            u,
            delta,
            from_blocks(A.sum((0, 1)).float(), channels),
            B.sum(0).mT,
            C.sum(0).mT,
            None if inputs.D is None else from_lanes(D.sum((0, 1)).float(), channels),
            z,
            None if inputs.delta_bias is None else from_lanes(bias.sum((0, 1)).float(), channels),
            None,
        )


def _work(kernel: Any, tasks: list[Task], problem: Problem, *results: Any) -> None:
    """Do all tasks by a kernel of numba's."""
    side_by_side("selective scan", kernel, [(problem, task, *results) for task in tasks])


def _carry(border: Tensor, decay: Tensor, entering: Tensor, order: range) -> None:
    """Turn what leaves each chunk if nothing enters it into what enters it, chunk by chunk in `order`."""
    for chunk in order:
        leaving = border[chunk] + decay[chunk] * entering
        border[chunk] = entering
        entering = leaving


_scan: Callable[..., tuple[Tensor, Tensor]] = _Scan.apply
