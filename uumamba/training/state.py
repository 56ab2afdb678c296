"""What changes while a run goes on, and therefore what a checkpoint holds."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from uumamba.core.processes import ALONE, Processes
from uumamba.core.random_state import RandomState
from uumamba.losses.segmentation import SegmentationLoss
from uumamba.optim.step import Step, StepOutcome
from uumamba.optim.weight_average import WeightAverage
from uumamba.training.history import Row

_SMOOTHING = 0.9
"""The share of the past in the smoothed validation Dice that chooses the best epoch (nnU-Net's value)."""


@dataclass
class EpochState:
    """The epoch that is under way: its steps so far, their sums, and their seconds in all sessions that took part."""

    steps: int = 0
    skipped: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: StepOutcome, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self.seconds += seconds
        if outcome.skipped:
            self.skipped += 1
            return
        terms = {f"term_{name}": value for name, value in outcome.terms.items()}
        for name, value in {"loss_training": outcome.loss, "gradient_norm": outcome.gradient_norm, **terms}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def row(self) -> dict[str, float]:
        """Means over the steps that were not skipped, the number of those that were, and the seconds of a step."""
        means = {name: value / (self.steps - self.skipped) for name, value in self.sums.items()}
        return means | {"skipped_steps": self.skipped, "seconds_per_step": self.seconds / self.steps}


@dataclass
class Training:
    """Network, loss and optimizer on their device, and how far they are.

    `epoch` counts the epochs that are done; `best` is the highest `smoothed` validation Dice so far, of `best_epoch`.
    With `average` the averaged weights are validated and become the bundle; the optimizer goes on from the others.
    """

    network: nn.Module
    loss: SegmentationLoss
    optimizer: torch.optim.Optimizer
    step: Step
    processes: Processes = ALONE
    average: WeightAverage | None = None
    epoch: int = 0
    under_way: EpochState = field(default_factory=EpochState)
    best: float | None = None
    best_epoch: int = 0
    smoothed: float | None = None
    history: list[Row] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def is_at_best(self) -> bool:
        """Whether it stands at the end of its best epoch."""
        return 0 < self.best_epoch == self.epoch and self.under_way.steps == 0

    @property
    def place(self) -> str:
        """How far it is, in words."""
        steps = f" and {self.under_way.steps} steps" if self.under_way.steps else ""
        return f"after epoch {self.epoch}{steps}"

    def mean_of_processes(self, values: Mapping[str, float]) -> dict[str, float]:
        """Numbers by name, the same names on all processes, each of which has seen its share of the batches."""
        own = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        return dict(zip(values, (self.processes.sum(own) / self.processes.count).tolist(), strict=True))

    def averaged(self) -> AbstractContextManager[Any]:
        """Within the block the network has the weights that count: the averaged ones if there are such."""
        return nullcontext() if self.average is None else self.average.applied()

    def smooth(self, dice: float) -> None:
        """Take the mean validation Dice of one epoch into the smoothed one."""
        before = dice if self.smoothed is None else self.smoothed
        self.smoothed = _SMOOTHING * before + (1 - _SMOOTHING) * dice

    def end_epoch(self, row: Row) -> bool:
        """Close the epoch with its row of the history; whether it is the best so far."""
        self.epoch += 1
        self.under_way = EpochState()
        self.history.append(row)
        better = self.smoothed is not None and (self.best is None or self.smoothed > self.best)
        if better:
            self.best, self.best_epoch = self.smoothed, self.epoch
        return better

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs to go on as if it had never stopped; all processes must ask together."""
        random = self.processes.gather(asdict(RandomState.capture(self.device)))
        return {
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "epoch": self.epoch,
            "under_way": asdict(replace(self.under_way, sums=self.mean_of_processes(self.under_way.sums))),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "smoothed": self.smoothed,
            "history": self.history,
            "random": random,
        }

    def take_weights(self, state: dict[str, Any]) -> None:
        """Only the network's weights, and their average, of another checkpoint of this run."""
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the random states are each process's own as long as their number is the same."""
        self.take_weights(state)
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step.load_state_dict(state["step"])
        self.epoch, self.under_way = state["epoch"], EpochState(**state["under_way"])
        self.best, self.best_epoch, self.smoothed = state["best"], state["best_epoch"], state["smoothed"]
        self.history = state["history"]
        random = state["random"]
        RandomState(**random[self.processes.rank % len(random)]).restore(self.device)
