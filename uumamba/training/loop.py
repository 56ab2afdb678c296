"""The training loop, read from top to bottom."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from uumamba.core.errors import NotFiniteError
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.core.progress import progress_bar
from uumamba.core.settings import Settings
from uumamba.core.statistics import mean_of_known
from uumamba.data.loader import PatchBatch, PatchLoader
from uumamba.optim.schedules import Schedule, set_learning_rate
from uumamba.optim.step import Rule
from uumamba.training.history import Row
from uumamba.training.safekeeping import Safekeeping
from uumamba.training.state import Training
from uumamba.training.validation import validate_patches


class TrainingSettings(Settings):
    """How long a run trains, how it steps, and what it keeps.

    An epoch is a fixed number of `iterations` (optimizer steps); each averages `accumulate` micro-batches. `clip_norm`
    bounds the gradients' 2-norm. A run whose gradients are not finite `skip_limit` times in a row stops.
    With `average_decay` a moving average of the weights (`optim/weight_average.py`) is validated and kept. With
    `patience` a run ends after so many epochs without a better smoothed validation Dice. The bundle holds the `bundle`
    epoch's weights: the last's, as nnU-Net does, or the best's. A checkpoint is never older than `checkpoint_minutes`
    or one epoch. A validation case is drawn every `overlay_every` epochs, never if it is null; `tensorboard` writes the
    history for TensorBoard too. With `calibrate` the temperature of the probabilities is fitted on the validation cases.
    """

    epochs: PositiveInt = 250
    iterations: PositiveInt = 250
    validation_iterations: PositiveInt = 50
    accumulate: PositiveInt = 1
    clip_norm: PositiveFloat = 12.0
    deep_supervision: bool = True
    foreground_fraction: float = Field(default=0.33, ge=0, le=1)
    skip_limit: PositiveInt = 20
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    patience: PositiveInt | None = None
    bundle: Literal["last", "best"] = "last"
    checkpoint_minutes: PositiveFloat = 30.0
    overlay_every: PositiveInt | None = 10
    tensorboard: bool = False
    calibrate: bool = True


@dataclass(frozen=True)
class Recipe:
    """How to train: the update rule, the learning rate's schedule, and the settings."""

    rule: Rule
    schedule: Schedule
    settings: TrainingSettings


@dataclass(frozen=True)
class TrainingData:
    """What to train on; without `validation` no epoch is called the best, and none is the last before its time."""

    training: PatchLoader
    validation: PatchLoader | None
    labels: LabelSet


def fit(
    training: Training,
    recipe: Recipe,
    data: TrainingData,
    safekeeping: Safekeeping,
    *,
    on_epoch: Callable[[Sequence[Row]], None],
) -> None:
    """Train to the end from wherever `training` stands; after each epoch validate and write a checkpoint.

    `on_epoch` gets all rows of the history so far. Raises `Interrupted`, with a checkpoint written, if a signal came.
    """
    settings = recipe.settings
    with progress_bar() as progress:
        done = training.epoch * settings.iterations + training.under_way.steps
        task = progress.add_task("train", total=settings.epochs * settings.iterations, completed=done)
        while not _is_finished(training, settings):
            started = time.perf_counter() - training.under_way.seconds
            _train_epoch(training, recipe, data.training, safekeeping, on_step=lambda: progress.advance(task))
            row = _row_of_training(training)
            row |= _validate(training, data, safekeeping)
            row["seconds"] = time.perf_counter() - started
            better = training.end_epoch(row)
            safekeeping.save(best=better and data.validation is not None)
            _report(row, settings.epochs)
            on_epoch(training.history)


def _is_finished(training: Training, settings: TrainingSettings) -> bool:
    if training.epoch >= settings.epochs:
        return True
    waited = training.epoch - training.best_epoch
    is_early = settings.patience is not None and training.best is not None and waited >= settings.patience
    if is_early:
        log.info(
            "stopped early after epoch %d: the best smoothed Dice is epoch %d's", training.epoch, training.best_epoch
        )
    return is_early


def _train_epoch(
    training: Training, recipe: Recipe, batches: PatchLoader, safekeeping: Safekeeping, on_step: Callable[[], None]
) -> None:
    """Take the steps that the epoch still lacks."""
    settings, state = recipe.settings, training.under_way
    training.network.train()
    remaining = batches.epoch(training.epoch, start=state.steps * settings.accumulate)
    safekeeping.between_steps()
    started = time.perf_counter()
    for micro_batches in _grouped(remaining, settings.accumulate):
        number = training.epoch * settings.iterations + state.steps
        set_learning_rate(training.optimizer, recipe.schedule(number))
        training.step.progress = number / (settings.epochs * settings.iterations)
        try:
            outcome = training.step(recipe.rule, micro_batches)
        except NotFiniteError as error:
            raise NotFiniteError(f"{error}; last checkpoint: {safekeeping.last}") from None
        if training.average is not None and not outcome.skipped:
            training.average.update()
        now = time.perf_counter()
        state.add(outcome, now - started)
        started = now
        on_step()
        safekeeping.between_steps()
    if state.skipped == state.steps:
        raise NotFiniteError(
            f"epoch {training.epoch + 1}: no step had finite gradients; lower optimizer.learning_rate or set "
            "hardware.precision=fp32"
        )


def _grouped(batches: Iterator[PatchBatch], size: int) -> Iterator[list[PatchBatch]]:
    while group := list(islice(batches, size)):
        yield group


def _row_of_training(training: Training) -> Row:
    row: Row = {"epoch": training.epoch + 1, "learning_rate": training.optimizer.param_groups[0]["lr"]}
    row |= training.mean_of_processes(training.under_way.row())
    row["skipped_steps"] = training.under_way.skipped
    return row | {f"weight_{name}": weight for name, weight in training.loss.weights().items()}


def _validate(training: Training, data: TrainingData, safekeeping: Safekeeping) -> Row:
    if data.validation is None:
        return {}
    batches = takewhile(lambda _: not safekeeping.must_stop(), data.validation.epoch(0))
    with training.averaged():
        result = validate_patches(
            training.network, training.loss, batches, data.labels, device=training.device, processes=training.processes
        )
    # If the validation was cut short this stops the run, and a resumed run repeats it.
    safekeeping.between_steps()
    mean = mean_of_known(result.dice.values())
    if mean is not None:
        training.smooth(mean)
    row: Row = {"loss_validation": result.loss}
    row |= {f"dice_{name}": value for name, value in result.dice.items()}
    return row | {"smoothed_dice": training.smoothed}


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
