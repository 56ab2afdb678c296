"""Every fault that is planted is named, once, and nothing else is."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.faulty import CT_FAULTS, FAULTS, TWO_CHANNEL_FAULTS, Fault, write_clean
from uumamba.data.checks.cases import CasesToCheck, all_problems
from uumamba.data.problem import KINDS, Problem

CHANNELS = {"MRI": ("MRI",), "CT": ("CT",), "two": ("T1", "T2")}
PLANTED = [
    *(pytest.param("MRI", fault, id=name) for name, fault in FAULTS.items()),
    *(pytest.param("CT", fault, id=name) for name, fault in CT_FAULTS.items()),
    *(pytest.param("two", fault, id=name) for name, fault in TWO_CHANNEL_FAULTS.items()),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CasesToCheck]:
    """Clean data sets, which a test copies."""
    return {name: write_clean(tmp_path_factory.mktemp(name), *channels) for name, channels in CHANNELS.items()}


def copy(cases: CasesToCheck, root: Path) -> CasesToCheck:
    """The data set in another folder."""
    shutil.copytree(cases.place, root, dirs_exist_ok=True)
    training = tuple(
        replace(
            case,
            images=tuple(root / path.name for path in case.images),
            label_map=None if case.label_map is None else root / case.label_map.name,
        )
        for case in cases.training
    )
    return replace(cases, place=root, training=training)


def problems_of(cases: CasesToCheck) -> tuple[Problem, ...]:
    """All problems, found in this process."""
    return all_problems(
        cases, [cases.check_training(case) for case in cases.training], [cases.check_test(case) for case in cases.test]
    )


@pytest.mark.parametrize("name", CHANNELS)
def test_a_clean_data_set_has_no_problem(originals: dict[str, CasesToCheck], name: str) -> None:
    assert problems_of(originals[name]) == ()


@pytest.mark.parametrize(("name", "fault"), PLANTED)
def test_a_planted_fault_is_named_once_and_nothing_else(
    originals: dict[str, CasesToCheck], name: str, fault: Fault, tmp_path: Path
) -> None:
    cases, expected = fault.plant(copy(originals[name], tmp_path / "data"))
    problems = problems_of(cases)
    assert sorted((problem.kind, problem.file.name) for problem in problems) == sorted(expected)
    assert problems[0].severity == fault.severity
    for problem in problems:
        assert problem.kind in KINDS
        assert problem.what
        assert problem.fix
        assert not problem.what.startswith(str(problem.file))
        assert not problem.what.endswith((".", ";"))
        assert problem.file.exists() or problem.kind == "missing"


def test_several_faults_are_found_at_once_whatever_the_order_of_the_cases(
    originals: dict[str, CasesToCheck], tmp_path: Path
) -> None:
    cases = copy(originals["MRI"], tmp_path / "data")
    expected = set()
    for name in ("unknown label", "other orientation", "few patients", "one name twice"):
        cases, found = FAULTS[name].plant(cases)
        expected |= found
    problems = problems_of(cases)
    assert {(problem.kind, problem.file.name) for problem in problems} == expected
    order = np.random.default_rng(0).permutation(len(cases.training))
    shuffled = replace(cases, training=tuple(cases.training[index] for index in order))
    assert problems_of(shuffled) == problems
