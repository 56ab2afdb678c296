"""A cross-validation as files, `cross_validation.json` and `cross_validation.csv`, and as a table for the screen."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from uumamba.core.files import write_json
from uumamba.evaluation.cross_validation import CrossValidatedDice, CrossValidation
from uumamba.evaluation.number_text import number_text, range_text
from uumamba.evaluation.resampling import describe_method
from uumamba.evaluation.table import NOTE, Cell, write_csv

COLUMNS = ("case", "patient", "fold", "structure", "dice", "reason")
_NO_VALUE = "the validation has no value for it"


def write_cross_validation(found: CrossValidation, folder: Path) -> tuple[Path, ...]:
    """Write both files into `folder` and return their paths."""
    written = (folder / "cross_validation.json", folder / "cross_validation.csv")
    write_json(written[0], _content(found))
    write_csv(written[1], COLUMNS, _rows(found))
    return written


def cross_validation_table(found: CrossValidation) -> Table:
    """One row per structure and one over all: mean and sd over cases, interval, the folds' means and their sd."""
    table = Table(title=f"Cross-validated Dice, {found.result.name}, {len(found.result.records)} folds")
    table.add_column("structure")
    folds = [f"fold {fold}" for fold in found.result.records]
    for header in ("cases", "mean ± sd", "95 % interval", *folds, "sd of folds"):
        table.add_column(header, justify="right")
    for each in found.structures:
        table.add_row(*_cells(each))
    table.add_section()
    table.add_row(*_cells(found.overall))
    return table


def _cells(each: CrossValidatedDice) -> list[str]:
    return [
        each.structure,
        str(each.cases),
        f"{number_text(each.mean)} ± {number_text(each.sd)}",
        range_text(each.interval.low, each.interval.high),
        *(number_text(mean) for mean in each.fold_means.values()),
        number_text(each.sd_of_folds),
    ]


def _rows(found: CrossValidation) -> Iterator[list[Cell]]:
    result = found.result
    for case, row in result.dice.items():
        for structure, dice in row.items():
            reason = _NO_VALUE if dice is None else None
            yield [case, result.patients.get(case), result.folds[case], structure, dice, reason]


def _content(found: CrossValidation) -> dict[str, object]:
    records = found.result.records
    return {
        "note": NOTE,
        "metric": "dice",
        "run": found.result.name,
        "folds": list(records),
        "missing_folds": dict(found.missing),
        "seeds": {fold: record.get("seed") for fold, record in records.items()},
        "warnings": list(found.warnings),
        "interval": describe_method(),
        "overall": asdict(found.overall),
        "structures": [asdict(each) for each in found.structures],
    }
