"""Sharpness-aware minimisation (Foret et al., 2021) and its adaptive form (Kwon et al., 2021)."""

from collections.abc import Callable, Sequence
from typing import Literal, Self, TypeAlias

import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn.utils import get_total_norm

from uumamba.core.errors import UumambaError
from uumamba.core.settings import Settings
from uumamba.optim.schedules import half_cosine
from uumamba.optim.step import Gradients, Rule, Step

RhoSchedule: TypeAlias = Callable[[float], float]
"""The size of the neighbourhood at a share of the run in [0, 1]."""


def ascent(
    params: Sequence[nn.Parameter], gradients: Gradients, *, rho: float, adaptive: bool, eta: float
) -> Gradients:
    """Offsets to where the loss is about highest in the neighbourhood of size `rho`.

    eps = rho T^2 g / (||T g|| + 1e-12), the norm over all `params` together, T = 1 or, `adaptive`, |w| + `eta`.
    """
    moved = [parameter for parameter in params if parameter in gradients]
    scaled = [gradients[parameter] for parameter in moved]
    if adaptive:
        metric = torch._foreach_abs([parameter.detach() for parameter in moved])
        torch._foreach_add_(metric, eta)
        scaled = list(torch._foreach_mul(scaled, metric))
    offsets = torch._foreach_mul(scaled, rho / (get_total_norm(scaled) + 1e-12))
    if adaptive:
        torch._foreach_mul_(offsets, metric)
    return dict(zip(moved, offsets, strict=True))


def rho_towards(end: float, *, start: float, shape: Literal["linear", "cosine"]) -> RhoSchedule:
    """From `start` to `end` over the run, along a line or half a cosine; raises `UumambaError` outside of the run.

    As in surrogate-gap minimisation (Zhuang et al., 2022), where rho follows the learning rate.
    """

    def rho(progress: float) -> float:
        if not 0 <= progress <= 1:
            raise UumambaError(f"rho: progress must lie in [0, 1], got {progress}; set it to steps done / all steps")
        return end + (start - end) * (half_cosine(progress) if shape == "cosine" else 1 - progress)

    return rho


def sharpness_aware(
    rho: float | RhoSchedule, adaptive: bool = False, *, eta: float = 0.01, synchronise_ascent: bool = False
) -> Rule:
    """The gradient at the ascent point; two evaluations per step.

    `rho` is a number, or changes with the step's `progress`.
    Only the model's weights are perturbed; a loss's own weights take their gradient from the second evaluation, like
    all others. In a distributed run each process climbs its own batch's loss, as in the paper; with
    `synchronise_ascent` all climb the whole batch's, at the cost of a second reduction.
    """

    def rule(step: Step) -> Gradients:
        """Climb from here, and return the gradient found there."""
        gradients = step.grad(synchronise=synchronise_ascent)
        size = rho(step.progress) if callable(rho) else rho
        with step.at(ascent(step.params, gradients, rho=size, adaptive=adaptive, eta=eta)):
            return step.grad()

    return rule


class SharpnessAwareSettings(Settings):
    """Sharpness-aware minimisation.

    `rho`: size of the neighbourhood (0.05, or about 10 times more if adaptive). With `rho_schedule` "linear" or
    "cosine" it goes from there to `rho_end` over the run. `adaptive`: measure it relative to each weight, |w| + `eta`.
    `synchronise_ascent`: climb the loss of all processes' batches together.
    """

    name: Literal["sharpness_aware"] = "sharpness_aware"
    rho: float = Field(default=0.05, ge=0)
    rho_schedule: Literal["constant", "linear", "cosine"] = "constant"
    rho_end: float = Field(default=0.0, ge=0)
    adaptive: bool = False
    eta: float = Field(default=0.01, ge=0)
    synchronise_ascent: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rho_schedule == "constant" and self.rho_end != 0:
            raise ValueError(
                f"rho_end is where rho_schedule linear or cosine leads, and rho_schedule is constant; choose one of "
                f"them, or leave rho_end {self.rho_end:g} out"
            )
        return self

    def build(self) -> Rule:
        """Build the rule."""
        rho = (
            self.rho
            if self.rho_schedule == "constant"
            else rho_towards(self.rho_end, start=self.rho, shape=self.rho_schedule)
        )
        return sharpness_aware(rho, self.adaptive, eta=self.eta, synchronise_ascent=self.synchronise_ascent)
