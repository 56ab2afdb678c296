"""The folds of one training summarised: what `train` does once several folds are done."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from uumamba.core.console import make_console
from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.data.splits import read_folds
from uumamba.evaluation.cross_validation import CrossValidatedDice, CrossValidation, case_dice, cross_validate
from uumamba.evaluation.cross_validation_writing import cross_validation_table, write_cross_validation
from uumamba.evaluation.result import FOLD, VALIDATION, read_folds_of_run
from uumamba.reporting.cross_validation import FoldScores, cross_validation_figure
from uumamba.reporting.style import save_figure


def summarise_folds(runs: Sequence[Path]) -> CrossValidation:
    """Pool the held-out cases of the folds `runs`, `<work>/<data set>/runs/<name>/fold_<n>`, and print a table.

    Writes `cross_validation.json`, `.csv` and `.png` beside the folds. A fold that is not finished, and one of the work
    folder's that is not in `runs`, is listed as missing. Raises `InputError` if no fold is finished, or if the folders
    are not numbered folds of one run.
    """
    folder = _common_folder(runs)
    missing = _missing(folder, runs)
    result = read_folds_of_run(folder, [run.name.removeprefix(FOLD) for run in runs])
    found = cross_validate(result, missing)
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


def _common_folder(runs: Sequence[Path]) -> Path:
    if not runs:
        raise InputError("a cross-validation needs at least one fold, got none")
    for run in runs:
        if run.parent != runs[0].parent or not run.name.removeprefix(FOLD).isdecimal() or not run.name.startswith(FOLD):
            raise InputError(f"{run}: must be a folder {FOLD}0, {FOLD}1 ... beside {runs[0]}; give folds of one run")
    return runs[0].parent


def _missing(folder: Path, runs: Sequence[Path]) -> dict[str, str]:
    """Folds without a validation, and those that the split has but `runs` has not, each with the reason."""
    split = folder.resolve().parents[1] / "folds.json"
    count = len(read_folds(split)) if split.is_file() else 0
    asked = {run.name.removeprefix(FOLD) for run in runs}
    reasons = {}
    for fold in sorted({*asked, *map(str, range(count))}, key=int):
        run = folder / f"{FOLD}{fold}"
        if fold not in asked:
            reasons[fold] = "it was not asked for"
        elif not run.is_dir():
            reasons[fold] = "it was not trained"
        elif not (run / VALIDATION).is_file():
            reasons[fold] = "it is not finished"
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
