"""A loss surface: its height and slope, and weights that always come back."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.optim.quadratic import quadratic, symmetric_matrix
from uumamba.core.errors import UumambaError
from uumamba.optim.surface import LossSurface, surface_of


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


def mean_output(model: nn.Module, batch: Tensor) -> Value:
    total: Tensor = model(batch).square().mean()
    return Value(total, {})


@pytest.mark.parametrize("batches", [1, 3])
def test_height_and_slope_of_a_quadratic(batches: int) -> None:
    matrix = symmetric_matrix(definite=False)
    surface, alone = quadratic(matrix, batches=batches), quadratic(matrix)
    assert surface.size == len(matrix)
    assert surface.loss() == pytest.approx(alone.loss(), rel=1e-12)
    slope = surface.gradient()
    torch.testing.assert_close(slope, alone.gradient())
    with surface.at(torch.ones(surface.size, dtype=torch.float64)):
        torch.testing.assert_close(surface.gradient() - slope, matrix.sum(1))


def test_weights_return_bitwise_and_are_never_rebound() -> None:
    surface = quadratic(symmetric_matrix(definite=True), torch.float32)
    base, places = [weight.detach().clone() for weight in surface.weights], [w.data_ptr() for w in surface.weights]

    def fail_elsewhere() -> None:
        """Raise while the weights are moved."""
        with surface.at(1e3 * torch.randn(surface.size)):
            assert not torch.equal(surface.weights[0], base[0])
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail_elsewhere()
    assert all(torch.equal(weight, kept) for weight, kept in zip(surface.weights, base, strict=True))
    assert [weight.data_ptr() for weight in surface.weights] == places


def test_a_weight_that_no_loss_reaches_has_slope_0() -> None:
    used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
    assert LossSurface([used, unused], lambda: [used.sum()]).gradient().tolist() == [1, 1, 0, 0]


def test_a_slope_that_is_not_finite_is_an_error() -> None:
    weight = torch.zeros(2, requires_grad=True)
    with pytest.raises(UumambaError, match="the gradient is not finite near these weights"):
        LossSurface([weight], lambda: [weight.sqrt().sum()]).gradient()


def test_a_models_surface_sees_the_same_random_numbers_each_time() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    model[2].bias.requires_grad_(False)
    batches = [torch.randn(3, 4), torch.randn(3, 4)]
    surface = surface_of(model, mean_output, batches)
    assert surface.size == 4 * 8 + 8 + 8 * 2
    assert surface.loss() == surface.loss()
    assert torch.equal(surface.gradient(), surface.gradient())
    model.eval()
    both = [mean_output(model, batch).total.item() for batch in batches]
    assert surface.loss() == pytest.approx(sum(both) / 2)
