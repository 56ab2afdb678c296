"""Curvature by differences of gradients: exact on a quadratic, and what double backward says on a smooth network."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tests.optim.quadratic import quadratic, symmetric_matrix
from uumamba.core.errors import InputError
from uumamba.optim.sharpness import (
    ascent_sharpness,
    default_step,
    extreme_eigenvalues,
    hessian_product,
    hutchinson_trace,
)
from uumamba.optim.surface import LossSurface

DTYPES = {torch.float64: 1e-7, torch.float32: 2e-3}
"""How exact a product is: somewhat worse than sqrt(eps)."""


def draw(size: int, dtype: torch.dtype = torch.float64, seed: int = 3) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def smooth_network(dtype: torch.dtype) -> tuple[LossSurface, Tensor]:
    """The surface of a small convolutional network without kinks, and its Hessian by double backward."""
    torch.manual_seed(5)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4, affine=True), nn.SiLU(), nn.Conv2d(4, 2, 3, padding=1)
    ).to(dtype)
    images = torch.randn(2, 1, 8, 8, dtype=dtype)
    target = (images[:, 0] > 0).long()
    shapes = {name: weight.shape for name, weight in model.named_parameters()}

    def loss_at(place: Tensor) -> Tensor:
        """The loss as a function of one vector of weights."""
        parts = torch.split(place, [shape.numel() for shape in shapes.values()])
        weights = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return functional.cross_entropy(functional_call(model, weights, (images,)), target)

    surface = LossSurface(list(model.parameters()), lambda: [functional.cross_entropy(model(images), target)])
    return surface, torch.autograd.functional.hessian(loss_at, surface.position())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("definite", [True, False], ids=["definite", "indefinite"])
def test_a_quadratic_is_measured_exactly(dtype: torch.dtype, definite: bool) -> None:
    matrix = symmetric_matrix(definite=definite)
    true, tolerance = torch.linalg.eigvalsh(matrix), DTYPES[dtype]
    surface = quadratic(matrix, dtype, batches=2)
    vector = draw(surface.size, dtype)
    product = partial(hessian_product, surface)
    expected = matrix @ vector.double()
    assert torch.linalg.vector_norm(product(vector).double() - expected) <= tolerance * true.abs().max() * vector.norm()
    found = extreme_eigenvalues(product, vector, most_products=surface.size, tolerance=tolerance)
    scale = float(true.abs().max())
    assert found.converged
    assert found.highest.value == pytest.approx(float(true[-1]), abs=tolerance * scale)
    assert (float(true[0]) < 0) != definite
    # Each column of the matrix in turn: the trace without chance.
    diagonal = [float(product(unit)[place]) for place, unit in enumerate(torch.eye(surface.size, dtype=dtype))]
    assert sum(diagonal) == pytest.approx(float(true.sum()), abs=tolerance * scale * surface.size)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_both_ends_of_the_spectrum_after_as_many_products_as_weights(dtype: torch.dtype) -> None:
    matrix = symmetric_matrix(definite=False)
    true = torch.linalg.eigvalsh(matrix)
    surface = quadratic(matrix, dtype)
    start = draw(surface.size, dtype)
    found = extreme_eigenvalues(partial(hessian_product, surface), start, most_products=1000, tolerance=0)
    assert found.products <= surface.size
    for end, eigenvalue in ((0, found.lowest), (-1, found.highest)):
        assert eigenvalue.value == pytest.approx(float(true[end]), rel=5 * DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_smooth_network_agrees_with_double_backward(dtype: torch.dtype) -> None:
    surface, hessian = smooth_network(dtype)
    true = torch.linalg.eigvalsh(hessian.double())
    # Here the step's own error, which grows with its square, is added to the rounding.
    tolerance = 10 * DTYPES[dtype]
    product = partial(hessian_product, surface)
    for seed in range(3):
        vector = draw(surface.size, dtype, seed)
        error = torch.linalg.vector_norm(product(vector) - hessian @ vector)
        assert error <= tolerance * true.abs().max() * torch.linalg.vector_norm(vector)
    found = extreme_eigenvalues(product, draw(surface.size, dtype), most_products=40, tolerance=1e-3)
    assert found.converged
    assert found.highest.value == pytest.approx(float(true[-1]), rel=tolerance)
    trace = hutchinson_trace(product, surface.position(), samples=300, generator=torch.Generator().manual_seed(0))
    assert abs(trace.value - float(true.sum())) < 4 * trace.standard_error
    assert trace.standard_error < 0.1 * abs(trace.value)


def test_some_eigenvalue_lies_within_the_residual_and_a_stop_before_convergence_says_so() -> None:
    matrix = symmetric_matrix(definite=False, seed=2)
    true = torch.linalg.eigvalsh(matrix)
    start = draw(len(matrix))
    for products in (2, 4, 8, 16):
        found = extreme_eigenvalues(matrix.__matmul__, start, most_products=products, tolerance=1e-6)
        assert found.products == products
        assert not found.converged
        for eigenvalue in (found.lowest, found.highest):
            assert float((true - eigenvalue.value).abs().min()) <= eigenvalue.residual + 1e-12
        # Ritz values lie inside the spectrum.
        assert float(true[0]) - 1e-9 <= found.lowest.value <= found.highest.value <= float(true[-1]) + 1e-9


def test_few_distinct_eigenvalues_need_few_products() -> None:
    values = torch.tensor([5.0] * 4 + [-2.0] * 10 + [0.0] * 6, dtype=torch.float64)
    found = extreme_eigenvalues(values.__mul__, draw(20), most_products=20, tolerance=1e-9)
    assert found.products <= 4
    assert found.highest.value == pytest.approx(5)
    assert found.lowest.value == pytest.approx(-2)


def test_the_trace_of_a_diagonal_has_no_error_and_that_of_a_quadratic_has_the_one_it_says() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.arange(10, dtype=torch.float64)
    exact = hutchinson_trace(values.__mul__, values, samples=5, generator=generator)
    assert (exact.value, exact.standard_error, exact.samples) == (45, 0, 5)
    matrix = symmetric_matrix(definite=False)
    found = hutchinson_trace(matrix.__matmul__, matrix[0], samples=2000, generator=generator)
    spread = math.sqrt(2 * float(matrix.square().sum() - matrix.diagonal().square().sum()))
    assert found.standard_error == pytest.approx(spread / math.sqrt(2000), rel=0.1)
    assert abs(found.value - float(matrix.trace())) < 4 * found.standard_error


def test_a_trace_of_one_sample_has_no_error_to_tell() -> None:
    with pytest.raises(InputError, match="at least 2 samples are needed for a standard error, got 1"):
        hutchinson_trace(lambda vector: vector, torch.ones(3), samples=1, generator=torch.Generator())


def test_the_climb_on_a_quadratic_is_its_slope_and_half_its_curvature() -> None:
    matrix = symmetric_matrix(definite=True)
    surface = quadratic(matrix)
    slope = surface.gradient()
    length, rho = float(slope.norm()), 0.05
    curvature = float(slope @ matrix @ slope) / length**2
    expected = rho * length + curvature * rho**2 / 2
    assert ascent_sharpness(surface, slope, rho=rho) == pytest.approx(expected, rel=1e-9)
    assert ascent_sharpness(surface, slope, rho=0) == 0
    assert ascent_sharpness(surface, 0 * slope, rho=rho) == 0


@pytest.mark.parametrize("rho", [1e200, math.inf])
def test_a_climb_that_is_not_finite_is_none(rho: float) -> None:
    surface = quadratic(symmetric_matrix(definite=True))
    assert ascent_sharpness(surface, surface.gradient(), rho=rho) is None


def test_the_weights_return_bitwise_after_every_measure() -> None:
    surface = quadratic(symmetric_matrix(definite=True), torch.float32)
    before = surface.position()
    hessian_product(surface, draw(surface.size, torch.float32))
    ascent_sharpness(surface, surface.gradient(), rho=1.0)
    assert torch.equal(surface.position(), before)


def test_a_product_with_nothing_is_nothing_and_the_origin_has_a_step() -> None:
    surface = quadratic(symmetric_matrix(definite=True))
    assert not hessian_product(surface, torch.zeros(surface.size, dtype=torch.float64)).any()
    assert default_step(torch.zeros(3)) == pytest.approx(math.sqrt(torch.finfo(torch.float32).eps))
    place, unit = torch.full((4,), 5.0), torch.finfo(torch.float32).eps
    assert default_step(place) == pytest.approx(10 * unit ** (1 / 2))
    assert default_step(place, sharp=False) == pytest.approx(10 * unit ** (1 / 3))
