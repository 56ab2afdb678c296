"""The contract of design/optimisation.md where something goes wrong: no step is half done.

For every update rule in every precision.
"""

import copy
import math

import pytest
import torch

from tests.optim.rules import AnyRule, Run, assert_bitwise, draw, either_kind, evaluations, every_precision, every_rule
from uumamba.core.errors import NotFiniteError
from uumamba.optim.step import Precision


@every_rule
@every_precision
@pytest.mark.parametrize("evaluation", [0, 1])
def test_base_point_returns_if_a_pass_raises(settings: AnyRule, precision: Precision, evaluation: int) -> None:
    """Bitwise, running statistics of the failed pass aside if it stood at the base point."""
    if evaluation >= evaluations(settings):
        return
    run = Run(precision)
    before = run.state()
    run.loss.raise_at = evaluation
    with pytest.raises(RuntimeError, match="a pass fails"):
        run.step(settings.build(), [draw()])
    weights = dict(run.model.named_parameters()) | dict(run.loss.named_parameters())
    assert_bitwise({n: p.detach() for n, p in weights.items()}, {n: before[n] for n in weights})
    assert all(parameter.grad is None for parameter in weights.values())


@every_rule
@every_precision
@pytest.mark.parametrize("evaluation", [0, 1])
def test_parameter_without_gradient_in_one_pass(settings: AnyRule, precision: Precision, evaluation: int) -> None:
    """It takes the gradient that the last pass gave, or stays bitwise; its perturbation never stays."""
    if evaluation >= evaluations(settings):
        return
    run = Run(precision)
    run.loss.drop_at = evaluation
    before = run.state()
    assert not run.step(settings.build(), [draw()]).skipped
    stays = evaluation == evaluations(settings) - 1
    assert torch.equal(run.model.sometimes, before["sometimes"]) == stays


@every_rule
@every_precision
@either_kind
@pytest.mark.parametrize("evaluation", range(4))
def test_non_finite_evaluation_skips_everything(
    settings: AnyRule, precision: Precision, kind: str, evaluation: int
) -> None:
    """In either pass of either micro-batch: weights, running statistics, momentum and s stay bitwise.

    The skip is counted; the next step is normal.
    """
    if evaluation >= 2 * evaluations(settings):
        return
    run = Run(precision)
    rule = settings.build()
    run.step(rule, [draw()])
    planted = len(run.loss.totals) + evaluation
    run.spoil(kind, {planted})
    before, momentum = run.state(), copy.deepcopy(run.optimizer.state_dict())
    outcome = run.step(rule, [draw(1), draw(2)])
    assert outcome.skipped
    assert math.isfinite(run.loss.totals[planted]) == (kind == "gradient")
    assert_bitwise(run.state(), before)
    for old, new in zip(momentum["state"].values(), run.optimizer.state_dict()["state"].values(), strict=True):
        assert torch.equal(old["momentum_buffer"], new["momentum_buffer"])
    assert (run.step.skipped, run.step.skipped_in_a_row) == (1, 1)
    assert not run.step(rule, [draw(3)]).skipped
    assert (run.step.skipped, run.step.skipped_in_a_row) == (1, 0)


@every_rule
@every_precision
@either_kind
def test_gives_up_after_many_skips_in_a_row(settings: AnyRule, precision: Precision, kind: str) -> None:
    """A good step in between starts the count anew; the error says what happened and what to do.

    The weights are those of the last good step.
    """
    run = Run(precision, skip_limit=3)
    rule = settings.build()

    def spoilt() -> bool:
        run.spoil(kind, range(1000))
        return run.step(rule, [draw()]).skipped

    assert all(spoilt() for _ in range(2))
    run.spoil(kind, ())
    assert not run.step(rule, [draw(1)]).skipped
    last_good = run.state()
    assert all(spoilt() for _ in range(2))
    loss = {"loss": "inf", "gradient": r"\d.*"}[kind]
    message = (
        rf"stopped: 3 steps in a row .*\(last loss {loss}, gradient norm nan, {precision}.*lower the learning rate"
    )
    with pytest.raises(NotFiniteError, match=message):
        spoilt()
    assert run.step.skipped == 5
    assert_bitwise(run.state(), last_good)


@every_rule
@every_precision
def test_resume_equals_continue(settings: AnyRule, precision: Precision) -> None:
    """Four steps in one go, or two, all states into new objects, two: bitwise equal."""
    rule = settings.build()
    straight = Run(precision)
    for seed in range(2):
        straight.step(rule, [draw(seed)])
    saved = copy.deepcopy(
        [part.state_dict() for part in (straight.model, straight.loss, straight.optimizer, straight.step)]
    )
    stream = torch.get_rng_state()
    resumed = Run(precision)
    for part, state in zip((resumed.model, resumed.loss, resumed.optimizer, resumed.step), saved, strict=True):
        part.load_state_dict(state)
    ends = []
    for run in (straight, resumed):
        torch.set_rng_state(stream)
        for seed in range(2, 4):
            run.step(rule, [draw(seed)])
        ends.append(run.state())
    assert_bitwise(*ends)
    assert straight.step.state_dict() == resumed.step.state_dict()
