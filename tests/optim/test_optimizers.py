"""Parameter groups: who is decayed, and that nobody is forgotten."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from uumamba.optim.optimizers import AdamWSettings, OptimizerSettings, SGDSettings, parameter_groups


class Scan(nn.Module):
    """The parameters of a state-space layer."""

    def __init__(self) -> None:
        super().__init__()
        self.A_log = nn.Parameter(torch.ones(4, 2))
        self.D = nn.Parameter(torch.ones(4))
        self.projection = nn.Linear(4, 4)


class LearnedLoss(nn.Module):
    """A loss with a learned weight of several axes."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3, 1))


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), Scan(), nn.LayerNorm(4))


def test_only_weights_of_layers_are_decayed() -> None:
    """Norms, biases, A_log, D and the loss's s are not."""
    model, loss = network(), LearnedLoss()
    groups = {group["name"]: group for group in parameter_groups(model, loss, weight_decay=3e-5)}
    names = {id(parameter): name for name, parameter in (*model.named_parameters(), *loss.named_parameters())}
    decayed = {names[id(parameter)] for parameter in groups["decayed"]["params"]}
    assert decayed == {"0.weight", "2.projection.weight"}
    assert [names[id(parameter)] for parameter in groups["loss"]["params"]] == ["s"]
    decay = {name: group["weight_decay"] for name, group in groups.items()}
    assert decay == {"decayed": 3e-5, "undecayed": 0, "loss": 0}
    assert sum(len(group["params"]) for group in groups.values()) == len(names)


def test_empty_groups_and_frozen_parameters_are_left_out() -> None:
    """Fixed weights: no loss group; a frozen layer is in no group."""
    model = network()
    model[0].requires_grad_(False)
    groups = parameter_groups(model, nn.Module(), weight_decay=0.1)
    assert [group["name"] for group in groups] == ["decayed", "undecayed"]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert not {id(parameter) for parameter in model[0].parameters()} & set(held)


def test_zero_gradients_only_decay() -> None:
    """With zero gradients a step shrinks the decayed weights and nothing else."""
    model, loss = network(), LearnedLoss()
    with torch.no_grad():
        loss.s.fill_(1)
    optimizer = SGDSettings(learning_rate=0.1, momentum=0, nesterov=False, weight_decay=0.5).build(model, loss)
    before = {name: value.clone() for name, value in (*model.named_parameters(), *loss.named_parameters())}
    for value in (*model.parameters(), *loss.parameters()):
        value.grad = torch.zeros_like(value)
    optimizer.step()
    for name, value in (*model.named_parameters(), *loss.named_parameters()):
        factor = 0.95 if name in ("0.weight", "2.projection.weight") else 1
        torch.testing.assert_close(value, before[name] * factor)


def test_defaults_are_the_reference() -> None:
    """SGD 1e-2, momentum 0.99, Nesterov, decay 3e-5."""
    optimizer = SGDSettings().build(network(), LearnedLoss())
    for group in optimizer.param_groups:
        assert (group["lr"], group["momentum"], group["nesterov"]) == (1e-2, 0.99, True)
    assert optimizer.param_groups[0]["weight_decay"] == 3e-5


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_every_optimizer_builds_by_name(name: str, kind: type) -> None:
    """The union picks by name, and each holds all parameters."""
    chosen: SGDSettings | AdamWSettings = TypeAdapter(OptimizerSettings).validate_python({"name": name})
    model, loss = network(), LearnedLoss()
    optimizer = chosen.build(model, loss)
    assert isinstance(optimizer, kind)
    held = sum(len(group["params"]) for group in optimizer.param_groups)
    assert held == len(list(model.parameters())) + 1
