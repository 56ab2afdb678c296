"""Sharpness-aware minimisation (Foret et al., 2021) and its adaptive form (Kwon et al., 2021)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.utils import get_total_norm

from uumamba.core.settings import Settings
from uumamba.optim.step import Gradients, Rule, Step


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


def sharpness_aware(rho: float, adaptive: bool = False, *, eta: float = 0.01, synchronise_ascent: bool = False) -> Rule:
    """The gradient at the ascent point; two evaluations per step.

    Only the model's weights are perturbed; a loss's own weights take their gradient from the second evaluation, like
    all others. In a distributed run each process climbs its own batch's loss, as in the paper; with
    `synchronise_ascent` all climb the whole batch's, at the cost of a second reduction.
    """

    def rule(step: Step) -> Gradients:
        """Climb from here, and return the gradient found there."""
        gradients = step.grad(synchronise=synchronise_ascent)
        with step.at(ascent(step.params, gradients, rho=rho, adaptive=adaptive, eta=eta)):
            return step.grad()

    return rule


class SharpnessAwareSettings(Settings):
    """Sharpness-aware minimisation.

    `rho`: size of the neighbourhood (0.05, or about 10 times more if adaptive). `adaptive`: measure it relative to each
    weight, |w| + `eta`. `synchronise_ascent`: climb the loss of all processes' batches together.
    """

    name: Literal["sharpness_aware"] = "sharpness_aware"
    rho: float = Field(default=0.05, ge=0)
    adaptive: bool = False
    eta: float = Field(default=0.01, ge=0)
    synchronise_ascent: bool = False

    def build(self) -> Rule:
        """Build the rule."""
        return sharpness_aware(self.rho, self.adaptive, eta=self.eta, synchronise_ascent=self.synchronise_ascent)
