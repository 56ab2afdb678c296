"""The adaptive filter's loops for a CPU, compiled by numba at first use and then kept on disk.

Work goes row by row of the output, a row being what lies along the last axis: it stays in the cache while taps or
channels are added to it, four at a time, as vectors. Tensors are flat float32 arrays. Positions are unsigned, so that
numba need not ask whether they count from an array's end; otherwise there would be no vectors.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uumamba.core.compiled import compiled

Array = NDArray[np.float32]
Sizes = tuple[int, ...]
_compiled = compiled("adaptive filter", fastmath={"contract"})
_ZERO, _1, _2, _3, _4 = np.float32(0), np.uintp(1), np.uintp(2), np.uintp(3), np.uintp(4)


class Problem(NamedTuple):
    """The sizes of a filtering along three axes; one in 2D has depth 1.

    `low` is the size of the map (b, g, c, low) with its border, enlarged along the last axis alone, `high` that of the
    kernels (b, g, t, high) and of the output (b, g, c, high); `channels` counts those of a group.
    """

    channels: int
    kernel_size: Sizes
    scale: Sizes
    low: Sizes
    high: Sizes


class Task(NamedTuple):
    """The work of one thread at a time: rows, or channels, `first` to `last` of one group of one element of the batch.

    `group` counts through the batch.
    """

    group: int
    first: int
    last: int


@_compiled
def _starts(problem: Problem, row: int, starts: NDArray[np.uintp]) -> None:
    """Where the elements begin, in a channel of the map, that each tap falls on along a row of the output."""
    depth, height = row // problem.high[1] // problem.scale[0], row % problem.high[1] // problem.scale[1]
    t = 0
    for d in range(problem.kernel_size[0]):
        for h in range(problem.kernel_size[1]):
            line = ((depth + d) * problem.low[1] + height + h) * problem.low[2]
            for w in range(problem.kernel_size[2]):
                starts[t] = line + w * problem.scale[2]
                t += 1


@_compiled
def _sum_products(
    out: tuple[Array, np.uintp],
    width: np.uintp,
    a: tuple[Array, np.uintp, np.uintp],
    b: tuple[Array, np.uintp, NDArray[np.uintp]],
) -> None:
    """A row of `out`, given with its place, becomes the sum of the products of rows of a and of b.

    Rows of a have a first place and a step, those of b a first place and the distances from there.
    """
    (target, at), (x, x_first, x_step), (y, y_first, distances) = out, a, b
    for w in range(width):
        target[at + w] = _ZERO
    count, i = np.uintp(distances.size), np.uintp(0)
    while i + _4 <= count:
        x0, y0, y1 = x_first + i * x_step, y_first + distances[i], y_first + distances[i + _1]
        x1, y2, y3 = x0 + x_step, y_first + distances[i + _2], y_first + distances[i + _3]
        x2, x3 = x0 + _2 * x_step, x0 + _3 * x_step
        for w in range(width):
            target[at + w] += (
                x[x0 + w] * y[y0 + w] + x[x1 + w] * y[y1 + w] + x[x2 + w] * y[y2 + w] + x[x3 + w] * y[y3 + w]
            )
        i += _4
    while i < count:
        x0, y0 = x_first + i * x_step, y_first + distances[i]
        for w in range(width):
            target[at + w] += x[x0 + w] * y[y0 + w]
        i += _1


@_compiled
def filter_rows(problem: Problem, task: Task, x: Array, kernels: Array, out: Array) -> None:
    """Some rows of the output, of every channel: a sum over taps."""
    taps, low, high = _counts(problem)
    starts, width = np.empty(taps, np.uintp), np.uintp(problem.high[2])
    for row in range(task.first, task.last):
        _starts(problem, row, starts)
        place = row * problem.high[2]
        kernel = kernels, np.uintp(task.group * taps * high + place), np.uintp(high)
        for channel in range(task.group * problem.channels, (task.group + 1) * problem.channels):
            _sum_products((out, np.uintp(channel * high + place)), width, kernel, (x, np.uintp(channel * low), starts))


@_compiled
def kernel_gradients(problem: Problem, task: Task, x: Array, grad: Array, by_kernels: Array) -> None:
    """Some rows of the kernels' gradient, of every tap: a sum over channels."""
    taps, low, high = _counts(problem)
    starts, width, first = np.empty(taps, np.uintp), np.uintp(problem.high[2]), task.group * problem.channels
    channels = np.empty(problem.channels, np.uintp)
    for channel in range(problem.channels):
        channels[channel] = channel * low
    for row in range(task.first, task.last):
        _starts(problem, row, starts)
        place = row * problem.high[2]
        rows = grad, np.uintp(first * high + place), np.uintp(high)
        for t in range(taps):
            target = by_kernels, np.uintp((task.group * taps + t) * high + place)
            _sum_products(target, width, rows, (x, np.uintp(first * low) + starts[t], channels))


@_compiled
def map_gradients(problem: Problem, task: Task, kernels: Array, grad: Array, by_x: Array) -> None:
    """The map's gradient in some channels of the group, added to `by_x`: rows go back to where they came from."""
    taps, low, high = _counts(problem)
    starts, width = np.empty(taps, np.uintp), np.uintp(problem.high[2])
    for row in range(problem.high[0] * problem.high[1]):
        _starts(problem, row, starts)
        place = row * problem.high[2]
        for channel in range(task.group * problem.channels + task.first, task.group * problem.channels + task.last):
            g, x = np.uintp(channel * high + place), np.uintp(channel * low)
            for t in range(taps):
                k, target = np.uintp((task.group * taps + t) * high + place), x + starts[t]
                for w in range(width):
                    by_x[target + w] += kernels[k + w] * grad[g + w]


@_compiled
def _counts(problem: Problem) -> tuple[int, int, int]:
    """Taps of a kernel, and elements of a channel of the map and of the output."""
    (a, b, c), (d, e, f), (g, h, i) = problem.kernel_size, problem.low, problem.high
    return a * b * c, d * e * f, g * h * i
