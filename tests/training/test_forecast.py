import math

import pytest

from tests.fakes.choice import choice_2d, choice_3d
from tests.fakes.step_cost import cost, memory
from uumamba.training.concessions import Choice
from uumamba.training.forecast import Forecast, probes

BOTH = pytest.mark.parametrize("choice", [choice_2d(), choice_3d()])


@BOTH
def test_probes_grow_and_are_smaller_steps_of_the_same_network(choice: Choice) -> None:
    found = list(probes(choice))
    sizes = [probe.plan.batch_size * math.prod(probe.plan.patch_size) for probe in found]
    assert sizes == sorted(set(sizes))
    assert 2 * sizes[-1] <= choice.plan.batch_size * math.prod(choice.plan.patch_size)
    for probe in found:
        topology = probe.plan.topology
        assert topology.strides == choice.plan.topology.strides
        assert all(size % step == 0 for size, step in zip(topology.patch_size, topology.total_stride, strict=True))
        assert math.prod(topology.feature_maps[-1]) > 1


@BOTH
def test_one_step_bounds_a_larger_one_from_above(choice: Choice) -> None:
    forecast = Forecast()
    first = next(probes(choice))
    forecast.learn(first, cost(first))
    foretold = forecast.of(choice)
    assert foretold is not None
    assert foretold.peak_bytes >= memory(choice)
    assert foretold.seconds == pytest.approx(cost(choice).seconds)


@BOTH
def test_two_steps_give_the_line_that_memory_follows(choice: Choice) -> None:
    forecast = Forecast(margin=0.0)
    for probe in list(probes(choice))[:2]:
        forecast.learn(probe, cost(probe))
    foretold = forecast.of(choice)
    assert foretold is not None
    assert foretold.peak_bytes == pytest.approx(memory(choice), rel=1e-6)


def test_a_step_between_two_is_on_the_line_and_a_smaller_one_needs_no_more() -> None:
    forecast = Forecast(margin=0.0)
    for batch in (4, 16):
        forecast.learn(choice_2d(batch=batch), cost(choice_2d(batch=batch)))
    between, smaller, known = (forecast.of(choice_2d(batch=batch)) for batch in (8, 2, 16))
    assert between is not None
    assert smaller is not None
    assert between.peak_bytes == pytest.approx(memory(choice_2d(batch=8)), rel=1e-6)
    assert smaller.peak_bytes == memory(choice_2d(batch=4))
    assert known == cost(choice_2d(batch=16))


def test_memory_that_does_not_grow_is_foretold_flat() -> None:
    forecast = Forecast(margin=0.0)
    for batch, noise in ((1, 10), (2, -10)):
        known = cost(choice_2d(batch=1))
        forecast.learn(choice_2d(batch=batch), type(known)(1.0, 1.0, known.peak_bytes + noise, known.held_bytes))
    foretold = forecast.of(choice_2d(batch=8))
    assert foretold is not None
    assert foretold.peak_bytes == cost(choice_2d(batch=1)).peak_bytes - 10


def test_another_network_or_other_recomputed_stages_tell_nothing() -> None:
    forecast = Forecast()
    assert forecast.is_empty
    forecast.learn(choice_2d(), cost(choice_2d()))
    assert not forecast.is_empty
    assert forecast.knows(choice_2d())
    assert forecast.of(choice_3d()) is None
    assert forecast.of(choice_2d().model_copy(update={"checkpoint_stages": (0,)})) is None
    assert forecast.of(choice_2d(accumulate=2)) is None


def test_three_steps_or_one_too_large_rule_a_choice_out() -> None:
    forecast, (first, second, third, *_) = Forecast(), probes(choice_3d())
    forecast.learn(first, cost(first))
    assert not forecast.rules_out(choice_3d(), memory(first))
    assert forecast.rules_out(choice_3d(), memory(first) - 1)
    forecast.learn(second, cost(second))
    assert not forecast.rules_out(choice_3d(), memory(third))
    forecast.learn(third, cost(third))
    assert forecast.rules_out(choice_3d(), memory(third))
    assert not forecast.rules_out(choice_3d(), memory(choice_3d()))
