"""The moving average of weights: its laws, a slow double, and the model's own weights back in place."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from uumamba.core.errors import UumambaError
from uumamba.optim.weight_average import WeightAverage
from uumamba.training.checkpoint import read_checkpoint, write_checkpoint


def build(outputs: int = 3) -> nn.Sequential:
    """Weights, running statistics and a counter."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, outputs), nn.BatchNorm1d(outputs), nn.Linear(outputs, 2))


def train(model: nn.Module, average: WeightAverage, *, seeds: range) -> list[dict[str, Tensor]]:
    """A real step per seed, averaged; gives the states after each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    states = []
    for seed in seeds:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(seed))
        model(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        states.append(snapshot(model))
    return states


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def averaged(model: nn.Module, average: WeightAverage) -> dict[str, Tensor]:
    """The state that the model has inside."""
    with average.applied():
        return snapshot(model)


def assert_bitwise(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_decay_zero_is_the_weights_themselves() -> None:
    model = build()
    average = WeightAverage(model, 0.0)
    assert_bitwise(averaged(model, average), snapshot(model))
    states = train(model, average, seeds=range(5))
    assert_bitwise(averaged(model, average), states[-1])


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_constant_weights_stay(decay: float) -> None:
    model = build()
    average = WeightAverage(model, decay)
    for _ in range(50):
        average.update()
    assert_bitwise(averaged(model, average), snapshot(model))


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_equals_a_slow_recursion_in_float64(decay: float) -> None:
    """Weights by the recursion with the decay's warm-up; running statistics and counters are the last ones."""
    model = build()
    average = WeightAverage(model, decay)
    slow = {name: parameter.detach().double() for name, parameter in model.named_parameters()}
    states = train(model, average, seeds=range(40))
    for n, state in enumerate(states):
        d = min(decay, (1 + n) / (10 + n))
        slow = {name: d * value + (1 - d) * state[name].double() for name, value in slow.items()}
    result = averaged(model, average)
    for name, value in slow.items():
        torch.testing.assert_close(result[name].double(), value, rtol=1e-5, atol=1e-7)
    assert not torch.equal(result["0.weight"], states[-1]["0.weight"])
    for name, _ in model.named_buffers():
        assert torch.equal(result[name], states[-1][name])


class Stopped(Exception):
    """Raised inside the block."""


@pytest.mark.parametrize("raises", [False, True])
def test_trained_weights_return_bitwise_and_in_place(raises: bool) -> None:
    """Also if the block raises, changes weights or normalises in training mode; views stay views."""
    model = build()
    average = WeightAverage(model, 0.9)
    train(model, average, seeds=range(3))
    before, view = snapshot(model), model[0].weight.detach()
    kept = averaged(model, average)
    try:
        with average.applied():
            assert torch.equal(view, kept["0.weight"])
            model(torch.randn(8, 4))
            with torch.no_grad():
                model[0].weight.fill_(math.nan)
            if raises:
                raise Stopped
    except Stopped:
        assert raises
    assert_bitwise(snapshot(model), before)
    assert_bitwise(averaged(model, average), kept)
    assert view.data_ptr() == model[0].weight.data_ptr()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_resume_equals_continue_bitwise(tmp_path: Path) -> None:
    """Through a real checkpoint file."""
    straight = build()
    average = WeightAverage(straight, 0.99)
    train(straight, average, seeds=range(3))
    write_checkpoint(tmp_path / "last.safetensors", {"model": straight.state_dict(), "average": average.state_dict()})
    state = read_checkpoint(tmp_path / "last.safetensors")
    resumed = build()
    torch.nn.init.zeros_(resumed[0].weight)
    again = WeightAverage(resumed, 0.99)
    resumed.load_state_dict(state["model"])
    again.load_state_dict(state["average"])
    for model, its_average in ((straight, average), (resumed, again)):
        train(model, its_average, seeds=range(3, 6))
    assert again.updates == average.updates == 6
    assert_bitwise(averaged(straight, average), averaged(resumed, again))


def test_frozen_and_shared_weights() -> None:
    """What is not trained stays; what two layers share is averaged once."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    model[1].bias.requires_grad_(False)
    average = WeightAverage(model, 0.5)
    frozen = model[1].bias.clone()
    train(model, average, seeds=range(3))
    inside = averaged(model, average)
    assert torch.equal(inside["0.weight"], inside["1.weight"])
    assert torch.equal(inside["1.bias"], frozen)


@pytest.mark.parametrize("decay", [-0.1, 1.0, math.nan])
def test_decay_out_of_range(decay: float) -> None:
    with pytest.raises(UumambaError, match=rf"decay must lie in \[0, 1\), got {decay}; 0.999 is usual"):
        WeightAverage(build(), decay)


def test_state_of_another_model() -> None:
    average = WeightAverage(build(), 0.9)
    before = copy.deepcopy(average.state_dict())
    with pytest.raises(UumambaError, match=r"7 tensors are not this model's, 0[.]bias the first of them"):
        average.load_state_dict(WeightAverage(build(outputs=5), 0.9).state_dict())
    assert_bitwise(average.state_dict()["weights"], before["weights"])
