"""The training loop, read from top to bottom."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn

from uumamba.core.errors import UumambaError
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.core.progress import progress_bar
from uumamba.core.random_state import RandomState
from uumamba.core.settings import Settings
from uumamba.data.loader import PatchBatch, PatchLoader
from uumamba.losses.segmentation import SegmentationLoss
from uumamba.optim.schedules import PolySettings, set_learning_rate
from uumamba.optim.step import Rule, Step
from uumamba.training.checkpoint import read_checkpoint, write_checkpoint
from uumamba.training.history import Row, write_history
from uumamba.training.run_directory import RunDirectory
from uumamba.training.validation import validate_patches

_SMOOTHING = 0.9
"""The share of the past in the smoothed validation Dice that chooses the best epoch (nnU-Net's value)."""


class TrainingSettings(Settings):
    """How long a run trains and how it steps.

    An epoch is a fixed number of `iterations` (optimizer steps); each averages `accumulate` micro-batches. `clip_norm`
    bounds the gradients' 2-norm. A run whose gradients are not finite `skip_limit` times in a row stops.
    """

    epochs: PositiveInt = 250
    iterations: PositiveInt = 250
    validation_iterations: PositiveInt = 50
    accumulate: PositiveInt = 1
    clip_norm: PositiveFloat = 12.0
    deep_supervision: bool = True
    foreground_fraction: float = Field(default=0.33, ge=0, le=1)
    skip_limit: PositiveInt = 20


@dataclass
class Training:
    """What changes while a run goes on, and therefore what a checkpoint holds."""

    network: nn.Module
    loss: SegmentationLoss
    optimizer: torch.optim.Optimizer
    step: Step
    epoch: int = 0
    best: float | None = None
    smoothed: float | None = None
    history: list[Row] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs to go on as if it had never stopped."""
        return {
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "smoothed": self.smoothed,
            "history": self.history,
            "random": asdict(RandomState.capture(self.device)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step.load_state_dict(state["step"])
        self.epoch, self.best, self.smoothed, self.history = (
            state["epoch"],
            state["best"],
            state["smoothed"],
            state["history"],
        )
        RandomState(**state["random"]).restore(self.device)


def fit(
    training: Training,
    rule: Rule,
    settings: TrainingSettings,
    *,
    batches: PatchLoader,
    validation: PatchLoader | None,
    labels: LabelSet,
    directory: RunDirectory,
    on_epoch: Callable[[Sequence[Row]], None],
) -> None:
    """Train until `settings.epochs`, from wherever `training` stands; after each epoch validate and write a checkpoint.

    Without `validation` no epoch is called the best. `on_epoch` gets all rows of the history so far.
    """
    schedule = PolySettings().build(epochs=settings.epochs, iterations=settings.iterations)
    with progress_bar() as progress:
        task = progress.add_task(
            "train", total=settings.epochs * settings.iterations, completed=training.epoch * settings.iterations
        )
        while training.epoch < settings.epochs:
            started = time.perf_counter()
            set_learning_rate(training.optimizer, schedule(training.epoch * settings.iterations))
            row: Row = {"epoch": training.epoch + 1, "learning_rate": training.optimizer.param_groups[0]["lr"]}
            row |= _train_epoch(training, rule, settings, batches, on_step=lambda: progress.advance(task))
            row |= {f"weight_{name}": weight for name, weight in training.loss.weights().items()}
            row |= _validate(training, validation, labels)
            row["seconds"] = time.perf_counter() - started
            training.epoch += 1
            training.history.append(row)
            _save(training, directory, has_validation=validation is not None)
            _report(row, settings.epochs)
            on_epoch(training.history)


def resume(training: Training, directory: RunDirectory) -> None:
    """Bring `training` to the run's last checkpoint."""
    training.load_state_dict(read_checkpoint(directory.last))
    log.info("resumed after epoch %d from %s", training.epoch, directory.last)


def _train_epoch(
    training: Training, rule: Rule, settings: TrainingSettings, batches: PatchLoader, on_step: Callable[[], None]
) -> Row:
    training.network.train()
    sums: defaultdict[str, float] = defaultdict(float)
    skipped = 0
    for micro_batches in _grouped(batches.epoch(training.epoch), settings.accumulate):
        outcome = training.step(rule, micro_batches)
        on_step()
        if outcome.skipped:
            skipped += 1
            continue
        sums["loss_training"] += outcome.loss
        sums["gradient_norm"] += outcome.gradient_norm
        for name, value in outcome.terms.items():
            sums[f"term_{name}"] += value
    if skipped == settings.iterations:
        raise UumambaError(
            f"epoch {training.epoch + 1}: no step had finite gradients; lower optimizer.learning_rate or set "
            "hardware.precision=fp32"
        )
    means: Row = {name: value / (settings.iterations - skipped) for name, value in sums.items()}
    return means | {"skipped_steps": skipped}


def _grouped(batches: Iterator[PatchBatch], size: int) -> Iterator[list[PatchBatch]]:
    while group := list(islice(batches, size)):
        yield group


def _validate(training: Training, validation: PatchLoader | None, labels: LabelSet) -> Row:
    if validation is None:
        return {}
    result = validate_patches(training.network, training.loss, validation.epoch(0), labels, training.device)
    present = [value for value in result.dice.values() if value is not None]
    mean = math.fsum(present) / len(present) if present else None
    if mean is not None:
        training.smoothed = (
            mean if training.smoothed is None else _SMOOTHING * training.smoothed + (1 - _SMOOTHING) * mean
        )
    row: Row = {"loss_validation": result.loss}
    row |= {f"dice_{name}": value for name, value in result.dice.items()}
    return row | {"smoothed_dice": training.smoothed}


def _save(training: Training, directory: RunDirectory, *, has_validation: bool) -> None:
    better = (
        has_validation
        and training.smoothed is not None
        and (training.best is None or training.smoothed > training.best)
    )
    if better:
        training.best = training.smoothed
    _require_finite(training, directory)
    state = training.state_dict()
    # The best goes first: a run that is killed in between then resumes from before it, and finds it again.
    if better:
        write_checkpoint(directory.best, state)
    write_checkpoint(directory.last, state)
    write_history(directory.history, training.history)


def _require_finite(training: Training, directory: RunDirectory) -> None:
    """Never write weights that are lost: the checkpoint of an earlier epoch stays."""
    weights = [*training.network.parameters(), *training.loss.parameters()]
    if not all(bool(torch.isfinite(weight).all()) for weight in weights):
        raise UumambaError(
            f"epoch {training.epoch}: the weights are no longer finite; {directory.last} keeps the epoch before; "
            "lower optimizer.learning_rate and go on with --resume"
        )


def _report(row: Row, epochs: int) -> None:
    scores = ", ".join(
        f"{name.removeprefix('dice_')} {value:.3f}"
        for name, value in row.items()
        if name.startswith("dice_") and value is not None
    )
    log.info(
        "epoch %d/%d: loss %.4f, Dice on patches %s, %.1f s",
        row["epoch"],
        epochs,
        row["loss_training"],
        scores or "not measured",
        row["seconds"],
    )
