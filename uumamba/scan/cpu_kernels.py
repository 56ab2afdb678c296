"""The selective scan's loops for a CPU, compiled by numba at first use and then kept on disk.

The sequence is worked through tile by tile: a tile's values are gathered from whatever memory layout they have into
small arrays (step, lane) that stay in the cache. Only one tile's states of one block of channels exist at a time; the
backward pass makes them again from the state at the tile's start. Everything is float32.

Numba keeps a compiled loop until this file changes, but what it compiles comes from `cpu_lanes.py` and `cpu_problem.py`
too: `COMPILED_FROM` holds their hash, and a test says what it must be.
"""

import numpy as np
from numpy.typing import NDArray

from uumamba.core.compiled import compiled
from uumamba.scan.cpu_lanes import exp2, load, sigmoid, softplus, spread, store, total, transpose
from uumamba.scan.cpu_problem import LANES, TILE, Array, Gradients, Problem, States, Strided, Task, Tile

COMPILED_FROM = "dceff3c153ce3b67"
Place = tuple[int, int, int, int]
_compiled = compiled("selective scan")
_ZERO, _LN_2 = np.float32(0), np.float32(0.6931471805599453)


@_compiled
def _room(rows: int) -> Array:
    return np.zeros((rows, LANES), np.float32)


@_compiled
def _gather(tensor: Strided, place: Place, row: int, rows: int, tile: Array) -> None:
    """Copy some rows of a tensor into a tile (step, row); `place` is (batch, group, first step, steps)."""
    batch, group, start, steps = place
    origin = batch * tensor.batch + group * tensor.group + row * tensor.row + start * tensor.step
    if tensor.row == 1 and rows == LANES:
        for t in range(steps):
            store(tile, t * LANES, load(tensor.values, origin + t * tensor.step))
        return
    squares = steps // LANES if tensor.step == 1 and rows == LANES else 0
    for square in range(squares):
        transpose(tensor.values, origin + square * LANES, tensor.row, tile, square * LANES * LANES, LANES)
    for t in range(squares * LANES, steps):
        for r in range(rows):
            tile[t, r] = tensor.values[origin + r * tensor.row + t * tensor.step]


@_compiled
def _scatter(tile: Array, tensor: Strided, place: Place, row: int, rows: int) -> None:
    """Copy a tile (step, row) to some rows of a tensor; `place` as in `_gather`."""
    batch, group, start, steps = place
    origin = batch * tensor.batch + group * tensor.group + row * tensor.row + start * tensor.step
    if tensor.row == 1 and rows == LANES:
        for t in range(steps):
            store(tensor.values, origin + t * tensor.step, load(tile, t * LANES))
        return
    squares = steps // LANES if tensor.step == 1 and rows == LANES else 0
    for square in range(squares):
        transpose(tile, square * LANES * LANES, LANES, tensor.values, origin + square * LANES, tensor.row)
    for t in range(squares * LANES, steps):
        for r in range(rows):
            tensor.values[origin + r * tensor.row + t * tensor.step] = tile[t, r]


@_compiled
def _gather_steps(problem: Problem, place: Place, block: int, raw: Array, delta: Array) -> None:
    """A block's step sizes with their bias into `raw`, and through softplus into `delta`.

    Lanes without a channel get 0, which changes no state.
    """
    lanes = min(LANES, problem.channels - block * LANES)
    _gather(problem.delta, place, block * LANES, lanes, raw)
    bias = load(problem.bias, (place[1] * problem.bias.shape[1] + block) * LANES)
    for t in range(place[3]):
        step = load(raw, t * LANES) + bias
        store(raw, t * LANES, step)
        store(delta, t * LANES, softplus(step) if problem.softplus else step)
        for j in range(lanes, LANES):
            delta[t, j] = _ZERO


@_compiled
def scan(problem: Problem, task: Task, states: States, y: Strided) -> None:
    """Scan one task from the state that enters it; without memory in `y` only the state that leaves is found."""
    size, keeps, writes = problem.A.shape[2], states.tiles.size > 0, y.values.size > 0
    B, C = np.zeros((TILE, size), np.float32), np.zeros((TILE, size), np.float32)
    raw, delta, u, z, out = _room(TILE), _room(TILE), _room(TILE), _room(TILE), _room(TILE)
    for start in range(task.start, task.stop, TILE):
        place = (task.batch, task.group, start, min(TILE, task.stop - start))
        _gather(problem.B, place, 0, size, B)
        _gather(problem.C, place, 0, size, C)
        for block in range(task.first, task.last):
            channel, lanes = block * LANES, min(LANES, problem.channels - block * LANES)
            state = states.border[task.chunk, task.batch, task.group, block]
            if keeps:
                states.tiles[task.batch, task.group, block, start // TILE] = state
            _gather_steps(problem, place, block, raw, delta)
            _gather(problem.u, place, channel, lanes, u)
            _sum_steps(delta, place[3], states.span[task.chunk, task.batch, task.group, block])
            _advance(problem.A[task.group, block], B, C, delta, u, state, out, place[3])
            if writes:
                _gather(problem.z, place, channel, lanes, z)
                _finish(problem.D[task.group, block], u, z, problem.gated, out, place[3])
                _scatter(out, y, place, channel, lanes)


@_compiled
def _sum_steps(delta: Array, steps: int, span: Array) -> None:
    """`span` (j) gains the step sizes of a tile."""
    for t in range(steps):
        store(span, 0, load(span, 0) + load(delta, t * LANES))


@_compiled
def _advance(A: Array, B: Array, C: Array, delta: Array, u: Array, state: Array, out: Array, steps: int) -> None:
    """The recurrence: `state` (n, j) goes over the steps, `out` (step, j) is C times the state."""
    size = len(A)
    for t in range(steps):
        step = load(delta, t * LANES)
        drive = step * load(u, t * LANES)
        y = spread(_ZERO)
        for n in range(size):
            decay = exp2(step * load(A, n * LANES))
            h = decay * load(state, n * LANES) + drive * B[t, n]
            store(state, n * LANES, h)
            y = y + h * C[t, n]
        store(out, t * LANES, y)


@_compiled
def _finish(D: Array, u: Array, z: Array, gated: bool, out: Array, steps: int) -> None:
    """Add the direct path D u to `out` and apply the gate silu(z)."""
    for t in range(steps):
        y = load(out, t * LANES) + load(u, t * LANES) * load(D, 0)
        if gated:
            gate = load(z, t * LANES)
            y = y * (gate * sigmoid(gate))
        store(out, t * LANES, y)


@_compiled
def gradients(problem: Problem, task: Task, states: States, grads: Gradients) -> None:
    """The gradients of one task, from its last tile to its first; `states.border` holds that of its last state."""
    size = problem.A.shape[2]
    B, C = np.zeros((TILE, size), np.float32), np.zeros((TILE, size), np.float32)
    tile = Tile(
        *(_room(TILE), _room(TILE), _room(TILE), _room(TILE), _room(TILE), _room(TILE), _room(TILE)),
        *(_room(TILE * size), _room(TILE * size + size), _room(TILE * size), _room(TILE * size)),
        *(_room(size), _room(1), _room(1)),
    )
    first = task.start + (task.stop - task.start - 1) // TILE * TILE
    for start in range(first, task.start - 1, -TILE):
        steps = min(TILE, task.stop - start)
        place = (task.batch, task.group, start, steps)
        _gather(problem.B, place, 0, size, B)
        _gather(problem.C, place, 0, size, C)
        for block in range(task.first, task.last):
            channel, lanes = block * LANES, min(LANES, problem.channels - block * LANES)
            A, D = problem.A[task.group, block], problem.D[task.group, block]
            _gather_steps(problem, place, block, tile.raw, tile.delta)
            _gather(problem.u, place, channel, lanes, tile.u)
            _gather(grads.y, place, channel, lanes, tile.grad)
            tile.history[:size] = states.tiles[task.batch, task.group, block, start // TILE]
            _replay(A, B, tile, steps)
            if problem.gated:
                _gather(problem.z, place, channel, lanes, tile.z)
                _through_gate(D, C, tile, steps)
                _scatter(tile.z, grads.z, place, channel, lanes)
            _retreat(A, B, C, tile, states.border[task.chunk, task.batch, task.group, block], steps)
            _through_steps(D, tile, problem.softplus, steps)
            _add(tile.by_A, grads.A[task.chunk, task.batch, task.group, block])
            _add(tile.by_D, grads.D[task.chunk, task.batch, task.group, block])
            _add(tile.by_bias, grads.bias[task.chunk, task.batch, task.group, block])
            _scatter(tile.raw, grads.delta, place, channel, lanes)
            _scatter(tile.u, grads.u, place, channel, lanes)
        _sum_lanes(tile.by_B, grads.B[task.part, task.batch, task.group, start : task.stop], steps)
        _sum_lanes(tile.by_C, grads.C[task.part, task.batch, task.group, start : task.stop], steps)


@_compiled
def _replay(A: Array, B: Array, tile: Tile, steps: int) -> None:
    """The recurrence again, keeping each step's decay and state; `tile.history` begins with the state before it."""
    size = len(A)
    for t in range(steps):
        step = load(tile.delta, t * LANES)
        drive = step * load(tile.u, t * LANES)
        for n in range(size):
            here = (t * size + n) * LANES
            decay = exp2(step * load(A, n * LANES))
            store(tile.decay, here, decay)
            store(tile.history, here + size * LANES, decay * load(tile.history, here) + drive * B[t, n])


@_compiled
def _through_gate(D: Array, C: Array, tile: Tile, steps: int) -> None:
    """Turn the gradient of the gated output into that of the output, and `tile.z` into its own gradient."""
    size = C.shape[1]
    for t in range(steps):
        y = load(D, 0) * load(tile.u, t * LANES)
        for n in range(size):
            y = y + load(tile.history, ((t + 1) * size + n) * LANES) * C[t, n]
        z, grad = load(tile.z, t * LANES), load(tile.grad, t * LANES)
        slope = sigmoid(z)
        gate = z * slope
        store(tile.z, t * LANES, grad * y * (slope + gate - gate * slope))
        store(tile.grad, t * LANES, grad * gate)


@_compiled
def _retreat(A: Array, B: Array, C: Array, tile: Tile, border: Array, steps: int) -> None:
    """The recurrence's gradient: the state's, `border` (n, j), goes back over the steps.

    `tile.by_exponent` becomes the gradient of delta through the decays alone, `tile.by_drive` that of delta u.
    """
    size = len(A)
    for back in range(steps):
        t = steps - 1 - back
        step, grad = load(tile.delta, t * LANES), load(tile.grad, t * LANES)
        drive = step * load(tile.u, t * LANES)
        by_drive, by_exponent = spread(_ZERO), spread(_ZERO)
        for n in range(size):
            here = (t * size + n) * LANES
            before, after = load(tile.history, here), load(tile.history, here + size * LANES)
            g = load(border, n * LANES) + grad * C[t, n]
            store(tile.by_C, here, load(tile.by_C, here) + grad * after)
            store(tile.by_B, here, load(tile.by_B, here) + g * drive)
            by_drive = by_drive + g * B[t, n]
            g = g * load(tile.decay, here)
            store(border, n * LANES, g)
            g = g * before
            by_exponent = by_exponent + g * load(A, n * LANES)
            store(tile.by_A, n * LANES, load(tile.by_A, n * LANES) + g * step)
        store(tile.by_drive, t * LANES, by_drive)
        store(tile.by_exponent, t * LANES, by_exponent * _LN_2)


@_compiled
def _through_steps(D: Array, tile: Tile, through_softplus: bool, steps: int) -> None:
    """From the gradients of delta u and of the decays to those of the raw step sizes (`raw`) and of u (`u`)."""
    of_D, of_bias = spread(_ZERO), spread(_ZERO)
    for t in range(steps):
        u, grad, by_drive = load(tile.u, t * LANES), load(tile.grad, t * LANES), load(tile.by_drive, t * LANES)
        by_step = load(tile.by_exponent, t * LANES) + by_drive * u
        if through_softplus:
            by_step = by_step * sigmoid(load(tile.raw, t * LANES))
        of_D, of_bias = of_D + grad * u, of_bias + by_step
        store(tile.raw, t * LANES, by_step)
        store(tile.u, t * LANES, by_drive * load(tile.delta, t * LANES) + grad * load(D, 0))
    store(tile.by_D, 0, of_D)
    store(tile.by_bias, 0, of_bias)


@_compiled
def _add(part: Array, whole: NDArray[np.float64]) -> None:
    """Add a tile's sums to the sequence's, in float64, since a million steps may come together; clear the tile's."""
    flat = whole.reshape(-1, LANES)
    for r in range(len(flat)):
        for j in range(LANES):
            flat[r, j] += part[r, j]
            part[r, j] = _ZERO


@_compiled
def _sum_lanes(tile: Array, target: Array, steps: int) -> None:
    """Sum (step n, lane) over the lanes into (step, n), and clear it."""
    size = target.shape[1]
    for t in range(steps):
        for n in range(size):
            here = (t * size + n) * LANES
            target[t, n] = total(load(tile, here))
            store(tile, here, spread(_ZERO))


@_compiled
def adjoint(problem: Problem, task: Task, states: States, grads: Gradients) -> None:
    """Of `gradients` only what leaves the task at its start: the state's gradient, in `states.border`."""
    size = problem.A.shape[2]
    C = np.zeros((TILE, size), np.float32)
    raw, delta, z, grad = _room(TILE), _room(TILE), _room(TILE), _room(TILE)
    first = task.start + (task.stop - task.start - 1) // TILE * TILE
    for start in range(first, task.start - 1, -TILE):
        place = (task.batch, task.group, start, min(TILE, task.stop - start))
        _gather(problem.C, place, 0, size, C)
        for block in range(task.first, task.last):
            channel, lanes = block * LANES, min(LANES, problem.channels - block * LANES)
            _gather_steps(problem, place, block, raw, delta)
            _gather(problem.z, place, channel, lanes, z)
            _gather(grads.y, place, channel, lanes, grad)
            A, border = problem.A[task.group, block], states.border[task.chunk, task.batch, task.group, block]
            for back in range(place[3]):
                t = place[3] - 1 - back
                step, by_y = load(delta, t * LANES), load(grad, t * LANES)
                if problem.gated:
                    gate = load(z, t * LANES)
                    by_y = by_y * (gate * sigmoid(gate))
                for n in range(size):
                    g = (load(border, n * LANES) + by_y * C[t, n]) * exp2(step * load(A, n * LANES))
                    store(border, n * LANES, g)
