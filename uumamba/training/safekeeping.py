"""A run's checkpoints: written between two steps, at the end of epochs, when time has passed, or when a signal came."""

import time
from pathlib import Path

import torch

from uumamba.core.errors import Interrupted, UumambaError
from uumamba.core.interruption import Interruption
from uumamba.core.log import log
from uumamba.training.checkpoint import read_checkpoint, write_checkpoint
from uumamba.training.history import write_history
from uumamba.training.run_directory import RunDirectory
from uumamba.training.state import Training


class Safekeeping:
    """Keeps one training in its run directory; every process of a distributed run has one and calls it alike."""

    def __init__(
        self, training: Training, directory: RunDirectory, interruption: Interruption, *, minutes: float
    ) -> None:
        """Write a checkpoint at least every `minutes`, wherever between two steps that is."""
        self._training = training
        self._directory = directory
        self._interruption = interruption
        self._seconds = 60 * minutes
        self._saved = time.monotonic()

    @property
    def last(self) -> Path:
        """The file from which a run goes on."""
        return self._directory.last

    def between_steps(self) -> None:
        """Write a checkpoint if it is time, or if any process was asked to stop: then raise `Interrupted`."""
        due = time.monotonic() - self._saved > self._seconds
        must_stop, must_save = self._asked(self._interruption.requested, due)
        if must_stop or must_save:
            self.save()
        if must_stop:
            self._stop()

    def must_stop(self) -> bool:
        """Whether any process was asked to stop; then end what can be repeated, and call `between_steps`."""
        return self._asked(self._interruption.requested)[0]

    def save(self, *, best: bool = False) -> None:
        """Write the last checkpoint and the history, then, if it is the best epoch so far, that checkpoint.

        A run that dies in between writes the best when it is resumed (`Training.is_at_best`). Raises `UumambaError`
        instead if the weights are not finite: the checkpoint before stays.
        """
        self._require_finite()
        state = self._training.state_dict()
        if self._training.processes.is_first:
            write_checkpoint(self._directory.last, state)
            if self._training.history:
                write_history(self._directory.history, self._training.history)
            if best:
                write_checkpoint(self._directory.best, state)
        self._saved = time.monotonic()

    def _asked(self, *wishes: bool) -> list[bool]:
        """Each wish, if any process has it: all must do the same, or they would wait for each other forever."""
        if self._training.processes.count == 1:
            return list(wishes)
        together = torch.tensor(wishes, dtype=torch.float32, device=self._training.device)
        return [wish > 0 for wish in self._training.processes.sum(together).tolist()]

    def _stop(self) -> None:
        training, name = self._training, self._interruption.name or "a signal to another process"
        raise Interrupted(f"stopped by {name} {training.place}")

    def _require_finite(self) -> None:
        weights = [*self._training.network.parameters(), *self._training.loss.parameters()]
        if not all(bool(torch.isfinite(weight).all()) for weight in weights):
            raise UumambaError(
                f"{self._directory.path}: epoch {self._training.epoch}: the weights are no longer finite; "
                f"{self._directory.last.name} keeps the last good ones; lower optimizer.learning_rate and begin anew"
            )


def resume(training: Training, directory: RunDirectory) -> None:
    """Bring `training` to the run's last checkpoint."""
    training.load_state_dict(read_checkpoint(directory.last))
    log.info("resumed %s from %s", training.place, directory.last)
