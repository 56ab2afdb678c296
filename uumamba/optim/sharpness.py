"""How sharp a minimum is: eigenvalues and trace of the Hessian, and the climb of one ascent step.

The Hessian appears only in products with a vector, each from two gradients. Nothing here differentiates twice: that is
silently wrong through an operator whose backward pass is opaque to autograd, as a fused scan's is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.optim.surface import LossSurface

HessianProduct = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Eigenvalue:
    """An estimate of one of the Hessian's eigenvalues; some eigenvalue, not always that one, lies within `residual`."""

    value: float
    residual: float


@dataclass(frozen=True)
class Extremes:
    """Both ends of the spectrum as far as `products` products show it; `converged` speaks of the highest alone.

    `highest` and `lowest` are algebraic: `lowest` is negative wherever the surface bends down in some direction. The
    largest magnitude is that of one of the two.
    """

    highest: Eigenvalue
    lowest: Eigenvalue
    products: int
    converged: bool


@dataclass(frozen=True)
class Trace:
    """An estimate of the trace, and the standard error of that mean over `samples` random vectors."""

    value: float
    standard_error: float
    samples: int


def default_step(position: Tensor, *, sharp: bool = True) -> float:
    """How far to go from `position` to either side, as a distance: a share of its norm (of 1 at the origin).

    With eps the rounding unit of the weights' type (1.2e-7 in float32), a central difference's rounding error grows as
    eps / share and its own error as share^2, so that eps^(1/3) is best where the surface changes over distances like
    the norm. Along a random direction a network's does (`sharp=False`, for the trace). Along the sharpest ones it
    changes far sooner: there the share is eps^(1/2), about the distance of a sharpness-aware step (0.06 of 186 for a
    trained U-Mamba; from 0.02 to 0.06 the top eigenvalue was the same, at 0.6 a third).
    """
    share = math.pow(torch.finfo(position.dtype).eps, 1 / 2 if sharp else 1 / 3)
    return share * (float(torch.linalg.vector_norm(position)) or 1.0)


def hessian_product(surface: LossSurface, vector: Tensor, *, step: float | None = None) -> Tensor:
    """H `vector`, by the central difference of the gradients a distance `step` to either side along `vector`.

    Linear in `vector` up to rounding. A network with kinks (leaky ReLU) has, at this distance, the curvature of its
    kinks too, which double backward never sees.
    """
    length = float(torch.linalg.vector_norm(vector))
    if length == 0:
        return torch.zeros_like(vector)
    scale = (step or default_step(surface.position())) / length
    with surface.at(scale * vector):
        ahead = surface.gradient()
    with surface.at(-scale * vector):
        behind = surface.gradient()
    return ((ahead - behind) / (2 * scale)).to(vector.device)


def extreme_eigenvalues(
    product: HessianProduct, start: Tensor, *, most_products: int = 20, tolerance: float = 0.01
) -> Extremes:
    """Both ends of a symmetric operator's spectrum by Lanczos' method with full re-orthogonalisation.

    Begins at the vector `start` (random, not 0) and ends when the highest eigenvalue's residual is at most `tolerance`
    of it, or after `most_products`. It keeps a vector per product on `start`'s device: on the CPU, 20 of 59 million
    weights take 4.7 GB of main memory and none of the GPU's.
    """
    basis = [start / torch.linalg.vector_norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = product(basis[-1]).clone()  # changed below
        diagonal.append(float(torch.dot(basis[-1], image)))
        for _ in range(2):  # once leaves what rounding made of the first time
            for earlier in basis:
                image -= torch.dot(earlier, image) * earlier
        rest = float(torch.linalg.vector_norm(image))
        values, residuals = _ritz(diagonal, beside, rest)
        # Half of an eigenvalue's digits are enough for its residual, since its error is about the residual's square.
        converged = residuals[-1] <= tolerance * abs(values[-1])
        if converged or len(diagonal) == min(most_products, start.numel()) or rest == 0:
            break
        beside.append(rest)
        basis.append(image / rest)
    lowest, highest = (Eigenvalue(values[end], residuals[end]) for end in (0, -1))
    return Extremes(highest, lowest, len(diagonal), converged)


def _ritz(diagonal: list[float], beside: list[float], rest: float) -> tuple[list[float], list[float]]:
    """Eigenvalues of Lanczos' tridiagonal matrix, ascending, and their residuals."""
    tridiagonal = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for place, value in enumerate(beside):
        tridiagonal[place, place + 1] = tridiagonal[place + 1, place] = value
    values, vectors = torch.linalg.eigh(tridiagonal)
    return values.tolist(), (rest * vectors[-1].abs()).tolist()


def hutchinson_trace(product: HessianProduct, like: Tensor, *, samples: int, generator: torch.Generator) -> Trace:
    """The trace as the mean of z H z over random signs z (Hutchinson, 1990), vectors as `like`.

    `generator` is the CPU's, so that all devices draw the same. Raises `InputError` for fewer than two samples.
    """
    if samples < 2:
        raise InputError(f"trace: at least 2 samples are needed for a standard error, got {samples}; draw more")
    values = []
    for _ in range(samples):
        signs = torch.randint(0, 2, like.shape, generator=generator, dtype=torch.int8)
        vector = (2 * signs - 1).to(like)
        values.append(float(torch.dot(vector, product(vector))))
    drawn = torch.tensor(values, dtype=torch.float64)
    return Trace(float(drawn.mean()), float(drawn.std()) / math.sqrt(samples), samples)


def ascent_sharpness(surface: LossSurface, gradient: Tensor, *, rho: float) -> float | None:
    """How much higher the loss is a distance `rho` up the `gradient`: loss(w + rho g / |g|) - loss(w).

    None where that is not finite. The one-step estimate of the highest loss within that distance, which sharpness-aware
    minimisation (Foret et al., 2021) lowers. It also holds the slope's own part, rho |g|, so it is no measure of
    curvature alone.
    """
    offset = rho / (float(torch.linalg.vector_norm(gradient)) + 1e-12) * gradient
    here = surface.loss()
    with surface.at(offset):
        climb = surface.loss() - here
    return climb if math.isfinite(climb) else None
