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
def place(sizes: Any, CHANNELS: tl.constexpr) -> Any:
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
def row(tile: Any, step: Any, steps: Any) -> Any:
    """One step (K, D) of a tile. Adding -0.0 changes nothing, so the sum costs nothing where rows are registers."""
    return tl.sum(tl.where(steps == step, tile, -0.0), axis=0)


@jit
def with_row(tile: Any, step: Any, steps: Any, values: Any) -> Any:
    """The tile with one step replaced by values (K, D)."""
    return tl.where(steps == step, values[None, :, :], tile)


@jit
def vector(pointer: Any, channels: Any, inside: Any) -> Any:
    """A parameter of each channel (D,); 0 where there is no such parameter."""
    if pointer is None:
        return tl.zeros(channels.shape, tl.float32)
    else:
        return tl.load(pointer + channels, mask=inside, other=0.0).to(tl.float32)


@jit
def sequence_pointers(sequence: Any, batch: Any, steps: Any, channels: Any) -> Any:
    """Pointers to a tile of a sequence."""
    return sequence[0] + batch * sequence[1] + steps[:, None] * sequence[2] + channels[None, :]


@jit
def load_sequence(sequence: Any, batch: Any, steps: Any, channels: Any, mask: Any) -> Any:
    """A tile of a sequence, in float32."""
    return tl.load(sequence_pointers(sequence, batch, steps, channels), mask=mask, other=0.0).to(tl.float32)


@jit
def store_sequence(sequence: Any, batch: Any, steps: Any, channels: Any, mask: Any, tile: Any) -> Any:
    """Write a tile of a sequence, in the sequence's precision."""
    pointers = sequence_pointers(sequence, batch, steps, channels)
    tl.store(pointers, tile.to(sequence[0].dtype.element_ty), mask=mask)


@jit
def load_matrix(matrix: Any, batch: Any, group: Any, steps: Any, states: Any, sizes: Any) -> Any:
    """A tile (T, K) of B or C, in float32."""
    base = matrix[0] + batch * matrix[1] + group * matrix[2]
    mask = (steps < sizes[3])[:, None] & (states < sizes[2])[None, :]
    pointers = base + steps[:, None] * matrix[4] + states[None, :] * matrix[3]
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)


@jit
def state_offsets(slot: Any, states: Any, channels: Any, sizes: Any) -> Any:
    """Offsets (K, D) into states laid out (slot, states, channels)."""
    return (slot * sizes[2] + states[:, None]) * (sizes[0] * sizes[1]) + channels[None, :]


@jit
def step_sizes(raw: Any, bias: Any, mask: Any, SOFTPLUS: tl.constexpr) -> Any:
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
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow."""
    e = tl.exp2(tl.abs(x) * -LOG2_E)
    return tl.where(x >= 0.0, 1.0, e) / (1.0 + e)
