"""Learned and fixed weights of the terms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from uumamba.losses.weighting import FixedWeighting, UncertaintyWeighting


def optimal_p_squared(loss: float) -> float:
    """method.md, section 1."""
    return (loss / 2 + math.sqrt(loss**2 / 4 + 2 * loss)) / 2


def test_gradient_descent_finds_the_optimum() -> None:
    """For constant terms s comes to log p^2 of the formula, each by itself."""
    losses = {"region": 0.7, "distribution": 0.05, "pixel": 2.4}
    weighting = UncertaintyWeighting(dict.fromkeys(losses, 0.5))
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5, momentum=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        weighting({name: torch.tensor(loss) for name, loss in losses.items()}).backward()
        optimizer.step()
    expected = [math.log(optimal_p_squared(loss)) for loss in losses.values()]
    torch.testing.assert_close(weighting.s.detach(), torch.tensor(expected), atol=1e-4, rtol=0)
    assert weighting.weights() == pytest.approx({n: 0.5 / optimal_p_squared(v) for n, v in losses.items()}, rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(loss=st.floats(0, 100), s=st.floats(-30, 30))
def test_equals_the_published_formula_and_is_bounded_below(loss: float, s: float) -> None:
    """0.5 / p^2 L + log(1 + p^2), never below 0 for L >= 0."""
    weighting = UncertaintyWeighting({"region": 0.5}).double()
    with torch.no_grad():
        weighting.s.fill_(s)
    total = weighting({"region": torch.tensor(loss, dtype=torch.float64)})
    assert total >= 0
    assert total.item() == pytest.approx(0.5 / math.exp(s) * loss + math.log1p(math.exp(s)), rel=1e-9)


def test_no_learned_weight_beats_the_optimum() -> None:
    """The formula's value is the minimum over s."""
    loss = 0.3
    grid = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    values = 0.5 * torch.exp(-grid) * loss + functional.softplus(grid)
    best = 0.5 / optimal_p_squared(loss) * loss + math.log1p(optimal_p_squared(loss))
    assert values.min() >= best
    assert values.min() == pytest.approx(best, abs=1e-4)


def test_starting_weights() -> None:
    """They are kept as given; 0.5 is s = 0."""
    weights = {"region": 0.5, "distribution": 1.0, "pixel": 2.0}
    weighting = UncertaintyWeighting(weights)
    assert weighting.weights() == pytest.approx(weights)
    assert weighting.s[0] == 0
    assert [name for name, _ in weighting.named_parameters()] == ["s"]


def test_fixed_weights() -> None:
    """A plain weighted sum without parameters."""
    weighting = FixedWeighting({"region": 1.0, "distribution": 0.5}, constant=2.0)
    total = weighting({"region": torch.tensor(0.25), "distribution": torch.tensor(1.0), "pixel": torch.tensor(9.0)})
    assert total == 2.75
    assert list(weighting.parameters()) == []
    assert weighting.weights() == {"region": 1.0, "distribution": 0.5}
