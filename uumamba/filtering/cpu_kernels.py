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
Places = NDArray[np.uintp]
Rows = tuple[Array, np.uintp, Places]
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
    """The work of one thread at a time: rows `first` to `last` of one group, which counts through the batch."""

    group: int
    first: int
    last: int


@_compiled
def _add_products(target: Array, at: np.uintp, width: np.uintp, a: Rows, b: Rows) -> None:
    """To a row of `target` add the sum of the products of rows of a and of b.

    These are given by a first place and, for each, the distance from there.
    """
    (x, x_first, x_steps), (y, y_first, y_steps) = a, b
    count, i = np.uintp(x_steps.size), np.uintp(0)
    while i + _4 <= count:
        x0, y0 = x_first + x_steps[i], y_first + y_steps[i]
        x1, y1 = x_first + x_steps[i + _1], y_first + y_steps[i + _1]
        x2, y2 = x_first + x_steps[i + _2], y_first + y_steps[i + _2]
        x3, y3 = x_first + x_steps[i + _3], y_first + y_steps[i + _3]
        for w in range(width):
            pair = x[x0 + w] * y[y0 + w] + x[x1 + w] * y[y1 + w]
            target[at + w] += pair + x[x2 + w] * y[y2 + w] + x[x3 + w] * y[y3 + w]
        i += _4
    while i < count:
        x0, y0 = x_first + x_steps[i], y_first + y_steps[i]
        for w in range(width):
            target[at + w] += x[x0 + w] * y[y0 + w]
        i += _1


@_compiled
def _clear(target: Array, at: np.uintp, width: np.uintp) -> None:
    """Fill a row with zeros."""
    for w in range(width):
        target[at + w] = _ZERO


@_compiled
def _multiples(count: int, step: int) -> Places:
    """0, step, 2 step and so on."""
    places = np.empty(count, np.uintp)
    for i in range(count):
        places[i] = i * step
    return places


@_compiled
def _counts(problem: Problem) -> tuple[int, int, int]:
    """Taps of a kernel, and elements of a channel of the map and of the output."""
    (a, b, c), (d, e, f), (g, h, i) = problem.kernel_size, problem.low, problem.high
    return a * b * c, d * e * f, g * h * i


@_compiled
def _seen(problem: Problem, row: int, places: Places) -> None:
    """Where the elements begin, in a channel of the map, that each tap falls on along a row of the output."""
    depth, height = row // problem.high[1] // problem.scale[0], row % problem.high[1] // problem.scale[1]
    t = 0
    for d in range(problem.kernel_size[0]):
        for h in range(problem.kernel_size[1]):
            line = ((depth + d) * problem.low[1] + height + h) * problem.low[2]
            for w in range(problem.kernel_size[2]):
                places[t] = line + w * problem.scale[2]
                t += 1


@_compiled
def _seers(problem: Problem, row: int, in_kernels: Places, in_grad: Places) -> int:
    """How many rows of the output see a row of the map, and where these begin in a channel, for all but the last axis.

    In the kernels it is the first tap along the last axis that is meant.
    """
    count, elements = 0, problem.high[0] * problem.high[1] * problem.high[2]
    for d in range(problem.kernel_size[0]):
        depth = (row // problem.low[1] - d) * problem.scale[0]
        for h in range(problem.kernel_size[1]):
            height = (row % problem.low[1] - h) * problem.scale[1]
            tap = (d * problem.kernel_size[1] + h) * problem.kernel_size[2]
            for i in range(max(0, depth), min(problem.high[0], depth + problem.scale[0])):
                for j in range(max(0, height), min(problem.high[1], height + problem.scale[1])):
                    in_grad[count] = (i * problem.high[1] + j) * problem.high[2]
                    in_kernels[count] = tap * elements + in_grad[count]
                    count += 1
    return count


@_compiled
def filter_rows(problem: Problem, task: Task, x: Array, kernels: Array, out: Array) -> None:
    """Some rows of the output, of every channel: a sum over taps."""
    taps, low, high = _counts(problem)
    seen, each_tap, width = np.empty(taps, np.uintp), _multiples(taps, high), np.uintp(problem.high[2])
    for row in range(task.first, task.last):
        _seen(problem, row, seen)
        place = row * problem.high[2]
        kernel = kernels, np.uintp(task.group * taps * high + place), each_tap
        for channel in range(task.group * problem.channels, (task.group + 1) * problem.channels):
            at = np.uintp(channel * high + place)
            _clear(out, at, width)
            _add_products(out, at, width, kernel, (x, np.uintp(channel * low), seen))


@_compiled
def kernel_gradients(problem: Problem, task: Task, x: Array, grad: Array, by_kernels: Array) -> None:
    """Some rows of the kernels' gradient, of every tap: a sum over channels."""
    taps, low, high = _counts(problem)
    seen, width, first = np.empty(taps, np.uintp), np.uintp(problem.high[2]), task.group * problem.channels
    in_x, in_grad = _multiples(problem.channels, low), _multiples(problem.channels, high)
    for row in range(task.first, task.last):
        _seen(problem, row, seen)
        place = row * problem.high[2]
        rows = grad, np.uintp(first * high + place), in_grad
        for t in range(taps):
            at = np.uintp((task.group * taps + t) * high + place)
            _clear(by_kernels, at, width)
            _add_products(by_kernels, at, width, rows, (x, np.uintp(first * low) + seen[t], in_x))


@_compiled
def map_gradients(problem: Problem, task: Task, kernels: Array, grad: Array, by_x: Array) -> None:
    """Some rows of the map's gradient, of every channel: for each tap along the row a sum over what sees it."""
    taps, low, high = _counts(problem)
    most = taps // problem.kernel_size[2] * problem.scale[0] * problem.scale[1]
    in_kernels, in_grad, width = np.empty(most, np.uintp), np.empty(most, np.uintp), np.uintp(problem.high[2])
    for row in range(task.first, task.last):
        count = _seers(problem, row, in_kernels, in_grad)
        for channel in range(task.group * problem.channels, (task.group + 1) * problem.channels):
            at = channel * low + row * problem.low[2]
            _clear(by_x, np.uintp(at), np.uintp(problem.low[2]))
            rows = grad, np.uintp(channel * high), in_grad[:count]
            for w in range(problem.kernel_size[2]):
                kernel = kernels, np.uintp((task.group * taps + w) * high), in_kernels[:count]
                _add_products(by_x, np.uintp(at + w * problem.scale[2]), width, kernel, rows)
