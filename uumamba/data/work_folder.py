"""The work folder of one data set: all that preprocessing makes and training needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.data.datasets.description import DatasetDescription, read_description
from uumamba.data.datasets.spec import dataset_name
from uumamba.data.fold_names import Split
from uumamba.data.plan import Plan, read_plan
from uumamba.data.splits import Fold, read_folds, same_sides, write_folds
from uumamba.data.store import PreprocessedStore


class WorkFolder:
    """`path` is `<work>/<data set>`.

    dataset.json                   what the data set is: labels, channels, licence
    record.json                    cases with file hashes, details and header repairs; versions
    folds.json                     names of training and validation cases of each fold
    plan_<configuration>.json      the plans
    nnunet/                        nnU-Net's own files that the plans come from
    preprocessed/<configuration>/  the cases; roi_<configuration>_<spacing> has them for a coarse network
    runs/<name>/fold_<n>/          training runs, named after their configuration
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = path / "dataset.json"
        self.record = path / "record.json"
        self.folds = path / "folds.json"
        self.nnunet = path / "nnunet"
        self.runs = path / "runs"

    def plan(self, configuration: str) -> Path:
        """The plan of "2d" or "3d_fullres" (JSON)."""
        return self.path / f"plan_{configuration}.json"

    def store(self, configuration: str) -> PreprocessedStore:
        """The preprocessed cases of a configuration."""
        return PreprocessedStore(self.path / "preprocessed" / configuration)

    def run(self, name: str, fold: str) -> Path:
        """The folder of a training run; a name that is no plain folder name is an `InputError`."""
        if name in ("", ".", "..") or Path(name).name != name:
            raise InputError(f"--name {name}: must be a plain folder name, without separators")
        return self.runs / name / f"fold_{fold}"

    @property
    def has_runs(self) -> bool:
        """Whether any training was begun."""
        return self.runs.is_dir() and any(self.runs.iterdir())

    def read_plan(self, configuration: str) -> Plan:
        """The plan of a configuration; an `InputError` says how to make it if it is not there."""
        if not self.plan(configuration).is_file():
            raise InputError(
                f"{self.path}: no plan {configuration} here; run `uumamba preprocess` for this data set first"
            )
        return read_plan(self.plan(configuration))

    def read_description(self) -> DatasetDescription:
        """What the data set is; an `InputError` says how to make it if it is not there."""
        if not self.description.is_file():
            beside = ", ".join(sorted(path.parent.name for path in self.path.parent.glob("*/dataset.json"))) or "none"
            raise InputError(
                f"{self.path}: no preprocessed data set here (there are: {beside}); run `uumamba preprocess` for this "
                "data set first; it keeps what is stored"
            )
        return read_description(self.description)

    def read_record(self) -> dict[str, Any]:
        """The record of the preprocessing."""
        record: dict[str, Any] = read_json(self.record)
        return record

    def read_patients(self) -> dict[str, str]:
        """Case -> patient, from the record; none if there is no record."""
        cases = self.read_record()["cases"] if self.record.is_file() else {}
        return {name: str(case["patient"]) for name, case in cases.items()}

    def write_folds(self, folds: Sequence[Fold]) -> None:
        """Keep the folds; `InputError` if there are runs that were trained with others."""
        before = read_folds(self.folds) if self.folds.is_file() else folds
        if self.has_runs and not same_sides(before, folds):
            raise InputError(
                f"{self.folds}: the folds would change, but {self.runs} holds runs trained with them, whose held-out "
                "cases would be lost; keep the data and planning.folds, split_seed and test_fraction, or use another "
                "--work"
            )
        write_folds(self.folds, folds)

    def read_folds(self) -> tuple[Fold, ...]:
        """All folds, from 0; an `InputError` says how to make them if they are not there."""
        if not self.folds.is_file():
            raise InputError(f"{self.path}: no folds here; run `uumamba preprocess` for this data set first")
        return read_folds(self.folds)

    def read_fold(self, fold: str) -> Fold:
        """Training and validation cases of fold "0", "1", ...; "all" trains on every case and validates on none."""
        folds = self.read_folds()
        if fold == "all":
            every = {name for each in folds for name in (*each.training, *each.validation)}
            tested = set.intersection(*(set(each.test) for each in folds))
            return Fold(training=tuple(sorted(every)), validation=(), test=tuple(sorted(tested)))
        if fold not in map(str, range(len(folds))):
            raise InputError(f"--fold {fold}: must be 0 to {len(folds) - 1}, or all")
        return folds[int(fold)]


def work_folder_of(work: Path, dataset: str) -> WorkFolder:
    """The work folder of what `--dataset` names: a data set, or layout and place as for preprocessing."""
    return WorkFolder(work / dataset_name(dataset))


def held_out_cases(work: Path, dataset: str, fold: str | None, split: Split = "validation") -> tuple[str, ...]:
    """Names of the cases that a fold in the work folder `work` validates on, or of those that it tests on.

    Without a `fold` that of all folds, which must be the same. Raises `InputError` if there are none, or not the same.
    """
    folder = work_folder_of(work, dataset)
    folds = folder.read_folds() if fold is None else (folder.read_fold(fold),)
    found = {each.test if split == "test" else each.validation for each in folds}
    if len(found) > 1:
        raise InputError(f"--split {split}: every fold has other cases; name one with --fold")
    (cases,) = found
    if not cases and split == "test":
        raise InputError(
            f"--split test: {folder.folds} names no test case; the data set has no test split of its own, and "
            "planning.test_fraction, for `uumamba preprocess`, held none out"
        )
    if not cases:
        raise InputError(f"--fold {fold}: holds out no case; name a fold from 0, or leave --fold out")
    return cases
