"""Whose cases there are: names, folds and the test split."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from uumamba.data.case import Case
from uumamba.data.problem import Problem
from uumamba.data.splits import Fold

_MOST_NAMES = 4


def name_problems(cases: Iterable[Case], place: Path) -> Iterator[Problem]:
    """Names that several cases have: their files would overwrite each other."""
    for name, count in sorted(Counter(case.name for case in cases).items()):
        if count > 1:
            yield Problem(place, f"{count} cases are named {name}", "give each case its own name", kind="same_name")


def split_problems(
    training: Sequence[Case], test: Sequence[Case], official: Sequence[Fold] | None, place: Path
) -> Iterator[Problem]:
    """Patients who are both in training and in test, or on both sides of an official fold."""
    of_test = {case.patient for case in test}
    shared = sorted({case.patient for case in training} & of_test)
    for patient in shared:
        cases = _names(case.name for case in (*training, *test) if case.patient == patient)
        what = f"patient {patient} is in the training and in the test split ({cases})"
        yield Problem(place, what, "keep a patient on one side", kind="patient_on_both_sides")
    for patient, folds in sorted(_torn(training, official or ()).items()):
        cases = _names(case.name for case in training if case.patient == patient)
        what = f"patient {patient} is on both sides of fold {_names(map(str, folds))} ({cases})"
        yield Problem(place, what, "give all cases of a patient one fold", kind="patient_on_both_sides")


def count_problems(training: Sequence[Case], folds: int, place: Path) -> Iterator[Problem]:
    """Fewer patients than there shall be folds."""
    patients = len({case.patient for case in training})
    if patients < folds:
        what = f"cases of {patients} patient(s) are too few for {folds} folds"
        yield Problem(place, what, "add patients, or lower planning.folds", kind="few_patients")


def _torn(cases: Sequence[Case], folds: Sequence[Fold]) -> dict[str, list[int]]:
    """Patient -> the folds that train on one of their cases and validate or test on another."""
    patient_of = {case.name: case.patient for case in cases}
    torn: dict[str, list[int]] = defaultdict(list)
    for number, fold in enumerate(folds):
        sides = (fold.training, (*fold.validation, *fold.test))
        learned, held_out = ({patient_of.get(name) for name in side} for side in sides)
        for patient in (learned & held_out) - {None}:
            torn[str(patient)].append(number)
    return torn


def _names(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return ", ".join(found[:_MOST_NAMES]) + more
