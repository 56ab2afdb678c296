"""What a step does beside its rule: precision, clipping, errors, distributed reduction."""

import copy
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.errors import UumambaError
from uumamba.optim.optimizers import SGDSettings
from uumamba.optim.plain import plain
from uumamba.optim.sharpness_aware import sharpness_aware
from uumamba.optim.step import Gradients, Step


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


def squared(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Value:
    """Mean squared error of a batch (inputs, targets)."""
    total = functional.mse_loss(model(batch[0]).float(), batch[1])
    return Value(total, {"error": total.detach()})


def network() -> nn.Sequential:
    """The same small network each time."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))


def draw(seed: int = 0, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(16, 5, generator=random), scale * torch.randn(16, 2, generator=random)


def build(model: nn.Module, **options: Any) -> Step:
    optimizer = SGDSettings(learning_rate=0.1, momentum=0.9).build(model, nn.Module())
    return Step(model, optimizer, {"task": squared}, **options)


def test_plain_equals_a_loop_by_hand_bitwise() -> None:
    """Forward, backward, clip, step: nothing else happens, and clipping did."""
    model = network()
    by_hand = copy.deepcopy(model)
    step = build(model, clip_norm=0.5)
    optimizer = SGDSettings(learning_rate=0.1, momentum=0.9).build(by_hand, nn.Module())
    norms = []
    for seed in range(10):
        optimizer.zero_grad()
        squared(by_hand, draw(seed)).total.backward()
        norms.append(nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5).item())
        optimizer.step()
        assert step(plain(), [draw(seed)]).gradient_norm == norms[-1]
    assert max(norms) > 0.5
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_fp16_scale_backs_off_and_grows() -> None:
    """A loss too large for float16 gradients is skipped until the scale fits; good steps let it grow again."""
    step = build(network(), precision="fp16", clip_norm=1e-3)
    skips = [step(plain(), [draw(scale=300)]).skipped for _ in range(12)]
    assert skips == sorted(skips, reverse=True)
    assert 1 <= sum(skips) < 12
    scale = step.state_dict()["scale"]
    assert scale == {"value": 2.0 ** (16 - sum(skips)), "good_steps": 12 - sum(skips)}
    step.load_state_dict({"skipped": 3, "skipped_in_a_row": 0, "scale": {"value": 8.0, "good_steps": 1999}})
    assert not step(plain(), [draw()]).skipped
    assert step.state_dict() == {"skipped": 3, "skipped_in_a_row": 0, "scale": {"value": 16.0, "good_steps": 0}}


def test_fp16_gradients_are_unscaled_for_the_rule() -> None:
    """The ascent is given true gradients: near the float32 ones, not 65536 times as large."""
    seen: list[Gradients] = []

    def watch(step: Step) -> Gradients:
        seen.append(step.grad())
        return seen[-1]

    for precision in ("fp32", "fp16"):
        build(network(), precision=precision)(watch, [draw()])
    for exact, half in zip(seen[0].values(), seen[1].values(), strict=True):
        torch.testing.assert_close(half, exact, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_outer_autocast_cannot_hide_the_perturbation(precision: Any) -> None:
    """Casts that an outer autocast remembers would give the first evaluation twice."""
    results = []
    for outer in (False, True):
        model = network()
        step = build(model, precision=precision)
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        with torch.autocast("cpu", dtype=half, enabled=outer):
            step(sharpness_aware(2.0), [draw()])
        results.append(model[0].weight)
    plain_model = network()
    build(plain_model, precision=precision)(plain(), [draw()])
    assert torch.equal(*results)
    assert not torch.equal(results[0], plain_model[0].weight)


def test_nested_perturbations_unwind() -> None:
    """`at` inside `at` returns to each point in turn."""
    model = network()
    step = build(model)
    weight = model[0].weight
    base = weight.detach().clone()
    with step.at({weight: torch.ones_like(weight)}):
        outer = weight.detach().clone()
        with step.at({weight: torch.ones_like(weight)}):
            assert torch.equal(weight, outer + 1)
        assert torch.equal(weight, outer)
    assert torch.equal(weight, base)


def test_frozen_weights_are_left_alone() -> None:
    """A frozen layer is neither perturbed nor stepped."""
    model = network()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    step = build(model)
    assert {id(parameter) for parameter in step.params} == {id(parameter) for parameter in model[2].parameters()}
    step(sharpness_aware(0.1), [draw()])
    assert torch.equal(model[0].weight, before["0.weight"])
    assert not torch.equal(model[2].weight, before["2.weight"])


def test_rules_choose_among_objectives() -> None:
    """A second objective by name; the log keeps the first one evaluated."""
    model = network()
    optimizer = SGDSettings().build(model, nn.Module())

    def larger(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Value:
        return Value(3 * squared(model, batch).total, {})

    def ratio(step: Step) -> Gradients:
        task, retain = step.grad(), step.grad("retain")
        for parameter, gradient in task.items():
            torch.testing.assert_close(3 * gradient, retain[parameter])
        return task

    outcome = Step(model, optimizer, {"task": squared, "retain": larger})(ratio, [draw()])
    assert outcome.loss == outcome.terms["error"]


def test_unknown_objective() -> None:
    """The message lists what there is."""
    with pytest.raises(UumambaError, match="no objective 'forget'; there are task"):
        build(network())(lambda step: step.grad("forget"), [draw()])


def test_optimizer_of_another_model() -> None:
    """A step that could never change its model is refused at once."""
    optimizer = SGDSettings().build(network(), nn.Module())
    with pytest.raises(UumambaError, match="holds none of the model's weights; build it for this model"):
        Step(network(), optimizer, {"task": squared})


def test_no_micro_batch() -> None:
    """An empty list is an error, not a step on nothing."""
    with pytest.raises(UumambaError, match="at least one micro-batch is needed, got none"):
        build(network())(plain(), [])


def test_skip_limit_zero_never_stops() -> None:
    """For those who watch the counters themselves."""
    step = build(network(), skip_limit=0)
    assert all(step(plain(), [draw(scale=math.inf)]).skipped for _ in range(30))
    assert step.skipped_in_a_row == 30


def test_overflow_of_the_loss_alone_skips() -> None:
    """A NaN loss whose gradient is finite is not trusted either."""
    model = network()
    before = copy.deepcopy(model.state_dict())

    def nan_constant(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Value:
        return Value(squared(model, batch).total + torch.tensor(math.nan), {})

    step = Step(model, SGDSettings().build(model, nn.Module()), {"task": nan_constant})
    assert step(sharpness_aware(0.05), [draw()]).skipped
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_random_state_of_a_gpu(precision: Any) -> None:
    """Dropout on the device: both evaluations draw one mask, and its stream moves as by one pass."""
    ends, streams = [], []
    for rule in (plain(), sharpness_aware(0.0)):
        model = nn.Sequential(network(), nn.Dropout(0.5)).cuda()
        step = build(model, precision=precision)
        torch.manual_seed(2)
        for seed in range(3):
            step(rule, [tuple(part.cuda() for part in draw(seed))])
        ends.append(model[0][0].weight)
        streams.append(torch.cuda.get_rng_state())
    assert torch.equal(*ends)
    assert torch.equal(*streams)


@pytest.mark.slow
def test_two_processes_reduce_once_and_skip_together(tmp_path: Path) -> None:
    """Real DDP over gloo: see `two_processes.py` for what each process checks."""
    script = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, str(script), str(tmp_path / "store")]
    processes = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(2)]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
