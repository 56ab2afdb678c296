"""Optimizers and their parameter groups."""

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from uumamba.core.settings import Settings

# decay pulls them to 0, which is no neutral value for a state-space layer's spectrum and skip
_STATE_SPACE_NAMES = ("A_log", "D")


def parameter_groups(model: nn.Module, loss: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Split all trainable parameters for an optimizer: "decayed", "undecayed" and "loss" (the last two without decay).

    Norms, biases (at most one axis) and Mamba's `A_log` and `D` are not decayed, nor are the loss's own weights. Empty
    groups are left out.
    """
    groups: dict[str, list[nn.Parameter]] = {"decayed": [], "undecayed": [], "loss": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            exempt = parameter.ndim <= 1 or name.rpartition(".")[2] in _STATE_SPACE_NAMES
            groups["undecayed" if exempt else "decayed"].append(parameter)
    groups["loss"] = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    return [
        {"name": name, "params": params, "weight_decay": weight_decay if name == "decayed" else 0.0}
        for name, params in groups.items()
        if params
    ]


Beta = Annotated[float, Field(ge=0, lt=1)]


class SGDSettings(Settings):
    """Stochastic gradient descent; the defaults are the reference's."""

    name: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=1e-2, gt=0)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=3e-5, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0; set nesterov to false, or a momentum")
        return self

    def build(self, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
        """Build the optimizer of a model and its loss."""
        groups = parameter_groups(model, loss, weight_decay=self.weight_decay)
        return torch.optim.SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=self.nesterov)


class AdamWSettings(Settings):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(default=3e-4, gt=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-2, ge=0)

    def build(self, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
        """Build the optimizer of a model and its loss."""
        groups = parameter_groups(model, loss, weight_decay=self.weight_decay)
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas)


OptimizerSettings = Annotated[SGDSettings | AdamWSettings, Field(discriminator="name")]
