"""What a run shows while it trains: curves, pictures of one validation case, TensorBoard files."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from uumamba.reporting.curves import training_figure
from uumamba.reporting.style import save_figure
from uumamba.training.history import Row
from uumamba.training.state import Training
from uumamba.training.tensorboard import TensorBoardLog
from uumamba.workflows.training_job import Job
from uumamba.workflows.validation_overlay import ValidationOverlay

_SECONDS_BETWEEN_CURVES = 60.0


class TrainingWatch:
    """Called with all rows of the history after each epoch."""

    def __init__(self, job: Job, training: Training, tensorboard: TensorBoardLog | None) -> None:
        self._job = job
        self._training = training
        self._tensorboard = tensorboard
        self._drawn = -math.inf
        case = min(job.cases.validation, default=None)
        self._overlay = (
            None if case is None else ValidationOverlay(job.store, case, job.plan, job.device, run=job.title)
        )

    def __call__(self, rows: Sequence[Row]) -> None:
        """Draw and write what is due after the last row's epoch."""
        if not self._job.processes.is_first:
            return
        epoch, settings = len(rows), self._job.config.training
        is_last = epoch == settings.epochs
        # Not so often that it costs more than a little.
        if is_last or time.monotonic() - self._drawn > _SECONDS_BETWEEN_CURVES:
            self.draw_curves(rows)
        if self._tensorboard is not None:
            self._tensorboard.write(rows[-1])
        every = settings.overlay_every
        if self._overlay is not None and every is not None and (is_last or epoch % every == 0):
            with self._training.averaged():
                self._overlay.draw(self._training.network, epoch, self._job.directory.overlays)

    def draw_curves(self, rows: Sequence[Row]) -> None:
        """Draw the history as it is now."""
        save_figure(training_figure(rows, title=self._job.title), self._job.directory.curves)
        self._drawn = time.monotonic()


@contextmanager
def watch(job: Job, training: Training) -> Iterator[TrainingWatch]:
    """Watch a training from where it stands for the block."""
    if not (job.config.training.tensorboard and job.processes.is_first):
        yield TrainingWatch(job, training, None)
        return
    tensorboard = TensorBoardLog(job.directory.tensorboard, first_epoch=training.epoch + 1)
    try:
        yield TrainingWatch(job, training, tensorboard)
    finally:
        tensorboard.close()
