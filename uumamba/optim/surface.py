"""A loss as a surface over the weights: its height and slope at the weights or beside them, which always come back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from uumamba.core.errors import UumambaError
from uumamba.core.random_state import RandomState
from uumamba.optim.restored import restored
from uumamba.optim.step import Objective


class LossSurface:
    """The mean of several losses as a function of all `weights` together, which are on one device.

    A place or a direction is one vector: the weights' values one after the other, `size` of them.
    """

    def __init__(self, weights: Sequence[Tensor], losses: Callable[[], Iterable[Tensor]]) -> None:
        """`losses()` gives scalars to differentiate, one a batch, from the weights as they are then, each by itself."""
        self.weights = tuple(weights)
        self.size = sum(weight.numel() for weight in self.weights)
        self._losses = losses

    def position(self) -> Tensor:
        """The weights as one vector, a copy."""
        return torch.cat([weight.detach().flatten() for weight in self.weights])

    def loss(self) -> float:
        """The height here; it may be infinite or NaN."""
        with torch.no_grad():
            values = [float(value) for value in self._losses()]
        return sum(values) / len(values)

    def gradient(self) -> Tensor:
        """The slope here, as a vector; weights that no loss reaches have slope 0.

        Raises `UumambaError` if it is not finite.
        """
        total, count = torch.zeros_like(self.position()), 0
        for value in self._losses():
            parts = torch.autograd.grad(value, self.weights, allow_unused=True, materialize_grads=True)
            total += torch.cat([part.flatten() for part in parts])
            count += 1
        if not torch.isfinite(total).all():
            raise UumambaError(
                "loss surface: the gradient is not finite near these weights, so no curvature can be measured; "
                "use the weights of a run that trained in fp32 or bf16 without skipped steps"
            )
        return total / count

    @contextmanager
    def at(self, offset: Tensor) -> Iterator[None]:
        """Move the weights by `offset` for the block; they then return bitwise, whatever happens in it.

        Storage is never rebound, so views stay views.
        """
        parts = torch.split(offset.to(self.weights[0].device), [weight.numel() for weight in self.weights])
        kept = [weight.detach() for weight in self.weights]
        with restored(kept):
            for weight, part in zip(kept, parts, strict=True):
                weight.add_(part.view_as(weight))
            yield


def surface_of(model: nn.Module, objective: Objective, batches: Sequence[Any]) -> LossSurface:
    """The mean of a model's loss over `batches`, as a function of the model's weights alone.

    Every evaluation starts from the same random state (dropout, stochastic depth). A model whose buffers change in a
    forward pass (batch norm) is the caller's to put into evaluation mode.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    state = RandomState.capture(weights[0].device)

    def losses() -> Iterator[Tensor]:
        """The loss of each batch."""
        state.restore(weights[0].device)
        for batch in batches:
            yield objective(model, batch).total

    return LossSurface(weights, losses)
