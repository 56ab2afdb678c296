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
    All are floating point on one device, in the precision of the state: float32, or float64 if any argument is.
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

    def checked(self) -> "ScanInputs":
        """The same inputs with their shapes checked, B and C given a group axis, half precision raised to float32.

        Raises `InputError` with the name, the expected and the given shape of the first argument that does not fit.
        """
        if self.u.ndim != 3 or self.A.ndim != 2 or 0 in self.u.shape:
            raise InputError(
                f"selective scan: u must be (batch, channels, length), none of them 0, and A (channels, state); "
                f"got u {tuple(self.u.shape)}, A {tuple(self.A.shape)}"
            )
        given = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        for name in ("B", "C"):
            if given[name].ndim == 3:
                given[name] = given[name].unsqueeze(1)
        _check_shapes(given)
        precision = torch.float64 if any(t.dtype == torch.float64 for t in given.values()) else torch.float32
        raised: dict[str, Any] = {name: tensor.to(precision) for name, tensor in given.items()}
        return replace(self, **raised)

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
    groups = given["B"].shape[1]
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
