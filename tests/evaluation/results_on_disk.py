"""Small results as runs and evaluations leave them."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uumamba.core.files import write_json

Row = Mapping[str, float | str | None]


def write_run(path: Path, dice: Mapping[str, Row], *, seed: int = 0, **record: Any) -> Path:
    """A run's folder with its validation and its record."""
    path.mkdir(parents=True, exist_ok=True)
    structures = list(dict.fromkeys(name for row in dice.values() for name in row))
    with (path / "validation.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", *structures])
        writer.writerows(
            [case, *("" if row[name] is None else row[name] for name in structures)] for case, row in dice.items()
        )
    fold = path.name.removeprefix("fold_")
    split = {"training": [], "validation": list(dice)}
    base = {"fold": fold, "seed": seed, "split": split, "data_hash": "abc", "configuration": {"seed": seed}}
    write_json(path / "run.json", base | record)
    return path


def write_record(work: Path, patients: Mapping[str, str]) -> None:
    """The work folder's record of whose cases these are."""
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / "record.json", {"cases": {case: {"patient": patient} for case, patient in patients.items()}})


def write_scores(path: Path, dice: Mapping[str, Row], patients: Mapping[str, str] | None = None) -> Path:
    """An evaluation's folder."""
    path.mkdir(parents=True)
    with (path / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "structure", "dice"])
        writer.writerows([case, name, value] for case, row in dice.items() for name, value in row.items())
    if patients is not None:
        write_json(path / "summary.json", {"patients": patients})
    return path
