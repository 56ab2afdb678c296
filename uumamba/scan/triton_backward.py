"""The scan's two backward kernels: a sweep forwards through each chunk, then the way back.

What a tile needs again after its states is read again, so that registers are free in between.
"""

from triton import language as tl

from uumamba.scan.triton_tile import (
    LN_2,
    jit,
    load_matrix,
    load_sequence,
    load_states,
    load_vector,
    place,
    row,
    sigmoid,
    step_sizes,
    store_sequence,
    store_states,
    store_vector,
    tile_at,
)


@jit
def sweep_kernel(
    sequences: tl.tensor,
    matrices: tl.tensor,
    vectors: tl.tensor,
    A: tl.tensor,
    buffers: tl.tensor,
    sizes: tl.tensor,
    SOFTPLUS: tl.constexpr,
    STEPS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> None:
    """Keep the state before every tile, and find the gradient of the chunk's start if nothing came from after it.

    `sequences` are u, delta, z, and the gradients of y and z, which is written; `buffers` are the running states and
    the wanted gradient (batch, chunk, n, d), first 0, and the states before tiles (batch, tile, n, d). That gradient is
    found forwards: the sum over steps of the decay from the start up to there, times what the step itself gives.
    """
    u, delta, z, grad_y, grad_z = sequences
    states, adjoints, starts = buffers
    spot = place(sizes, CHANNELS)
    slot = spot[0] * sizes[4] + spot[1]
    bias = load_vector(vectors[1], spot)
    passed = tl.zeros((CHANNELS,), tl.float32)
    rows = tl.arange(0, STEPS)[:, None, None]
    for first in range(0, sizes[5], STEPS):
        tile = tile_at(spot, first, sizes, STEPS)
        size = step_sizes(load_sequence(delta, tile), bias, tile[3], SOFTPLUS)[0]
        drive = size * load_sequence(u, tile)
        grad = gradient_of_scan(grad_y, z, tile)
        result = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            state = load_states(states, slot, n, spot, sizes)
            adjoint = load_states(adjoints, slot, n, spot, sizes)
            store_states(starts, (slot * sizes[5] + first) // STEPS, n, spot, sizes, state)
            rates = load_states(A, 0, n, spot, sizes)
            reach = tl.exp2(passed[None, :] * rates)
            decay = tl.exp2(size[:, None, :] * rates[None, :, :])
            update = drive[:, None, :] * load_matrix(matrices[0], spot, tile[1], n, sizes)
            weights = load_matrix(matrices[1], spot, tile[1], n, sizes)
            pull = grad[:, None, :] * weights
            history = update
            for step in tl.static_range(STEPS):
                history = tl.where(rows == step, decay * state[None, :, :] + update, history)
                state = row(history, rows == step)
                reach = row(decay * reach[None, :, :], rows == step)
                adjoint = row(pull * reach[None, :, :] + adjoint[None, :, :], rows == step)
            store_states(states, slot, n, spot, sizes, state)
            store_states(adjoints, slot, n, spot, sizes, adjoint)
            result += tl.sum(history * weights, axis=1)
        if z is not None:
            result += load_vector(vectors[0], spot)[None, :] * load_sequence(u, tile)
            store_sequence(grad_z, tile, load_sequence(grad_y, tile) * result * slope_of_gate(z, tile))
        passed += tl.sum(size, axis=0)
        # The next tile reads what this one wrote.
        tl.debug_barrier()


@jit
def gradient_of_scan(grad_y: tl.tensor, z: tl.tensor, tile: tl.tensor) -> tl.tensor:
    """The gradient (T, D) of the scan's output before the gate silu(z)."""
    grad = load_sequence(grad_y, tile)
    if z is not None:
        gate = load_sequence(z, tile)
        grad *= gate * sigmoid(gate)
    return grad


@jit
def slope_of_gate(z: tl.tensor, tile: tl.tensor) -> tl.tensor:
    """The derivative (T, D) of the gate silu(z)."""
    gate = load_sequence(z, tile)
    opening = sigmoid(gate)
    return opening * (1.0 + gate * (1.0 - opening))


@jit
def backward_kernel(
    sequences: tl.tensor,
    matrices: tl.tensor,
    vectors: tl.tensor,
    A: tl.tensor,
    buffers: tl.tensor,
    gradients: tl.tensor,
    sizes: tl.tensor,
    SOFTPLUS: tl.constexpr,
    STEPS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> None:
    """Go back through one chunk, tile by tile: states forwards from the tile's start, their gradients backwards.

    `sequences` are u, delta, z, and the gradients of y, u and delta; `buffers` are the gradients of the states, running
    from the chunk's end (batch, chunk, n, d), and the states before tiles. `gradients` are those of A (batch, chunk, n,
    d), first 0, of D and the bias (batch, chunk, d), of B and C (batch, block of the group's channels, group, n, l).
    """
    u, delta, z, grad_y, grad_u, grad_delta = sequences
    adjoints, starts = buffers
    spot = place(sizes, CHANNELS)
    slot = spot[0] * sizes[4] + spot[1]
    bias = load_vector(vectors[1], spot)
    sum_D = tl.zeros((CHANNELS,), tl.float32)
    sum_bias = tl.zeros((CHANNELS,), tl.float32)
    for back in range(STEPS, sizes[5] + STEPS, STEPS):
        tile = tile_at(spot, sizes[5] - back, sizes, STEPS)
        size = step_sizes(load_sequence(delta, tile), bias, tile[3], SOFTPLUS)[0]
        drive = (size * load_sequence(u, tile))[:, None, :]
        grad = gradient_of_scan(grad_y, z, tile)
        by_drive = tl.zeros((STEPS, CHANNELS), tl.float32)
        by_decay = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            state = load_states(starts, (slot * sizes[5] + sizes[5] - back) // STEPS, n, spot, sizes)
            rates = load_states(A, 0, n, spot, sizes)[None, :, :]
            B = load_matrix(matrices[0], spot, tile[1], n, sizes)
            pull = grad[:, None, :] * load_matrix(matrices[1], spot, tile[1], n, sizes)
            decay = tl.exp2(size[:, None, :] * rates)
            decayed = decay * states_before(decay, drive * B, state, STEPS)
            arriving, adjoint = gradients_arriving(decay, pull, load_states(adjoints, slot, n, spot, sizes), STEPS)
            store_states(adjoints, slot, n, spot, sizes, adjoint)
            flow = arriving * decayed
            by_drive += tl.sum(arriving * B, axis=1)
            by_decay += tl.sum(flow * rates, axis=1)
            add_states(gradients[0], slot, n, spot, sizes, tl.sum(flow * size[:, None, :], axis=0))
            store_matrix(gradients[3], arriving * drive, spot, tile[1], n, sizes)
            store_matrix(gradients[4], (decayed + drive * B) * grad[:, None, :], spot, tile[1], n, sizes)
        entry = load_sequence(u, tile)
        slope = step_sizes(load_sequence(delta, tile), bias, tile[3], SOFTPLUS)[1]
        by_size = (entry * by_drive + by_decay * LN_2) * slope
        store_sequence(grad_delta, tile, by_size)
        store_sequence(grad_u, tile, size * by_drive + load_vector(vectors[0], spot)[None, :] * grad)
        sum_D += tl.sum(grad * entry, axis=0)
        sum_bias += tl.sum(by_size, axis=0)
        # The next tile reads what this one wrote.
        tl.debug_barrier()
    store_vector(gradients[1], slot, spot, sizes, sum_D)
    store_vector(gradients[2], slot, spot, sizes, sum_bias)


@jit
def states_before(decay: tl.tensor, update: tl.tensor, state: tl.tensor, STEPS: tl.constexpr) -> tl.tensor:
    """The state before each step (T, K, D), from that before the first."""
    rows = tl.arange(0, STEPS)[:, None, None]
    before = update
    for step in tl.static_range(STEPS):
        before = tl.where(rows == step, state[None, :, :], before)
        state = row(decay * state[None, :, :] + update, rows == step)
    return before


@jit
def gradients_arriving(decay: tl.tensor, pull: tl.tensor, adjoint: tl.tensor, STEPS: tl.constexpr) -> tl.tensor:
    """The gradient of the state after each step (T, K, D), and of that before the first, from what comes from later."""
    rows = tl.arange(0, STEPS)[:, None, None]
    arriving = pull
    for step in tl.static_range(STEPS - 1, -1, -1):
        arriving = tl.where(rows == step, pull + adjoint[None, :, :], arriving)
        adjoint = row(decay * arriving, rows == step)
    return arriving, adjoint


@jit
def add_states(
    sums: tl.tensor, slot: tl.tensor, n: tl.tensor, spot: tl.tensor, sizes: tl.tensor, values: tl.tensor
) -> None:
    """Add to the states n (K, D) of a slot that no other program writes."""
    store_states(sums, slot, n, spot, sizes, load_states(sums, slot, n, spot, sizes) + values)


@jit
def store_matrix(
    matrix: tl.tensor, parts: tl.tensor, spot: tl.tensor, steps: tl.tensor, n: tl.tensor, sizes: tl.tensor
) -> None:
    """Write this channel block's gradient (T, K) of B or C: the sum over channels of its parts (T, K, D)."""
    batch, _, group, block, channels, _ = spot
    blocks = tl.cdiv(sizes[1], channels.shape[0])
    offsets = (((batch * blocks + block) * sizes[0] + group) * sizes[2] + n[None, :]) * sizes[3] + steps[:, None]
    mask = (steps < sizes[3])[:, None] & (n < sizes[2])[None, :]
    tl.store(matrix + offsets, tl.sum(parts, axis=2), mask=mask)
