"""The summary of folds by hand."""

from pathlib import Path
from statistics import stdev

import pytest

from uumamba.evaluation.cross_validation import case_dice, cross_validate
from uumamba.evaluation.resampling import Interval, mean_interval
from uumamba.evaluation.result import Result

DICE: dict[str, dict[str, float | None]] = {
    "p1_a": {"RV": 0.5, "LV": 0.75},
    "p1_b": {"RV": None, "LV": 1.0},
    "p2_a": {"RV": 0.25, "LV": 0.0},
    "p3_a": {"RV": None, "LV": None},
}
FOLDS = {"p1_a": "0", "p1_b": "0", "p2_a": "3", "p3_a": "3"}
PATIENTS = {case: case[:2] for case in DICE}
RECORDS = {fold: {"configuration": {"training": {"epochs": 8}}} for fold in ("0", "3")}


def result(patients: dict[str, str] = PATIENTS) -> Result:
    """Two folds of three patients."""
    return Result(Path("plain"), DICE, patients, RECORDS, FOLDS)


def test_means_spread_and_folds() -> None:
    found = cross_validate(result(), {"1": "it was not trained"})
    right, left = found.structures
    assert (left.structure, left.cases, left.patients) == ("LV", 3, 2)
    assert left.mean == pytest.approx(1.75 / 3)
    assert left.sd == pytest.approx(stdev([0.75, 1.0, 0.0]))
    assert left.fold_means == {"0": 0.875, "3": 0.0}
    assert left.sd_of_folds == pytest.approx(stdev([0.875, 0.0]))
    assert left.interval == mean_interval([0.75, 1.0, 0.0], ["p1", "p1", "p2"])
    assert (right.cases, right.mean) == (2, 0.375)
    assert found.missing == {"1": "it was not trained"}
    assert found.warnings == ()


def test_over_structures_a_case_counts_by_those_that_it_has() -> None:
    assert case_dice(result()) == {"p1_a": 0.625, "p1_b": 1.0, "p2_a": 0.125}
    overall = cross_validate(result(), {}).overall
    assert (overall.cases, overall.mean) == (3, pytest.approx(1.75 / 3))


def test_one_fold_has_no_spread_of_folds_and_no_case_no_number() -> None:
    dice: dict[str, dict[str, float | None]] = {"p1_a": {"RV": 0.5, "LV": None}}
    found = cross_validate(Result(Path("one"), dice, PATIENTS, {"0": {}}, {"p1_a": "0"}), {})
    right, left = found.structures
    assert (right.mean, right.sd, right.sd_of_folds, right.fold_means) == (0.5, None, None, {"0": 0.5})
    assert right.interval == Interval(None, None, "needs 2 patients, got 1")
    assert (left.cases, left.mean, left.fold_means) == (0, None, {"0": None})


def test_unknown_patients_are_told() -> None:
    found = cross_validate(result({}), {})
    assert found.warnings == ("the patients of 4 cases are not known, so each counts as a patient of its own",)
    assert found.overall.patients == 3
