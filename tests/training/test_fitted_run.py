import json
import logging
import math
import multiprocessing
from collections.abc import Iterator

import pytest
import torch

from tests.fakes.choice import choice_2d, replan_2d
from tests.training.test_step_cost import RULE, build
from uumamba.core.errors import ConfigError
from uumamba.core.held_memory import available_bytes, can_measure_peak
from uumamba.training.concessions import Choice
from uumamba.training.fitted_run import FittedRun, fit_run, usable_bytes
from uumamba.training.hardware import HardwareSettings
from uumamba.training.loop import TrainingSettings

CPU = torch.device("cpu")
TRAINING = TrainingSettings(epochs=2, iterations=3, validation_iterations=5)
ON_LINUX = pytest.mark.skipif(not can_measure_peak(CPU), reason="memory cannot be measured on this system")


def fitted(asked: Choice, *, batches: int | None = None, **hardware: object) -> FittedRun:
    def draw(_: Choice) -> Iterator[int]:
        return iter(range(batches or 0))

    return fit_run(
        asked, training=TRAINING, hardware=HardwareSettings.model_validate({"device": "cpu", **hardware}), rule=RULE,
        build=build, replan=replan_2d, draw=draw if batches else None,
    )  # fmt: skip


def test_a_run_that_fits_gives_up_nothing_and_goes_through_json() -> None:
    run = fitted(choice_2d(batch=4, accumulate=2))
    assert run.choice == choice_2d(batch=4, accumulate=2)
    assert run.given_up == ()
    assert run.measured
    assert FittedRun.model_validate(json.loads(json.dumps(run.model_dump(mode="json")))) == run
    assert len(run.sentences()) == 2


def test_the_time_is_that_of_all_steps_and_validations() -> None:
    run = fitted(choice_2d(batch=4, accumulate=2))
    wanted = 2 * (3 * run.seconds_per_step + 5 * run.seconds_per_validation_batch)
    assert run.seconds_expected == pytest.approx(wanted)
    assert run.seconds_per_batch_drawn is None


@pytest.mark.parametrize("batches", [1, 2, 9])
def test_batches_are_timed_where_they_can_be_drawn(batches: int) -> None:
    run = fitted(choice_2d(batch=1), batches=batches)
    assert run.seconds_per_batch_drawn is not None
    assert 0 <= run.seconds_per_batch_drawn < 5  # nothing is drawn, but other programs may run meanwhile


@ON_LINUX
def test_a_cap_that_the_program_itself_exceeds_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"and 0\.05 GB may be used; raise hardware.memory_gb"):
        fitted(choice_2d(), memory_gb=0.05)


@ON_LINUX
def test_what_is_given_up_is_said() -> None:
    """In a process of its own: in this one the memory that other tests have left would be measured too."""
    process = multiprocessing.get_context("spawn").Process(target=give_up_and_say_so)
    process.start()
    process.join()
    assert process.exitcode == 0


def give_up_and_say_so() -> None:
    large = choice_2d((128, 128), batch=16)
    roomy = fitted(large, memory_gb=64)
    assert roomy.peak_gb is not None
    tight = fitted(large, memory_gb=roomy.peak_gb - 0.03)
    assert tight.peak_gb is not None
    assert tight.limit_gb == pytest.approx(roomy.peak_gb - 0.03, abs=1e-3)
    assert tight.peak_gb <= tight.limit_gb
    assert tight.choice != large
    assert [sentence for sentence in tight.sentences() if sentence.startswith("given up for memory: activations")]


def test_where_memory_cannot_be_measured_only_the_time_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("fitted_run", "step_cost"):
        monkeypatch.setattr(f"uumamba.training.{module}.can_measure_peak", lambda _: False)
    with caplog.at_level(logging.WARNING, "uumamba"):
        run = fitted(choice_2d(batch=4), memory_gb=0.001)
    assert "memory cannot be measured on this system" in caplog.text
    assert run.choice == choice_2d(batch=4)
    assert run.peak_gb is None
    assert run.limit_gb is None
    assert run.seconds_expected > 0
    assert "GB" not in run.sentences()[0]


def test_a_run_may_hold_nine_tenths_of_what_is_free_and_no_more_than_it_is_told() -> None:
    assert usable_bytes(HardwareSettings(memory_gb=0.5), CPU) == 0.5e9
    before = available_bytes(CPU)
    usable = [usable_bytes(HardwareSettings(memory_gb=limit), CPU) for limit in (None, 1e6)]
    after = available_bytes(CPU)
    free = [math.inf if bound is None else 0.9 * bound for bound in (before, after)]
    assert all(0.8 * min(free) <= bytes_ <= 1.2 * max(free) for bytes_ in usable)  # other programs come and go
