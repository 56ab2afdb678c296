"""Learning rates over a run."""

import math
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from uumamba.core.errors import UumambaError
from uumamba.optim.schedules import CosineSettings, PolySettings, ScheduleSettings, cosine, set_learning_rate

EPOCHS, ITERATIONS = 10, 20
STEPS = EPOCHS * ITERATIONS
MEMBERS = get_args(get_args(ScheduleSettings)[0])
SETTINGS = [*(member() for member in MEMBERS), PolySettings(exponent=2), CosineSettings(warm_up=0, floor=0.1)]

every_schedule = pytest.mark.parametrize("settings", SETTINGS, ids=str)


def factors(settings: PolySettings | CosineSettings) -> list[float]:
    """The factor of every step of a run."""
    schedule = settings.build(epochs=EPOCHS, iterations=ITERATIONS)
    return [schedule(step) for step in range(STEPS)]


def test_walk_finds_the_schedules() -> None:
    """All members of the union, each by its own name."""
    assert [member().name for member in MEMBERS] == ["poly", "cosine"]


@every_schedule
def test_every_factor_moves_a_weight_and_none_is_above_one(settings: PolySettings | CosineSettings) -> None:
    """In (0, 1], 1 somewhere, falling after it."""
    values = factors(settings)
    assert all(0 < value <= 1 for value in values)
    peak = values.index(1.0)
    assert all(later <= earlier for earlier, later in pairwise(values[peak:]))
    assert values[-1] < 0.2


@every_schedule
@pytest.mark.parametrize("step", [-1, STEPS])
def test_step_outside_the_run(settings: PolySettings | CosineSettings, step: int) -> None:
    """A loop that runs over its end is a mistake."""
    schedule = settings.build(epochs=EPOCHS, iterations=ITERATIONS)
    with pytest.raises(UumambaError, match=f"steps 0 to 199, got step {step}; build it for the run's epochs"):
        schedule(step)


def test_poly_is_nnunets_bitwise() -> None:
    """Constant within an epoch; the learning rate is `initial * (1 - epoch / epochs) ** 0.9` to the last bit."""
    epochs, iterations, initial = 250, 3, 1e-2
    schedule = PolySettings().build(epochs=epochs, iterations=iterations)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=initial)
    for step in range(epochs * iterations):
        set_learning_rate(optimizer, schedule(step))
        assert optimizer.param_groups[0]["lr"] == initial * math.pow(1 - (step // iterations) / epochs, 0.9)


def test_cosine_by_hand() -> None:
    """Ten steps of warm-up in equal stairs, half way down in the middle of the rest, symmetric about it."""
    values = factors(CosineSettings(warm_up=0.05))
    assert values[:10] == pytest.approx([step / 11 for step in range(1, 11)])
    assert values[10] == 1
    assert values[10 + 95] == pytest.approx(0.5)
    assert values[10 + 30] + values[10 + 160] == pytest.approx(1)
    assert factors(CosineSettings(warm_up=0, floor=0.2))[STEPS // 2] == pytest.approx(0.6)


@given(steps=st.integers(1, 40), warm_up=st.floats(0, 0.999), floor=st.floats(0, 1))
def test_cosine_of_short_runs(steps: int, warm_up: float, floor: float) -> None:
    """However short the run and long the warm-up, every factor is above 0 and at most 1."""
    schedule = cosine(steps=steps, warm_up=warm_up, floor=floor)
    assert all(0 < schedule(step) <= 1 for step in range(steps))


def build(rates: tuple[float, ...]) -> torch.optim.Optimizer:
    """One group for each initial rate."""
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates])


def test_each_group_keeps_its_own_initial_rate() -> None:
    """Factors never multiply up, and a resumed optimizer knows the rates that it began with."""
    optimizer, resumed = build((1.0, 0.1)), build((1.0, 0.1))
    for factor in (1.0, 0.5, 0.25):
        set_learning_rate(optimizer, factor)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.025]
    resumed.load_state_dict(optimizer.state_dict())
    for again in (optimizer, resumed):
        set_learning_rate(again, 0.5)
        assert [group["lr"] for group in again.param_groups] == [0.5, 0.05]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "step"},
        {"name": "poly", "exponent": 0},
        {"name": "cosine", "warm_up": 1},
        {"name": "cosine", "floor": -1},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    schedules: TypeAdapter[Any] = TypeAdapter(ScheduleSettings)
    with pytest.raises(ValidationError):
        schedules.validate_python(wrong)
