"""The public operator, and the table of its backends."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, unflatten
from torch.nn import functional

from uumamba.core.backends import BackendChoice
from uumamba.core.errors import InputError
from uumamba.filtering import cpu, taps, triton
from uumamba.filtering.window import Window, sum_dtype

# "auto" takes the first that can run. Each module has why_not(device, dtype) -> str | None, dtype being that of the
# sums, forward(x, kernels, window) and backward(grad, x, kernels, window, wanted), as described in `taps`; it imports
# what only it needs inside them.
BACKENDS: dict[str, ModuleType] = {"cpu": cpu, "triton": triton, "taps": taps}
FilterBackend = Literal["auto", "cpu", "triton", "taps"]
"""What a setting or a command may name."""
_CHOICE = BackendChoice("filter", BACKENDS)

_PADDINGS = {"zeros": "constant", "reflect": "reflect"}


def adaptive_filter(
    x: Tensor,
    kernels: Tensor,
    *,
    kernel_size: Sequence[int],
    scale: Sequence[int],
    padding: str = "zeros",
    backend: str = "auto",
) -> Tensor:
    """Filter a map by a kernel of its own at every place: the reassembly of CARAFE (arXiv 1905.02188, equation 2).

    out(p) = sum over taps t of kernels[t, p] x[floor(p / scale) + t - kernel_size // 2]

    `x` (batch, channels, *low) has two or three spatial axes; `kernels` (batch, groups taps, *high) has the taps of
    each group row by row, and low must be ceil(high / scale). Channels are divided into as many groups as there are
    kernels at a place. Gives (batch, channels, *high) in x's precision; sums are float32, or float64 where x is
    float64, also under autocast. Beyond its border x is 0 or, with padding "reflect", mirrored about its last element.
    Differentiable once in both tensors; keeps only them for that. Raises `InputError` on arguments that do not fit and
    on a second differentiation, and `ConfigError` on a backend that is unknown or cannot run.
    """
    window = Window(tuple(kernel_size), tuple(scale))
    _check(x, kernels, window, padding)
    groups = kernels.shape[1] // window.taps
    name = resolve_backend(backend, device=x.device, dtype=sum_dtype(x))
    with torch.autocast(x.device.type, enabled=False):
        sides = [radius for radius in reversed(window.radius) for _ in range(2)]
        bordered = unflatten(functional.pad(x, sides, mode=_PADDINGS[padding]), 1, (groups, -1))
        return _filter(name, window, bordered, unflatten(kernels, 1, (groups, -1))).flatten(1, 2)


def resolve_backend(name: str, *, device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """The backend that `name` ("auto" or a key of `BACKENDS`) stands for on this device, with sums in this precision.

    Raises `ConfigError` if the name is unknown, or if the named backend cannot run there: nothing falls back silently.
    """
    return _CHOICE.resolve(name, device=device, dtype=dtype)


class _Filter(torch.autograd.Function):
    """A backend's two passes; nothing is kept between them but the arguments."""

    @staticmethod
    def forward(ctx: Any, name: str, window: Window, x: Tensor, kernels: Tensor) -> Tensor:
        """Filter."""
        ctx.save_for_backward(x, kernels)
        ctx.name, ctx.window = name, window
        out: Tensor = BACKENDS[name].forward(x, kernels, window)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that are wanted; none that could be differentiated, since that would be silently wrong."""
        if torch.is_grad_enabled():
            raise InputError(
                "adaptive filter: it is differentiable once, got a gradient with create_graph=True; leave that out"
            )
        x, kernels = ctx.saved_tensors
        return None, None, *BACKENDS[ctx.name].backward(grad, x, kernels, ctx.window, ctx.needs_input_grad[2:])


_filter: Callable[[str, Window, Tensor, Tensor], Tensor] = _Filter.apply


def _check(x: Tensor, kernels: Tensor, window: Window, padding: str) -> None:
    """Raise `InputError` for the first thing that does not fit."""
    shapes = f"got x {tuple(x.shape)}, kernels {tuple(kernels.shape)}"
    if x.ndim not in (4, 5) or kernels.ndim != x.ndim or 0 in x.shape or 0 in kernels.shape:
        raise InputError(
            "adaptive filter: x must be (batch, channels, *low), kernels (batch, groups taps, *high), with the same "
            f"two or three spatial axes, and none of them 0; {shapes}"
        )
    window.check(x.ndim - 2)
    for name, tensor in (("x", x), ("kernels", kernels)):
        if not tensor.is_floating_point():
            raise InputError(f"adaptive filter: {name} must be real floating point, got {tensor.dtype}")
    if x.device != kernels.device:
        raise InputError(f"adaptive filter: x is on {x.device}, but kernels on {kernels.device}")
    groups, rest = divmod(kernels.shape[1], window.taps)
    if rest or x.shape[1] % groups:
        raise InputError(
            f"adaptive filter: kernels must have groups x {window.taps} taps of kernel_size {window.kernel_size}, "
            f"groups dividing the channels of x; {shapes}"
        )
    low = window.low(tuple(kernels.shape[2:]))
    if x.shape[0] != kernels.shape[0] or tuple(x.shape[2:]) != low:
        raise InputError(
            f"adaptive filter: for these kernels at scale {window.scale} x must have batch {kernels.shape[0]} and size "
            f"{low}; {shapes}"
        )
    if padding not in _PADDINGS:
        raise InputError(f"adaptive filter: padding must be one of {', '.join(_PADDINGS)}, got {padding!r}")
    if padding == "reflect" and any(size <= radius for size, radius in zip(low, window.radius, strict=True)):
        raise InputError(
            f"adaptive filter: padding 'reflect' needs more elements on an axis than half of kernel_size "
            f"{window.kernel_size}, got x of size {low}; use padding 'zeros' or a smaller kernel"
        )
