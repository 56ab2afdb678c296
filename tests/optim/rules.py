"""Every update rule, and a small network, loss and step to try it on."""

import math
from collections.abc import Container
from typing import Any, NamedTuple, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.optim.optimizers import AdamWSettings, SGDSettings
from uumamba.optim.plain import PlainSettings
from uumamba.optim.rules import RuleSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.optim.step import Precision, Step

AnyRule = PlainSettings | SharpnessAwareSettings
SGD = SGDSettings(momentum=0.9)
MEMBERS = get_args(get_args(RuleSettings)[0])
VARIANTS: list[AnyRule] = [
    *(member() for member in MEMBERS),
    SharpnessAwareSettings(adaptive=True, rho=0.5),
    SharpnessAwareSettings(synchronise_ascent=True),
    SharpnessAwareSettings(rho_schedule="cosine", rho_end=0.01),
]

every_rule = pytest.mark.parametrize("settings", VARIANTS, ids=str)
every_precision = pytest.mark.parametrize("precision", get_args(Precision))
either_kind = pytest.mark.parametrize("kind", ["loss", "gradient"])


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


class Batch(NamedTuple):
    """A regression batch."""

    x: Tensor
    y: Tensor


class Network(nn.Module):
    """Convolutions with dropout, running statistics and a parameter that only the first evaluation may reach."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.01),
            nn.Dropout(0.5),
            nn.Conv2d(4, 1, 3, padding=1),
        )
        self.sometimes = nn.Parameter(torch.full((1,), 0.3))
        self.use_sometimes = True

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, y, x) to the same shape."""
        out: Tensor = self.body(x)
        return out + self.sometimes if self.use_sometimes else out


class LearnedLoss(nn.Module):
    """Squared error with a learned weight; records losses and weights, and can fail at chosen evaluations.

    `spoil_at`: the loss is infinite. `poison_at`: the loss is finite, the gradient of the network's output is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(()))
        self.totals: list[float] = []
        self.seen: list[dict[str, Tensor]] = []
        self.raise_at = self.drop_at = -1
        self.spoil_at: Container[int] = ()
        self.poison_at: Container[int] = ()

    def evaluate(self, model: nn.Module, batch: Batch) -> Value:
        """The objective."""
        index = len(self.totals)
        model.use_sometimes = index != self.drop_at
        self.seen.append({name: value.detach().clone() for name, value in model.state_dict().items()})
        output = model(batch.x).float()
        if index in self.poison_at:
            output.register_hook(lambda gradient: gradient * math.nan)
        error = functional.mse_loss(output, batch.y)
        total = 0.5 * torch.exp(-self.s) * error + functional.softplus(self.s)
        total = total * (math.inf if index in self.spoil_at else 1.0)
        self.totals.append(total.item())
        if index == self.raise_at:
            raise RuntimeError("a pass fails")
        return Value(total, {"error": error.detach()})


class Run:
    """A network, its loss, optimizer and step, all from one seed."""

    def __init__(
        self,
        precision: Precision = "fp32",
        optimizer: SGDSettings | AdamWSettings = SGD,
        **options: Any,
    ) -> None:
        torch.manual_seed(5)
        self.model = Network()
        self.loss = LearnedLoss()
        self.optimizer = optimizer.build(self.model, self.loss)
        self.step = Step(self.model, self.optimizer, {"task": self.loss.evaluate}, precision=precision, **options)
        self.step.progress = 0.5

    def spoil(self, kind: str, evaluations: Container[int]) -> None:
        """Plant a non-finite loss, or a non-finite gradient of a finite loss."""
        setattr(self.loss, {"loss": "spoil_at", "gradient": "poison_at"}[kind], evaluations)

    def state(self) -> dict[str, Tensor]:
        """Weights, running statistics and s, copied."""
        return {name: value.clone() for name, value in (self.model.state_dict() | self.loss.state_dict()).items()}


def draw(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(3, 1, 6, 6, generator=random), torch.randn(3, 1, 6, 6, generator=random))


def evaluations(settings: AnyRule) -> int:
    """How often the rule evaluates one micro-batch."""
    run = Run()
    run.step(settings.build(), [draw()])
    return len(run.loss.totals)


def assert_bitwise(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert different == []


def gradients_at_the_optimizer(run: Run) -> dict[str, Tensor]:
    """Filled, when the optimizer acts, with the gradients it sees."""
    kept: dict[str, Tensor] = {}

    def record(*_: Any) -> None:
        named = (*run.model.named_parameters(), *run.loss.named_parameters())
        kept.update({name: parameter.grad.clone() for name, parameter in named if parameter.grad is not None})

    run.optimizer.register_step_pre_hook(record)
    return kept
