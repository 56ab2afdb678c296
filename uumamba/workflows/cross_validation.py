"""The folds of one training summarised: what `train` does once several folds are done."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from uumamba.core.console import make_console
from uumamba.core.log import log
from uumamba.evaluation.cross_validation import CrossValidatedDice, CrossValidation, case_dice, cross_validate
from uumamba.evaluation.cross_validation_writing import cross_validation_table, write_cross_validation
from uumamba.evaluation.result import FOLD, VALIDATION, read_folds_of_run
from uumamba.reporting.cross_validation import FoldScores, cross_validation_figure
from uumamba.reporting.style import save_figure


def summarise_folds(folder: Path, count: int) -> CrossValidation:
    """Pool the held-out cases of a run's folds, `folder`/fold_<n> with n below `count`, and print a table.

    Writes `cross_validation.json`, `.csv` and `.png` beside the folds. A fold that is not finished is listed as
    missing. Raises `InputError` if none is finished, or if two share a case.
    """
    folds = [str(fold) for fold in range(count)]
    found = cross_validate(read_folds_of_run(folder, folds), _missing(folder, folds))
    tables = write_cross_validation(found, folder)
    save_figure(_figure(found), folder / "cross_validation.png")
    show(found)
    log.info("%d tables and a picture in %s", len(tables), folder)
    return found


def show(found: CrossValidation) -> None:
    """Print the table and the warnings."""
    console = make_console()
    console.print(cross_validation_table(found))
    for fold, reason in found.missing.items():
        console.print(f"Note: fold {fold} is in no number: {reason}.", markup=False, highlight=False)
    for warning in found.warnings:
        console.print(f"Note: {warning}.", markup=False, highlight=False)


def _missing(folder: Path, folds: list[str]) -> dict[str, str]:
    """Folds without a validation, each with the reason."""
    reasons = {}
    for fold in folds:
        run = folder / f"{FOLD}{fold}"
        if not (run / VALIDATION).is_file():
            reasons[fold] = "it is not finished" if run.is_dir() else "it was not trained"
    return reasons


def _figure(found: CrossValidation) -> Figure:
    result = found.result
    structures = [
        _fold_scores(each, {case: row.get(each.structure) for case, row in result.dice.items()}, found)
        for each in found.structures
    ]
    overall = _fold_scores(found.overall, case_dice(result), found)
    return cross_validation_figure(structures, overall, title=f"{result.name}: held-out cases of every fold")


def _fold_scores(each: CrossValidatedDice, values: Mapping[str, float | None], found: CrossValidation) -> FoldScores:
    fold_of = found.result.folds
    folds = {
        fold: [value for case, value in values.items() if value is not None and fold_of[case] == fold]
        for fold in found.result.records
    }
    return FoldScores(each.structure, folds, each.mean, each.interval.low, each.interval.high)
