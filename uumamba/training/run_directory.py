"""Where a run keeps its files."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.file_lock import locked
from uumamba.core.files import read_json
from uumamba.core.processes import Processes
from uumamba.evaluation.result import VALIDATION
from uumamba.inference.bundle_file import BUNDLE_NAME

_ROI = "roi"


class RunDirectory:
    """The files of one run: one configuration, one fold.

    config.yaml        the resolved configuration, which `--config` reads again
    run.json           the run record: versions, seed, device, scan backend, precision, split, data hash
    log.txt            what the run said
    history.csv        one row an epoch; curves.png draws it
    overlays/          one validation case every few epochs
    tensorboard/       the history for TensorBoard, if asked for
    last.safetensors   the last checkpoint, at the end of an epoch or inside one, from which `--resume` goes on
    best.safetensors   the checkpoint of the best epoch by the smoothed validation Dice
    validation.csv     Dice of whole validation cases at the plan's spacing
    calibration.json   how far the probabilities on these cases may be believed; reliability.png, confidence.png draw it
    model.safetensors  the result: the weights that count with all that inference needs
    roi/               the run of the coarse network that finds the region of interest, if there is one, with the same
                       files; its region.json, written last, says how good it is
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.record = path / "run.json"
        self.log = path / "log.txt"
        self.history = path / "history.csv"
        self.curves = path / "curves.png"
        self.overlays = path / "overlays"
        self.tensorboard = path / "tensorboard"
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.validation = path / VALIDATION
        self.bundle = path / BUNDLE_NAME
        self.region = path / "region.json"

    @property
    def roi(self) -> "RunDirectory":
        """The run of the coarse network inside this one."""
        return RunDirectory(self.path / _ROI)

    @property
    def whole(self) -> "RunDirectory":
        """The fold's run, of which this may be the coarse network's."""
        return RunDirectory(self.path.parent) if self.path.name == _ROI else self

    @property
    def has_begun(self) -> bool:
        """Whether there is a checkpoint, its coarse network's included."""
        return self.last.is_file() or self.path.joinpath(_ROI, self.last.name).is_file()

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise `InputError` if there is nothing to resume, or a run and neither flag to say what to do with it.

        A folder without a checkpoint holds no run: whatever began there was stopped before its first step.
        """
        if resume and not self.has_begun:
            raise InputError(f"{self.path}: nothing to resume, no {self.last.name} there; start without --resume")
        if not resume and not overwrite and self.has_begun:
            raise InputError(f"{self.path}: holds a run; go on with --resume, or replace it with --overwrite")

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end, its validation included."""
        return self.record.is_file() and "finished" in read_json(self.record)

    @contextmanager
    def locked(self, processes: Processes, *, resume: bool, overwrite: bool) -> Iterator[None]:
        """Keep other runs out of this folder for the block; raises as `check`, or if another run is at work there.

        The first process holds the lock for all, and all raise if it must. The system lets go of the lock when the
        process ends, however it does.
        """
        with ExitStack() as held:
            problem: str | None = None
            if processes.is_first:
                try:
                    self._lock(held)
                    self.check(resume=resume, overwrite=overwrite)
                except InputError as error:
                    problem = str(error)
            problem = processes.gather(problem)[0]
            if problem is not None:
                raise InputError(problem)
            yield

    def _lock(self, held: ExitStack) -> None:
        """Lock, and remove what writing processes left behind that were killed."""
        refusal = f"{self.path}: another process is training there; wait for its end, or choose another --name"
        held.enter_context(locked(self.path.with_name(f".{self.path.name}.lock"), otherwise=refusal))
        for left_over in self.path.rglob(".*-*.safetensors"):
            left_over.unlink()

    def begin(self, *, keep_roi: bool = False) -> None:
        """Make the folder for a new run, and remove what is there, but for the coarse network if that is to be kept."""
        for old in self.path.iterdir() if self.path.exists() else ():
            if not old.is_dir() or old.is_symlink():
                old.unlink()
            elif not (keep_roi and old.name == _ROI):
                shutil.rmtree(old)
        self.path.mkdir(parents=True, exist_ok=True)
