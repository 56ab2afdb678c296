"""Gradients that must not be asked for: an error where a backend has none, never a wrong number."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.scan.inputs import ScanInputs


def differentiable_once(inputs: ScanInputs, backend: str) -> ScanInputs:
    """The same inputs, whose gradients raise `InputError` when they are differentiated themselves.

    For backends with a backward pass of their own, which autograd cannot see into; `backend` is its name.
    """
    names = [name for name, tensor in inputs.tensors().items() if tensor.requires_grad]
    if not names or not torch.is_grad_enabled():
        return inputs
    message = (
        f"selective scan: backend {backend!r} is differentiable once, got a second differentiation; "
        "use backend='reference' for second order"
    )
    tensors = _once(message, *(inputs.tensors()[name] for name in names))
    return inputs.with_tensors(dict(zip(names, tensors, strict=True)))


def without_gradient(tensor: Tensor, message: str) -> Tensor:
    """The same tensor, which raises `InputError` with that message when a gradient comes back to it."""
    return _barred(message, 1, tensor)[0]


class _Once(torch.autograd.Function):
    """The identity; gradients that pass it backwards while a graph is made of them are barred."""

    @staticmethod
    def forward(ctx: Any, message: str, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Hand the tensors on."""
        ctx.message = message
        ctx.save_for_backward(*tensors)
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Hand the gradients on; their barred graph leads to the inputs, so that no path around the bar is found."""
        if not torch.is_grad_enabled():
            return None, *gradients
        return None, *_barred(ctx.message, len(gradients), *gradients, *ctx.saved_tensors)


class _Barred(torch.autograd.Function):
    """The identity on the first `count` tensors, the others being what they depend on; no way back."""

    @staticmethod
    def forward(ctx: Any, message: str, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Hand the first tensors on."""
        ctx.message = message
        return tensors[:count]

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        """Refuse."""
        raise InputError(ctx.message)


_once: Callable[..., tuple[Tensor, ...]] = _Once.apply
_barred: Callable[..., tuple[Tensor, ...]] = _Barred.apply
