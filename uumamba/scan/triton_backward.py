"""The scan's two backward kernels: a sweep forwards through each chunk, then the way back."""

from typing import Any

from triton import language as tl

from uumamba.scan.triton_tile import (
    LN_2,
    jit,
    load_matrix,
    load_sequence,
    place,
    row,
    sigmoid,
    state_offsets,
    step_sizes,
    store_sequence,
    vector,
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
    B, C = matrices
    states, adjoints, starts = buffers
    batch, chunk, group, _, channels, inside = place(sizes, CHANNELS)
    bias = vector(vectors[1], channels, inside)
    slot = batch * sizes[4] + chunk
    passed = tl.zeros((CHANNELS,), tl.float32)
    rows = tl.arange(0, STEPS)[:, None, None]
    for tile in range(0, sizes[5] // STEPS):
        steps = chunk * sizes[5] + tile * STEPS + tl.arange(0, STEPS)
        mask = (steps < sizes[3])[:, None] & inside[None, :]
        size = step_sizes(load_sequence(delta, batch, steps, channels, mask), bias, mask, SOFTPLUS)[0]
        entry = load_sequence(u, batch, steps, channels, mask)
        drive = (size * entry)[:, None, :]
        grad = load_sequence(grad_y, batch, steps, channels, mask)
        pull_rows = grad
        if z is not None:
            gate = load_sequence(z, batch, steps, channels, mask)
            opening = sigmoid(gate)
            pull_rows = grad * gate * opening
        result = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            known = (n < sizes[2])[:, None] & inside[None, :]
            rates = tl.load(A + state_offsets(0, n, channels, sizes), mask=known, other=0.0)
            running = state_offsets(slot, n, channels, sizes)
            state = tl.load(states + running, mask=known, other=0.0)
            adjoint = tl.load(adjoints + running, mask=known, other=0.0)
            kept = state_offsets(slot * (sizes[5] // STEPS) + tile, n, channels, sizes)
            tl.store(starts + kept, state, mask=known)
            reach = tl.exp2(passed[None, :] * rates)
            weights = load_matrix(C, batch, group, steps, n, sizes)[:, :, None]
            decay = tl.exp2(size[:, None, :] * rates[None, :, :])
            update = drive * load_matrix(B, batch, group, steps, n, sizes)[:, :, None]
            pull = pull_rows[:, None, :] * weights
            history = update
            for step in tl.static_range(STEPS):
                here = rows == step
                history = tl.where(here, decay * state[None, :, :] + update, history)
                state = row(history, here)
                reach = row(decay * reach[None, :, :], here)
                adjoint = row(pull * reach[None, :, :] + adjoint[None, :, :], here)
            tl.store(states + running, state, mask=known)
            tl.store(adjoints + running, adjoint, mask=known)
            result += tl.sum(history * weights, axis=1)
        if z is not None:
            result += vector(vectors[0], channels, inside)[None, :] * entry
            slope = opening * (1.0 + gate * (1.0 - opening))
            store_sequence(grad_z, batch, steps, channels, mask, grad * result * slope)
        passed += tl.sum(size, axis=0)
        # The next tile reads the states that this one wrote.
        tl.debug_barrier()


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
    d), of B and C (block of the group's channels, batch, group, n, l), of D and the bias (batch, chunk, d).
    """
    u, delta, z, grad_y, grad_u, grad_delta = sequences
    B, C = matrices
    adjoints, starts = buffers
    grad_A, grad_B, grad_C, grad_D, grad_bias = gradients
    batch, chunk, group, block, channels, inside = place(sizes, CHANNELS)
    direct, bias = vector(vectors[0], channels, inside), vector(vectors[1], channels, inside)
    slot = batch * sizes[4] + chunk
    tiles = sizes[5] // STEPS
    elements = tl.num_programs(0) // (sizes[0] * sizes[4] * tl.cdiv(sizes[1], CHANNELS))
    matrix_slot = (block * elements + batch) * sizes[0] + group
    sum_D = tl.zeros((CHANNELS,), tl.float32)
    sum_bias = tl.zeros((CHANNELS,), tl.float32)
    rows = tl.arange(0, STEPS)[:, None, None]
    for back in range(0, tiles):
        tile = tiles - 1 - back
        steps = chunk * sizes[5] + tile * STEPS + tl.arange(0, STEPS)
        mask = (steps < sizes[3])[:, None] & inside[None, :]
        size, slope = step_sizes(load_sequence(delta, batch, steps, channels, mask), bias, mask, SOFTPLUS)
        entry = load_sequence(u, batch, steps, channels, mask)
        drive = (size * entry)[:, None, :]
        grad = load_sequence(grad_y, batch, steps, channels, mask)
        if z is not None:
            gate = load_sequence(z, batch, steps, channels, mask)
            grad *= gate * sigmoid(gate)
        by_drive = tl.zeros((STEPS, CHANNELS), tl.float32)
        by_decay = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            known = (n < sizes[2])[:, None] & inside[None, :]
            rates = tl.load(A + state_offsets(0, n, channels, sizes), mask=known, other=0.0)
            running = state_offsets(slot, n, channels, sizes)
            state = tl.load(starts + state_offsets(slot * tiles + tile, n, channels, sizes), mask=known, other=0.0)
            adjoint = tl.load(adjoints + running, mask=known, other=0.0)
            weights = load_matrix(B, batch, group, steps, n, sizes)[:, :, None]
            decay = tl.exp2(size[:, None, :] * rates[None, :, :])
            update = drive * weights
            pull = grad[:, None, :] * load_matrix(C, batch, group, steps, n, sizes)[:, :, None]
            before = update
            for step in tl.static_range(STEPS):
                here = rows == step
                before = tl.where(here, state[None, :, :], before)
                state = row(decay * state[None, :, :] + update, here)
            arriving = pull
            for step in tl.static_range(STEPS - 1, -1, -1):
                here = rows == step
                arriving = tl.where(here, pull + adjoint[None, :, :], arriving)
                adjoint = row(decay * arriving, here)
            tl.store(adjoints + running, adjoint, mask=known)
            decayed = decay * before
            flow = arriving * decayed
            by_drive += tl.sum(arriving * weights, axis=1)
            by_decay += tl.sum(flow * rates[None, :, :], axis=1)
            earlier = tl.load(grad_A + running, mask=known, other=0.0)
            tl.store(grad_A + running, earlier + tl.sum(flow * size[:, None, :], axis=0), mask=known)
            offsets = (matrix_slot * sizes[2] + n[None, :]) * sizes[3] + steps[:, None]
            valid = (steps < sizes[3])[:, None] & (n < sizes[2])[None, :]
            tl.store(grad_B + offsets, tl.sum(arriving * drive, axis=2), mask=valid)
            tl.store(grad_C + offsets, tl.sum((decayed + update) * grad[:, None, :], axis=2), mask=valid)
        sum_D += tl.sum(grad * entry, axis=0)
        by_size = (entry * by_drive + by_decay * LN_2) * slope
        sum_bias += tl.sum(by_size, axis=0)
        store_sequence(grad_u, batch, steps, channels, mask, size * by_drive + direct[None, :] * grad)
        store_sequence(grad_delta, batch, steps, channels, mask, by_size)
        # The next tile reads the gradients that this one wrote.
        tl.debug_barrier()
    ends = slot * (sizes[0] * sizes[1]) + channels
    tl.store(grad_D + ends, sum_D, mask=inside)
    tl.store(grad_bias + ends, sum_bias, mask=inside)
