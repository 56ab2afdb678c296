"""Folds by patient: what is learned from one image of a person is never tested on another of the same person."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json
from uumamba.core.seeding import derive_generator
from uumamba.core.settings import Settings
from uumamba.data.case import Case, require_distinct_names


class Fold(Settings):
    """Names of the cases to train on and to validate on, each sorted; and to test on, where the official folds say."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def patient_folds(
    cases: Iterable[Case], *, folds: int = 5, seed: int, one_person: Collection[frozenset[str]] = ()
) -> tuple[Fold, ...]:
    """Cross-validation folds, stratified by the detail "group" where cases have it.

    Each case is validated in exactly one fold; all cases of a patient in the same, and those of patients who are
    `one_person`. Numbers of persons differ by at most one between folds, and so do those of each group. The result
    depends on names, groups and seed only, not on the order of `cases`. Raises `InputError` if there are fewer persons
    than folds, or fewer than two folds.
    """
    ordered = sorted(cases, key=lambda case: case.name)
    require_distinct_names(ordered)
    person_of = _persons(ordered, one_person)
    group_of = {person_of[case.name]: str(case.details.get("group")) for case in reversed(ordered)}
    if not 2 <= folds <= len(group_of):
        raise InputError(
            f"folds must be 2 to the number of patients, {len(group_of)}, got {folds}; choose another number"
        )
    members: dict[str, list[str]] = defaultdict(list)
    for person in sorted(group_of):
        members[group_of[person]].append(person)
    shuffled = [derive_generator(seed, "folds", group).permutation(members[group]) for group in sorted(members)]
    fold_of = {str(person): number % folds for number, person in enumerate(np.concatenate(shuffled))}
    return tuple(
        Fold(
            training=tuple(case.name for case in ordered if fold_of[person_of[case.name]] != number),
            validation=tuple(case.name for case in ordered if fold_of[person_of[case.name]] == number),
        )
        for number in range(folds)
    )


def patients_to_test(
    cases: Iterable[Case], *, fraction: float, seed: int, one_person: Collection[frozenset[str]] = ()
) -> tuple[Case, ...]:
    """The cases of a fraction of the persons, of one at least; it depends on names and seed only.

    Patients who are `one_person` count as one, and are chosen together.
    """
    ordered = sorted(cases, key=lambda case: case.name)
    person_of = _persons(ordered, one_person)
    persons = sorted(set(person_of.values()))
    count = max(round(fraction * len(persons)), 1)
    chosen = set(derive_generator(seed, "test").permutation(persons)[:count].tolist())
    return tuple(case for case in ordered if person_of[case.name] in chosen)


def same_sides(folds: Iterable[Fold], others: Iterable[Fold]) -> bool:
    """Whether both train and validate on the same cases, fold by fold, whatever they test on."""
    first, second = ([(each.training, each.validation) for each in side] for side in (folds, others))
    return first == second


def _persons(cases: Iterable[Case], one_person: Collection[frozenset[str]]) -> dict[str, str]:
    """Case -> the first patient's name of its person."""
    first = {patient: min(patients) for patients in one_person for patient in patients}
    return {case.name: first.get(case.patient, case.patient) for case in cases}


def write_folds(path: Path, folds: Iterable[Fold]) -> None:
    """Write folds as JSON."""
    write_json(path, [fold.model_dump() for fold in folds])


def read_folds(path: Path) -> tuple[Fold, ...]:
    """Read folds; raises `InputError` if the file is missing or holds something else."""
    try:
        return TypeAdapter(tuple[Fold, ...]).validate_python(read_json(path))
    except ValidationError:
        raise InputError(
            f"{path}: not a list of folds with training and validation; run `uumamba preprocess` again"
        ) from None
