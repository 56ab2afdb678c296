"""Slices through a loss surface along random directions on the scale of the weights' own filters."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from uumamba.optim.surface import LossSurface


def filter_normalised_direction(weights: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """A random direction, each filter of which is as long as the weights' own (Li et al., 2018), as one vector.

    A filter is everything behind one index of a weight's first axis, as in the paper's code. Weights of at most one
    axis (biases, norms) stay where they are. `generator` is the CPU's, so that all devices draw the same.
    """
    parts = []
    for weight in weights:
        filters = weight.detach().flatten(1) if weight.ndim > 1 else weight.detach().view(1, -1)
        if weight.ndim <= 1:
            parts.append(torch.zeros_like(filters).flatten())
            continue
        drawn = torch.randn(filters.shape, generator=generator).to(filters)
        own, random = (torch.linalg.vector_norm(each, dim=1, keepdim=True) for each in (filters, drawn))
        parts.append((drawn * (own / random)).flatten())
    return torch.cat(parts)


def line_losses(surface: LossSurface, direction: Tensor, places: Iterable[float]) -> Iterator[float | None]:
    """The loss at each multiple of `direction` in `places`; None where it is not finite."""
    for place in places:
        with surface.at(place * direction):
            loss = surface.loss()
        yield loss if math.isfinite(loss) else None


def plane_losses(
    surface: LossSurface, first: Tensor, second: Tensor, places: Sequence[float]
) -> Iterator[list[float | None]]:
    """The losses around the weights, a row for each multiple of `second`, in it one for each multiple of `first`."""
    for place in places:
        with surface.at(place * second):
            yield list(line_losses(surface, first, places))
