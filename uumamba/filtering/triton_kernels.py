"""The adaptive filter's Triton kernels: the output, the gradient of the kernels and that of the map, without atomics.

Tensors are contiguous, the map (b, g, c, low) with its border, kernels (b, g, t, high), output (b, g, c, high); `sizes`
are (channels of a group, low, high), those in 2D with a depth of 1. A channel has fewer than 2^31 elements, a tensor
may have more. BLOCK is (rows R, items I, places P), powers of 2: the sums of a program, in float32 registers.
Items are channels, or taps where their gradient is wanted. A place is an element along an output's width, and along its
depth and height a block of `scale`: its rows all see the same elements of the map. With one place to a thread nothing
is exchanged between threads, and every number that is read serves R or I products.
"""

from collections.abc import Callable
from typing import Any

import triton
from triton import language as tl

jit: Callable[[Callable[..., Any]], Any] = triton.jit


@jit
def filter_kernel(
    x: tl.tensor,
    kernels: tl.tensor,
    out: tl.tensor,
    sizes: tl.tensor,
    KERNEL_SIZE: tl.constexpr,
    SCALE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The output of some channels: one tap after the other."""
    channels, low, high = sizes
    group, items, mask, near, spot, rows = front(channels, sizes, SCALE, BLOCK)
    stride = volume(high)
    source = x + (group * channels + items) * volume(low) + near
    weights = kernels + group * (KERNEL_SIZE[0] * KERNEL_SIZE[1] * KERNEL_SIZE[2]) * stride + spot
    total = tl.zeros(BLOCK, tl.float32)
    for depth in range(KERNEL_SIZE[0]):
        for height in range(KERNEL_SIZE[1]):
            line = source + (depth * low[1] + height) * low[2]
            for _ in range(KERNEL_SIZE[2]):
                total += load(line, mask) * load(weights, rows)
                line += 1
                weights += stride
    store(out + (group * channels + items) * stride + spot, total, mask & rows)


@jit
def kernel_gradient_kernel(
    grad: tl.tensor,
    x: tl.tensor,
    by_kernels: tl.tensor,
    sizes: tl.tensor,
    KERNEL_SIZE: tl.constexpr,
    SCALE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The gradient of some taps, from `grad` of the output: one channel after the other."""
    channels, low, high = sizes
    TAPS: tl.constexpr = KERNEL_SIZE[0] * KERNEL_SIZE[1] * KERNEL_SIZE[2]
    group, items, mask, near, spot, rows = front(TAPS, sizes, SCALE, BLOCK)
    depth, height = items // (KERNEL_SIZE[1] * KERNEL_SIZE[2]), items // KERNEL_SIZE[2] % KERNEL_SIZE[1]
    tap = (depth * low[1] + height) * low[2] + items % KERNEL_SIZE[2]
    strides = volume(low), volume(high)
    source = x + group * channels * strides[0] + tap + near
    arriving = grad + group * channels * strides[1] + spot
    total = tl.zeros(BLOCK, tl.float32)
    for _ in range(channels):
        total += load(source, mask) * load(arriving, rows)
        source += strides[0]
        arriving += strides[1]
    store(by_kernels + (group * TAPS + items) * strides[1] + spot, total, mask & rows)


@jit
def map_gradient_kernel(
    grad: tl.tensor,
    kernels: tl.tensor,
    by_x: tl.tensor,
    sizes: tl.tensor,
    KERNEL_SIZE: tl.constexpr,
    SCALE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The gradient of some channels of the map with its border: each element gathers from the places that saw it.

    Backwards along an axis, tap t of the last place of a block of `scale` comes first, then that of the place before.
    """
    channels, low, high = sizes
    length = low[0] * low[1] * low[2]
    group, items, mask, places, inside, _ = element(channels, length, 1, BLOCK)
    first_depth = places // (low[1] * low[2]) * SCALE[0] + (SCALE[0] - 1)
    first_height = places // low[2] % low[1] * SCALE[1] + (SCALE[1] - 1)
    first_width = places % low[2] * SCALE[2] + (SCALE[2] - 1)
    stride = volume(high)
    source = grad + (group * channels + items) * stride
    weights = kernels + group * (KERNEL_SIZE[0] * KERNEL_SIZE[1] * KERNEL_SIZE[2]) * stride
    total = tl.zeros(BLOCK, tl.float32)
    for d in range(KERNEL_SIZE[0] * SCALE[0]):
        depth = first_depth - d
        for h in range(KERNEL_SIZE[1] * SCALE[1]):
            height = first_height - h
            line = (depth * high[1] + height) * high[2]
            seen = inside & (depth >= 0) & (depth < high[0]) & (height >= 0) & (height < high[1])
            row = weights + (d // SCALE[0] * KERNEL_SIZE[1] + h // SCALE[1]) * KERNEL_SIZE[2] * stride
            for w in range(KERNEL_SIZE[2] * SCALE[2]):
                width = first_width - w
                here = seen & (width >= 0) & (width < high[2])
                spot = line + width
                weight = load(row + w // SCALE[2] * stride + spot, here)
                total += load(source + spot, mask & here) * weight
    store(by_x + (group * channels + items) * volume(low) + places, total, mask)


@jit
def volume(size: tl.tensor) -> tl.tensor:
    """Number of elements of a tensor with this size along its three axes, in 64 bits."""
    return tl.cast(size[0], tl.int64) * size[1] * size[2]


@jit
def element(count: tl.tensor, length: tl.tensor, REPEATS: tl.constexpr, BLOCK: tl.constexpr) -> tl.tensor:
    """Where this program works, if `count` items have `length` places each, REPEATS times.

    Gives the group, counted through the batch, and the items (1, I, 1), both in 64 bits; the mask (1, I, P) of items
    and places; the places (1, 1, P) and their mask; the repeat. Programs of the same places follow each other and find
    in the cache what they share. The compiler must not know that places lie side by side: it would give several of them
    to one thread.
    """
    program = tl.program_id(0)
    blocks, parts = tl.cdiv(count, BLOCK[1]), tl.cdiv(length, BLOCK[2])
    items = program % blocks * BLOCK[1] + tl.arange(0, BLOCK[1])[None, :, None]
    program = program // blocks
    repeat = program % REPEATS
    program = program // REPEATS
    places = program % parts * BLOCK[2] + tl.multiple_of(tl.arange(0, BLOCK[2]), 1)[None, None, :]
    inside = places < length
    return (program // parts).to(tl.int64), items.to(tl.int64), (items < count) & inside, places, inside, repeat


@jit
def front(count: tl.tensor, sizes: tl.tensor, SCALE: tl.constexpr, BLOCK: tl.constexpr) -> tl.tensor:
    """Where this program works on the output or on kernels, of `count` items.

    Gives the group, the items (1, I, 1), the mask (1, I, P) of items and places, the map's element (1, 1, P) that the
    first tap falls on, the places (R, 1, P) of the rows and their mask.
    """
    _, low, high = sizes
    ROWS: tl.constexpr = SCALE[0] * SCALE[1]
    lines = tl.cdiv(high[1], SCALE[1])
    length = tl.cdiv(high[0], SCALE[0]) * lines * high[2]
    group, items, mask, places, inside, repeat = element(count, length, (ROWS + BLOCK[0] - 1) // BLOCK[0], BLOCK)
    row = repeat * BLOCK[0] + tl.arange(0, BLOCK[0])[:, None, None]
    line, width = places // high[2], places % high[2]
    near = (line // lines * low[1] + line % lines) * low[2] + width // SCALE[2]
    depth = line // lines * SCALE[0] + row // SCALE[1]
    height = line % lines * SCALE[1] + row % SCALE[1]
    rows = inside & (row < ROWS) & (depth < high[0]) & (height < high[1])
    return group, items, mask, near, (depth * high[1] + height) * high[2] + width, rows


@jit
def load(pointers: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """Numbers in float32; 0 outside the mask."""
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)


@jit
def store(pointers: tl.tensor, values: tl.tensor, mask: tl.tensor) -> None:
    """Write, in the precision of what is written to."""
    tl.store(pointers, values.to(pointers.dtype.element_ty), mask=mask)
