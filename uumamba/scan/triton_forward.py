"""The scan's forward kernel, and the kernel that carries states over chunks."""

from triton import language as tl

from uumamba.scan.triton_tile import (
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
def forward_kernel(
    sequences: tl.tensor,
    matrices: tl.tensor,
    vectors: tl.tensor,
    A: tl.tensor,
    states: tl.tensor,
    totals: tl.tensor,
    sizes: tl.tensor,
    SOFTPLUS: tl.constexpr,
    STEPS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> None:
    """Scan one chunk of one channel block, from the states that `states` (batch, chunk, n, d) holds to those it leaves.

    `sequences` are u, delta, z, y; without y only the states are wanted, and the sum of step sizes in `totals` (batch,
    chunk, d). `matrices` are B, C; `vectors` are D and the bias of delta; `A` (n, d) is times log2 e.
    """
    u, delta, z, y = sequences
    spot = place(sizes, CHANNELS)
    slot = spot[0] * sizes[4] + spot[1]
    bias = load_vector(vectors[1], spot)
    total = tl.zeros((CHANNELS,), tl.float32)
    rows = tl.arange(0, STEPS)[:, None, None]
    for first in range(0, sizes[5], STEPS):
        tile = tile_at(spot, first, sizes, STEPS)
        size = step_sizes(load_sequence(delta, tile), bias, tile[3], SOFTPLUS)[0]
        drive = size * load_sequence(u, tile)
        total += tl.sum(size, axis=0)
        result = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            state = load_states(states, slot, n, spot, sizes)
            decay = tl.exp2(size[:, None, :] * load_states(A, 0, n, spot, sizes)[None, :, :])
            update = drive[:, None, :] * load_matrix(matrices[0], spot, tile[1], n, sizes)
            history = update
            for step in tl.static_range(STEPS):
                history = tl.where(rows == step, decay * state[None, :, :] + update, history)
                state = row(history, rows == step)
            store_states(states, slot, n, spot, sizes, state)
            if y is not None:
                result += tl.sum(history * load_matrix(matrices[1], spot, tile[1], n, sizes), axis=1)
        if y is not None:
            result += load_vector(vectors[0], spot)[None, :] * load_sequence(u, tile)
            if z is not None:
                gate = load_sequence(z, tile)
                result *= gate * sigmoid(gate)
            store_sequence(y, tile, result)
        # The next tile reads the states that this one wrote.
        tl.debug_barrier()
    if y is None:
        store_vector(totals, slot, spot, sizes, total)


@jit
def carry_kernel(
    states: tl.tensor,
    first: tl.tensor,
    totals: tl.tensor,
    A: tl.tensor,
    sizes: tl.tensor,
    REVERSE: tl.constexpr,
    STEPS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> None:
    """Turn what leaves each chunk if nothing enters it into what enters it: `states` (batch, chunk, n, d), in place.

    `first` (batch, n, d) enters the first chunk, with REVERSE the last; `totals` (batch, chunk, d) are sums of step
    sizes. Chunks take the place of steps: `sizes` tells one chunk of as many steps as there are chunks.
    """
    spot = place(sizes, CHANNELS)
    channels, inside = spot[4][None, None, :], spot[5][None, None, :]
    width, chunks = sizes[0] * sizes[1], sizes[5]
    rows = tl.arange(0, STEPS)[:, None, None]
    for some in range(0, sizes[2], STATES):
        n = some + tl.arange(0, STATES)
        rates = load_states(A, 0, n, spot, sizes)[None, :, :]
        entering = load_states(first, spot[0], n, spot, sizes)
        for start in range(0, chunks, STEPS):
            order = start + rows
            slots = spot[0] * chunks + (chunks - 1 - order if REVERSE else order)
            mask = (order < chunks) & (n < sizes[2])[None, :, None] & inside
            size = tl.load(totals + slots * width + channels, mask=(order < chunks) & inside, other=0.0)
            pointers = states + (slots * sizes[2] + n[None, :, None]) * width + channels
            leaving = tl.load(pointers, mask=mask, other=0.0)
            decay = tl.exp2(size * rates)
            starts = leaving
            for step in tl.static_range(STEPS):
                starts = tl.where(rows == step, entering[None, :, :], starts)
                entering = row(decay * entering[None, :, :] + leaving, rows == step)
            tl.store(pointers, starts, mask=mask)
