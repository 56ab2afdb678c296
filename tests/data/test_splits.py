"""Folds: laws for any set of patients."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.core.errors import InputError
from uumamba.data.case import Case, require_distinct_names
from uumamba.data.splits import Fold, patient_folds, patients_to_test, read_folds, write_folds


def make_case(patient: str, frame: int, group: str | None) -> Case:
    """A case without files; no group at all where `group` is None."""
    return Case(
        f"{patient}_{frame}", patient, (Path("image"),), Path("labels"), {} if group is None else {"group": group}
    )


@st.composite
def case_lists(draw: st.DrawFn) -> list[Case]:
    """Cases of 5 to 40 patients in up to 4 groups, 1 to 3 cases each."""
    patients = draw(
        st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["A", "B", "C", None])), min_size=5, max_size=40)
    )
    return [
        make_case(f"p{number}", frame, group)
        for number, (frames, group) in enumerate(patients)
        for frame in range(frames)
    ]


@given(cases=case_lists(), folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_every_case_is_validated_once_and_no_patient_is_on_both_sides(cases: list[Case], folds: int, seed: int) -> None:
    made = patient_folds(cases, folds=folds, seed=seed)
    assert len(made) == folds
    assert Counter(name for fold in made for name in fold.validation) == Counter(case.name for case in cases)
    patient_of = {case.name: case.patient for case in cases}
    for fold in made:
        assert set(fold.training) | set(fold.validation) == set(patient_of)
        assert not {patient_of[name] for name in fold.training} & {patient_of[name] for name in fold.validation}


@given(cases=case_lists(), folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_sizes_and_groups_are_balanced(cases: list[Case], folds: int, seed: int) -> None:
    made = patient_folds(cases, folds=folds, seed=seed)
    patient_of = {case.name: case.patient for case in cases}
    group_of = {case.patient: case.details.get("group") for case in cases}
    patients = [{patient_of[name] for name in fold.validation} for fold in made]
    for members in (set(group_of), *({p for p in group_of if group_of[p] == g} for g in set(group_of.values()))):
        counts = [len(fold & members) for fold in patients]
        assert max(counts) - min(counts) <= 1


@given(cases=case_lists(), seed=st.integers(0, 9))
def test_the_order_of_cases_does_not_matter(cases: list[Case], seed: int) -> None:
    shuffled = random.Random(seed).sample(cases, len(cases))
    assert patient_folds(shuffled, seed=seed) == patient_folds(cases, seed=seed)


def test_another_seed_gives_other_folds() -> None:
    cases = [make_case(f"p{number}", 0, "A") for number in range(50)]
    assert patient_folds(cases, seed=0) != patient_folds(cases, seed=1)


def test_folds_survive_json(tmp_path: Path) -> None:
    folds = patient_folds([make_case(f"p{number}", 0, "A") for number in range(6)], folds=3, seed=0)
    write_folds(tmp_path / "folds.json", folds)
    assert read_folds(tmp_path / "folds.json") == folds


def test_a_file_that_holds_no_folds(tmp_path: Path) -> None:
    (tmp_path / "folds.json").write_text('{"train": []}')
    with pytest.raises(InputError, match=r"folds\.json: not a list of folds with training and validation; run"):
        read_folds(tmp_path / "folds.json")


@pytest.mark.parametrize("folds", [1, 4])
def test_an_impossible_number_of_folds(folds: int) -> None:
    cases = [make_case(f"p{number}", 0, "A") for number in range(3)]
    with pytest.raises(InputError, match=rf"folds must be 2 to the number of patients, 3, got {folds}; choose"):
        patient_folds(cases, folds=folds, seed=0)


def test_two_cases_of_one_name() -> None:
    case = make_case("p1", 0, "A")
    with pytest.raises(InputError, match="case names must be distinct, but p1_0 is there more than once; rename"):
        require_distinct_names([case, case])


def test_golden_folds() -> None:
    cases = [make_case(f"p{number}", 0, "AB"[number % 2]) for number in range(6)]
    assert patient_folds(cases, folds=2, seed=0) == GOLDEN


GOLDEN = (
    Fold(training=("p0_0", "p1_0", "p3_0"), validation=("p2_0", "p4_0", "p5_0")),
    Fold(training=("p2_0", "p4_0", "p5_0"), validation=("p0_0", "p1_0", "p3_0")),
)


@given(cases=case_lists(), fraction=st.floats(0.01, 0.9), seed=st.integers(0, 9))
def test_a_fraction_of_the_patients_is_kept_to_test_on(cases: list[Case], fraction: float, seed: int) -> None:
    """All cases of a patient or none, as many patients as asked for, whatever the order of the cases."""
    tested = patients_to_test(cases, fraction=fraction, seed=seed)
    patients = {case.patient for case in cases}
    chosen = {case.patient for case in tested}
    assert [case.name for case in tested] == sorted(case.name for case in cases if case.patient in chosen)
    assert len(chosen) == max(round(fraction * len(patients)), 1)
    assert patients_to_test(cases[::-1], fraction=fraction, seed=seed) == tested


@given(cases=case_lists(), seed=st.integers(0, 9))
def test_a_person_of_two_names_is_on_one_side(cases: list[Case], seed: int) -> None:
    twice = frozenset({"p0", "p3"})
    for fold in patient_folds(cases, folds=4, seed=seed, one_person=[twice]):
        sides = [{name.split("_")[0] for name in names} for names in (fold.training, fold.validation)]
        assert sum(bool(side & twice) for side in sides) == 1
    assert patient_folds(cases, folds=4, seed=seed, one_person=[frozenset({"q1", "q2"})]) == patient_folds(
        cases, folds=4, seed=seed
    )


@given(cases=case_lists(), seed=st.integers(0, 9))
def test_a_person_of_two_names_is_tested_on_as_a_whole(cases: list[Case], seed: int) -> None:
    twice = frozenset({"p0", "p3"})
    tested = patients_to_test(cases, fraction=0.4, seed=seed, one_person=[twice])
    there = {case.patient for case in cases} & twice
    assert {case.patient for case in tested} & twice in (set(), there)
