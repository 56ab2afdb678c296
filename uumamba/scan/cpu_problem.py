"""What the CPU's kernels work on, as numba understands it: named tuples of float32 arrays and whole numbers.

Axes: b batch, g group, k block of channels within a group, j lane (channel) within a block, n state, l step.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, unflatten
from torch.nn import functional

from uumamba.scan.inputs import ScanInputs

Array = NDArray[np.float32]
LANES = 16
"""Channels in a block: as many as the widest vector registers hold."""
TILE = 64
"""Steps in a tile: its states in the backward pass, LANES TILE n, fit the cache of a core."""


class Strided(NamedTuple):
    """A tensor of rows (channels, or n) and steps: the flat memory that it spans, and its strides in elements."""

    values: Array
    batch: int
    group: int
    row: int
    step: int


class Problem(NamedTuple):
    """The arguments of a scan. Axes: g group, k block of channels in it, n state, j lane in the block.

    `A` (g, k, n, j) holds A log2(e), `D` and `bias` are (g, k, j); `channels` is their number in a group. Lanes behind
    the last channel are zero. `z` counts only if `gated`.
    """

    u: Strided
    delta: Strided
    z: Strided
    B: Strided
    C: Strided
    A: Array
    D: Array
    bias: Array
    channels: int
    softplus: bool
    gated: bool


class Task(NamedTuple):
    """The work of one thread at a time: blocks `first` to `last` of a group, steps `start` to `stop`, a chunk."""

    batch: int
    group: int
    part: int
    first: int
    last: int
    chunk: int
    start: int
    stop: int


class States(NamedTuple):
    """What tasks hand on.

    `border` (chunk, b, g, k, n, j) is the state that enters a chunk and, afterwards, the one that leaves it; in the
    backward pass its gradient, which travels from the end to the start. `span` (chunk, b, g, k, j) is the sum of a
    chunk's step sizes. `tiles` (b, g, k, tile, n, j) are the states at the tiles' starts, or of size 0.
    """

    border: Array
    span: Array
    tiles: Array


class Gradients(NamedTuple):
    """The output's gradient `y`, and where those of the arguments go.

    `B` and `C` are (part, b, g, l, n), a part being the blocks of one task; `A` (chunk, b, g, k, n, j), `D` and `bias`
    (chunk, b, g, k, j) must be zero before.
    """

    y: Strided
    u: Strided
    delta: Strided
    z: Strided
    B: Array
    C: Array
    A: NDArray[np.float64]
    D: NDArray[np.float64]
    bias: NDArray[np.float64]


class Tile(NamedTuple):
    """Room for one tile of one block in the backward pass, lanes last.

    One row for each step: `raw` and `delta` are the step sizes before and after softplus, `grad` the output's gradient,
    `by_drive` that of delta u, `by_exponent` that of delta through the decays. n rows for each step: the decays, the
    states, preceded by the one before the tile, and the gradients of B and C before they are summed over the lanes. The
    tile's shares of the gradients of A (n rows), of D and of the bias (one row).
    """

    raw: Array
    delta: Array
    u: Array
    z: Array
    grad: Array
    by_drive: Array
    by_exponent: Array
    decay: Array
    history: Array
    by_B: Array
    by_C: Array
    by_A: Array
    by_D: Array
    by_bias: Array


def pack(inputs: ScanInputs) -> Problem:
    """The arguments as the kernels take them; what has a step for each l is not copied."""
    groups, channels = inputs.B.shape[1], inputs.u.shape[1]
    D, bias = (inputs.u.new_zeros(channels) if vector is None else vector for vector in (inputs.D, inputs.delta_bias))
    return Problem(
        u=sequence(inputs.u, groups),
        delta=sequence(inputs.delta, groups),
        z=sequence(inputs.u if inputs.z is None else inputs.z, groups),
        B=strided(inputs.B),
        C=strided(inputs.C),
        A=to_blocks(inputs.A * math.log2(math.e), groups).numpy(),
        D=_lanes(D, groups).numpy(),
        bias=_lanes(bias, groups).numpy(),
        channels=channels // groups,
        softplus=inputs.delta_softplus,
        gated=inputs.z is not None,
    )


def sequence(x: Tensor, groups: int) -> Strided:
    """A tensor (b, d, l) as rows of its groups, without a copy."""
    return strided(unflatten(x, 1, (groups, -1)))


def strided(x: Tensor) -> Strided:
    """A tensor (b, g, row, l) of any layout as the memory that it spans, without a copy."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    return Strided(x.detach().as_strided((span if x.numel() else 0,), (1,)).numpy(), *x.stride())


def to_blocks(x: Tensor, groups: int) -> Tensor:
    """(..., d, n) to (..., g, k, n, j), with zeros behind the last channel of a group."""
    return _lanes(x.detach().transpose(-1, -2), groups).movedim(-4, -2).contiguous()


def from_blocks(x: Tensor, channels: int) -> Tensor:
    """(..., g, k, n, j) to (..., d, n), `channels` to a group."""
    return from_lanes(x.movedim(-2, -4), channels).transpose(-1, -2)


def from_lanes(x: Tensor, channels: int) -> Tensor:
    """(..., g, k, j) to (..., d), `channels` to a group."""
    return x.flatten(-2)[..., :channels].flatten(-2)


def _lanes(x: Tensor, groups: int) -> Tensor:
    """(..., d) to (..., g, k, j)."""
    rows = unflatten(x.detach(), -1, (groups, -1))
    return unflatten(functional.pad(rows, (0, -rows.shape[-1] % LANES)), -1, (-1, LANES))
