"""The selective scan by Triton kernels, parallel over batch, channels and chunks of the sequence.

One program scans one chunk of one block of channels, in tiles of a few steps: the tile's step sizes and inputs are held
in registers while the states are taken one after the other, so every input is read once, any number of states fits,
and a state's recurrence is a short unrolled loop. A first forward pass finds the states that each chunk leaves from
zero, they are carried over the chunks, a second pass does the work. The backward pass starts from the states at chunk
starts: a sweep forwards keeps the state before every tile and finds what the chunk's gradient is from zero, that is
carried back, and the way back recomputes a tile's states in registers. B's and C's gradients are sums over channels:
each block writes its own, and torch adds them up, so every run gives the same bits.

The floor, per step and channel with N states, in float32: forwards 16 bytes (u, delta, z, y) and N exponentials, which
the two passes make 24 bytes and 2 N; backwards 28 bytes and N, made 44 + 8 N / T + N / 4 bytes (T steps in a tile; 64
channels share B and C) and 2 N. The largest tensor that only the backward pass holds is the states before tiles, N / T
times the size of u in float32.
Sequences whose channels do not lie side by side in memory are copied first.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from triton.errors import TritonError

from uumamba.core.errors import UumambaError
from uumamba.scan.triton_backward import backward_kernel, sweep_kernel
from uumamba.scan.triton_forward import carry_kernel, forward_kernel

# A program is one warp (32 threads, 64 on AMD): two channels, or one, to a thread. Twelve programs fill a processor of
# 65536 registers; NVIDIA's compiler must be told, or it takes more registers to no use.
_STEPS, _CHANNELS, _PROGRAMS, _REGISTERS = 8, 64, 12, 168
# On a CPU runs the interpreter, which pays for each operation, not for its size: all states at once.
_INTERPRETED_CHANNELS = 16
# A shorter chunk costs more in carrying than it gains.
_SHORTEST_CHUNK = 64


@dataclass(frozen=True)
class _Sizes:
    """The sizes of a scan, of its chunks, and of the blocks of its programs."""

    batch: int
    groups: int
    per_group: int
    states: int
    length: int
    chunks: int
    chunk_steps: int
    blocks: dict[str, int]

    @property
    def channels(self) -> int:
        """All channels."""
        return self.groups * self.per_group

    @property
    def channel_blocks(self) -> int:
        """Blocks of channels in a group."""
        return math.ceil(self.per_group / self.blocks["CHANNELS"])

    def launch(self, kernel: Any, *arguments: Any, over_chunks: bool = True, **constants: bool) -> None:
        """Run a kernel, one program for each batch element, group, channel block and, if wanted, chunk."""
        chunks = (self.chunks, self.chunk_steps) if over_chunks else (1, self.chunks)
        grid = (self.batch * self.groups * self.channel_blocks * chunks[0],)
        sizes = (self.groups, self.per_group, self.states, self.length, *chunks)
        limits = {} if torch.version.hip else {"maxnreg": _REGISTERS}
        # Fused multiply and add is the default, or not, by Triton's version.
        try:
            kernel[grid](*arguments, sizes, **constants, **self.blocks, **limits, num_warps=1, enable_fp_fusion=True)
        except TritonError as error:
            reason = " ".join(str(error).split())
            raise UumambaError(
                f"selective scan: backend 'triton' does not compile or start here ({reason}); use backend 'chunked'"
            ) from error


def _sizes(u: Tensor, B: Tensor) -> _Sizes:
    """Blocks for the device, and as many chunks as fill it."""
    batch, channels, length = u.shape
    groups, states = B.shape[1:3]
    per_group = channels // groups
    if u.device.type == "cpu":
        processors, block, at_once = 1, _INTERPRETED_CHANNELS, 1 << (states - 1).bit_length()
    else:
        processors = torch.cuda.get_device_properties(u.device).multi_processor_count
        narrow = per_group <= _CHANNELS // 2 and not torch.version.hip
        block, at_once = _CHANNELS // 2 if narrow else _CHANNELS, 1
    programs = batch * groups * math.ceil(per_group / block)
    chunks = min(math.ceil(processors * _PROGRAMS / programs), math.ceil(length / _SHORTEST_CHUNK))
    chunk_steps = math.ceil(length / chunks / _STEPS) * _STEPS
    blocks = {"STEPS": _STEPS, "STATES": at_once, "CHANNELS": block}
    return _Sizes(batch, groups, per_group, states, length, math.ceil(length / chunk_steps), chunk_steps, blocks)


def _channels_last(sequence: Tensor) -> Tensor:
    """The sequence (b, d, l) with its channels side by side in memory."""
    return sequence if sequence.stride(1) == 1 else sequence.transpose(1, 2).contiguous().transpose(1, 2)


def _like(sequence: Tensor) -> Tensor:
    """Room for a sequence of the same shape and precision, channels side by side."""
    return torch.empty_like(sequence.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)


def _sequences(*tensors: Tensor | None) -> tuple[Any, ...]:
    """Sequences as the kernels take them: each its pointer with the strides of batch and length."""
    return tuple(t if t is None else (t, t.stride(0), t.stride(2)) for t in tensors)


def _matrices(*tensors: Tensor) -> tuple[Any, ...]:
    """B and C as the kernels take them: each its pointer with its strides."""
    return tuple((t, *t.stride()) for t in tensors)


def _on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Kernels run on the current card: make it the tensor's."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def _to(like: Tensor | None, gradient: Tensor) -> Tensor | None:
    """A gradient in the precision of its argument; None if there is no such argument."""
    return None if like is None else gradient.to(like.dtype)


class _Scan(torch.autograd.Function):
    """The whole operator: step sizes, recurrence, direct path and gate."""

    @staticmethod
    def forward(
        ctx: Any, softplus: bool, u: Tensor, delta: Tensor, z: Tensor | None, B: Tensor, C: Tensor, *parameters: Any
    ) -> tuple[Tensor, Tensor]:
        """Scan; `parameters` are A, D and the bias of delta, of which D and the bias may be None, as z may."""
        sizes = _sizes(u, B)
        u, delta, z = _channels_last(u), _channels_last(delta), None if z is None else _channels_last(z)
        D, bias = (t if t is None else t.contiguous() for t in parameters[1:])
        A = parameters[0]
        rates = (A.float() * math.log2(math.e)).t().contiguous()
        y = _like(u)
        starts = rates.new_zeros(sizes.batch, sizes.chunks, sizes.states, sizes.channels)
        totals = rates.new_zeros(sizes.batch, sizes.chunks, sizes.channels)
        read, common = _sequences(u, delta), (_matrices(B, C), (D, bias), rates)
        with _on_device_of(u):
            if sizes.chunks > 1:
                sizes.launch(forward_kernel, (*read, None, None), *common, starts, totals, SOFTPLUS=softplus)
                zero = torch.zeros_like(starts[:, 0])
                sizes.launch(carry_kernel, starts, zero, totals, rates, over_chunks=False, REVERSE=False)
            states = starts.clone()
            sizes.launch(forward_kernel, (*read, *_sequences(z, y)), *common, states, totals, SOFTPLUS=softplus)
        ctx.save_for_backward(u, delta, z, B, C, A, D, bias, rates, starts, totals)
        ctx.softplus, ctx.sizes = softplus, sizes
        return y, states[:, -1].transpose(1, 2).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in the order of `forward`'s arguments, each in its argument's precision."""
        u, delta, z, B, C, A, D, bias, rates, starts, totals = ctx.saved_tensors
        sizes: _Sizes = ctx.sizes
        grad_u, grad_delta, grad_z = _like(u), _like(delta), None if z is None else _like(z)
        read, common = _sequences(u, delta, z, _channels_last(grad_y)), (_matrices(B, C), (D, bias), rates)
        tiles = sizes.chunks * sizes.chunk_steps // sizes.blocks["STEPS"]
        kept = starts.new_empty(sizes.batch, tiles, sizes.states, sizes.channels)
        adjoints, grad_A = torch.zeros_like(starts), torch.zeros_like(starts)
        grad_B, grad_C = starts.new_empty(2, sizes.batch, sizes.channel_blocks, *B.shape[1:])
        grad_D, grad_bias = torch.empty_like(totals), torch.empty_like(totals)
        with _on_device_of(u):
            buffers = (starts.clone(), adjoints, kept)
            sizes.launch(sweep_kernel, (*read, *_sequences(grad_z)), *common, buffers, SOFTPLUS=ctx.softplus)
            last = grad_last.transpose(1, 2).contiguous()
            sizes.launch(carry_kernel, adjoints, last, totals, rates, over_chunks=False, REVERSE=True)
            wanted = (*read, *_sequences(grad_u, grad_delta))
            gradients = (grad_A, grad_D, grad_bias, grad_B, grad_C)
            sizes.launch(backward_kernel, wanted, *common, buffers[1:], gradients, SOFTPLUS=ctx.softplus)
        matrices = _to(B, grad_B.sum(1)), _to(C, grad_C.sum(1))
        vectors = _to(D, grad_D.sum((0, 1))), _to(bias, grad_bias.sum((0, 1)))
        return None, grad_u, grad_delta, grad_z, *matrices, _to(A, grad_A.sum((0, 1)).t()), *vectors


scan: Callable[..., tuple[Tensor, Tensor]] = _Scan.apply
