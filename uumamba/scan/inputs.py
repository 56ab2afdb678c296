"""The arguments of one selective scan, checked once for every backend."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class ScanInputs:
    """What every backend receives, once `checked`.

    Axes are b batch, d channel, g group (d is a multiple of g), n state, l length.
    `u`, `delta`, `z` are (b, d, l); `A` is (d, n); `B` and `C` are (b, g, n, l); `D` and `delta_bias` are (d,).
    All are floating point on one device, each in the precision and layout that it came in; `raised` gives them all
    the precision of the state. `step_sizes` and `finish` compute in the precision of the tensors that they find.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    z: Tensor | None
    delta_bias: Tensor | None
    delta_softplus: bool

    @property
    def state_dtype(self) -> torch.dtype:
        """The precision of the state: float32, or float64 if any tensor is."""
        double = any(tensor.dtype == torch.float64 for tensor in self.tensors().values())
        return torch.float64 if double else torch.float32

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that were given, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def with_tensors(self, changed: dict[str, Tensor]) -> "ScanInputs":
        """The same inputs with some tensors changed."""
        named: dict[str, Any] = dict(changed)
        return replace(self, **named)

    def checked(self) -> "ScanInputs":
        """The same inputs with their shapes checked, and B and C given a group axis.

        Raises `InputError` with the name, the expected and the given shape of the first argument that does not fit.
        """
        if self.u.ndim != 3 or self.A.ndim != 2 or 0 in self.u.shape or 0 in self.A.shape:
            raise InputError(
                f"selective scan: u must be (batch, channels, length), A (channels, state), and none of them 0; "
                f"got u {tuple(self.u.shape)}, A {tuple(self.A.shape)}"
            )
        matrices = {"B": self.B, "C": self.C}
        grouped = self.with_tensors({name: t.unsqueeze(1) if t.ndim == 3 else t for name, t in matrices.items()})
        _check_shapes(grouped.tensors())
        return grouped

    def raised(self) -> "ScanInputs":
        """The same inputs, all tensors in the precision of the state; those that have it are not copied."""
        precision = self.state_dtype
        return self.with_tensors({name: tensor.to(precision) for name, tensor in self.tensors().items()})

    def step_sizes(self) -> Tensor:
        """The step sizes (b, d, l): `delta` with its bias, through softplus if asked."""
        delta = self.delta if self.delta_bias is None else self.delta + self.delta_bias[:, None]
        return functional.softplus(delta) if self.delta_softplus else delta

    def finish(self, y: Tensor) -> Tensor:
        """Add the direct path `D u` and apply the gate `silu(z)` to the scan's output y (b, d, l)."""
        if self.D is not None:
            y = torch.addcmul(y, self.u, self.D[:, None])
        return y if self.z is None else y * functional.silu(self.z)


def _check_shapes(given: dict[str, Tensor]) -> None:
    """Compare every shape with what u, A and B say."""
    batch, channels, length = given["u"].shape
    state = given["A"].shape[1]
    groups = given["B"].shape[1] if given["B"].ndim == 4 else 1
    if groups == 0 or channels % groups:
        raise InputError(f"selective scan: {channels} channels of u cannot be divided into {groups} groups of B")
    sequence, matrix, vector = (batch, channels, length), (batch, groups, state, length), (channels,)
    expected = {"A": (channels, state), "B": matrix, "C": matrix, "D": vector, "delta_bias": vector}
    for name, tensor in given.items():
        shape = expected.get(name, sequence)
        if tuple(tensor.shape) != shape:
            raise InputError(f"selective scan: {name} must have shape {shape}, got {tuple(tensor.shape)}")
        if not tensor.is_floating_point():
            raise InputError(f"selective scan: {name} must be real floating point, got {tensor.dtype}")
        if tensor.device != given["u"].device:
            raise InputError(f"selective scan: {name} is on {tensor.device}, but u on {given['u'].device}")
