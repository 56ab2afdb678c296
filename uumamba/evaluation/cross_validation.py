"""The folds of one training together: every case once, as the network saw it that never learned from its patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from uumamba.core.statistics import mean_of_known
from uumamba.evaluation.number_text import count_text
from uumamba.evaluation.paired import OVERALL
from uumamba.evaluation.resampling import Interval, mean_interval
from uumamba.evaluation.result import Result
from uumamba.evaluation.settings_diff import fold_warnings


@dataclass(frozen=True)
class CrossValidatedDice:
    """Dice of one structure over the `cases` that have it, of `patients` patients; None where there is no number.

    `mean` and `sd` (n - 1) are over cases, `interval` is that of `mean` over patients. `fold_means` maps each fold to
    the mean over its cases; `sd_of_folds` (n - 1) is the spread of these means.
    """

    structure: str
    cases: int
    patients: int
    mean: float | None
    sd: float | None
    interval: Interval
    fold_means: Mapping[str, float | None]
    sd_of_folds: float | None


@dataclass(frozen=True)
class CrossValidation:
    """`missing` maps each fold that has no validation to the reason; they are in no number."""

    result: Result
    structures: tuple[CrossValidatedDice, ...]
    overall: CrossValidatedDice
    missing: Mapping[str, str]
    warnings: tuple[str, ...]


def cross_validate(result: Result, missing: Mapping[str, str]) -> CrossValidation:
    """Summarise the pooled folds `result`."""
    per_structure = {
        name: {case: value for case, row in result.dice.items() if (value := row.get(name)) is not None}
        for name in result.structures
    }
    warnings = fold_warnings(result)
    if unknown := len(result.dice.keys() - result.patients.keys()):
        warnings.append(
            f"the patients of {count_text(unknown, 'case')} are not known, so each counts as a patient of its own"
        )
    return CrossValidation(
        result,
        structures=tuple(_summarise(name, values, result) for name, values in per_structure.items()),
        overall=_summarise(OVERALL, case_dice(result), result),
        missing=missing,
        warnings=tuple(warnings),
    )


def case_dice(result: Result) -> dict[str, float]:
    """Each case's mean Dice over the structures that it has."""
    means = {case: mean_of_known(row.values()) for case, row in result.dice.items()}
    return {case: mean for case, mean in means.items() if mean is not None}


def _summarise(structure: str, values: Mapping[str, float], result: Result) -> CrossValidatedDice:
    patients = [result.patients.get(case, case) for case in values]
    dice = list(values.values())
    fold_means = {
        fold: mean_of_known(value for case, value in values.items() if result.folds[case] == fold)
        for fold in result.records
    }
    return CrossValidatedDice(
        structure,
        cases=len(dice),
        patients=len(set(patients)),
        mean=mean_of_known(dice),
        sd=_sd(dice),
        interval=mean_interval(dice, patients),
        fold_means=fold_means,
        sd_of_folds=_sd([mean for mean in fold_means.values() if mean is not None]),
    )


def _sd(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
