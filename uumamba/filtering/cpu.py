"""Adaptive filtering on a CPU: numba's loops in float32, spread over as many threads as torch uses.

Beyond its results it holds copies of what is not float32 or not contiguous, and the map enlarged along its last axis.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from uumamba.core.compiled import side_by_side, why_not_on_a_cpu
from uumamba.filtering.window import Window

if TYPE_CHECKING:
    from uumamba.filtering.cpu_kernels import Problem

# Number of products, a few milliseconds of work, below which threads cost more than they save.
_SMALL = 1 << 25


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why this backend cannot run there: it computes in float32, on a CPU, with numba."""
    return why_not_on_a_cpu(device, dtype)


def forward(x: Tensor, kernels: Tensor, window: Window) -> Tensor:
    """Filter the map x by kernels (b, g, t, high); gives (b, g, c, high)."""
    from uumamba.filtering.cpu_kernels import filter_rows

    problem = _problem(x, kernels, window)
    out = torch.empty(*x.shape[:3], *kernels.shape[3:], dtype=torch.float32)
    _work(filter_rows, problem, problem.high, _last_axis(window).enlarge(x), kernels, out)
    return out.to(x.dtype)


def backward(
    grad: Tensor, x: Tensor, kernels: Tensor, window: Window, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x and of the kernels, each if it is wanted, from that of the output."""
    from uumamba.filtering.cpu_kernels import kernel_gradients, map_gradients

    problem, along_rows = _problem(x, kernels, window), _last_axis(window)
    by_x = by_kernels = None
    if wanted[1]:
        result = torch.empty(kernels.shape, dtype=torch.float32)
        _work(kernel_gradients, problem, problem.high, along_rows.enlarge(x), grad, result)
        by_kernels = result.to(kernels.dtype)
    if wanted[0]:
        result = torch.empty(*x.shape[:-1], problem.low[-1], dtype=torch.float32)
        _work(map_gradients, problem, problem.low, kernels, grad, result)
        by_x = along_rows.shrink(result).to(x.dtype)
    return by_x, by_kernels


def _last_axis(window: Window) -> Window:
    """The window with a scale along the last axis alone: rows are enlarged before the loops, other axes in them."""
    return Window(window.kernel_size, (*(1 for _ in window.scale[1:]), window.scale[-1]))


def _problem(x: Tensor, kernels: Tensor, window: Window) -> "Problem":
    """The sizes, those in 2D with a depth of 1."""
    from uumamba.filtering.cpu_kernels import Problem

    wide = (*x.shape[3:-1], x.shape[-1] * window.scale[-1])
    kernel_size, scale, low, high = (
        (1, *sizes)[-3:] for sizes in (window.kernel_size, window.scale, wide, kernels.shape[3:])
    )
    return Problem(x.shape[2], kernel_size, scale, low, high)


def _work(kernel: Any, problem: "Problem", size: tuple[int, ...], *tensors: Tensor) -> None:
    """Call a kernel for every group of every element of the batch, the rows of that `size` shared among threads."""
    from uumamba.filtering.cpu_kernels import Task

    groups, rows = tensors[0].shape[0] * tensors[0].shape[1], size[0] * size[1]
    products = groups * problem.channels * math.prod(problem.kernel_size) * math.prod(problem.high)
    threads = torch.get_num_threads() if products >= _SMALL else 1
    parts = min(rows, math.ceil(threads / groups))
    arrays = [tensor.detach().float().contiguous().view(-1).numpy() for tensor in tensors]
    borders = [part * rows // parts for part in range(parts + 1)]
    tasks = [Task(group, *both) for group in range(groups) for both in pairwise(borders)]
    side_by_side("adaptive filter", kernel, [(problem, task, *arrays) for task in tasks])
