"""Tiles of a few steps in registers: what the Triton kernels share.

A sequence tile is (T, D): T steps by D channels; a state tile is (T, K, D), K states at a time. A sequence comes as
(pointer, stride of the batch, stride of the length): its channels lie side by side. A matrix B or C comes as (pointer,
strides of batch, group, state, length). What lies outside is read as 0: such a step has size 0 and so changes no state.
"""

from collections.abc import Callable
from typing import Any

import triton
from triton import language as tl

# Alignment is kept from the compiler: it would read more channels per thread, fewer steps, and spread the rows of a
# tile over threads, where the loop over steps needs them together.
jit: Callable[[Callable[..., Any]], Any] = triton.jit

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


@jit
def place(sizes: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Where this program works: batch element, chunk, group, channel block of the group, channels and their mask.

    `sizes` are (groups, channels per group, states, length, chunks, steps per chunk). Offsets have 64 bits.
    """
    blocks = tl.cdiv(sizes[1], CHANNELS)
    program = tl.program_id(0)
    block = program % blocks
    group = program // blocks % sizes[0]
    chunk = program // (blocks * sizes[0]) % sizes[4]
    batch = program // (blocks * sizes[0] * sizes[4])
    within = block * CHANNELS + tl.arange(0, CHANNELS)
    channels = group.to(tl.int64) * sizes[1] + within
    return batch.to(tl.int64), chunk.to(tl.int64), group.to(tl.int64), block.to(tl.int64), channels, within < sizes[1]


@jit
def row(tile: tl.tensor, here: tl.tensor) -> tl.tensor:
    """The one step (K, D) of a tile that is here (T, 1, 1).

    Rows are registers of one thread: adding -0.0 changes nothing and so costs nothing, nor does what no row is taken of.
    """
    return tl.sum(tl.where(here, tile, -0.0), axis=0)


@jit
def vector(pointer: tl.tensor, channels: tl.tensor, inside: tl.tensor) -> tl.tensor:
    """A parameter of each channel (D,); 0 where there is no such parameter."""
    if pointer is None:
        return tl.zeros(channels.shape, tl.float32)
    else:
        return tl.load(pointer + channels, mask=inside, other=0.0).to(tl.float32)


@jit
def sequence_pointers(sequence: tl.tensor, batch: tl.tensor, steps: tl.tensor, channels: tl.tensor) -> tl.tensor:
    """Pointers to a tile of a sequence."""
    return sequence[0] + batch * sequence[1] + steps[:, None] * sequence[2] + channels[None, :]


@jit
def load_sequence(sequence: tl.tensor, batch: tl.tensor, steps: tl.tensor, channels: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """A tile of a sequence, in float32."""
    return tl.load(sequence_pointers(sequence, batch, steps, channels), mask=mask, other=0.0).to(tl.float32)


@jit
def store_sequence(sequence: tl.tensor, batch: tl.tensor, steps: tl.tensor, channels: tl.tensor, mask: tl.tensor, tile: tl.tensor) -> tl.tensor:
    """Write a tile of a sequence, in the sequence's precision."""
    pointers = sequence_pointers(sequence, batch, steps, channels)
    tl.store(pointers, tile.to(sequence[0].dtype.element_ty), mask=mask)


@jit
def load_matrix(matrix: tl.tensor, batch: tl.tensor, group: tl.tensor, steps: tl.tensor, states: tl.tensor, sizes: tl.tensor) -> tl.tensor:
    """A tile (T, K) of B or C, in float32."""
    base = matrix[0] + batch * matrix[1] + group * matrix[2]
    mask = (steps < sizes[3])[:, None] & (states < sizes[2])[None, :]
    pointers = base + steps[:, None] * matrix[4] + states[None, :] * matrix[3]
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)


@jit
def state_offsets(slot: tl.tensor, states: tl.tensor, channels: tl.tensor, sizes: tl.tensor) -> tl.tensor:
    """Offsets (K, D) into states laid out (slot, states, channels)."""
    return (slot * sizes[2] + states[:, None]) * (sizes[0] * sizes[1]) + channels[None, :]


@jit
def step_sizes(raw: tl.tensor, bias: tl.tensor, mask: tl.tensor, SOFTPLUS: tl.constexpr) -> tl.tensor:
    """Step sizes (T, D) of raw delta and bias, and their derivatives by raw delta; both 0 outside the mask.

    Softplus is max(x, 0) + log(1 + e), e = exp(-|x|). The logarithm is 2 atanh(s), s = e / (2 + e), as a series whose
    rest is under 1e-8: a small step size keeps all its digits, which log(1 + e) would lose.
    """
    size = raw + bias[None, :]
    slope = tl.full(size.shape, 1.0, tl.float32)
    if SOFTPLUS:
        e = tl.exp2(tl.abs(size) * -LOG2_E)
        slope = tl.where(size >= 0.0, 1.0, e) / (1.0 + e)
        s = e / (2.0 + e)
        q = s * s
        series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15)))))))
        size = tl.maximum(size, 0.0) + 2.0 * s * series
    return tl.where(mask, size, 0.0), tl.where(mask, slope, 0.0)


@jit
def sigmoid(x: tl.tensor) -> tl.tensor:
    """1 / (1 + exp(-x)), without overflow."""
    e = tl.exp2(tl.abs(x) * -LOG2_E)
    return tl.where(x >= 0.0, 1.0, e) / (1.0 + e)
