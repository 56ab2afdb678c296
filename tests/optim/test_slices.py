"""Directions on the filters' own scale, and the losses along them."""

import pytest
import torch
from torch import nn

from tests.optim.quadratic import quadratic, symmetric_matrix
from uumamba.optim.slices import filter_normalised_direction, line_losses, plane_losses
from uumamba.optim.surface import LossSurface


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_filter_is_as_long_as_the_weights_own_and_biases_and_norms_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.Linear(5, 2))
    weights = list(model.parameters())
    direction = filter_normalised_direction(weights, generator())
    parts = torch.split(direction, [weight.numel() for weight in weights])
    assert len(direction) == sum(weight.numel() for weight in weights)
    for weight, part in zip(weights, parts, strict=True):
        if weight.ndim <= 1:
            assert not part.any()
            continue
        lengths = [each.detach().flatten(1).norm(dim=1) for each in (weight, part.view_as(weight))]
        torch.testing.assert_close(*lengths)


def test_a_direction_depends_on_its_seed_alone_and_grows_with_the_weights() -> None:
    weights = [torch.randn(4, 6), torch.randn(6)]
    first = filter_normalised_direction(weights, generator())
    assert torch.equal(first, filter_normalised_direction(weights, generator()))
    assert not torch.equal(first, filter_normalised_direction(weights, generator(1)))
    torch.testing.assert_close(filter_normalised_direction([3 * each for each in weights], generator()), 3 * first)


def test_a_filter_of_zeros_stays_where_it_is() -> None:
    assert not filter_normalised_direction([torch.zeros(2, 3)], generator()).any()


def test_a_line_and_a_plane_through_a_quadratic() -> None:
    matrix = symmetric_matrix(definite=True)
    surface = quadratic(matrix)
    slope, here = surface.gradient(), surface.loss()
    first, second = (filter_normalised_direction(surface.weights, generator(seed)) for seed in (0, 1))
    places = [-1.0, -0.25, 0.0, 0.5]

    def expected(offset: torch.Tensor) -> float:
        """The quadratic's loss beside the weights."""
        return here + float(slope @ offset + offset @ matrix @ offset / 2)

    line = list(line_losses(surface, first, places))
    assert line == pytest.approx([expected(place * first) for place in places])
    assert line[2] == here
    plane = list(plane_losses(surface, first, second, places))
    assert [len(row) for row in plane] == [4] * 4
    for row, up in zip(plane, places, strict=True):
        assert row == pytest.approx([expected(along * first + up * second) for along in places])


def test_a_loss_that_is_not_finite_is_a_gap() -> None:
    weight = torch.ones(1, 1, requires_grad=True)
    surface = LossSurface([weight], lambda: [weight.log().sum()])
    assert list(line_losses(surface, torch.ones(1), [-2.0, -1.0, 0.0])) == [None, None, 0.0]
