"""The exponential moving average of a model's weights over its training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from uumamba.core.errors import UumambaError
from uumamba.optim.restored import copy_all, restored


class WeightAverage:
    """Keeps `average = d average + (1 - d) weights`, one `update` per optimizer step (Polyak and Juditsky, 1992).

    d = min(decay, (1 + n) / (10 + n)) after n updates, so that the random start is soon forgotten. Buffers are copied
    as they are. The average starts at the weights of the construction, on their device: make it when the model is
    there. It has the weights' own type, which should be float32: bfloat16 would swallow the small changes.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Average the weights of `model` with `decay` in [0, 1), about 1 - 1 / (steps to look back on)."""
        if not 0 <= decay < 1:
            raise UumambaError(f"weight average: decay must lie in [0, 1), got {decay}; 0.999 is usual")
        self.decay = decay
        self.updates = 0
        self._model = model
        self._weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        self._buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def update(self) -> None:
        """Take in the weights as they are now; call it after each optimizer step that was not skipped."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights = [parameter.detach() for parameter in self._model.parameters()]
        torch._foreach_lerp_(list(self._weights.values()), weights, 1 - decay)
        copy_all(list(self._model.buffers()), list(self._buffers.values()))
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model for the block; the trained weights then return bitwise, whatever happens.

        Storage is never rebound, so views stay views. Do not train or `update` inside.
        """
        live = [*(parameter.detach() for parameter in self._model.parameters()), *self._model.buffers()]
        with restored(live):
            copy_all([*self._weights.values(), *self._buffers.values()], live)
            yield

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: the number of updates and the averaged tensors by name, not copied."""
        return {"updates": self.updates, "weights": dict(self._weights), "buffers": dict(self._buffers)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`; raises `UumambaError` if it is that of another model."""
        pairs = [(self._weights, state["weights"]), (self._buffers, state["buffers"])]
        different = sorted(
            name
            for own, other in pairs
            for name in own.keys() | other.keys()
            if _shape(own.get(name)) != _shape(other.get(name))
        )
        if different:
            raise UumambaError(
                f"weight average: {len(different)} tensors are not this model's, {different[0]} the first of them; "
                "build the model as the run began"
            )
        for own, other in pairs:
            copy_all([other[name] for name in own], list(own.values()))
        self.updates = state["updates"]


def _shape(tensor: Tensor | None) -> torch.Size | None:
    return None if tensor is None else tensor.shape
