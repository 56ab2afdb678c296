"""A finished result as it lies on disk: the Dice of its cases, whose they are, and what is known of their making."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.evaluation.output_folder import DOCUMENT, OLD_SUMMARY, require_schema
from uumamba.evaluation.paired import Scores

FOLD = "fold_"
_SCORES = "scores.csv"
VALIDATION = "validation.csv"
_EXPECTED = f"give a run's folder, a folder of {FOLD}0, {FOLD}1 ..., or a folder that `uumamba evaluate` wrote"


@dataclass(frozen=True)
class Result:
    """`dice` of each case and structure, None where there is nothing to compare.

    `patients` maps those cases whose patient is known. `records` are the run records (`run.json`) by fold, none for an
    evaluation. `folds` maps each case of a training to its fold. `unfinished` are folds without a validation.
    """

    path: Path
    dice: Scores
    patients: Mapping[str, str]
    records: Mapping[str, Mapping[str, Any]]
    folds: Mapping[str, str]
    unfinished: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A short name: the evaluation's folder, or the run's with its folds."""
        folder = self.path.resolve()
        return f"{folder.parent.name}/{folder.name}" if folder.name.startswith(FOLD) else folder.name

    @property
    def structures(self) -> tuple[str, ...]:
        """The structures' names in the order of the table."""
        return tuple(dict.fromkeys(name for row in self.dice.values() for name in row))


def read_result(path: Path) -> Result:
    """Read a run's folder, a folder of folds, or an evaluation's; `InputError` says what is missing or broken."""
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; {_EXPECTED}")
    if (path / _SCORES).is_file():
        return _read_evaluation(path)
    if (path / "run.json").is_file() or (path / VALIDATION).is_file():
        return _read_run(path)
    folds = [folder for folder in sorted(path.glob(f"{FOLD}*")) if folder.name.removeprefix(FOLD).isdecimal()]
    if not folds:
        raise InputError(f"{path}: no result here; {_EXPECTED}")
    return read_folds_of_run(path, [folder.name.removeprefix(FOLD) for folder in folds])


def read_folds_of_run(path: Path, folds: list[str]) -> Result:
    """Pool the held-out cases of these folds of the run `path`.

    Raises `InputError` if none is finished, or if two share a case.
    """
    names = sorted(folds, key=int)
    finished = [fold for fold in names if (path / f"{FOLD}{fold}" / VALIDATION).is_file()]
    if not finished:
        raise InputError(f"{path}: no fold has a {VALIDATION}; let a training end, or go on with --resume")
    runs = {fold: _read_run(path / f"{FOLD}{fold}") for fold in finished}
    dice: dict[str, Mapping[str, float | None]] = {}
    fold_of: dict[str, str] = {}
    for fold, run in runs.items():
        if repeated := sorted(run.dice.keys() & dice.keys()):
            raise InputError(
                f"{path}: folds {fold_of[repeated[0]]} and {fold} both hold {repeated[0]} out; "
                "they are not folds of one split: train them on the same folds.json"
            )
        dice |= run.dice
        fold_of |= dict.fromkeys(run.dice, fold)
    patients = {case: patient for run in runs.values() for case, patient in run.patients.items()}
    records = {fold: run.records[fold] for fold, run in runs.items()}
    return Result(path, dice, patients, records, fold_of, tuple(fold for fold in names if fold not in finished))


def _read_run(path: Path) -> Result:
    table = path / VALIDATION
    record: dict[str, Any] = read_json(path / "run.json")
    fold = str(record.get("fold", path.resolve().name.removeprefix(FOLD)))
    if not table.is_file() and fold == "all":
        raise InputError(
            f"{path}: this run was trained on every case, so none was held out; predict other cases with "
            "`uumamba infer`, score them, and give the folder that `uumamba evaluate` wrote"
        )
    if not table.is_file():
        raise InputError(f"{path}: no {VALIDATION} there; let the training end, or go on with --resume")
    dice: dict[str, dict[str, float | None]] = {}
    for line, row in _rows(table, required=("case",)):
        case = row.pop("case")
        _require_new(table, line, dice.get(case))
        dice[case] = {name: _dice(table, line, name, text) for name, text in row.items()}
    return Result(path, dice, _patients_of_run(path, dice), {fold: record}, dict.fromkeys(dice, fold))


def _read_evaluation(path: Path) -> Result:
    table = path / _SCORES
    dice: dict[str, dict[str, float | None]] = {}
    for line, row in _rows(table, required=("case", "structure", "dice")):
        scores = dice.setdefault(row["case"], {})
        _require_new(table, line, scores.get(row["structure"]))
        scores[row["structure"]] = _dice(table, line, "dice", row["dice"])
    patients = _patients_of_evaluation(path)
    return Result(path, dice, {case: patients[case] for case in dice if case in patients}, {}, {})


def _patients_of_evaluation(path: Path) -> dict[str, str]:
    """From `evaluation.json`, or from the `summary.json` of older evaluations; none if neither is there."""
    document, old = path / DOCUMENT, path / OLD_SUMMARY
    if document.is_file():
        content = read_json(document)
        require_schema(content, document)
        return {each["case"]: each["patient"] for each in content["cases"] if each["patient"] is not None}
    patients: dict[str, str] = read_json(old).get("patients", {}) if old.is_file() else {}
    return patients


def _patients_of_run(path: Path, cases: Mapping[str, object]) -> dict[str, str]:
    """From the record of the work folder that the run lies in; none if it was moved elsewhere."""
    record = path.resolve() / ".." / ".." / ".." / "record.json"
    if not record.is_file():
        return {}
    known = read_json(record).get("cases", {})
    return {case: str(known[case]["patient"]) for case in cases if case in known}


def _rows(path: Path, *, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV with their line numbers; `InputError` for missing columns, short or long rows, or no row."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in required if name not in (reader.fieldnames or ())]:
            raise InputError(f"{path}: the column {missing[0]} is missing; the file is broken: write it again")
        empty = True
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{path}: line {reader.line_num}: not as many cells as columns; write it again")
            empty = False
            yield reader.line_num, row
        if empty:
            raise InputError(f"{path}: holds no case; there is nothing to compare")


def _require_new(path: Path, line: int, before: object) -> None:
    if before is not None:
        raise InputError(f"{path}: line {line}: this case is there twice; write the file again")


def _dice(path: Path, line: int, column: str, text: str) -> float | None:
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{path}: line {line}: {column}: must be empty or in [0, 1], got {text!r}; write it again")
    return value
