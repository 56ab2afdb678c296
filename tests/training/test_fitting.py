from itertools import islice

import pytest

from tests.fakes.choice import choice_2d, choice_3d, replan_2d, replan_3d
from tests.fakes.step_cost import PROGRAM, cost, memory
from uumamba.core.errors import ConfigError
from uumamba.training.concessions import Choice, concessions
from uumamba.training.fitting import fit_to_memory
from uumamba.training.forecast import probes
from uumamba.training.step_cost import StepCost

CHOICES_2D = list(concessions(choice_2d(batch=16), replan_2d))
CHOICES_3D = list(concessions(choice_3d(), replan_3d))
CAREFUL = pytest.mark.parametrize("careful", [True, False])


def limits(choices: list[Choice]) -> list[int]:
    """From what the smallest needs to more than what was asked for needs."""
    low, high = 1.06 * memory(choices[-1]), 1.2 * memory(choices[0])
    return [round(low + (high - low) * part / 40) for part in range(41)]


@CAREFUL
@pytest.mark.parametrize("choices", [CHOICES_2D, CHOICES_3D])
@pytest.mark.parametrize("seconds_per_voxel", [1e-8, 1e-4])
def test_it_never_exceeds_the_limit_and_less_memory_never_gives_a_larger_run(
    choices: list[Choice], seconds_per_voxel: float, careful: bool
) -> None:
    places = []
    for limit in limits(choices):
        measured: list[Choice] = []

        def measure(choice: Choice, seen: list[Choice] = measured) -> StepCost:
            seen.append(choice)
            return cost(choice, seconds_per_voxel=seconds_per_voxel)

        fit = fit_to_memory(choices, measure, limit, careful=careful)
        assert memory(fit.choice) <= limit
        assert fit.measured == (fit.choice in measured)
        if careful:
            first = [probe for choice in choices for probe in islice(probes(choice), 2)]
            assert all(memory(choice) <= limit for choice in measured if choice not in first)
        places.append(choices.index(fit.choice))
    assert places == sorted(places, reverse=True)
    assert places[-1] == 0
    assert len(set(places)) > 2


@pytest.mark.parametrize("choices", [CHOICES_2D, CHOICES_3D])
def test_measuring_each_gives_the_first_that_fits(choices: list[Choice]) -> None:
    for limit in limits(choices):
        fit = fit_to_memory(choices, cost, limit, careful=False)
        assert fit.choice == next(choice for choice in choices if memory(choice) <= limit)
        assert fit.measured


def test_with_enough_memory_nothing_is_given_up_for_a_few_small_steps() -> None:
    measured: list[Choice] = []

    def measure(choice: Choice) -> StepCost:
        measured.append(choice)
        return cost(choice)

    fit = fit_to_memory(CHOICES_2D, measure, 10 * memory(CHOICES_2D[0]), careful=True)
    assert fit.choice == CHOICES_2D[0]
    assert fit.measured
    assert len(measured) <= 4


def test_a_device_that_runs_out_of_memory_is_asked_for_less() -> None:
    def measure(choice: Choice) -> StepCost | None:
        return None if memory(choice) > memory(CHOICES_3D[2]) else cost(choice)

    assert fit_to_memory(CHOICES_3D, measure, 10**15, careful=False).choice == CHOICES_3D[2]


def test_a_step_that_would_take_long_is_foretold() -> None:
    fit = fit_to_memory(CHOICES_3D, lambda choice: cost(choice, seconds_per_voxel=1e-3), 10**12, careful=True)
    assert fit.choice == CHOICES_3D[0]
    assert not fit.measured
    assert fit.cost.seconds == pytest.approx(cost(CHOICES_3D[0], seconds_per_voxel=1e-3).seconds)


@CAREFUL
def test_no_run_that_fits_is_one_line_with_the_way_out(careful: bool) -> None:
    limit = PROGRAM + 1_000
    with pytest.raises(ConfigError, match=r"training needs .* 0.01 GB may be used; raise hardware.memory_gb") as raised:
        fit_to_memory(CHOICES_3D, cost, limit, careful=careful)
    assert "plan.base_features" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_device_that_always_runs_out_needs_more() -> None:
    with pytest.raises(ConfigError, match="training needs more even after all"):
        fit_to_memory(CHOICES_2D, lambda _: None, 1e9, careful=False)


def test_a_program_that_is_too_large_by_itself_ends_the_search_at_once() -> None:
    measured: list[Choice] = []

    def measure(choice: Choice) -> StepCost:
        measured.append(choice)
        return cost(choice)

    with pytest.raises(ConfigError, match=r"needs 0\.0"):
        fit_to_memory(CHOICES_2D, measure, PROGRAM // 2, careful=True)
    assert len(measured) == 2
