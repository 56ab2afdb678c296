"""Where a run keeps its files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.inference.bundle import BUNDLE_NAME


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run (one configuration, one fold)."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration (YAML), which `--config` reads again."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """The run record (JSON): versions, seed, device, backend, data hashes, split."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """What the run said."""
        return self.path / "log.txt"

    @property
    def history(self) -> Path:
        """One row an epoch (CSV)."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """The history as a picture (PNG)."""
        return self.path / "curves.png"

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch, from which `--resume` goes on."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch by the smoothed validation Dice."""
        return self.path / "best.safetensors"

    @property
    def validation(self) -> Path:
        """Dice per validation case and structure on whole volumes at the plan's spacing (CSV)."""
        return self.path / "validation.csv"

    @property
    def bundle(self) -> Path:
        """The result: weights with all that inference needs."""
        return self.path / BUNDLE_NAME

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise `InputError` if there is nothing to resume, or a run and neither flag to say what to do with it.

        A folder without a checkpoint holds no run: whatever began there was stopped before its first epoch ended.
        """
        if resume and not self.last.is_file():
            raise InputError(f"{self.path}: nothing to resume, no {self.last.name} there; start without --resume")
        if not resume and not overwrite and self.last.exists():
            raise InputError(f"{self.path}: holds a run; go on with --resume, or replace it with --overwrite")

    def begin(self) -> None:
        """Make the folder for a new run, and remove what is there."""
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
