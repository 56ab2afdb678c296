"""A loss whose Hessian is known, over weights of several shapes."""

from collections.abc import Iterator

import torch
from torch import Tensor

from uumamba.optim.surface import LossSurface

SHAPES = ((4, 3), (5,), (2, 3, 2))


def symmetric_matrix(*, definite: bool, seed: int = 0) -> Tensor:
    """A random symmetric matrix over all weights, float64; positive definite, or with eigenvalues of both signs."""
    size = sum(torch.Size(shape).numel() for shape in SHAPES)
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn @ drawn.T / size if definite else (drawn + drawn.T) / 2


def quadratic(matrix: Tensor, dtype: torch.dtype = torch.float64, batches: int = 1) -> LossSurface:
    """Half of w `matrix` w plus a linear part, as the mean of `batches` unequal parts, at random weights."""
    random = torch.Generator().manual_seed(7)
    weights = [torch.randn(shape, generator=random, dtype=dtype).requires_grad_() for shape in SHAPES]
    slope = torch.randn(len(matrix), generator=random, dtype=torch.float64).to(dtype)
    shares = [2 * (number + 1) / (batches + 1) for number in range(batches)]  # their mean is 1
    curvature = matrix.to(dtype)

    def losses() -> Iterator[Tensor]:
        """The quadratic, shared out among the batches."""
        for share in shares:
            place = torch.cat([weight.flatten() for weight in weights])
            yield share * (place @ curvature @ place / 2 + slope @ place)

    return LossSurface(weights, losses)
