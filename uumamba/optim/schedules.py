"""Learning rates over a run: schedules of the factor on each parameter group's initial rate."""

import math
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field, PositiveFloat

from uumamba.core.errors import UumambaError
from uumamba.core.settings import Settings

Schedule: TypeAlias = Callable[[int], float]
"""The factor on the initial learning rate at an optimizer step, counted from 0 over the whole run."""

_INITIAL = "initial_lr"  # torch's own schedulers' name for it


def poly(*, epochs: int, iterations: int, exponent: float = 0.9) -> Schedule:
    """nnU-Net's: (1 - epoch / `epochs`)^`exponent`, the same for all `iterations` of an epoch."""

    def factor(step: int) -> float:
        _require_inside(step, epochs * iterations)
        return math.pow(1 - step // iterations / epochs, exponent)

    return factor


def cosine(*, steps: int, warm_up: float = 0.05, floor: float = 0.0) -> Schedule:
    """A straight rise over the first `warm_up` (a fraction) of all `steps`, then half a cosine from 1 towards `floor`.

    The first step's factor is above 0; `floor` would be reached one step after the last. (Loshchilov and Hutter, 2017;
    warm-up: Goyal et al., 2017.)
    """
    rise = round(warm_up * steps)

    def factor(step: int) -> float:
        _require_inside(step, steps)
        if step < rise:
            return (step + 1) / (rise + 1)
        return floor + (1 - floor) * half_cosine((step - rise) / (steps - rise))

    return factor


def half_cosine(progress: float) -> float:
    """From 1 at `progress` 0 to 0 at 1, level at both ends."""
    return (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give each parameter group `factor` times its own initial learning rate.

    The initial rate is the one that a group has at the first call. It is kept in the group, and with it in the
    optimizer's `state_dict`, so that a resumed run knows it.
    """
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault(_INITIAL, group["lr"]) * factor


class PolySettings(Settings):
    """nnU-Net's decay, once an epoch: (1 - epochs done / all epochs)^`exponent`."""

    name: Literal["poly"] = "poly"
    exponent: PositiveFloat = 0.9

    def build(self, *, epochs: int, iterations: int) -> Schedule:
        """The schedule of a run of `epochs`, each of `iterations` optimizer steps."""
        return poly(epochs=epochs, iterations=iterations, exponent=self.exponent)


class CosineSettings(Settings):
    """A linear warm-up, then half a cosine, step by step.

    `warm_up` is a fraction of the run's steps; `floor` a fraction of the initial learning rate, reached at the end.
    """

    name: Literal["cosine"] = "cosine"
    warm_up: float = Field(default=0.05, ge=0, lt=1)
    floor: float = Field(default=0.0, ge=0, le=1)

    def build(self, *, epochs: int, iterations: int) -> Schedule:
        """The schedule of a run of `epochs`, each of `iterations` optimizer steps."""
        return cosine(steps=epochs * iterations, warm_up=self.warm_up, floor=self.floor)


ScheduleSettings = Annotated[PolySettings | CosineSettings, Field(discriminator="name")]


def _require_inside(step: int, steps: int) -> None:
    if not 0 <= step < steps:
        raise UumambaError(
            f"learning rate: the schedule has steps 0 to {steps - 1}, got step {step}; build it for the run's epochs"
        )
