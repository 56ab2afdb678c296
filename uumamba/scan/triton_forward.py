"""The scan's forward kernel, and the kernel that carries states over chunks."""

from typing import Any

from triton import language as tl

from uumamba.scan.triton_tile import (
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
    """Scan one chunk of one channel block, from the states that `states` (batch, chunk, n, d) holds, to those it leaves.

    `sequences` are u, delta, z, y: without y, only the states are wanted, and the sum of step sizes goes to `totals`
    (batch, chunk, d). `matrices` are B, C; `vectors` are D and the bias of delta; `A` (n, d) is times log2 e.
    """
    u, delta, z, y = sequences
    B, C = matrices
    batch, chunk, group, _, channels, inside = place(sizes, CHANNELS)
    bias = vector(vectors[1], channels, inside)
    slot = batch * sizes[4] + chunk
    total = tl.zeros((CHANNELS,), tl.float32)
    rows = tl.arange(0, STEPS)[:, None, None]
    for first in range(0, sizes[5], STEPS):
        steps = chunk * sizes[5] + first + tl.arange(0, STEPS)
        mask = (steps < sizes[3])[:, None] & inside[None, :]
        size = step_sizes(load_sequence(delta, batch, steps, channels, mask), bias, mask, SOFTPLUS)[0]
        entry = load_sequence(u, batch, steps, channels, mask)
        drive = (size * entry)[:, None, :]
        total += tl.sum(size, axis=0)
        result = tl.zeros((STEPS, CHANNELS), tl.float32)
        for some in range(0, sizes[2], STATES):
            n = some + tl.arange(0, STATES)
            known = (n < sizes[2])[:, None] & inside[None, :]
            rates = tl.load(A + state_offsets(0, n, channels, sizes), mask=known, other=0.0)
            pointers = states + state_offsets(slot, n, channels, sizes)
            state = tl.load(pointers, mask=known, other=0.0)
            decay = tl.exp2(size[:, None, :] * rates[None, :, :])
            update = drive * load_matrix(B, batch, group, steps, n, sizes)[:, :, None]
            history = update
            for step in tl.static_range(STEPS):
                here = rows == step
                history = tl.where(here, decay * state[None, :, :] + update, history)
                state = row(history, here)
            tl.store(pointers, state, mask=known)
            if y is not None:
                result += tl.sum(history * load_matrix(C, batch, group, steps, n, sizes)[:, :, None], axis=1)
        if y is not None:
            result += vector(vectors[0], channels, inside)[None, :] * entry
            if z is not None:
                gate = load_sequence(z, batch, steps, channels, mask)
                result *= gate * sigmoid(gate)
            store_sequence(y, batch, steps, channels, mask, result)
        # The next tile reads the states that this one wrote.
        tl.debug_barrier()
    if y is None:
        tl.store(totals + slot * (sizes[0] * sizes[1]) + channels, total, mask=inside)


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
    sizes. Chunks stand for steps here, and `sizes` says one chunk.
    """
    batch, _, _, _, channels, inside = place(sizes, CHANNELS)
    chunks = sizes[5]
    rows = tl.arange(0, STEPS)[:, None, None]
    for some in range(0, sizes[2], STATES):
        n = some + tl.arange(0, STATES)
        known = (n < sizes[2])[:, None] & inside[None, :]
        rates = tl.load(A + state_offsets(0, n, channels, sizes), mask=known, other=0.0)
        entering = tl.load(first + state_offsets(batch, n, channels, sizes), mask=known, other=0.0)
        for start in range(0, chunks, STEPS):
            order = start + tl.arange(0, STEPS)
            chunk = chunks - 1 - order if REVERSE else order
            here = order < chunks
            slots = batch * chunks + chunk
            size = tl.load(
                totals + slots[:, None] * (sizes[0] * sizes[1]) + channels[None, :],
                mask=here[:, None] & inside[None, :],
                other=0.0,
            )
            offsets = (slots[:, None, None] * sizes[2] + n[None, :, None]) * (sizes[0] * sizes[1])
            pointers = states + offsets + channels[None, None, :]
            mask = here[:, None, None] & known[None, :, :]
            leaving = tl.load(pointers, mask=mask, other=0.0)
            decay = tl.exp2(size[:, None, :] * rates[None, :, :])
            starts = leaving
            for step in tl.static_range(STEPS):
                here = rows == step
                starts = tl.where(here, entering[None, :, :], starts)
                entering = row(decay * entering[None, :, :] + leaving, here)
            tl.store(pointers, starts, mask=mask)
