"""What one optimizer step costs on this machine, measured on a network that is thrown away."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from uumamba.core.held_memory import can_measure_peak, forget_peak, held_bytes, peak_bytes
from uumamba.core.random_state import RandomState
from uumamba.data.loader import PatchBatch
from uumamba.data.patches import target_strides
from uumamba.optim.step import Rule, Step
from uumamba.training.concessions import Choice

_SLOW_SECONDS = 5.0
"""A CPU's step that takes longer is not taken again: what a first step costs besides is small beside it."""

_SEEN_MICRO_BATCHES = 2
"""More are added up in the memory of two, each in the same time."""


@dataclass(frozen=True)
class StepCost:
    """Seconds that a micro-batch adds to an optimizer step, seconds of a validation batch, and the step's memory.

    `peak_bytes` is the most that was held at once, `held_bytes` what is held whatever the batch: the program, the
    network and the optimizer's state. Both are 0 where memory cannot be measured (`core/held_memory.py`).
    """

    seconds: float
    validation_seconds: float
    peak_bytes: int
    held_bytes: int


def measure_step(build: Callable[[Choice], Step], choice: Choice, rule: Rule, device: torch.device) -> StepCost | None:
    """Take one step to warm up and one that counts, on noise; None if a GPU has too little memory for it.

    `build` makes network, loss and optimizer for a choice; all of it is gone afterwards, and the random state is what
    it was before.
    """
    random = RandomState.capture(device)
    try:
        return _measure(build, choice, rule, device)
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        random.restore(device)
        gc.collect()
        if can_measure_peak(device):
            forget_peak(device)


def synthetic_batch(choice: Choice) -> PatchBatch:
    """Noise in the shape of a micro-batch, with labels for every output that deep supervision has."""
    plan = choice.plan
    random = torch.Generator().manual_seed(0)
    first = (plan.batch_size, len(plan.channels), *plan.patch_size)
    targets = [
        torch.randint(
            plan.labels.classes,
            (plan.batch_size, 1, *(size // step for size, step in zip(plan.patch_size, strides, strict=True))),
            generator=random,
            dtype=torch.int16,
        )
        for strides in target_strides(plan.topology.strides)
    ]
    return {"image": torch.randn(first, generator=random), "target": targets, "case": ["noise"] * plan.batch_size}


def _measure(build: Callable[[Choice], Step], choice: Choice, rule: Rule, device: torch.device) -> StepCost:
    knows_memory = can_measure_peak(device)
    if knows_memory:
        forget_peak(device)
    step = build(choice)
    held = held_bytes(device) if knows_memory else 0
    batch = synthetic_batch(choice)
    micro_batches = [batch] * min(choice.accumulate, _SEEN_MICRO_BATCHES)
    step.model.train()
    seconds = _seconds(lambda: step(rule, micro_batches), device)
    # The optimizer's own memory comes at the end of the first step, after that step's peak.
    state = _state_bytes(step.optimizer)
    is_slow = device.type == "cpu" and seconds > _SLOW_SECONDS
    if not is_slow:
        seconds = _seconds(lambda: step(rule, micro_batches), device)
    peak, held = (peak_bytes(device) + (state if is_slow else 0), held + state) if knows_memory else (0, 0)
    step.model.eval()
    validation = _seconds(torch.inference_mode()(lambda: step.objectives["task"](step.model, batch)), device)
    return StepCost(seconds / len(micro_batches), validation, peak, held)


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    states = (value for state in optimizer.state.values() for value in state.values())
    return sum(value.numel() * value.element_size() for value in states if isinstance(value, torch.Tensor))
