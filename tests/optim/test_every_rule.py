"""The contract of design/optimisation.md, for every update rule in every precision."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.optim.rules import (
    MEMBERS,
    VARIANTS,
    AnyRule,
    Batch,
    Run,
    Value,
    assert_bitwise,
    draw,
    evaluations,
    every_precision,
    every_rule,
    gradients_at_the_optimizer,
)
from uumamba.core.labels import LabelSet
from uumamba.losses.segmentation import LossSettings
from uumamba.optim.optimizers import AdamWSettings, SGDSettings
from uumamba.optim.plain import PlainSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.optim.step import Precision, Rule, Step


def test_walk_finds_the_rules() -> None:
    """All members of the union, each by its own name."""
    assert [member().name for member in MEMBERS] == ["plain", "sharpness_aware"]
    assert [evaluations(settings) for settings in VARIANTS] == [1, 2, 2, 2, 2]


@every_rule
@every_precision
def test_steps_lower_the_loss(settings: AnyRule, precision: Precision) -> None:
    """Twenty steps on one batch, no step skipped, parameters in place."""
    run = Run(precision)
    storage = [parameter.data_ptr() for parameter in run.model.parameters()]
    rule, batch = settings.build(), draw()
    outcomes = [run.step(rule, [batch]) for _ in range(20)]
    assert not any(outcome.skipped for outcome in outcomes[-10:])
    assert sum(o.loss for o in outcomes[-5:]) < sum(o.loss for o in outcomes[:5])
    assert [parameter.data_ptr() for parameter in run.model.parameters()] == storage
    assert all(parameter.dtype == torch.float32 and parameter.grad is None for parameter in run.model.parameters())
    assert run.loss.s != 0


@every_rule
@every_precision
def test_random_state_is_shared_and_advances_once(settings: AnyRule, precision: Precision) -> None:
    """The dropout masks of one micro-batch agree, so with rho 0 its losses do; the stream moves as by one pass."""
    run, reference = Run(precision), Run(precision)
    still = (
        settings.model_copy(update={"rho": 0.0, "rho_end": 0.0})
        if isinstance(settings, SharpnessAwareSettings)
        else settings
    )
    torch.manual_seed(9)
    run.step(still.build(), [draw(0), draw(1)])
    stream = torch.get_rng_state()
    torch.manual_seed(9)
    reference.step(PlainSettings().build(), [draw(0), draw(1)])
    assert torch.equal(stream, torch.get_rng_state())
    count = evaluations(settings)
    assert run.loss.totals[:: max(count, 1)] == run.loss.totals[count - 1 :: max(count, 1)]
    assert run.loss.totals[0] != run.loss.totals[-1]


@every_rule
@every_precision
def test_running_statistics_see_only_the_base_point(settings: AnyRule, precision: Precision) -> None:
    """One update per micro-batch, and the plain rule's."""
    run, reference = Run(precision), Run(precision)
    torch.manual_seed(9)
    run.step(settings.build(), [draw()])
    torch.manual_seed(9)
    reference.step(PlainSettings().build(), [draw()])
    assert_bitwise(dict(run.model.named_buffers()), dict(reference.model.named_buffers()))


@every_rule
@every_precision
def test_logged_loss_is_the_clean_one(settings: AnyRule, precision: Precision) -> None:
    """The mean over the micro-batches of each one's first evaluation, and its terms."""
    run = Run(precision)
    outcome = run.step(settings.build(), [draw(0), draw(1)])
    clean = run.loss.totals[:: evaluations(settings)]
    assert outcome.loss == pytest.approx(sum(clean) / 2)
    assert outcome.terms["error"] > 0
    assert outcome.gradient_norm > 0


@every_rule
@every_precision
def test_only_the_model_is_perturbed(settings: AnyRule, precision: Precision) -> None:
    """All weights move for the second evaluation; s has its gradient from the rule, and does not move in between."""
    run = Run(precision)
    values: list[float] = []
    inner = run.loss.evaluate

    def record(model: nn.Module, batch: Batch) -> Value:
        values.append(run.loss.s.item())
        return inner(model, batch)

    run.step.objectives["task"] = record
    run.step(settings.build(), [draw()])
    assert len(set(values)) == 1
    if len(values) == 2:
        first, second = run.loss.seen
        weights = [name for name, _ in run.model.named_parameters() if name != "body.0.bias"]
        assert not any(torch.equal(first[name], second[name]) for name in weights)


@every_rule
@every_precision
def test_micro_batches_are_averaged(settings: AnyRule, precision: Precision) -> None:
    """The same micro-batch twice is the micro-batch once; different ones give the mean of their gradients."""
    rule = settings.build()
    gradients = []
    for batches in ([draw(0)], [draw(1)], [draw(0), draw(1)]):
        run = Run(precision, clip_norm=math.inf)
        run.model.eval()
        kept = gradients_at_the_optimizer(run)
        run.step(rule, batches)
        gradients.append(kept)
    first, second, both = gradients
    for name in both:
        torch.testing.assert_close(both[name], (first[name] + second[name]) / 2, rtol=1e-4, atol=1e-6)


@every_rule
@every_precision
def test_clipping_bounds_the_final_gradient(settings: AnyRule, precision: Precision) -> None:
    """The model's norm falls to the bound, its direction stays; s does not count."""
    rule = settings.build()
    free, bound = Run(precision, clip_norm=math.inf), Run(precision, clip_norm=0.01)
    kept_free, kept_bound = gradients_at_the_optimizer(free), gradients_at_the_optimizer(bound)
    torch.manual_seed(9)
    outcome = free.step(rule, [draw()])
    torch.manual_seed(9)
    assert bound.step(rule, [draw()]).gradient_norm == outcome.gradient_norm > 0.01
    names = [name for name, _ in free.model.named_parameters()]
    norm = torch.cat([kept_bound[name].flatten() for name in names]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)
    for name in names:
        expected = kept_free[name] * 0.01 / outcome.gradient_norm
        torch.testing.assert_close(kept_bound[name], expected, rtol=1e-3, atol=1e-8)


@every_rule
def test_views_of_weights_stay_views(settings: AnyRule) -> None:
    """Storage is never rebound, so a view taken before training shows the trained weights."""
    run = Run()
    view = run.model.body[0].weight.detach()
    run.step(settings.build(), [draw()])
    assert torch.equal(view, run.model.body[0].weight)


@every_rule
@every_precision
def test_ascent_stays_local_and_the_last_evaluation_is_reduced(settings: AnyRule, precision: Precision) -> None:
    """Evaluations that are not synchronised run forward and backward inside the context; the last never does."""
    inside: list[str] = []
    events: list[tuple[str, bool]] = []

    @contextmanager
    def unsynchronised(_: nn.Module) -> Iterator[None]:
        inside.append("")
        yield
        inside.pop()

    def backward(loss: Tensor) -> None:
        events.append(("backward", bool(inside)))
        loss.backward()

    run = Run(precision, backward=backward, unsynchronised=unsynchronised)
    evaluate = run.loss.evaluate

    def record(model: nn.Module, batch: Batch) -> Value:
        events.append(("forward", bool(inside)))
        return evaluate(model, batch)

    run.step.objectives["task"] = record
    run.step(settings.build(), [draw()])
    local = isinstance(settings, SharpnessAwareSettings) and not settings.synchronise_ascent
    ascent = [("forward", local), ("backward", local)] if evaluations(settings) == 2 else []
    assert events == [*ascent, ("forward", False), ("backward", False)]


@every_precision
@pytest.mark.parametrize(
    "optimizer", [SGDSettings(), SGDSettings(momentum=0, nesterov=False), AdamWSettings()], ids=str
)
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_rho_zero_is_plain_bitwise(
    precision: Precision, optimizer: SGDSettings | AdamWSettings, adaptive: bool, schedule: Any
) -> None:
    """Six steps with dropout and running statistics: the base optimizer's trajectory."""
    ends = []
    for settings in (PlainSettings(), SharpnessAwareSettings(rho=0, adaptive=adaptive, rho_schedule=schedule)):
        run, rule = Run(precision, optimizer), settings.build()
        torch.manual_seed(3)
        for seed in range(6):
            run.step.progress = seed / 6
            run.step(rule, [draw(seed)])
        ends.append(run.state())
    assert_bitwise(*ends)


@every_rule
@every_precision
def test_the_losss_weights_are_trained_logged_and_saved(settings: AnyRule, precision: Precision) -> None:
    """The real loss: s moves, the log shows it, a new loss takes it over from the saved state."""
    build = partial(LossSettings().build, labels=LabelSet(names=("background", "a")), batch_dice=True, levels=1)
    model, loss, target = nn.Conv2d(1, 2, 3, padding=1), build(), [(draw().y > 0).long()]
    optimizer = SGDSettings().build(model, loss)
    step = Step(model, optimizer, {"task": lambda model, x: loss([model(x)], target)}, precision=precision)
    rule = settings.build()
    logged = [loss.weights()]
    for _ in range(3):
        outcome = step(rule, [draw().x])
        assert outcome.terms.keys() == loss.weights().keys()
        logged.append(loss.weights())
    assert all(len({weights[name] for weights in logged}) == 4 for name in logged[0])
    restored = build()
    restored.load_state_dict(loss.state_dict())
    assert restored.weights() == logged[-1]


def test_rule_type() -> None:
    """What settings build is callable with a step."""
    rules: list[Rule] = [settings.build() for settings in VARIANTS]
    assert all(callable(rule) for rule in rules)
