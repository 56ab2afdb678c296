"""Tiles of a few steps in registers: what the Triton kernels share.

A sequence tile is (T, D): T steps by D channels; a state tile is (T, K, D), K states at a time. A sequence comes as
(pointer, stride of the batch, stride of the length): its channels lie side by side. A matrix B or C comes as (pointer,
strides of batch, group, state, length), states as (slot, state, channel), a slot being a chunk or a tile of a batch
element. `sizes` are (groups, channels per group, states, length, chunks, steps per chunk). Offsets have 64 bits. What
lies outside is read as 0, and outside its sequence a step has size 0, which changes no state.
"""

from collections.abc import Callable
from typing import Any

import triton
from triton import language as tl

jit: Callable[[Callable[..., Any]], Any] = triton.jit

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


@jit
def place(sizes: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Where this program works: batch element, chunk, group, channel block of the group, channels and their mask.

    The compiler must not know how channels are aligned in memory: it would have a thread read several at once, and
    fewer of the steps, but the loop over steps wants all steps of a tile in one thread.
    """
    groups, per_group, _, _, chunks, _ = sizes
    blocks = tl.cdiv(per_group, CHANNELS)
    program = tl.program_id(0)
    block = program % blocks
    group = (program // blocks % groups).to(tl.int64)
    chunk = (program // (blocks * groups) % chunks).to(tl.int64)
    batch = (program // (blocks * groups * chunks)).to(tl.int64)
    within = block * CHANNELS + tl.multiple_of(tl.arange(0, CHANNELS), 1)
    return batch, chunk, group, block, group * per_group + within, within < per_group


@jit
def row(tile: tl.tensor, here: tl.tensor) -> tl.tensor:
    """The one step (K, D) of a tile (T, K, D) that is here (T, 1, 1).

    A thread has all steps in registers, and knows at compile time which is here: adding -0.0 changes nothing, so it
    costs nothing, nor does computing the steps that are not here.
    """
    return tl.sum(tl.where(here, tile, -0.0), axis=0)


@jit
def tile_at(spot: tl.tensor, first: tl.tensor, sizes: tl.tensor, STEPS: tl.constexpr) -> tl.tensor:
    """Where the tile is that begins `first` steps after the chunk: batch element, steps, channels and its mask."""
    batch, chunk, _, _, channels, inside = spot
    steps = chunk * sizes[5] + first + tl.arange(0, STEPS)
    return batch, steps, channels, (steps < sizes[3])[:, None] & inside[None, :]


@jit
def load_sequence(sequence: tl.tensor, tile: tl.tensor) -> tl.tensor:
    """A tile (T, D) of a sequence, in float32."""
    batch, steps, channels, mask = tile
    pointers = sequence[0] + batch * sequence[1] + steps[:, None] * sequence[2] + channels[None, :]
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)


@jit
def store_sequence(sequence: tl.tensor, tile: tl.tensor, values: tl.tensor) -> None:
    """Write a tile (T, D) of a sequence, in the sequence's precision."""
    batch, steps, channels, mask = tile
    pointers = sequence[0] + batch * sequence[1] + steps[:, None] * sequence[2] + channels[None, :]
    tl.store(pointers, values.to(sequence[0].dtype.element_ty), mask=mask)


@jit
def load_matrix(matrix: tl.tensor, spot: tl.tensor, steps: tl.tensor, n: tl.tensor, sizes: tl.tensor) -> tl.tensor:
    """A tile (T, K, 1) of B or C, in float32."""
    mask = (steps < sizes[3])[:, None] & (n < sizes[2])[None, :]
    base = matrix[0] + spot[0] * matrix[1] + spot[2] * matrix[2]
    pointers = base + steps[:, None] * matrix[4] + n[None, :] * matrix[3]
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)[:, :, None]


@jit
def load_states(states: tl.tensor, slot: tl.tensor, n: tl.tensor, spot: tl.tensor, sizes: tl.tensor) -> tl.tensor:
    """The states n (K, D) of a slot."""
    offsets = (slot * sizes[2] + n[:, None]) * (sizes[0] * sizes[1]) + spot[4][None, :]
    return tl.load(states + offsets, mask=(n < sizes[2])[:, None] & spot[5][None, :], other=0.0)


@jit
def store_states(
    states: tl.tensor, slot: tl.tensor, n: tl.tensor, spot: tl.tensor, sizes: tl.tensor, values: tl.tensor
) -> None:
    """Write the states n (K, D) of a slot."""
    offsets = (slot * sizes[2] + n[:, None]) * (sizes[0] * sizes[1]) + spot[4][None, :]
    tl.store(states + offsets, values, mask=(n < sizes[2])[:, None] & spot[5][None, :])


@jit
def load_vector(pointer: tl.tensor, spot: tl.tensor) -> tl.tensor:
    """A parameter of each channel (D,), in float32; 0 where there is no such parameter."""
    values = tl.zeros(spot[4].shape, tl.float32)
    if pointer is not None:
        values += tl.load(pointer + spot[4], mask=spot[5], other=0.0).to(tl.float32)
    return values


@jit
def store_vector(vectors: tl.tensor, slot: tl.tensor, spot: tl.tensor, sizes: tl.tensor, values: tl.tensor) -> None:
    """Write a slot's number of each channel (D,)."""
    tl.store(vectors + slot * (sizes[0] * sizes[1]) + spot[4], values, mask=spot[5])


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
        series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q / 15))))))
        size = tl.maximum(size, 0.0) + 2.0 * s * series
    return tl.where(mask, size, 0.0), tl.where(mask, slope, 0.0)


@jit
def sigmoid(x: tl.tensor) -> tl.tensor:
    """1 / (1 + exp(-x)), without overflow."""
    e = tl.exp2(tl.abs(x) * -LOG2_E)
    return tl.where(x >= 0.0, 1.0, e) / (1.0 + e)
