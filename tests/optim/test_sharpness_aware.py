"""The ascent's formula, what it is for, and the published trajectories."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from uumamba.config import load_config
from uumamba.core.errors import ConfigError, UumambaError
from uumamba.optim.rules import RuleSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings, ascent, rho_towards, sharpness_aware
from uumamba.optim.step import Step

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "sharpness_aware"


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


def draw(seed: int) -> tuple[list[nn.Parameter], dict[nn.Parameter, Tensor]]:
    """Three parameters of different shapes and their gradients."""
    random = torch.Generator().manual_seed(seed)
    shapes = [(3, 2), (4,), (1, 2, 2)]
    params = [nn.Parameter(torch.randn(shape, generator=random, dtype=torch.float64)) for shape in shapes]
    return params, {p: torch.randn(p.shape, generator=random, dtype=torch.float64) for p in params}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rho=st.floats(1e-3, 10))
def test_offset_has_length_rho_along_the_gradient(seed: int, rho: float) -> None:
    """Over all parameters together."""
    params, gradients = draw(seed)
    offsets = ascent(params, gradients, rho=rho, adaptive=False, eta=0.01)
    length = math.sqrt(sum(offset.square().sum().item() for offset in offsets.values()))
    assert length == pytest.approx(rho)
    ratios = torch.cat([(offsets[p] / gradients[p]).flatten() for p in params])
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rho=st.floats(1e-3, 10), eta=st.floats(0, 0.1))
def test_adaptive_offset(seed: int, rho: float, eta: float) -> None:
    """eps = rho T^2 g / ||T g||, so ||eps / T|| = rho."""
    params, gradients = draw(seed)
    offsets = ascent(params, gradients, rho=rho, adaptive=True, eta=eta)
    metric = {p: p.detach().abs() + eta for p in params}
    norm = math.sqrt(sum((metric[p] * gradients[p]).square().sum().item() for p in params))
    for p in params:
        torch.testing.assert_close(offsets[p], rho * metric[p] ** 2 * gradients[p] / norm)


def test_gradients_are_not_changed() -> None:
    """A rule may still need them."""
    params, gradients = draw(0)
    before = {p: gradient.clone() for p, gradient in gradients.items()}
    ascent(params, gradients, rho=1.0, adaptive=True, eta=0.01)
    assert all(torch.equal(before[p], gradients[p]) for p in params)


def test_zero_gradient_stays() -> None:
    """At a stationary point there is nowhere to climb, and no division by zero."""
    params, gradients = draw(0)
    offsets = ascent(params, {p: torch.zeros_like(g) for p, g in gradients.items()}, rho=1.0, adaptive=False, eta=0.01)
    assert all(offset.count_nonzero() == 0 for offset in offsets.values())


def test_quadratic_bowl() -> None:
    """For w^2 / 2 * curvature the gradient is taken at w + rho sign(w): known in closed form."""

    class Bowl(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([3.0]))

    bowl = Bowl()
    optimizer = torch.optim.SGD(bowl.parameters(), lr=0.1)
    step = Step(bowl, optimizer, {"task": lambda model, _: Value(2 * model.w.square().sum(), {})})
    outcome = step(sharpness_aware(0.5), [None])
    assert outcome.loss == 18
    assert outcome.gradient_norm == pytest.approx(4 * 3.5)
    assert bowl.w.item() == pytest.approx(3 - 0.1 * min(4 * 3.5, 12))


def test_settings_by_name() -> None:
    """The union picks by name; values out of range are refused."""
    rules: TypeAdapter[Any] = TypeAdapter(RuleSettings)
    assert rules.validate_python({"name": "sharpness_aware"}) == SharpnessAwareSettings(rho=0.05, eta=0.01)
    for wrong in ({"name": "sam"}, {"name": "sharpness_aware", "rho": -1}, {"name": "plain", "rho": 1}):
        with pytest.raises(ValidationError):
            rules.validate_python(wrong)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@pytest.mark.parametrize(("start", "end"), [(0.05, 0.0), (0.0, 0.4), (0.3, 0.3)])
def test_rho_over_a_run(shape: Any, start: float, end: float) -> None:
    """From start to end without turning back, half way in the middle; the step's progress chooses."""
    rho = rho_towards(end, start=start, shape=shape)
    assert [rho(0), rho(0.5), rho(1)] == pytest.approx([start, (start + end) / 2, end])
    values = [rho(step / 20) for step in range(21)]
    assert values == sorted(values, reverse=start > end)


def test_the_shapes_differ() -> None:
    assert rho_towards(0, start=1, shape="linear")(0.25) == 0.75
    assert rho_towards(0, start=1, shape="cosine")(0.25) == pytest.approx((1 + math.sqrt(0.5)) / 2)


@pytest.mark.parametrize("progress", [-0.1, 1.01, math.nan])
def test_progress_out_of_range(progress: float) -> None:
    with pytest.raises(
        UumambaError, match=r"rho: progress must lie in \[0, 1\], got .*; set it to steps done / all steps"
    ):
        rho_towards(0, start=1, shape="linear")(progress)


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("adaptive", [False, True])
def test_a_scheduled_step_is_the_step_with_the_rho_of_its_time(progress: float, adaptive: bool) -> None:
    """Bitwise."""
    scheduled = SharpnessAwareSettings(rho=0.5, rho_schedule="cosine", rho_end=0.1, adaptive=adaptive).build()
    now = rho_towards(0.1, start=0.5, shape="cosine")(progress)
    ends = []
    for rule in (scheduled, sharpness_aware(now, adaptive)):
        torch.manual_seed(2)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step = Step(model, optimizer, {"task": lambda model, x: Value(model(x).square().mean(), {})})
        step.progress = progress
        step(rule, [torch.ones(2, 3)])
        ends.append(model.weight.detach())
    assert torch.equal(*ends)


def test_an_end_without_a_schedule() -> None:
    message = "rho_end is where rho_schedule linear or cosine leads, .* choose one of them, or leave rho_end 0.01 out"
    with pytest.raises(ConfigError, match=f"--set: rule: {message}") as raised:
        load_config(None, ["rule.rho_end=0.01"])
    assert "\n" not in str(raised.value)
    assert load_config(None, ["rule.rho_end=0.01", "rule.rho_schedule=linear"]).rule.name == "sharpness_aware"


@pytest.mark.skipif(not PARITY.is_dir(), reason=f"no published numbers at {PARITY}")
@pytest.mark.parametrize("name", ["sam", "asam"])
def test_published_trajectory(name: str) -> None:
    """Twenty steps of davda54/sam: weights to 1e-6, and the clean losses."""
    with safe_open(PARITY / f"{name}_20_steps.safetensors", framework="pt") as file:
        config = json.loads(file.metadata()["config"])
        content = dict(zip(file.keys(), map(file.get_tensor, file.keys()), strict=True))
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
    model.load_state_dict({key.removeprefix("init/"): content[key] for key in content if key.startswith("init/")})
    options = {key: config[key] for key in ("lr", "momentum", "nesterov", "weight_decay")}

    def objective(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Value:
        return Value(functional.cross_entropy(model(batch[0]), batch[1]), {})

    step = Step(model, torch.optim.SGD(model.parameters(), **options), {"task": objective}, clip_norm=math.inf)
    rule = sharpness_aware(config["rho"], config["adaptive"], eta=0.0)
    losses = [step(rule, [batch]).loss for batch in zip(content["X"], content["Y"], strict=True)]
    torch.testing.assert_close(torch.tensor(losses), content["losses"], atol=1e-6, rtol=0)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, content[f"final/{key}"], atol=1e-6, rtol=0)
