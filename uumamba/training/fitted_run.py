"""A run made to fit its machine before it begins: what was chosen, what was given up, and how long it will take."""

import math
import time
from collections.abc import Callable, Iterable
from itertools import islice

import torch
from pydantic import NonNegativeFloat

from uumamba.core.duration import about
from uumamba.core.held_memory import available_bytes, can_measure_peak
from uumamba.core.log import log
from uumamba.core.settings import Settings
from uumamba.data.plan import Plan
from uumamba.optim.step import Rule, Step
from uumamba.training.concessions import Choice, concessions, describe_concessions
from uumamba.training.fitting import Fit, fit_to_memory
from uumamba.training.hardware import HardwareSettings
from uumamba.training.loop import TrainingSettings
from uumamba.training.step_cost import measure_step

_SHARE_OF_FREE = 0.9
"""The rest is for what a step does not show: patches on their way, validation, other programs."""
_TIMED_BATCHES = 2


class FittedRun(Settings):
    """What a run trains with, what was given up for it, and what it is expected to cost; times in seconds.

    A `step` is the optimizer's, with all its micro-batches; `seconds_per_batch_drawn` is what one process takes to read
    and augment a micro-batch, None if that was not timed. `peak_gb` and `limit_gb` (10^9 bytes) are None where memory
    cannot be measured. `measured` is false if the step was foretold from smaller ones.
    """

    asked: Choice
    choice: Choice
    given_up: tuple[str, ...]
    measured: bool
    seconds_per_step: NonNegativeFloat
    seconds_per_validation_batch: NonNegativeFloat
    seconds_per_batch_drawn: NonNegativeFloat | None
    seconds_expected: NonNegativeFloat
    peak_gb: NonNegativeFloat | None
    limit_gb: NonNegativeFloat | None

    def sentences(self) -> tuple[str, ...]:
        """What the log says before the run begins."""
        how = "measured" if self.measured else "foretold from smaller steps"
        memory = "" if self.peak_gb is None else f", {self.peak_gb:.2f} GB"
        limit = "" if self.limit_gb is None else f" of the {self.limit_gb:.2f} GB that may be used"
        step = f"one step: {self.seconds_per_step:.3g} s{memory}{limit} ({how})"
        given_up = [f"given up for memory: {each}" for each in self.given_up]
        # Small steps take more time per voxel than large ones.
        most = "" if self.measured else "at most "
        time_needed = f"the training takes {most}{about(self.seconds_expected)} on this machine"
        return step, *given_up, f"{time_needed}; whole volumes are validated after it"


def fit_run(
    asked: Choice,
    *,
    training: TrainingSettings,
    hardware: HardwareSettings,
    rule: Rule,
    build: Callable[[Choice], Step],
    replan: Callable[[tuple[int, ...]], Plan],
    draw: Callable[[Choice], Iterable[object]] | None = None,
) -> FittedRun:
    """Measure a step and choose the largest run that fits this machine's memory; nothing of it touches the run.

    `build` makes a fresh network with its step, `replan` the plan for another patch size, `draw` the run's own training
    batches. Raises `ConfigError` if nothing fits.
    """
    device = hardware.resolve_device()
    limit = usable_bytes(hardware, device)
    measures_memory = can_measure_peak(device)
    if not measures_memory:
        log.warning("memory cannot be measured on this system: the run is taken as asked, and only timed")
    fit = fit_to_memory(
        list(concessions(asked, replan)) if measures_memory else [asked],
        lambda choice: measure_step(build, choice, rule, device),
        limit,
        careful=device.type == "cpu",
    )
    drawn = None if draw is None else _seconds_per_batch(draw(fit.choice))
    seconds = _expected_seconds(fit, training, drawn, workers=hardware.resolve_workers(device))
    return FittedRun(
        asked=asked,
        choice=fit.choice,
        given_up=describe_concessions(asked, fit.choice),
        measured=fit.measured,
        seconds_per_step=fit.cost.seconds * fit.choice.accumulate,
        seconds_per_validation_batch=fit.cost.validation_seconds,
        seconds_per_batch_drawn=drawn,
        seconds_expected=seconds,
        peak_gb=round(fit.cost.peak_bytes / 1e9, 3) if measures_memory else None,
        limit_gb=round(limit / 1e9, 3) if measures_memory and math.isfinite(limit) else None,
    )


def usable_bytes(hardware: HardwareSettings, device: torch.device) -> float:
    """The memory that a run may hold: nine tenths of what is free, `memory_gb` at most; infinite if nothing tells."""
    free = available_bytes(device)
    bounds = [
        math.inf if hardware.memory_gb is None else hardware.memory_gb * 1e9,
        math.inf if free is None else free * _SHARE_OF_FREE,
    ]
    return min(bounds)


def _seconds_per_batch(batches: Iterable[object]) -> float:
    """How long one process takes for a micro-batch; the first one, which opens the files, is not counted."""
    iterator = iter(batches)
    next(iterator)
    started = time.perf_counter()
    number = sum(1 for _ in islice(iterator, _TIMED_BATCHES))
    return (time.perf_counter() - started) / max(1, number)


def _expected_seconds(fit: Fit, training: TrainingSettings, drawn: float | None, *, workers: int) -> float:
    """All epochs with their validation; workers draw batches meanwhile, without them the network waits."""
    step, draw = fit.cost.seconds, drawn or 0.0
    validation = fit.cost.validation_seconds + draw
    micro_batch = max(step, draw / workers) if workers else step + draw
    steps = training.iterations * fit.choice.accumulate
    return training.epochs * (steps * micro_batch + training.validation_iterations * validation)
